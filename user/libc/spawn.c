/* posix_spawn: a process is prepared at the process server, given what it shall have, and started. */
#include <abi/ids.h>
#include <abi/process.h>
#include <errno.h>
#include <fcntl.h>
#include <idl/control.h>
#include <idl/process.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "libc.h"
#include "spawn_private.h"

#define PASSED_FDS 7 /* what startup slots there are for descriptors */

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

static err_t give_all(handle_t control, struct open_file *map[PASSED_FDS])
{
    err_t err = E_OK;
    if (libc_names())
        err = control_give(control, DEADLINE_NEVER, STARTUP_NAMES, libc_names());
    for (int fd = 0; err == E_OK && fd < PASSED_FDS; fd++)
        if (map[fd])
            err = control_give(control, DEADLINE_NEVER, (uint32_t)(fd < 3 ? STARTUP_STDIN + fd : STARTUP_FDS + fd - 3),
                               map[fd]->handle);
    return err;
}

/* --- arguments and environment --- */

struct text {
    char *bytes;
    size_t length, room;
    bool failed;
};

static void text_add(struct text *text, const char *string)
{
    size_t bytes = strlen(string) + 1;
    if (text->length + bytes > text->room) {
        size_t room = (text->length + bytes) * 2;
        char *more = realloc(text->bytes, room);
        if (!more) {
            text->failed = true;
            return;
        }
        text->bytes = more;
        text->room = room;
    }
    memcpy(text->bytes + text->length, string, bytes);
    text->length += bytes;
}

static uint32_t text_add_all(struct text *text, char *const strings[])
{
    uint32_t count = 0;
    for (; strings && strings[count]; count++)
        text_add(text, strings[count]);
    return count;
}

static err_t send_arguments(handle_t control, char *const argv[], char *const envp[])
{
    struct text text = {0};
    char cwd[PATH_MAX_BYTES];
    uint32_t argc = text_add_all(&text, argv);
    uint32_t envc = text_add_all(&text, envp ? envp : environ);
    text_add(&text, getcwd(cwd, sizeof cwd));
    err_t err = text.failed ? E_NO_MEMORY : E_OK;
    for (size_t done = 0; err == E_OK && done < text.length;) {
        size_t left = text.length - done;
        uint32_t bytes = left < CONTROL_ARGUMENTS_STRINGS_MAX ? (uint32_t)left : CONTROL_ARGUMENTS_STRINGS_MAX;
        err = control_arguments(control, DEADLINE_NEVER, argc, envc, text.bytes + done, bytes);
        done += bytes;
    }
    free(text.bytes);
    return err;
}

/* --- putting it together --- */

static err_t start(handle_t control, uint64_t process_id, struct open_file *map[PASSED_FDS], char *const argv[],
                   char *const envp[])
{
    err_t err = give_all(control, map);
    if (err == E_OK)
        err = send_arguments(control, argv, envp);
    if (err == E_OK)
        err = children_add(control, process_id);
    if (err != E_OK) {
        os_handle_close(control);
        return err;
    }
    err = control_start(control, DEADLINE_NEVER);
    if (err != E_OK)
        children_forget(process_id); /* closes the handle: what was prepared is undone */
    return err;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const argv[], char *const envp[])
{
    char absolute[PATH_MAX_BYTES];
    struct open_file *map[PASSED_FDS];
    handle_t control;
    uint64_t process_id = 0;
    /* A child ends with its parent unless it was asked to be in a group of its own. */
    bool own_group = attributes && ((*attributes)->flags & POSIX_SPAWN_SETPGROUP);
    if (path_absolute(path, absolute))
        return errno;
    int error = map_make(map, actions);
    err_t err = E_OK;
    if (!error)
        err = process_prepare(children_server(), DEADLINE_NEVER, absolute, own_group ? 0 : PROCESS_ATTACHED, &control,
                              &process_id);
    if (!error && err == E_OK)
        err = start(control, process_id, map, argv, envp);
    map_free(map);
    if (!error && err == E_OK && pid)
        *pid = (pid_t)PROCESS_ID_SERIAL(process_id);
    return error ? error : err == E_OK ? 0 : libc_errno(err);
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
