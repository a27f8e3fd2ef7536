/* The cluster's key by hand: how it stands, changing it, giving it to this node. */
#include <seal/primitives.h>

#include "service_private.h"

#define TEXT_MAX 2000u

static void answer_words(struct request *r, bool refused, const char *words)
{
    ANSWER(r, key, .refused = refused, .text = (const uint8_t *)words, .text_length = (uint32_t)strlen(words));
}

static void answer_state(struct request *r)
{
    size_t used = node_keys_text(cluster.node, (char *)service_rows, TEXT_MAX);
    ANSWER(r, key, .refused = false, .text = service_rows, .text_length = (uint32_t)used);
}

static void offer_decided(struct request *r)
{
    if (r->offers)
        node_keys_offer_decided(cluster.node);
}

static void finish_key(struct request *r, const struct tables_result *result)
{
    offer_decided(r);
    answer_state(r);
}

static bool propose(struct request *r, uint64_t action, uint64_t id, uint64_t from, uint64_t leaked)
{
    struct tables_op op = {.kind = TABLES_CLUSTER_KEY, .cluster_key = {action, id, from, leaked}};
    return service_propose(r, &op);
}

static void offer(struct request *r, const uint8_t key[NODE_KEY_BYTES], bool leaked)
{
    uint64_t id;
    err_t err = node_keys_offer(cluster.node, key, &id);
    r->offers = err == E_OK;
    if (err)
        cluster_answer(r, err, NULL);
    else if (!propose(r, TABLES_KEY_BEGIN, id, node_keys_now(cluster.node), leaked))
        node_keys_offer_decided(cluster.node);
}

static void change(struct request *r, const uint8_t secret[NODE_KEY_BYTES], bool leaked)
{
    uint8_t drawn[NODE_KEY_BYTES];
    bool there = leaked || cluster_random(drawn, sizeof(drawn));
    const struct tables *t = node_tables(cluster.node);
    if (!there || !t) {
        cluster_answer(r, E_NOT_DELIVERED, NULL);
    } else if (tables_cluster_key(t)->next_id) { /* what was offered for that one stays */
        cluster_answer(r, E_BUSY, NULL);
    } else {
        offer(r, leaked ? secret : drawn, leaked);
    }
    seal_wipe(drawn, sizeof(drawn));
}

static void end(struct request *r, uint64_t action)
{
    const struct tables *t = node_tables(cluster.node);
    uint64_t ready;
    bool majority = node_keys_majority(cluster.node, &ready);
    if (!t || !tables_cluster_key(t)->next_id)
        answer_words(r, true, "no change of the key is under way here\n");
    else if (action == TABLES_KEY_DROP_NOW && !majority)
        answer_words(r, true,
                     "less than half of the voters have the new key: without the old one they would not agree\n");
    else
        propose(r, action, tables_cluster_key(t)->next_id, ready, 0);
}

static void enter(struct request *r, const uint8_t secret[NODE_KEY_BYTES])
{
    if (!cluster.node) {
        bool taken = cluster_take_key(secret);
        answer_words(r, !taken,
                     taken ? "taken: `status` shows what the node waits for now\n"
                           : "this node needs no key, or there is no cluster for it: see `status`\n");
        return;
    }
    err_t err = node_keys_enter(cluster.node, secret);
    if (!err)
        answer_state(r);
    else
        answer_words(r, true,
                     err == E_EXISTS ? "this node has that key\n"
                     : err == E_FULL ? "this node has two keys already: `key` shows them\n"
                                     : "the cluster's key is another one, and no change to this one is under way\n");
}

static void show(struct request *r)
{
    uint8_t key[NODE_KEY_BYTES];
    char *hex = (char *)service_rows;
    if (!node_keys_newest(cluster.node, key)) {
        answer_words(r, true, "this node has no key\n");
        return;
    }
    for (uint32_t i = 0; i < NODE_KEY_BYTES; i++) {
        hex[2 * i] = "0123456789abcdef"[key[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[key[i] & 15];
    }
    seal_wipe(key, sizeof(key));
    ANSWER(r, key, .refused = false, .text = service_rows, .text_length = 2 * NODE_KEY_BYTES);
    seal_wipe(service_rows, 2 * NODE_KEY_BYTES);
    seal_wipe(cluster.answer_bytes, 2 * NODE_KEY_BYTES);
}

static void act(struct request *r, uint32_t what, const uint8_t secret[NODE_KEY_BYTES])
{
    switch (what) {
    case CLUSTER_KEY_LOOK:
        answer_state(r);
        break;
    case CLUSTER_KEY_ROTATE:
    case CLUSTER_KEY_LEAKED:
        change(r, secret, what == CLUSTER_KEY_LEAKED);
        break;
    case CLUSTER_KEY_ENTER:
        enter(r, secret);
        break;
    case CLUSTER_KEY_SHOW:
        show(r);
        break;
    default:
        end(r, what == CLUSTER_KEY_DROP ? TABLES_KEY_DROP_NOW : TABLES_KEY_CANCEL);
    }
}

static void begin_key(struct request *r)
{
    uint8_t secret[NODE_KEY_BYTES] = {0};
    DECODE(key, r)
    bool given = in.act == CLUSTER_KEY_LEAKED || in.act == CLUSTER_KEY_ENTER;
    if (in.act > CLUSTER_KEY_SHOW || in.secret_length != (given ? NODE_KEY_BYTES : 0)) {
        cluster_answer(r, E_INVALID, NULL);
        return;
    }
    if (given)
        memcpy(secret, in.secret, NODE_KEY_BYTES);
    seal_wipe(r->bytes, sizeof(r->bytes));
    if (!cluster.node && in.act != CLUSTER_KEY_ENTER)
        cluster_answer(r, E_NOT_DELIVERED, NULL);
    else
        act(r, in.act, secret);
    seal_wipe(secret, sizeof(secret));
}

const struct service_op service_key_op = {.begin = begin_key, .finish = finish_key, .refused = offer_decided};
