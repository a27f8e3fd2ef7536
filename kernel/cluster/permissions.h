/* What a handle to the cluster service permits. Pure: for the kernel and host tests. */
#pragma once

#include <abi/cluster.h>
#include <base/msg.h>

struct permissions {
    uint32_t classes; /* enum cluster_class */
    uint32_t prefix_bytes;
    char prefix[CLUSTER_PREFIX_MAX + 1]; /* zero behind prefix_bytes, so that two can be compared as bytes */
};

extern const struct permissions permissions_all;

/* *out permits these classes under this prefix. E_NO_RIGHT: `own` does not permit them all, or its prefix does not
 * begin the new one. E_INVALID: unknown classes, a prefix too long or with a zero byte. */
err_t permissions_narrow(const struct permissions *own, uint32_t classes, const char *prefix, uint32_t prefix_bytes,
                         struct permissions *out);
bool permissions_equal(const struct permissions *a, const struct permissions *b);
/* Does the name lie under the prefix? */
bool permissions_cover(const struct permissions *p, const char *name, uint32_t bytes);
/* May `op` (enum cluster_ops) with this message be called? E_NO_RIGHT, E_BAD_MESSAGE, E_BAD_SYSCALL. */
err_t permissions_check(const struct permissions *p, uint32_t op, const struct msg *m);
