/* posix_spawn's lists of file actions and its attributes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spawn_private.h"

static int add(posix_spawn_file_actions_t *actions, struct spawn_action action)
{
    struct spawn_action *copy = malloc(sizeof *copy);
    if (!copy)
        return ENOMEM;
    *copy = action;
    struct spawn_action **at = &(*actions)->first;
    while (*at)
        at = &(*at)->next;
    *at = copy;
    return 0;
}

int posix_spawn_file_actions_init(posix_spawn_file_actions_t *actions)
{
    *actions = calloc(1, sizeof **actions);
    return *actions ? 0 : ENOMEM;
}

int posix_spawn_file_actions_destroy(posix_spawn_file_actions_t *actions)
{
    for (struct spawn_action *at = (*actions)->first, *next; at; at = next) {
        next = at->next;
        free(at->path);
        free(at);
    }
    free(*actions);
    *actions = NULL;
    return 0;
}

int posix_spawn_file_actions_addopen(posix_spawn_file_actions_t *restrict actions, int fd, const char *restrict path,
                                     int flags, mode_t mode)
{
    char *copy = strdup(path);
    if (!copy)
        return ENOMEM;
    int error =
        add(actions, (struct spawn_action){.kind = SPAWN_OPEN, .fd = fd, .path = copy, .flags = flags, .mode = mode});
    if (error)
        free(copy);
    return error;
}

int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int from, int fd)
{
    return add(actions, (struct spawn_action){.kind = SPAWN_DUP2, .fd = fd, .from = from});
}

int posix_spawn_file_actions_addclose(posix_spawn_file_actions_t *actions, int fd)
{
    return add(actions, (struct spawn_action){.kind = SPAWN_CLOSE, .fd = fd});
}

int posix_spawnattr_init(posix_spawnattr_t *attributes)
{
    *attributes = calloc(1, sizeof **attributes);
    return *attributes ? 0 : ENOMEM;
}

int posix_spawnattr_destroy(posix_spawnattr_t *attributes)
{
    free(*attributes);
    *attributes = NULL;
    return 0;
}

int posix_spawnattr_setflags(posix_spawnattr_t *attributes, short flags)
{
    (*attributes)->flags = flags;
    return 0;
}

int posix_spawnattr_getflags(const posix_spawnattr_t *restrict attributes, short *restrict flags)
{
    *flags = (*attributes)->flags;
    return 0;
}

int posix_spawnattr_setpgroup(posix_spawnattr_t *attributes, pid_t group)
{
    (*attributes)->group = group;
    return 0;
}

int posix_spawnattr_getpgroup(const posix_spawnattr_t *restrict attributes, pid_t *restrict group)
{
    *group = (*attributes)->group;
    return 0;
}

/* A child starts with no signal blocked and every signal at its default: whatever these ask for, they get that. */
int posix_spawnattr_setsigmask(posix_spawnattr_t *restrict attributes, const sigset_t *restrict mask)
{
    return *mask ? ENOTSUP : 0;
}

int posix_spawnattr_setsigdefault(posix_spawnattr_t *restrict attributes, const sigset_t *restrict set)
{
    return 0;
}
