/* Permissions of handles to the cluster service: narrowing, and the one check before any operation runs. */
#include "permissions.h"

#include <base/mem.h>
#include <base/transaction.h>
#include <idl/cluster_codec.h>

#define CLUSTER_CLASS(name, bit, word, text) | 1u << (bit)
_Static_assert((0u
#include "../../abi/cluster_classes.def"
                ) == CLUSTER_MAY_ALL,
               "every class is among all");
#undef CLUSTER_CLASS
_Static_assert(CLUSTER_NARROW_PREFIX_MAX == CLUSTER_PREFIX_MAX && CLUSTER_PERMISSIONS_PREFIX_MAX == CLUSTER_PREFIX_MAX,
               "one length of prefixes");

const struct permissions permissions_all = {.classes = CLUSTER_MAY_ALL};

bool permissions_cover(const struct permissions *p, const char *name, uint32_t bytes)
{
    return bytes >= p->prefix_bytes && memcmp(name, p->prefix, p->prefix_bytes) == 0;
}

bool permissions_equal(const struct permissions *a, const struct permissions *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

err_t permissions_narrow(const struct permissions *own, uint32_t classes, const char *prefix, uint32_t prefix_bytes,
                         struct permissions *out)
{
    struct permissions narrowed = {.classes = classes, .prefix_bytes = prefix_bytes};
    if (classes & ~CLUSTER_MAY_ALL || prefix_bytes > CLUSTER_PREFIX_MAX)
        return E_INVALID;
    for (uint32_t i = 0; i < prefix_bytes; i++) {
        if (!prefix[i])
            return E_INVALID;
        narrowed.prefix[i] = prefix[i];
    }
    if (classes & ~own->classes || !permissions_cover(own, prefix, prefix_bytes))
        return E_NO_RIGHT;
    *out = narrowed;
    return E_OK;
}

static err_t has(const struct permissions *p, uint32_t classes)
{
    return classes & ~p->classes ? E_NO_RIGHT : E_OK;
}

static err_t covers_steps(const struct permissions *p, const void *steps, uint32_t bytes)
{
    struct txn_reader r = {steps, bytes, false};
    struct txn_view step;
    while (txn_next(&r, &step)) {
        if (!permissions_cover(p, step.name, step.head.name_bytes))
            return E_NO_RIGHT;
    }
    return r.failed ? E_BAD_MESSAGE : E_OK;
}

err_t permissions_check(const struct permissions *p, uint32_t op, const struct msg *m)
{
    switch ((enum cluster_ops)op) {
#define NEEDS(op, OP, classes)                                                                                         \
    case CLUSTER_OP_##OP:                                                                                              \
        return has(p, classes);
#define NEEDS_NAME(op, OP, classes, field)                                                                             \
    case CLUSTER_OP_##OP: {                                                                                            \
        struct cluster_##op##_in in;                                                                                   \
        err_t err = has(p, classes);                                                                                   \
        if (err == E_OK)                                                                                               \
            err = cluster_##op##_in_decode(m, &in);                                                                    \
        return err ? err : permissions_cover(p, in.field, in.field##_length) ? E_OK : E_NO_RIGHT;                      \
    }
#define NEEDS_STEPS(op, OP, classes, field)                                                                            \
    case CLUSTER_OP_##OP: {                                                                                            \
        struct cluster_##op##_in in;                                                                                   \
        err_t err = has(p, classes);                                                                                   \
        if (err == E_OK)                                                                                               \
            err = cluster_##op##_in_decode(m, &in);                                                                    \
        return err ? err : covers_steps(p, in.field, in.field##_length);                                               \
    }
#include "permissions.def"
#undef NEEDS_STEPS
#undef NEEDS
#undef NEEDS_NAME
    }
    return E_BAD_SYSCALL;
}
