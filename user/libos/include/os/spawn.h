/* Starting programs as a client of a process server: this node's, or another's. */
#pragma once

#include <abi/process.h>
#include <abi/startup.h>

#define SPAWN_FDS 7

struct spawn {
    handle_t service; /* of the process service (os_spawn_service, or cluster.node_service) */
    const char *path; /* absolute */
    char *const *arguments, *const *environment; /* each ended by NULL */
    const char *directory;
    bool no_cluster;       /* not even the caller's own handle to the cluster service */
    bool detached;         /* it does not end with the control handle */
    uint64_t memory_bytes; /* 0: what the process server thinks right */
    uint64_t deadline;     /* for all of it together */
    /* Startup slots to fill: names, descriptors, what else it needs. All but STARTUP_PROCESS, THREAD and BUDGET. Where
     * CONTROL stays HANDLE_NONE the process server gives its own; where CLUSTER does, os_spawn() gives the caller's. */
    handle_t handles[STARTUP_HANDLES];
};

struct spawned {
    handle_t control; /* closing it ends the process, unless detached */
    uint64_t process_id;
};

struct spawn_end {
    uint32_t cause, code; /* enum exit_cause */
    uint64_t detail;
};

/* The process service of this node. The handle is the caller's. */
err_t os_spawn_service(uint64_t deadline, handle_t *service_out);

/* Fills in the slot of descriptor 0..6. */
void os_spawn_fd(struct spawn *s, uint32_t fd, handle_t file);

/* Whatever fails, nothing is left running. */
err_t os_spawn(const struct spawn *s, struct spawned *spawned_out);

/* Waits for its end. If this node's process server was restarted meanwhile, the new one is asked. E_UNKNOWN, E_GONE:
 * the other node is lost, or nobody knows that process any more. */
err_t os_spawn_wait(struct spawned *spawned, uint64_t deadline, struct spawn_end *end_out);

/* The exit status that a shell shows for an end: its own, or 128 + the signal it stands for. */
uint32_t os_spawn_status(const struct spawn_end *end);

/* How it ended, in words: "killed by signal 2", "fault: reading at 0x0". Empty for a plain exit. */
void os_spawn_end_text(const struct spawn_end *end, char *to, uint32_t room);
