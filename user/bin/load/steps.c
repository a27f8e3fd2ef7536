/* A transaction being put together (abi/transaction.h). */
#include "load.h"

#include <assert.h>
#include <os/service.h>
#include <string.h>

void steps_add(struct steps *s, struct txn_step head, const char *name, const char *value)
{
    size_t name_bytes = strlen(name), value_bytes = strlen(value);
    size_t bytes = (sizeof head + name_bytes + value_bytes + 7) & ~(size_t)7;
    assert(bytes <= sizeof s->bytes - s->used);
    head.name_bytes = (uint16_t)name_bytes;
    head.value_bytes = (uint16_t)value_bytes;
    memset(s->bytes + s->used, 0, bytes);
    memcpy(s->bytes + s->used, &head, sizeof head);
    memcpy(s->bytes + s->used + sizeof head, name, name_bytes);
    memcpy(s->bytes + s->used + sizeof head + name_bytes, value, value_bytes);
    s->used += (uint32_t)bytes;
}

void steps_unchanged(struct steps *s, const char *key, const struct seen *seen)
{
    struct txn_step head = {
        .section = TXN_IF, .kind = seen->revision ? TXN_REVISION : TXN_ABSENT, .number = seen->revision};
    steps_add(s, head, key, "");
}

void steps_put(struct steps *s, const char *key, const char *value)
{
    steps_add(s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, key, value);
}

void steps_delete(struct steps *s, const char *key)
{
    steps_add(s, (struct txn_step){.section = TXN_THEN, .kind = TXN_DELETE}, key, "");
}

err_t steps_run(const struct steps *s, uint64_t *revision_out, uint32_t *held_out)
{
    return cluster_txn(load.cluster, os_deadline_ms(CALL_MS), s->bytes, s->used, revision_out, held_out);
}

err_t steps_told(struct client *c, const struct steps *s, uint32_t *held_out)
{
    uint64_t revision;
    err_t err = steps_run(s, &revision, held_out);
    if (err) {
        *held_out = 0;
        client_failed(c, err);
    } else {
        client_end(c, "ok", ",\"n\":%u,\"rev\":%llu", *held_out, (unsigned long long)revision);
    }
    return err;
}
