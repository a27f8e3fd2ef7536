/* Handles to the cluster service: each set of permissions is a kernel Endpoint of its own. The service is one and the
 * same on every node, so such a handle that is passed to another node becomes there a handle to that node's own
 * service, with the same permissions (remote_export.c, remote_import.c). Kernel lock held. */
#pragma once

#include <kernel/ipc.h>

#include "permissions.h"

/* Distinct permissions that each other node may have passed here and that are still held. */
#define AUTHORITY_PASSED_MAX 64u

/* Once. `service` serves all of them; its `unused` must be authority_unused(). *out is the handle that permits all. */
err_t authority_init(struct budget *budget, const struct endpoint_handler *service, struct endpoint **out);
void authority_unused(struct endpoint *e);

/* What a handle to `o` permits; NULL: `o` is no endpoint of the service, or its Budget has ended. */
const struct permissions *authority_permissions(const struct object *o);
/* A handle with less, on `payer`. E_NO_RIGHT, E_INVALID, E_NO_MEMORY. */
err_t authority_narrow(const struct permissions *own, uint32_t classes, const char *prefix, uint32_t prefix_bytes,
                       struct budget *payer, struct handle_ref *out);
/* A handle with what node `from` passed. E_FULL, E_NO_MEMORY. */
err_t authority_receive(uint32_t from, const struct permissions *permitted, struct handle_ref *out);
