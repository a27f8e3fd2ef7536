/* posix_spawn: a process is prepared at the process server, given what it shall have, and started. */
#include <abi/ids.h>
#include <errno.h>
#include <fcntl.h>
#include <os/spawn.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "libc.h"
#include "spawn_private.h"

#define PASSED_FDS SPAWN_FDS

/* --- descriptors of the child --- */

static void map_set(struct open_file *map[PASSED_FDS], int fd, struct open_file *file)
{
    if (fd < 0 || fd >= PASSED_FDS) {
        if (file)
            file_release(file);
        return;
    }
    if (map[fd])
        file_release(map[fd]);
    map[fd] = file;
}

static int apply_open(struct open_file *map[PASSED_FDS], const struct spawn_action *action)
{
    int fd = open(action->path, action->flags | O_CLOEXEC, action->mode);
    if (fd < 0)
        return errno;
    map_set(map, action->fd, file_of(fd));
    close(fd);
    return 0;
}

static int apply_dup2(struct open_file *map[PASSED_FDS], const struct spawn_action *action)
{
    struct open_file *file = NULL;
    if (action->from >= 0 && action->from < PASSED_FDS && map[action->from]) {
        file = map[action->from];
        __atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
    } else {
        file = file_of(action->from);
    }
    if (!file)
        return EBADF;
    map_set(map, action->fd, file);
    return 0;
}

static int map_make(struct open_file *map[PASSED_FDS], const posix_spawn_file_actions_t *actions)
{
    int error = 0, before = errno;
    for (int fd = 0; fd < PASSED_FDS; fd++)
        map[fd] = fd_closes_on_exec(fd) ? NULL : file_of(fd);
    errno = before;
    for (struct spawn_action *at = actions ? (*actions)->first : NULL; at && !error; at = at->next) {
        if (at->kind == SPAWN_OPEN)
            error = apply_open(map, at);
        else if (at->kind == SPAWN_DUP2)
            error = apply_dup2(map, at);
        else
            map_set(map, at->fd, NULL);
    }
    return error;
}

static void map_free(struct open_file *map[PASSED_FDS])
{
    for (int fd = 0; fd < PASSED_FDS; fd++)
        map_set(map, fd, NULL);
}

/* --- putting it together --- */

static err_t spawn_mapped(const char *path, bool own_group, struct open_file *map[PASSED_FDS], char *const argv[],
                          char *const envp[], uint64_t *process_id)
{
    char cwd[PATH_MAX_BYTES];
    struct spawned spawned;
    /* A child ends with its parent unless it was asked to be in a group of its own. */
    struct spawn spawn = {.service = children_server(),
                          .path = path,
                          .arguments = argv,
                          .environment = envp ? envp : environ,
                          .directory = getcwd(cwd, sizeof cwd),
                          .detached = own_group,
                          .deadline = DEADLINE_NEVER};
    spawn.handles[STARTUP_NAMES] = libc_names();
    for (uint32_t fd = 0; fd < PASSED_FDS; fd++)
        if (map[fd])
            os_spawn_fd(&spawn, fd, map[fd]->handle);
    err_t err = os_spawn(&spawn, &spawned);
    if (err != E_OK)
        return err;
    *process_id = spawned.process_id;
    err = children_add(spawned.control, spawned.process_id);
    if (err != E_OK)
        os_handle_close(spawned.control);
    return err;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const argv[], char *const envp[])
{
    char absolute[PATH_MAX_BYTES];
    struct open_file *map[PASSED_FDS];
    uint64_t process_id = 0;
    err_t err = E_OK;
    bool own_group = attributes && ((*attributes)->flags & POSIX_SPAWN_SETPGROUP);
    if (path_absolute(path, absolute))
        return errno;
    int error = map_make(map, actions);
    if (!error)
        err = spawn_mapped(absolute, own_group, map, argv, envp, &process_id);
    map_free(map);
    if (error || err != E_OK)
        return error ? error : libc_errno(err);
    if (pid)
        *pid = (pid_t)PROCESS_ID_SERIAL(process_id);
    return 0;
}

static bool find_in_path(const char *name, char found[PATH_MAX_BYTES])
{
    const char *path = getenv("PATH");
    for (path = path ? path : "/bin"; *path;) {
        size_t length = strcspn(path, ":");
        int made = snprintf(found, PATH_MAX_BYTES, "%.*s/%s", (int)length, length ? path : ".", name);
        if (made < PATH_MAX_BYTES && access(found, X_OK) == 0)
            return true;
        path += length;
        path += *path == ':';
    }
    return false;
}

int posix_spawnp(pid_t *restrict pid, const char *restrict name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *restrict attributes, char *const argv[], char *const envp[])
{
    char found[PATH_MAX_BYTES];
    if (strchr(name, '/'))
        return posix_spawn(pid, name, actions, attributes, argv, envp);
    if (!find_in_path(name, found))
        return ENOENT;
    return posix_spawn(pid, found, actions, attributes, argv, envp);
}
