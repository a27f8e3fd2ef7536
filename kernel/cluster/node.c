/* A node as a whole: opening, one round, and what it says of itself. */
#include "node_state.h"

#include <seal/primitives.h>

void *node_take(struct node *n, size_t bytes)
{
    void *block = n->hooks.take(n->hooks.context, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void node_give(struct node *n, void *block, size_t bytes)
{
    if (block)
        n->hooks.give(n->hooks.context, block, bytes);
}

void node_say(struct node *n, const char *what, const char *detail)
{
    char line[160];
    struct text t = text_begin(line, sizeof(line));
    text_put(&t, what);
    text_put(&t, detail);
    n->hooks.say(n->hooks.context, line);
}

static void *link_take(void *context, size_t bytes)
{
    struct node *n = context;
    return n->hooks.take(n->hooks.context, bytes);
}

static void link_give(void *context, void *block, size_t bytes)
{
    struct node *n = context;
    n->hooks.give(n->hooks.context, block, bytes);
}

static struct seal_identity make_identity(const struct node *n)
{
    struct seal_identity self = {.node_id = {n->config.node_id[0], n->config.node_id[1]},
                                 .boot_id = {n->config.boot_id[0], n->config.boot_id[1]}};
    if (n->stage == STAGE_STARTED)
        memcpy(self.cluster_id, n->cluster_id, sizeof(self.cluster_id));
    memcpy(self.log_id, n->log_id, sizeof(self.log_id));
    memcpy(self.name, n->config.name, sizeof(self.name));
    return self;
}

/* What links draw from is forgotten here: who learns of what ids are drawn from learns nothing of their secrets. */
static void part_entropy(struct node *n, uint8_t links_out[32])
{
    uint8_t ids[32];
    seal_hkdf(n->config.boot_id, 16, n->config.random, 32, "links", 5, links_out, 32);
    seal_hkdf(n->config.boot_id, 16, n->config.random, 32, "ids", 3, ids, 32);
    memcpy(n->config.random, ids, sizeof(ids));
}

static err_t open_link(struct node *n, const uint8_t random[32])
{
    struct link_config config = {.cluster_name = n->config.cluster_name,
                                 .self = make_identity(n),
                                 .log_key = n->log_key.pair,
                                 .vet = {node_log_key_vet, n},
                                 .memory = {link_take, link_give, n, n->config.link_bytes},
                                 .entropy = {n->hooks.entropy, n->hooks.context},
                                 .port = n->config.port,
                                 .silence_ns = 4 * SECOND_NS,
                                 .keepalive_ns = SECOND_NS,
                                 .hello_ns = SECOND_NS,
                                 .renew_ns = 120 * SECOND_NS,
                                 .renew_bytes = 256u << 20};
    memcpy(config.random, random, 32);
    err_t err = link_open(&config, n->now_ns, &n->link);
    seal_wipe(&config, sizeof(config));
    return err;
}

/* Ids are drawn from the entropy given, for one purpose each. */
void node_draw_id(const struct node *n, const char *purpose, uint64_t id_out[2])
{
    seal_hkdf(n->config.boot_id, 16, n->config.random, 32, purpose, strlen(purpose), id_out, 16);
    id_out[0] |= 1; /* never 0: consensus uses the first half, and 0 is nobody */
}

void node_draw_ids(struct node *n)
{
    node_draw_id(n, "log id", n->log_id);
    node_log_key_draw(n);
    node_draw_id(n, "cluster id", n->fresh_cluster_id);
    n->fresh_cluster_id[1] = with_epoch(n->fresh_cluster_id[1], 1);
}

err_t node_open(const struct node_config *config, const struct node_hooks *hooks, uint64_t now_ns, struct node **out)
{
    struct node *n = hooks->take(hooks->context, sizeof(*n));
    uint8_t links[32];
    if (!n)
        return E_NO_MEMORY;
    memset(n, 0, sizeof(*n));
    n->config = *config;
    n->hooks = *hooks;
    n->now_ns = now_ns;
    n->next_sequence = 1;
    n->epoch = 1;
    part_entropy(n, links);
    node_draw_ids(n);
    n->record = node_take(n, LOG_APPEND_MAX);
    n->scratch_bytes = LINK_MESSAGE_MAX;
    n->scratch = node_take(n, n->scratch_bytes);
    n->saver = node_take(n, sizeof(*n->saver));
    n->loader = node_take(n, sizeof(*n->loader));
    n->checksums = node_take(n, config->window_entries * sizeof(uint32_t));
    bool good = n->record && n->scratch && n->saver && n->loader && n->checksums && open_link(n, links) == E_OK;
    seal_wipe(links, sizeof(links));
    if (!good) {
        node_close(n);
        return E_NO_MEMORY;
    }
    node_keys_open(n);
    *out = n;
    return E_OK;
}

void node_close(struct node *n)
{
    struct node_hooks hooks = n->hooks;
    if (n->link)
        link_close(n->link);
    node_keys_close(n);
    node_raft_close(n);
    node_log_close(n);
    node_propose_close(n);
    node_pieces_clear(n, &n->saved);
    node_pieces_clear(n, &n->incoming);
    node_give(n, n->record, LOG_APPEND_MAX);
    node_give(n, n->scratch, n->scratch_bytes);
    node_give(n, n->saver, sizeof(*n->saver));
    node_give(n, n->loader, sizeof(*n->loader));
    node_give(n, n->checksums, n->config.window_entries * sizeof(uint32_t));
    hooks.give(hooks.context, n, sizeof(*n));
}

void node_identity_changed(struct node *n)
{
    struct seal_identity self = make_identity(n);
    link_identify(n->link, &self, &n->log_key.pair);
    n->hello_changed = true;
}

void node_network(struct node *n, bool attached, uint32_t peer_state, uint32_t ipv4)
{
    bool ready = attached && peer_state == 3;
    if (ready && !n->network) {
        link_greet(n->link);
        n->network_ns = n->now_ns;
    }
    n->network = ready;
    n->peer_state = attached ? peer_state : UINT32_MAX;
    n->ipv4 = ipv4;
}

void node_load(struct node *n, const struct node_load *load)
{
    n->load = *load;
}

void node_datagram(struct node *n, uint64_t now_ns, struct link_address from, const void *bytes, size_t count)
{
    n->now_ns = now_ns;
    link_input(n->link, now_ns, from, bytes, count);
    node_links_run(n);
}

void node_run(struct node *n, uint64_t now_ns)
{
    n->now_ns = now_ns;
    node_links_run(n);
    node_genesis_run(n);
    node_log_run(n);
    node_raft_run(n);
    node_lead_run(n);
    node_members_run(n);
    node_keys_run(n);
    node_propose_run(n);
    node_raft_run(n); /* what was just proposed goes out at once */
    node_snapshot_run(n);
    node_log_run(n);
    node_lease_run(n);
    node_links_say(n);
}

size_t node_output(struct node *n, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    n->now_ns = now_ns;
    if (!n->network)
        return 0;
    size_t bytes = link_output(n->link, now_ns, to, frame);
    node_links_run(n); /* sessions that fell silent */
    return bytes;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t node_deadline(struct node *n)
{
    uint64_t due = n->network ? link_deadline(n->link) : UINT64_MAX;
    due = earlier(due, n->hello_due_ns);
    due = earlier(due, n->stage == STAGE_STARTED ? UINT64_MAX : n->genesis_due_ns);
    if (n->raft_running)
        due = earlier(due, raft_deadline(n->raft));
    due = earlier(due, node_lead_deadline(n));
    due = earlier(due, node_log_deadline(n));
    due = earlier(due, node_members_deadline(n));
    due = earlier(due, node_keys_deadline(n));
    return earlier(due, node_propose_deadline(n));
}

struct tables *node_tables(struct node *n)
{
    return n->tables;
}

const struct tables_node *node_own_row(const struct node *n)
{
    return n->tables ? tables_node_by_id(n->tables, n->config.node_id) : NULL;
}

uint32_t node_number(const struct node *n)
{
    const struct tables_node *row = node_own_row(n);
    return row ? row->number : n->recorded_number ? n->recorded_number : n->config.voter;
}

enum cluster_state node_state(const struct node *n)
{
    struct raft_status s;
    if (!n->raft_running) {
        if (!n->log_known || n->phase == LOG_PHASE_OPENING || n->phase == LOG_PHASE_SNAPSHOT ||
            n->phase == LOG_PHASE_RECORDS)
            return CLUSTER_LOG;
        if (!n->network)
            return CLUSTER_LINK;
        return n->config.genesis && n->config.voter ? CLUSTER_GENESIS : CLUSTER_JOIN;
    }
    raft_status(n->raft, &s);
    if (!n->network && s.role != RAFT_LEADER)
        return CLUSTER_LINK;
    if (n->applied_join && s.leader.log && s.applied >= s.commit)
        return CLUSTER_MEMBER;
    return no_raft_conf(n) ? CLUSTER_JOIN : CLUSTER_FOLLOW;
}
