/* Reading the steps of a transaction; abi/transaction.h has their form. */
#pragma once

#include <abi/transaction.h>
#include <base/mem.h>

struct txn_reader {
    const void *at;
    uint32_t bytes;
    bool failed; /* the last step is cut short */
};

struct txn_view {
    struct txn_step head;
    const char *name; /* into what is read; not ended by 0 */
    const uint8_t *value;
};

/* Takes the next step. False: there is none, or it is cut short. What is in it is not checked. */
static inline bool txn_next(struct txn_reader *r, struct txn_view *step)
{
    const uint8_t *at = (const uint8_t *)r->at;
    if (r->bytes == 0 || r->failed)
        return false;
    r->failed = r->bytes < sizeof(step->head);
    if (r->failed)
        return false;
    memcpy(&step->head, at, sizeof(step->head));
    uint32_t used = ((uint32_t)sizeof(step->head) + step->head.name_bytes + step->head.value_bytes + 7) & ~7u;
    r->failed = used > r->bytes;
    if (r->failed)
        return false;
    step->name = (const char *)at + sizeof(step->head);
    step->value = at + sizeof(step->head) + step->head.name_bytes;
    r->at = at + used;
    r->bytes -= used;
    return true;
}
