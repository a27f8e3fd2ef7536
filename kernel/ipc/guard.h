/* The rule by which an endpoint that is bound to a lock admits calls. Pure. */
#pragma once

#include <kernel/ipc.h>

/* E_OK, E_NOT_FENCED: under another lock; E_STALE_FENCE: a later grant has made it void. */
err_t guard_admits(const struct endpoint_guard *g, const struct ipc_fence *f);
void guard_see(struct endpoint_guard *g, const struct ipc_fence *f);
/* Adds what `other` has seen. E_BUSY: that is another lock's. */
err_t guard_join(struct endpoint_guard *g, const struct endpoint_guard *other);
