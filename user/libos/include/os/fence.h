/* Acting under a lock. A lock's handle (`held` of cluster.lock) can be named with a call: the kernel then stamps the
 * call with the fence of the lock's grant, and an endpoint that is bound to the lock (cluster.guard) gets no call whose
 * fence a later grant has made void, however late it comes. */
#pragma once

#include <abi/ipc.h>
#include <abi/types.h>

/* From now on all calls of this thread that go through stubs, the C library's included, are made under `lock`;
 * HANDLE_NONE: under none. Returns what it was before. Such calls can fail with
 *   E_STALE_FENCE  the lock is lost, or the receiver has seen a later holder: stop acting as its holder
 *   E_NO_SESSION   it is not known just now whether it is still held: try again, or stop */
handle_t os_fence(handle_t lock);

/* Waits until the lock is lost (E_STALE_FENCE): its node's lease ended. E_TIMED_OUT (as E_UNKNOWN) at the deadline;
 * E_GONE when another thread closed the last handle. */
err_t os_fence_lost(handle_t lock, uint64_t deadline);
