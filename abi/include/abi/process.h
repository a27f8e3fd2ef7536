/* Rows and flags of the process service, and rows of the supervisor. */
#pragma once

#include <abi/info.h>

enum process_flags { PROCESS_ATTACHED = 1 /* ends when its owner's control handle is gone */ };

enum process_kind {
    PROCESS_PROGRAM = 0,
    PROCESS_SERVER = 1,  /* a server or driver; its serial is below PROCESS_SERIAL_FIRST (abi/ids.h) */
    PROCESS_TERMINAL = 2 /* likewise, but what runs on a terminal: a shell */
};

struct process_row {
    uint64_t id;
    uint64_t memory_bytes, cpu_ns;
    uint32_t state; /* 0 preparing, 1 running, 2 ended and not yet awaited */
    uint32_t cause, code;
    uint32_t threads;
    uint32_t owner_node; /* node number of who started it, if that is another */
    uint32_t kind;       /* enum process_kind */
    uint64_t job;        /* 0: none */
    char command[64];
};
_Static_assert(sizeof(struct process_row) == 120, "process_row");

enum service_state {
    SERVICE_WAITING = 0, /* for what it needs */
    SERVICE_RUNNING = 1,
    SERVICE_RESTARTING = 2, /* after a while */
    SERVICE_ENDED = 3,      /* and will not be started again */
    SERVICE_FAILED = 4      /* cannot be started: `progress` says why */
};

struct service_row {
    uint64_t memory_bytes, cpu_ns; /* 0 if it does not run, as the next */
    uint64_t kernel_serial;
    uint32_t serial; /* of its process id */
    uint32_t kind;   /* enum process_kind */
    uint32_t state;  /* enum service_state */
    uint32_t restarts, threads, reserved;
    char name[40], progress[128], last_end[80]; /* each ends with 0 */
};
_Static_assert(sizeof(struct service_row) == 296, "service_row");
