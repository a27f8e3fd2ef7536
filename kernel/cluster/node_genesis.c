/* How a log gets into a cluster: genesis, once, by the voters that the configuration names; or joining one that is
 * there.
 *
 * Genesis: the first of the voters draws the cluster's id. Each voter records durably `prepared(cluster id,
 * configuration)` before any begins, so an interrupted genesis is finished by whoever comes back. Only if a voter's log
 * is lost before that does the first voter draw another id; since all voters must then record that one, and one that
 * took part never does, no second cluster can begin beside a first. */
#include "node_state.h"

#define CONTROL_PREPARE_MAX (16u + RAFT_CONF_BYTES_MAX)

/* Voters of different builds do not begin together: the tables of all must be the same from the first entry on. */
static bool linked_voter(const struct node *n, const struct other *o, uint32_t voter)
{
    return o->session && o->heard && o->hello.ready && o->hello.voter == voter && voter != n->config.voter &&
           o->hello.level == TABLES_LEVEL_NOW;
}

static struct other *voter_at(struct node *n, uint32_t voter)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (linked_voter(n, &n->others[i], voter))
            return &n->others[i];
    }
    return NULL;
}

uint32_t node_voters_linked(const struct node *n)
{
    uint32_t count = n->config.voter != 0;
    for (uint32_t v = 1; v <= n->config.voter_count; v++)
        count += voter_at((struct node *)(uintptr_t)n, v) != NULL;
    return count;
}

bool node_voter_missing(const struct node *n, uint32_t voter)
{
    return voter != n->config.voter && !voter_at((struct node *)(uintptr_t)n, voter);
}

/* Refused logs are no sign of a cluster: they may be copies of anything. */
static bool takes_part(const struct other *o)
{
    bool refused =
        o->hello.trouble == TROUBLE_OLDER || o->hello.trouble == TROUBLE_MOVED || o->hello.trouble == TROUBLE_FAILED;
    return o->session && o->heard && o->hello.stage == STAGE_STARTED && !refused;
}

/* The latest epoch comes first, then one that has a leader. */
const struct other *node_hears_cluster(const struct node *n)
{
    const struct other *best = NULL;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = &n->others[i];
        if (!takes_part(o))
            continue;
        bool later = best && o->hello.epoch > best->hello.epoch;
        if (!best || later || (o->hello.epoch == best->hello.epoch && o->hello.led && !best->hello.led))
            best = o;
    }
    return best;
}

/* ---- recording ---- */

static void record(struct node *n, bool start)
{
    n->recording = true;
    n->start_on_record = start;
    if (n->durable)
        node_log_record(n, n->log_state == LOG_BLANK);
    else
        node_genesis_recorded(n);
}

static void begin(struct node *n)
{
    node_identity_changed(n);
    node_raft_prepare(n, NULL);
    node_raft_start(n, 0);
}

void node_genesis_recorded(struct node *n)
{
    n->recording = false;
    if (n->durable) {
        n->log_state = LOG_VALID;
        n->opened = true; /* all that is on it is known: it is never read while the node runs */
    }
    n->prepared = n->stage == STAGE_PREPARED;
    n->hello_changed = true;
    n->genesis_due_ns = 0;
    if (!n->start_on_record)
        return;
    n->start_on_record = false;
    begin(n);
}

/* Who finds no old state must be able to learn here that it is gone, not hidden. */
static void say_new(struct node *n)
{
    char id[33];
    struct text t = text_begin(id, sizeof(id));
    text_hex(&t, n->cluster_id[0]);
    text_hex(&t, n->cluster_id[1]);
    node_say(n, "cluster: a new cluster begins; its id is ", id);
    if (node_kept(n, &n->conf) == KEPT_NOTHING)
        node_say(n, "cluster: its voters' logs are in memory: ",
                 "what an earlier cluster of theirs held is gone, and this one's will be when they are off together");
}

static void start(struct node *n)
{
    bool begins = n->stage == STAGE_PREPARED;
    n->stage = STAGE_STARTED;
    node_say(n, "cluster: this node's log takes part now", "");
    if (begins)
        say_new(n);
    record(n, true);
}

/* The log was read. A prepared one waits to hear that all are; one that took part goes on by itself. */
void node_log_opened(struct node *n)
{
    n->prepared = n->stage == STAGE_PREPARED;
    node_identity_changed(n);
    node_keys_begin(n);
}

/* ---- preparing ---- */

/* Records it, unless that is done or under way. */
static void prepare(struct node *n, const uint64_t cluster_id[2], const struct raft_conf *conf)
{
    bool same = n->stage == STAGE_PREPARED && same_id(n->cluster_id, cluster_id) && raft_conf_equal(&n->conf, conf);
    if (n->stage == STAGE_STARTED || n->recording || same || !node_log_usable(n))
        return;
    memcpy(n->cluster_id, cluster_id, sizeof(n->cluster_id));
    n->conf = *conf;
    n->stage = STAGE_PREPARED;
    n->prepared = false;
    record(n, false);
}

static bool conf_has_us(const struct node *n, const struct raft_conf *conf)
{
    return raft_conf_is_voter(conf, raft_id_of(n->config.node_id, n->log_id));
}

static void get_id(struct wire_reader *r, uint64_t id[2])
{
    id[0] = wire_get_u64(r);
    id[1] = wire_get_u64(r);
}

void node_take_prepare(struct node *n, struct other *o, struct wire_reader *r)
{
    uint64_t cluster_id[2];
    struct raft_conf conf;
    get_id(r, cluster_id);
    size_t left = wire_left(r);
    const uint8_t *bytes = wire_take(r, left);
    if (!bytes || no_id(cluster_id) || raft_conf_decode(bytes, left, &conf) != E_OK || !raft_conf_valid(&conf) ||
        !n->config.voter || !conf_has_us(n, &conf))
        return;
    if (node_hears_cluster(n) || (n->stage == STAGE_BLANK && !n->config.genesis))
        return; /* there is one, or nobody told this node that one may begin */
    prepare(n, cluster_id, &conf);
    if (n->prepared && same_id(n->cluster_id, cluster_id))
        node_send_control(n, o, CONTROL_PREPARED, n->cluster_id, sizeof(n->cluster_id));
}

void node_take_prepared(struct node *n, struct other *o, struct wire_reader *r)
{
    uint64_t cluster_id[2];
    get_id(r, cluster_id);
    if (wire_done(r) && n->stage != STAGE_BLANK && same_id(cluster_id, n->cluster_id))
        o->prepared = true;
    n->genesis_due_ns = 0;
}

void node_take_start(struct node *n, struct other *o, struct wire_reader *r)
{
    uint64_t cluster_id[2];
    get_id(r, cluster_id);
    if (wire_done(r) && n->prepared && !n->recording && n->stage == STAGE_PREPARED &&
        same_id(cluster_id, n->cluster_id))
        start(n);
}

/* ---- the first voter's part ---- */

static bool make_conf(struct node *n, struct raft_conf *conf)
{
    memset(conf, 0, sizeof(*conf));
    for (uint32_t v = 1; v <= n->config.voter_count; v++) {
        const struct other *o = v == n->config.voter ? NULL : voter_at(n, v);
        struct raft_member m = {.flags = RAFT_VOTER};
        if (v != n->config.voter && !o)
            return false;
        m.id = o ? raft_id_of(o->node_id, o->hello.log_id) : raft_id_of(n->config.node_id, n->log_id);
        uint32_t at = conf->count++;
        for (; at > 0 && conf->members[at - 1].id.node > m.id.node; at--)
            conf->members[at] = conf->members[at - 1];
        conf->members[at] = m;
    }
    return raft_conf_valid(conf);
}

static void ask_all(struct node *n)
{
    uint8_t bytes[CONTROL_PREPARE_MAX];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    wire_put_u64(&w, n->cluster_id[0]);
    wire_put_u64(&w, n->cluster_id[1]);
    size_t conf_bytes = raft_conf_encode(&n->conf, bytes + w.used);
    for (uint32_t v = 1; v <= n->config.voter_count; v++) {
        struct other *o = voter_at(n, v);
        if (o && !o->prepared)
            node_send_control(n, o, CONTROL_PREPARE, bytes, w.used + conf_bytes);
    }
}

static bool all_prepared(struct node *n)
{
    for (uint32_t i = 0; i < n->conf.count; i++) {
        const struct raft_id id = n->conf.members[i].id;
        const struct other *o = node_other_by_raft(n, id.node);
        bool self = id.node == n->config.node_id[0];
        if (!self && !(o && o->heard && o->prepared && o->hello.log_id[0] == id.log))
            return false;
    }
    return n->prepared;
}

static void tell_all(struct node *n)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session && n->others[i].prepared)
            node_send_control(n, &n->others[i], CONTROL_START, n->cluster_id, sizeof(n->cluster_id));
    }
}

static void lead_genesis(struct node *n)
{
    struct raft_conf conf;
    bool complete = n->config.genesis && make_conf(n, &conf);
    if (complete && (n->stage == STAGE_BLANK || !raft_conf_equal(&conf, &n->conf))) {
        n->fresh_cluster_id[0] += 2; /* another attempt, another id, and never 0 */
        prepare(n, n->fresh_cluster_id, &conf);
        for (uint32_t i = 0; i < LINK_PEERS_MAX; i++)
            n->others[i].prepared = false;
    }
    if (!n->prepared)
        return;
    ask_all(n);
    if (!all_prepared(n))
        return;
    tell_all(n);
    start(n);
    n->first_election = true;
}

/* Nobody has led this cluster yet, so there is no leader whose silence must be waited for. Should it fail, the election
 * timeout sees to the next. */
static void first_election(struct node *n)
{
    uint32_t taking_part = 1;
    if (!n->first_election || !n->raft_running)
        return;
    for (uint32_t v = 1; v <= n->config.voter_count; v++) {
        const struct other *o = v == n->config.voter ? NULL : voter_at(n, v);
        taking_part += o && o->hello.stage == STAGE_STARTED && same_id(o->hello.cluster_id, n->cluster_id);
    }
    if (2 * taking_part <= n->config.voter_count)
        return;
    n->first_election = false;
    raft_tick(n->raft, n->now_ns);
    raft_campaign(n->raft);
}

/* ---- joining ---- */

/* Somebody takes part in a cluster already. With its own prepared configuration that is ours, begun, and may need us
 * for its first leader. A blank log waits until the cluster has a leader, who takes it in as a learner: what is left of
 * a cluster that can decide nothing must not claim it. */
static bool join(struct node *n, const struct other *o)
{
    bool ours = n->stage == STAGE_PREPARED && same_id(o->hello.cluster_id, n->cluster_id);
    if (n->stage == STAGE_PREPARED && !ours && o->hello.led)
        n->problem =
            "this disk was prepared for a cluster that never began, and there is another one: `raft wipe` gives "
            "it up";
    if (!ours && (n->stage == STAGE_PREPARED || !o->hello.led))
        return false;
    memcpy(n->cluster_id, o->hello.cluster_id, sizeof(n->cluster_id));
    n->epoch = o->hello.epoch;
    return true;
}

void node_genesis_run(struct node *n)
{
    first_election(n);
    if (n->stage == STAGE_STARTED || n->recording || !node_log_usable(n) || n->now_ns < n->genesis_due_ns)
        return;
    n->genesis_due_ns = n->now_ns + RETRY_NS;
    const struct other *o = node_hears_cluster(n);
    if (o && join(n, o))
        start(n);
    else if (!o && (n->config.genesis || n->stage == STAGE_PREPARED) && n->config.voter == 1)
        lead_genesis(n); /* what was recorded is finished also without the flag, which is given once */
}
