/* system and popen, over /bin/sh -c. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libc.h"

#define SHELL "/bin/sh"

static int spawn_shell(const char *command, const posix_spawn_file_actions_t *actions, pid_t *pid)
{
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    return posix_spawn(pid, SHELL, actions, NULL, argv, environ);
}

int system(const char *command)
{
    pid_t pid;
    int status;
    if (!command)
        return access(SHELL, X_OK) == 0;
    int error = spawn_shell(command, NULL, &pid);
    if (error) {
        errno = error;
        return -1;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

struct popened {
    FILE *stream;
    pid_t pid;
    struct popened *next;
};

static struct os_mutex lock;
static struct popened *all;

/* `ours` stays here, `theirs` becomes the shell's descriptor `their_fd`. */
static int popen_spawn(const char *command, int theirs, int their_fd, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return error;
    error = posix_spawn_file_actions_adddup2(&actions, theirs, their_fd);
    if (!error)
        error = spawn_shell(command, &actions, pid);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static FILE *popen_ends(const char *command, const char *mode, int ends[2], struct popened *entry)
{
    int reading = mode[0] == 'r';
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    int error = popen_spawn(command, ends[reading], reading, &entry->pid);
    close(ends[reading]);
    entry->stream = error ? NULL : fdopen(ends[!reading], reading ? "r" : "w");
    if (!entry->stream) {
        close(ends[!reading]);
        errno = error ? error : errno;
        return NULL;
    }
    os_mutex_lock(&lock);
    entry->next = all;
    all = entry;
    os_mutex_unlock(&lock);
    return entry->stream;
}

FILE *popen(const char *command, const char *mode)
{
    int ends[2];
    if (mode[0] != 'r' && mode[0] != 'w') {
        errno = EINVAL;
        return NULL;
    }
    struct popened *entry = malloc(sizeof *entry);
    if (!entry || pipe(ends)) {
        free(entry);
        return NULL;
    }
    FILE *stream = popen_ends(command, mode, ends, entry);
    if (!stream)
        free(entry);
    return stream;
}

int pclose(FILE *stream)
{
    int status;
    os_mutex_lock(&lock);
    struct popened **at = &all, *entry;
    while (*at && (*at)->stream != stream)
        at = &(*at)->next;
    entry = *at;
    if (entry)
        *at = entry->next;
    os_mutex_unlock(&lock);
    if (!entry) {
        errno = EINVAL;
        return -1;
    }
    pid_t pid = entry->pid;
    free(entry);
    fclose(stream);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}
