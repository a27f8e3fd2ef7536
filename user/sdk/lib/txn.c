#include "private.h"

#include <shoal/txn.h>

_Static_assert(TXN_BYTES_MAX == CLUSTER_TXN_STEPS_MAX, "a transaction fits into its message");

void shoal_txn_begin(struct shoal_txn *t)
{
    t->used = t->count = 0;
    t->section = TXN_IF;
    t->err = E_OK;
}

static err_t check_step(const struct shoal_txn *t, const struct txn_step *head, size_t name_bytes, size_t value_bytes)
{
    size_t bytes = sizeof *head + name_bytes + value_bytes;
    if (name_bytes > CLUSTER_PUT_KEY_MAX || value_bytes > CLUSTER_PUT_VALUE_MAX || t->count == TXN_STEPS_MAX ||
        bytes + 7 > sizeof t->steps - t->used)
        return E_TOO_LONG;
    return name_bytes == 0 || head->section < t->section || head->section > TXN_ELSE ? E_INVALID : E_OK;
}

static void add(struct shoal_txn *t, struct txn_step head, const char *name, const void *value, size_t value_bytes)
{
    size_t name_bytes = strlen(name);
    if (t->err == E_OK)
        t->err = check_step(t, &head, name_bytes, value_bytes);
    if (t->err)
        return;
    uint8_t *at = t->steps + t->used;
    size_t bytes = (sizeof head + name_bytes + value_bytes + 7) & ~(size_t)7;
    head.name_bytes = (uint16_t)name_bytes;
    head.value_bytes = (uint16_t)value_bytes;
    memset(at, 0, bytes);
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, name, name_bytes);
    if (value_bytes)
        memcpy(at + sizeof head + name_bytes, value, value_bytes);
    t->used += (uint32_t)bytes;
    t->count++;
    t->section = head.section;
}

static struct txn_step step(uint32_t section, enum txn_kind kind, uint64_t number)
{
    return (struct txn_step){.section = (uint8_t)section, .kind = (uint8_t)kind, .number = number};
}

void shoal_txn_if_revision(struct shoal_txn *t, const char *key, uint64_t revision)
{
    add(t, step(TXN_IF, TXN_REVISION, revision), key, NULL, 0);
}

void shoal_txn_if_value(struct shoal_txn *t, const char *key, const void *value, size_t bytes)
{
    add(t, step(TXN_IF, TXN_VALUE, 0), key, value, bytes);
}

void shoal_txn_if_absent(struct shoal_txn *t, const char *key)
{
    add(t, step(TXN_IF, TXN_ABSENT, 0), key, NULL, 0);
}

void shoal_txn_if_present(struct shoal_txn *t, const char *key)
{
    add(t, step(TXN_IF, TXN_PRESENT, 0), key, NULL, 0);
}

void shoal_txn_if_held(struct shoal_txn *t, const char *lock, uint64_t fence)
{
    add(t, step(TXN_IF, TXN_FENCE, fence), lock, NULL, 0);
}

void shoal_txn_put(struct shoal_txn *t, enum shoal_branch branch, const char *key, const void *value, size_t bytes)
{
    add(t, step(branch, TXN_PUT, 0), key, value, bytes);
}

void shoal_txn_put_ephemeral(struct shoal_txn *t, enum shoal_branch branch, const struct shoal_session *session,
                             const char *key, const void *value, size_t bytes)
{
    add(t, step(branch, TXN_PUT, session->number), key, value, bytes);
}

void shoal_txn_delete(struct shoal_txn *t, enum shoal_branch branch, const char *key)
{
    add(t, step(branch, TXN_DELETE, 0), key, NULL, 0);
}

err_t shoal_txn_commit(const struct shoal_txn *t, handle_t cluster, uint64_t deadline, bool *held_out,
                       uint64_t *revision_out)
{
    uint32_t held = 0;
    *held_out = false;
    if (t->err || t->count == 0)
        return t->err ? t->err : E_INVALID;
    err_t err = cluster_txn(cluster, deadline, t->steps, t->used, revision_out, &held);
    *held_out = err == E_OK && held;
    return err;
}
