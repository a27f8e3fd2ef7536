/* Between spawn_actions.c and spawn.c. */
#pragma once

#include <spawn.h>

enum spawn_action_kind { SPAWN_OPEN, SPAWN_DUP2, SPAWN_CLOSE };

struct spawn_action {
    enum spawn_action_kind kind;
    int fd, from, flags;
    mode_t mode;
    char *path;
    struct spawn_action *next;
};

struct __posix_spawn_file_actions {
    struct spawn_action *first;
};

struct __posix_spawnattr {
    short flags;
    pid_t group;
};
