/* Locks of the cluster: one holder, or several that share, first come first served. */
#pragma once

#include <shoal/hold.h>

#define SHOAL_LOCK_DELAY_MAX_MS 60000u

struct shoal_lock_options {
    bool shared;   /* with others that share; all of them wait for those who do not */
    bool try_only; /* does not wait: E_BUSY if it is not free */
    /* If this process or its node dies while it holds the lock, nobody gets it for so long, by cluster time: for what
     * cannot check fences. At most SHOAL_LOCK_DELAY_MAX_MS. */
    uint64_t delay_ms;
};

/* Waits in line until this process holds the lock; options NULL: exclusive, waiting, no delay. On E_OK *hold_out is to
 * be given back with shoal_release(); else nothing is held, and what was granted too late is given back by the kernel.
 *   E_BUSY         try_only, and it is not free
 *   E_TIMED_OUT    not free by the deadline
 *   E_WRONG_TYPE   the name is a semaphore, an election or a barrier just now
 *   E_FULL         there are 1,000 locks, this process has too many holds and places in line, or too many locks have a
 *                  delay
 *   E_NO_SESSION   the node's lease ended while this waited
 *   E_RANGE (delay_ms), E_TOO_LONG (name), E_NOT_DELIVERED, E_NO_RIGHT */
err_t shoal_lock(handle_t cluster, uint64_t deadline, const char *name, const struct shoal_lock_options *options,
                 struct shoal_hold *hold_out);
