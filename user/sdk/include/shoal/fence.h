/* Fences in calls. A thread can say that it acts under a hold (hold.h): its kernel then stamps every call that it makes
 * with the hold's fence, and a server that guards its endpoint with the name gets no call whose fence a later grant has
 * made void, however late it comes. Neither program can write or read a stamp. */
#pragma once

#include <shoal/hold.h>

/* From now on all calls of this thread, the C library's included, are made under `hold`; NULL: under none. Returns what
 * was so before, for shoal_act_again(). Such a call fails with
 *   E_STALE_FENCE   the hold is lost, or the receiver has seen a later holder: stop
 *   E_NO_SESSION    it is not known just now whether it is still held: try again, or stop */
handle_t shoal_act_under(const struct shoal_hold *hold);
void shoal_act_again(handle_t before);

/* For servers: binds an endpoint of the caller's own (its handle may receive) to the name. From now on it is given only
 * calls that were made under a hold of that name (their callers are told E_NOT_FENCED) and none whose fence is void
 * (E_STALE_FENCE). To be asked again by a server that was started anew, before it receives: what was granted meanwhile
 * is read. E_BUSY         it guards another name E_WRONG_TYPE, E_NO_RIGHT (the handle), E_TOO_LONG, E_TIMED_OUT,
 * E_NOT_DELIVERED */
err_t shoal_guard(handle_t cluster, uint64_t deadline, const char *name, handle_t endpoint);
