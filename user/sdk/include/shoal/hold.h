/* What is held of the cluster: a lock (lock.h), a permit of a semaphore (semaphore.h), or an office that one was
 * elected to (election.h). It ends by shoal_release(), with this process, or with the node's lease; who comes next has
 * it then.
 *
 * A hold has a fence: a number higher than that of every earlier grant of the name, in this cluster for ever. Whoever
 * was paused for long may go on without knowing that its hold has ended; so what it does has to name the fence, where
 * it takes effect: in a transaction (shoal_txn_if_held()) or in calls that the kernel stamps (fence.h). Beyond that
 * this process is frozen while it is not sure that the node's lease still runs, which comes too late if its machine
 * stood still. */
#pragma once

#include <shoal/cluster.h>

#define SHOAL_LOCK_NAME_MAX 255u /* bytes of a lock's, semaphore's, election's or barrier's name */

/* The caller's memory; the fields are to be read only. */
struct shoal_hold {
    handle_t cluster;
    handle_t handle; /* the hold itself: HANDLE_NONE once it was given back. Closing its last copy gives it back, too */
    uint64_t fence;
    char name[SHOAL_LOCK_NAME_MAX + 1];
};

/* Gives it back. Whatever is returned, this process does not hold it any more, and the cluster learns of it as soon as
 * it can be reached.
 *   E_OK          the cluster knows
 *   E_STALE_FENCE, E_NOT_FOUND: it had ended before
 *   unknown: the cluster may not know yet */
err_t shoal_release(struct shoal_hold *hold, uint64_t deadline);

/* Waits until it is lost: the lease of this node ended, or an operator took it away. For a thread of its own.
 *   E_STALE_FENCE   it is lost: stop acting under it
 *   E_GONE          another thread gave it back
 *   E_TIMED_OUT     it is held, as far as this node knows */
err_t shoal_wait_lost(const struct shoal_hold *hold, uint64_t deadline);
