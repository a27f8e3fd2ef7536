/* The cluster's key at this node: the one it was booted with, the one that takes its place, and what is kept of them.
 *
 * The tables say by id which key is valid and which is to be; the keys themselves go from node to node over sealed
 * sessions, or by hand. A key that came in a change is kept on the log disk, sealed under the key that this machine
 * boots with, so that the log server learns nothing of it. A key that was entered by hand is kept in memory alone:
 * after a leak the key that the machine boots with may be known to others. */
#include "node_state.h"

#include <seal/primitives.h>

#define ASK_AGAIN_NS SECOND_NS
#define TOLD_NS      (60 * SECOND_NS)
#define SEALED_BYTES (NODE_KEY_BYTES + SEAL_TAG_BYTES)

#define RECORD_BOUND_BYTES 10u /* of a record: id of the boot's key, whether that is valid, how many are kept */
_Static_assert(NODE_KEY_RECORD_BYTES == RECORD_BOUND_BYTES + 32 + NODE_KEYS_MAX * (8 + SEALED_BYTES),
               "a record has a fixed form");

static struct node_key *find(struct node *n, uint64_t id)
{
    for (uint32_t i = 0; id && i < n->keys.count; i++) {
        if (n->keys.held[i].id == id)
            return &n->keys.held[i];
    }
    return NULL;
}

bool node_keys_has(const struct node *n, uint64_t id)
{
    return find((struct node *)(uintptr_t)n, id) != NULL;
}

static const struct tables_cluster_key *decided(const struct node *n)
{
    static const struct tables_cluster_key nothing;
    return n->tables ? tables_cluster_key(n->tables) : &nothing;
}

/* ---- what is kept on the log disk ---- */

/* Each record has a salt, so the key that seals it is used for nothing else; each key in it has a counter of its own.
 */
static void record_key(const struct node *n, const uint8_t salt[32], uint8_t key_out[32])
{
    static const char purpose[] = "shoal kept keys";
    seal_hkdf(salt, 32, n->keys.keeper, 32, purpose, sizeof(purpose) - 1, key_out, 32);
}

void node_keys_salt(struct node *n, uint8_t salt[32])
{
    char purpose[32];
    struct text t = text_begin(purpose, sizeof(purpose));
    text_put(&t, "key record ");
    text_number(&t, ++n->keys.records);
    seal_hkdf(n->config.boot_id, 16, n->config.random, 32, purpose, strlen(purpose), salt, 32);
}

/* What comes before the salt is bound to each: nobody can make the key of the boot valid again. */
static void put_kept(struct wire_writer *w, const uint8_t with[32], const uint8_t *record, const struct node_key *k,
                     uint32_t at)
{
    uint8_t sealed[SEALED_BYTES];
    memcpy(sealed, k->key, NODE_KEY_BYTES);
    seal_encrypt(with, at, record, RECORD_BOUND_BYTES, sealed, NODE_KEY_BYTES);
    wire_put_u64(w, k->id);
    wire_put_bytes(w, sealed, sizeof(sealed));
}

static void make_record(struct node *n)
{
    uint8_t salt[32], with[32];
    uint32_t count = 0, at = 0;
    memset(n->keys.record, 0, sizeof(n->keys.record));
    struct wire_writer w = wire_writer(n->keys.record, sizeof(n->keys.record));
    node_keys_salt(n, salt);
    record_key(n, salt, with);
    for (uint32_t i = 0; i < n->keys.count; i++)
        count += n->keys.held[i].kept;
    wire_put_u64(&w, n->keys.boot_id);
    wire_put_u8(&w, find(n, n->keys.boot_id) != NULL);
    wire_put_u8(&w, (uint8_t)count);
    wire_put_bytes(&w, salt, sizeof(salt));
    for (uint32_t i = 0; i < n->keys.count; i++) {
        if (n->keys.held[i].kept)
            put_kept(&w, with, n->keys.record, &n->keys.held[i], at++);
    }
    ASSERT(!w.failed);
    seal_wipe(with, sizeof(with));
    node_log_key_seal(n);
    n->keys.record_due = true;
    n->keys.recorded = false;
}

static bool open_kept(struct node *n, struct wire_reader *r, const uint8_t with[32], uint32_t at, struct node_key *out)
{
    const uint8_t *record = n->keys.record;
    uint8_t open[SEALED_BYTES];
    *out = (struct node_key){.id = wire_get_u64(r), .kept = true};
    wire_get_bytes(r, open, sizeof(open));
    bool good = !r->failed && seal_decrypt(with, at, record, RECORD_BOUND_BYTES, open, NODE_KEY_BYTES);
    memcpy(out->key, open, NODE_KEY_BYTES);
    seal_wipe(open, sizeof(open));
    return good && link_key_id(n->link, out->key) == out->id;
}

/* All or nothing: keys that cannot be opened are as if there were none, and the machine goes on with what it booted. */
static void take_kept(struct node *n, struct wire_reader *r, const uint8_t salt[32], bool boot_valid, uint32_t count)
{
    struct node_key kept[NODE_KEYS_MAX];
    uint8_t with[32];
    bool good = true;
    record_key(n, salt, with);
    for (uint32_t i = 0; good && i < count; i++)
        good = open_kept(n, r, with, i, &kept[i]);
    if (good && !boot_valid) {
        link_key_old(n->link, n->keys.held[0].key); /* whoever still comes with it is known by it */
        seal_wipe(n->keys.held, sizeof(n->keys.held));
        n->keys.count = 0;
    }
    for (uint32_t i = 0; good && i < count && n->keys.count < NODE_KEYS_MAX; i++)
        n->keys.held[n->keys.count++] = kept[i];
    seal_wipe(kept, sizeof(kept));
    seal_wipe(with, sizeof(with));
    n->keys.recorded = true;
}

/* From a superblock. One that was sealed under another key than this machine booted with is of no use any more: the new
 * key was put where it boots from. */
bool node_keys_load(struct node *n, const uint8_t record[NODE_KEY_RECORD_BYTES])
{
    struct wire_reader r = wire_reader(record, NODE_KEY_RECORD_BYTES);
    uint64_t boot_id = wire_get_u64(&r);
    uint32_t boot_valid = wire_get_u8(&r), count = wire_get_u8(&r);
    const uint8_t *salt = wire_take(&r, 32);
    if (boot_valid > 1 || count > NODE_KEYS_MAX - boot_valid)
        return false;
    if (boot_id && boot_id == n->keys.boot_id && !n->keys.loaded) {
        n->keys.loaded = true;
        memcpy(n->keys.record, record, NODE_KEY_RECORD_BYTES);
        take_kept(n, &r, salt, boot_valid, count);
    }
    return true;
}

/* ---- holding and dropping ---- */

static bool hold(struct node *n, const uint8_t key[NODE_KEY_BYTES], bool kept)
{
    struct node_keys *k = &n->keys;
    if (k->count == NODE_KEYS_MAX || (k->begun && link_key_add(n->link, key) != E_OK))
        return false;
    struct node_key *to = &k->held[k->count++];
    *to = (struct node_key){.id = link_key_id(n->link, key), .kept = kept};
    memcpy(to->key, key, NODE_KEY_BYTES);
    node_log_key_try(n);
    make_record(n);
    return true;
}

static void drop(struct node *n, uint64_t id)
{
    struct node_keys *k = &n->keys;
    struct node_key *at = find(n, id), *last = at ? &k->held[k->count - 1] : NULL;
    if (!at)
        return;
    link_key_drop(n->link, n->now_ns, id);
    for (; at < last; at++)
        *at = at[1];
    seal_wipe(last, sizeof(*last));
    k->count--;
    make_record(n);
}

void node_keys_keeper(const struct node *n, const uint8_t key[NODE_KEY_BYTES], uint8_t keeper_out[32])
{
    static const char purpose[] = "shoal keeper";
    seal_hkdf(n->config.cluster_name, strlen(n->config.cluster_name), key, NODE_KEY_BYTES, purpose, sizeof(purpose) - 1,
              keeper_out, 32);
}

void node_keys_open(struct node *n)
{
    uint8_t *key = n->config.cluster_key;
    node_keys_keeper(n, key, n->keys.keeper);
    n->keys.boot_id = link_key_id(n->link, key);
    hold(n, key, false);
    seal_wipe(key, NODE_KEY_BYTES);
    n->keys.record_due = false; /* nothing to keep that the disk would not say */
    n->keys.recorded = true;
}

/* What the log disk keeps is known: now there is something to say to the others. */
void node_keys_begin(struct node *n)
{
    if (n->keys.begun)
        return;
    n->keys.begun = n->keys.loaded = true;
    for (uint32_t i = 0; i < n->keys.count; i++)
        link_key_add(n->link, n->keys.held[i].key);
}

void node_keys_close(struct node *n)
{
    seal_wipe(&n->keys, sizeof(n->keys));
    seal_wipe(&n->log_key, sizeof(n->log_key));
}

/* ---- a change ---- */

static bool own_ready(const struct node *n)
{
    uint32_t number = node_number(n);
    return number && decided(n)->ready >> (number - 1) & 1;
}

static void propose(struct node *n, uint32_t action)
{
    struct tables_op op = {.kind = TABLES_CLUSTER_KEY, .cluster_key = {.action = action, .id = decided(n)->next_id}};
    node_propose(n, 0, &op);
}

/* What this node drew or was given before all had agreed to it. */
static void take_offered(struct node *n)
{
    struct node_key *offered = &n->keys.offered;
    const struct tables_cluster_key *k = decided(n);
    if (!offered->id || offered->id != k->next_id)
        return;
    if (!find(n, offered->id))
        hold(n, offered->key, !k->leaked);
    seal_wipe(offered, sizeof(*offered));
    n->keys.offering = false;
}

static void drop_and_say(struct node *n, uint64_t id)
{
    drop(n, id);
    node_say(n, "cluster: a key of the cluster is not valid any more: ", "this node has wiped it");
}

/* By this node's tables, however old they are: what it had before the key that they call valid is not. */
static void drop_older(struct node *n)
{
    while (find(n, decided(n)->id) && n->keys.held[0].id != decided(n)->id)
        drop_and_say(n, n->keys.held[0].id);
}

/* By the cluster's. */
static void drop_void(struct node *n)
{
    const struct tables_cluster_key *k = decided(n);
    for (uint32_t i = n->keys.count; k->id && i > 0; i--) {
        uint64_t id = n->keys.held[i - 1].id;
        if (id != k->id && id != k->next_id)
            drop_and_say(n, id);
    }
}

static bool keeps(struct node *n, uint64_t id)
{
    const struct node_key *k = find(n, id);
    return k && (!k->kept || !n->durable || n->keys.recorded);
}

static bool lacks(struct node *n, const struct other *o)
{
    const struct tables_node *row = n->tables ? tables_node_by_id(n->tables, o->node_id) : NULL;
    return o->session && o->heard && row && row->live && same_id(row->boot_id, o->boot_id) &&
           !(decided(n)->ready >> (row->number - 1) & 1);
}

/* From who drew it to the leader, and from there to all: never after a leak, since the session may be a stranger's. */
static void deliver(struct node *n)
{
    const struct tables_cluster_key *k = decided(n);
    const struct node_key *next = find(n, k->next_id);
    struct raft_status s;
    if (!next || k->leaked || n->now_ns < n->keys.deliver_due_ns)
        return;
    raft_status(n->raft, &s);
    n->keys.deliver_due_ns = n->now_ns + ASK_AGAIN_NS;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = &n->others[i];
        if ((n->leading || o->node_id[0] == s.leader.node) && lacks(n, o))
            node_send_control(n, o, CONTROL_KEY, next->key, NODE_KEY_BYTES);
    }
}

void node_take_key(struct node *n, struct wire_reader *r)
{
    const struct tables_cluster_key *k = decided(n);
    const uint8_t *key = wire_take(r, NODE_KEY_BYTES);
    if (!key || !wire_done(r) || k->leaked || !k->next_id || link_key_id(n->link, key) != k->next_id ||
        find(n, k->next_id))
        return;
    hold(n, key, true);
}

static void go_on(struct node *n)
{
    const struct tables_cluster_key *k = decided(n);
    if (!k->next_id)
        return;
    take_offered(n);
    deliver(n);
    if (n->now_ns < n->keys.propose_due_ns)
        return;
    if (!own_ready(n) && keeps(n, k->next_id))
        propose(n, TABLES_KEY_READY);
    else if (n->leading && tables_cluster_key_everywhere(n->tables))
        propose(n, TABLES_KEY_DROP);
    else
        return;
    n->keys.propose_due_ns = n->now_ns + ASK_AGAIN_NS;
}

void node_keys_run(struct node *n)
{
    struct node_keys *k = &n->keys;
    if (k->record_due && n->durable && n->stage == STAGE_STARTED && n->raft_running && !n->recording &&
        node_log_room(n) > LOG_QUEUE_MAX / 2) {
        k->record_due = false;
        node_log_keep_keys(n);
    }
    if (n->raft_running)
        drop_older(n);
    if (!n->raft_running || node_state(n) != CLUSTER_MEMBER) /* only then the tables here are the cluster's */
        return;
    drop_void(n);
    node_log_key_run(n);
    if (!k->offering)
        node_keys_offer_decided(n); /* the change to it may have ended */
    go_on(n);
}

void node_keys_recorded(struct node *n, uint64_t record)
{
    n->keys.recorded = record == n->keys.records;
}

uint64_t node_keys_deadline(const struct node *n)
{
    return n->raft_running && decided(n)->next_id ? n->now_ns + ASK_AGAIN_NS / 4 : UINT64_MAX;
}

/* ---- by hand ---- */

/* One at a time: if two were proposed, the first would be agreed to, and must be here then. */
err_t node_keys_offer(struct node *n, const uint8_t key[NODE_KEY_BYTES], uint64_t *id_out)
{
    if (n->keys.offering || (n->keys.offered.id && n->keys.offered.id == decided(n)->next_id))
        return E_BUSY;
    n->keys.offering = true;
    n->keys.offered.id = *id_out = link_key_id(n->link, key);
    memcpy(n->keys.offered.key, key, NODE_KEY_BYTES);
    return E_OK;
}

void node_keys_offer_decided(struct node *n)
{
    n->keys.offering = false;
    if (n->keys.offered.id != decided(n)->next_id)
        seal_wipe(&n->keys.offered, sizeof(n->keys.offered));
}

uint64_t node_keys_now(const struct node *n)
{
    const struct tables_cluster_key *k = decided(n);
    return k->id ? k->id : n->keys.count ? n->keys.held[0].id : 0;
}

static bool any_session(const struct node *n)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session)
            return true;
    }
    return false;
}

/* By others, lately: a session may then be one with a stranger who has the dropped key. */
static bool told_dropped(const struct node *n)
{
    return n->keys.told_ns && n->now_ns - n->keys.told_ns < TOLD_NS;
}

err_t node_keys_enter(struct node *n, const uint8_t key[NODE_KEY_BYTES])
{
    const struct tables_cluster_key *k = decided(n);
    uint64_t id = link_key_id(n->link, key);
    if (find(n, id))
        return E_EXISTS;
    if (node_state(n) == CLUSTER_MEMBER) {
        if (id != k->next_id)
            return E_CONFLICT;
        return hold(n, key, false) ? E_OK : E_FULL;
    }
    if (id != k->next_id && any_session(n) && !told_dropped(n)) /* what it has is good for something */
        return E_CONFLICT;
    node_keys_begin(n);
    if (id != k->next_id) { /* it has missed a change: what it has is of no use */
        while (n->keys.count)
            drop(n, n->keys.held[n->keys.count - 1].id);
    }
    n->keys.told_ns = 0;
    return hold(n, key, false) ? E_OK : E_FULL;
}

bool node_keys_newest(const struct node *n, uint8_t key_out[NODE_KEY_BYTES])
{
    if (n->keys.count)
        memcpy(key_out, n->keys.held[n->keys.count - 1].key, NODE_KEY_BYTES);
    return n->keys.count != 0;
}

bool node_keys_majority(struct node *n, uint64_t *ready_out)
{
    *ready_out = decided(n)->ready;
    uint8_t votes[RAFT_MEMBERS_MAX];
    const struct raft_conf *conf = n->raft_running ? raft_conf_now(n->raft) : NULL;
    for (uint32_t i = 0; conf && i < conf->count; i++) {
        uint32_t number = node_number_of(n, conf->members[i].id.node);
        bool ready = number && decided(n)->ready >> (number - 1) & 1;
        votes[i] = ready ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    }
    return conf && raft_conf_vote_result(conf, votes) == RAFT_VOTE_WON;
}

/* ---- in words ---- */

void node_keys_told_dropped(struct node *n)
{
    if (!n->keys.told_ns || n->now_ns - n->keys.told_ns >= TOLD_NS)
        node_say(n, "cluster: the other nodes say that the key of this node is not valid any more: ",
                 "`key enter` gives it the new one");
    n->keys.told_ns = n->now_ns;
}

bool node_put_key_missing(const struct node *n, struct text *t)
{
    if (n->keys.count && !(told_dropped(n) && n->keys.begun))
        return false;
    text_put(t, "the new cluster key: the one that this node has was dropped while it was away; `key enter` gives it "
                "the new one, `key show` on another node shows that");
    return true;
}

static void put_source(const struct node *n, struct text *t, const struct node_key *k)
{
    text_put(t, "  key ");
    text_hex(t, k->id);
    if (k->id == n->keys.boot_id)
        text_put(t, "  the one that this machine boots with\n");
    else if (!k->kept)
        text_put(t, "  entered by hand, in memory only: put it where this machine boots from\n");
    else if (n->durable)
        text_put(t, "  kept on the log disk, sealed under the one that this machine boots with\n");
    else
        text_put(t, "  in memory only (no disk): put it where this machine boots from\n");
}

static void put_awaited(struct node *n, struct text *t)
{
    const struct tables_cluster_key *k = decided(n);
    bool all = true;
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (!row || row->wish == TABLES_WISH_REMOVED || k->ready >> (i - 1) & 1)
            continue;
        text_put(t, all ? "  waits for node " : ", node ");
        text_number(t, i);
        text_put(t, row->live ? "" : " (absent)");
        all = false;
    }
    text_put(t, all ? "" : "\n");
}

size_t node_keys_text(struct node *n, char *to, size_t room)
{
    const struct tables_cluster_key *k = decided(n);
    struct text t = text_begin(to, room);
    text_put(&t, "generation ");
    text_number(&t, k->changes + 1);
    text_put(&t, k->next_id ? ", being changed to key " : ", no change under way");
    if (k->next_id)
        text_hex(&t, k->next_id);
    text_put(&t, k->next_id && k->leaked ? ", after a leak: `key enter` on each node\n" : "\n");
    if (k->next_id)
        put_awaited(n, &t);
    text_put(&t, n->keys.count ? "this node has\n" : "this node has no key: `key enter` gives it one\n");
    for (uint32_t i = 0; i < n->keys.count; i++)
        put_source(n, &t, &n->keys.held[i]);
    return t.used;
}
