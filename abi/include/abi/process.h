/* Rows and flags of the process service. */
#pragma once

#include <abi/info.h>

enum process_flags { PROCESS_ATTACHED = 1 /* ends when its owner's control handle is gone */ };

struct process_row {
    uint64_t id;
    uint64_t memory_bytes, cpu_ns;
    uint32_t state; /* 0 preparing, 1 running, 2 ended and not yet awaited */
    uint32_t cause, code;
    uint32_t threads;
    uint64_t owner_node; /* node number of who started it */
    uint64_t job;        /* 0: none */
    char command[64];
};
_Static_assert(sizeof(struct process_row) == 120, "process_row");
