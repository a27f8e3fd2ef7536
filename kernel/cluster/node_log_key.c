/* The key of this node's log, and the keys that the tables pin to the logs of others.
 *
 * A key pair is drawn with each log id and changes only with it. The links prove it (lib/seal/handshake.h); the node's
 * row holds the public half, from when it was first taken in, and who names that log and has another key is turned
 * away, although it has the cluster key. A pin counts for as long as the cluster key under which it was made is valid
 * here: who got another one, from the members or by hand, may come with another key for its log, once.
 *
 * The secret half is kept in the log's superblock, sealed under the cluster key that this machine boots with and under
 * those that it holds: whichever of them it boots with next, it finds the secret, and the log server learns nothing. */
#include "node_state.h"

#define SLOT_BYTES (8u + 32u + SEAL_TAG_BYTES) /* the cluster key's id, what is sealed under it */
_Static_assert(NODE_LOG_KEY_BYTES == 32 + 1 + (NODE_KEYS_MAX + 1) * SLOT_BYTES, "a record has a fixed form");

void node_log_key_draw(struct node *n)
{
    char purpose[32];
    uint8_t secret[32];
    struct text t = text_begin(purpose, sizeof(purpose));
    text_put(&t, "log key ");
    text_number(&t, n->drawn);
    seal_hkdf(n->config.boot_id, 16, n->config.random, 32, purpose, strlen(purpose), secret, sizeof(secret));
    n->log_key.pair = noise_pair_of(secret);
    n->log_key.closed = false;
    seal_wipe(secret, sizeof(secret));
}

/* ---- what is kept ---- */

static void slot_key(const uint8_t salt[32], const uint8_t keeper[32], uint8_t key_out[32])
{
    static const char purpose[] = "shoal kept log key";
    seal_hkdf(salt, 32, keeper, 32, purpose, sizeof(purpose) - 1, key_out, 32);
}

static void put_slot(struct node *n, struct wire_writer *w, const uint8_t salt[32], uint64_t id,
                     const uint8_t keeper[32])
{
    uint8_t key[32], sealed[32 + SEAL_TAG_BYTES];
    slot_key(salt, keeper, key);
    memcpy(sealed, n->log_key.pair.secret, 32);
    seal_encrypt(key, id, "", 0, sealed, 32);
    wire_put_u64(w, id);
    wire_put_bytes(w, sealed, sizeof(sealed));
    seal_wipe(key, sizeof(key));
}

void node_log_key_seal(struct node *n)
{
    struct wire_writer w = wire_writer(n->log_key.record, sizeof(n->log_key.record));
    uint8_t salt[32], keeper[32];
    if (n->log_key.closed) /* what is there may yet be opened */
        return;
    memset(n->log_key.record, 0, sizeof(n->log_key.record));
    node_keys_salt(n, salt);
    wire_put_bytes(&w, salt, sizeof(salt));
    uint8_t *count = wire_claim(&w, 1);
    *count = 1;
    put_slot(n, &w, salt, n->keys.boot_id, n->keys.keeper);
    for (uint32_t i = 0; i < n->keys.count; i++) {
        if (n->keys.held[i].id == n->keys.boot_id)
            continue;
        node_keys_keeper(n, n->keys.held[i].key, keeper);
        put_slot(n, &w, salt, n->keys.held[i].id, keeper);
        ++*count;
    }
    ASSERT(!w.failed);
    seal_wipe(keeper, sizeof(keeper));
}

static bool open_with(struct node *n, uint64_t id, const uint8_t keeper[32])
{
    struct wire_reader r = wire_reader(n->log_key.record, sizeof(n->log_key.record));
    const uint8_t *salt = wire_take(&r, 32);
    uint32_t count = wire_get_u8(&r);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t key[32], open[32 + SEAL_TAG_BYTES];
        uint64_t of = wire_get_u64(&r);
        wire_get_bytes(&r, open, sizeof(open));
        slot_key(salt, keeper, key);
        bool good = of == id && seal_decrypt(key, id, "", 0, open, 32);
        if (good)
            n->log_key.pair = noise_pair_of(open);
        seal_wipe(open, sizeof(open));
        seal_wipe(key, sizeof(key));
        if (good)
            return true;
    }
    return false;
}

static bool open_record(struct node *n)
{
    uint8_t keeper[32];
    bool good = open_with(n, n->keys.boot_id, n->keys.keeper);
    for (uint32_t i = 0; i < n->keys.count && !good; i++) {
        node_keys_keeper(n, n->keys.held[i].key, keeper);
        good = open_with(n, n->keys.held[i].id, keeper);
    }
    seal_wipe(keeper, sizeof(keeper));
    return good;
}

bool node_log_key_load(struct node *n, const uint8_t record[NODE_LOG_KEY_BYTES])
{
    if (record[32] < 1 || record[32] > NODE_KEYS_MAX + 1)
        return false;
    memcpy(n->log_key.record, record, NODE_LOG_KEY_BYTES);
    n->log_key.closed = !open_record(n);
    if (n->log_key.closed)
        node_say(n, "cluster: the key of this node's log is sealed under a cluster key that this machine has not: ",
                 "the others may turn it away");
    return true;
}

void node_log_key_try(struct node *n)
{
    if (!n->log_key.closed || !open_record(n))
        return;
    n->log_key.closed = false;
    node_identity_changed(n);
}

void node_log_key_run(struct node *n)
{
    if (!n->log_key.closed)
        return;
    n->log_key.closed = false; /* a member with the key drawn in this boot: that is the log's now */
    node_log_key_seal(n);
    n->keys.record_due = true;
}

struct tables_log_key node_log_key_of(const struct node *n, const uint8_t public[32])
{
    struct wire_reader r = wire_reader(public, 32);
    struct tables_log_key k = {.cluster_key = node_keys_now(n)};
    for (int i = 0; i < 2; i++)
        k.low[i] = wire_get_u64(&r);
    for (int i = 0; i < 2; i++)
        k.high[i] = wire_get_u64(&r);
    return k;
}

/* ---- the logs of others ---- */

static bool same_log_key(const struct tables_log_key *a, const struct tables_log_key *b)
{
    return same_id(a->low, b->low) && same_id(a->high, b->high);
}

static bool contradicts(const struct node *n, const struct tables_node *row, const struct seal_identity *identity,
                        const struct tables_log_key *key)
{
    if (!row || !row->log_key.cluster_key || !same_id(row->log_id, identity->log_id))
        return false;
    return !same_id(row->node_id, identity->node_id) ||
           (node_keys_has(n, row->log_key.cluster_key) && !same_log_key(&row->log_key, key));
}

uint32_t node_log_key_vet(void *context, const struct seal_identity *identity, const uint8_t log_key[32])
{
    const struct node *n = context;
    struct tables_log_key key = node_log_key_of(n, log_key);
    if (same_id(identity->log_id, n->log_id)) /* of another node, or it would not come to this */
        return LINK_FALSE_LOG;
    for (uint32_t i = 1; n->tables && i <= NODES_MAX; i++) {
        if (contradicts(n, tables_node(n->tables, i), identity, &key))
            return LINK_FALSE_LOG;
    }
    return 0;
}

bool node_join_is_own(const struct node *n, const struct other *o, const struct tables_op *op)
{
    struct tables_log_key proven = node_log_key_of(n, o->log_key);
    return same_id(op->node_join.node_id, o->node_id) && same_id(op->node_join.boot_id, o->boot_id) &&
           same_id(op->node_join.log_id, o->log_id) && same_log_key(&op->node_join.log_key, &proven) &&
           op->node_join.log_key.cluster_key == proven.cluster_key;
}
