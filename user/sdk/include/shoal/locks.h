/* Which locks there are, semaphores, elections and barriers among them, and who holds them. (Who waits for whom:
 * waits.h.)
 *
 * Processes are named as the cluster knows them: node and the kernel's serial (abi/ids.h). `ps` shows other numbers; op
 * `number` of abi/idl/process.msg translates. Only names that the handle's prefix covers are told. */
#pragma once

#include <shoal/hold.h>

/* Rows in the order of names; the caller's memory. */
struct shoal_locks {
    handle_t cluster;
    uint32_t position, at, count;
    bool last;
    struct cluster_lock page[37];
};
void shoal_locks_begin(struct shoal_locks *locks, handle_t cluster);
/* The next one; *row_out is in *locks until the next call. E_NOT_FOUND: there are no more. E_TIMED_OUT,
 * E_NOT_DELIVERED, E_NO_RIGHT: ask again. */
err_t shoal_locks_next(struct shoal_locks *locks, uint64_t deadline, const struct cluster_lock **row_out);
