/* Barriers of the cluster: all who come wait until so many are there; then all go on. */
#pragma once

#include <shoal/cluster.h>

#define SHOAL_PARTIES_MAX 4096u

/* Waits until `parties` wait, this one among them; all must say the same number. The name can be used again at once for
 * the next time. E_OK: all were there. Else this one was not counted if the others still wait:
 *   E_TIMED_OUT    not so many came by the deadline
 *   E_CONFLICT     others wait for another number
 *   E_RANGE        parties is 0 or above SHOAL_PARTIES_MAX
 *   and as shoal_lock() of lock.h */
err_t shoal_barrier(handle_t cluster, uint64_t deadline, const char *name, uint32_t parties);
