/* What a new process finds: rdi of its first thread points at a struct startup, followed in the same pages by the
 * strings it names. Filled in by whoever made the process (the kernel, for the supervisor). Read-only by custom.
 *
 * The supervisor's environment is the node's checked configuration, one "key=value" for each key that was given (the
 * last line of a key wins); it passes it on to every server and driver, with "restarts=N" added. */
#pragma once

#include <abi/types.h>

#define STARTUP_MAGIC     0x5348534f414c5354ull
#define STARTUP_VA        0x0000700000000000ull
#define STARTUP_BYTES_MAX 131072ull
#define STARTUP_HANDLES   24

/* Slots of startup.handles; HANDLE_NONE where not given. */
enum startup_handle {
    STARTUP_PROCESS = 0, /* itself, MANAGE */
    STARTUP_THREAD = 1,  /* its first thread */
    STARTUP_BUDGET = 2,  /* what it lives on */
    STARTUP_NAMES = 3,   /* the name space: an Endpoint of the names service (abi/idl/names.msg) */
    STARTUP_STDIN = 4,   /* Endpoints of the file service */
    STARTUP_STDOUT = 5,
    STARTUP_STDERR = 6,
    STARTUP_SYSTEM = 7,     /* System, with the rights its manifest gives */
    STARTUP_CONTROL = 8,    /* the process server of this node, for starting children here (abi/idl/process.msg) */
    STARTUP_SUPERVISOR = 9, /* servers and drivers: where to publish their service (abi/idl/supervisor.msg) */
    STARTUP_BUNDLE = 10,    /* Memory of the boot bundle; supervisor, names and process server only */
    STARTUP_CLUSTER = 11,   /* Endpoint of the cluster service with this process's permissions */
    STARTUP_FDS = 12,       /* first of 4 more inherited file descriptors, 3..6 */
    STARTUP_EXTRA = 16      /* first of the handles named by a server's manifest (devices, peers), in its order */
};

struct startup {
    uint64_t magic;
    uint64_t bytes;      /* of the whole block */
    uint64_t ipc_buffer; /* address of the first thread's IPC buffer */
    uint64_t stack_low, stack_high;
    uint32_t argc, envc;
    uint32_t argv_offset; /* from the start of the block: argc strings, each ended by 0, one after the other */
    uint32_t envv_offset; /* likewise */
    uint32_t cwd_offset;
    uint32_t fd_mask; /* which descriptors 0..6 are given */
    handle_t handles[STARTUP_HANDLES];
    uint64_t process_id; /* cluster-wide: see abi/ids.h */
    uint32_t tty_flags;
    uint32_t level; /* whom it may wait for: abi/idl/README.md; 9 for programs */
};
