/* Services of this node, by name, through the supervisor; for servers and drivers, which have STARTUP_SUPERVISOR. */
#pragma once

#include <abi/types.h>

/* Offers `endpoint` under the name of this process's manifest. The supervisor gets its own, call-only handle. */
err_t os_publish(const char *name, handle_t endpoint);

/* Waits until it is there. The handle is the caller's. */
err_t os_lookup(const char *name, uint64_t deadline, handle_t *endpoint_out);

/* One line of progress for people, shown at boot and by `status`. */
void os_progress(const char *text);

/* Now, plus. Saturates. */
uint64_t os_deadline_ms(uint64_t ms);
