/* The kernel around remote calls, as far as they need it: objects, endpoints and calls are the kernel's own, memory
 * comes from malloc so that the sanitizers watch it, and there are no threads and processes. */
#pragma once

#include "remote_private.h"

/* Once: object types, the Budget, remote_init(). */
void here_init(void);
/* Bytes charged and not given back. */
uint64_t here_charged(void);

/* An endpoint without a receiver: calls to it stay queued. One handle. */
struct handle_ref here_endpoint(void);
/* One served by `handler`. */
struct handle_ref here_served(const struct endpoint_handler *handler);
/* A handle to the cluster service that permits these classes. */
struct handle_ref here_service(uint32_t classes, const char *prefix);
