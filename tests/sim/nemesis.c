/* What goes wrong, drawn by the seed; and an administrator, who replaces voters that lost their disk. */
#include <base/assert.h>

#include "sim.h"

/* ---- the swarm ---- */

static uint32_t maybe(uint32_t highest)
{
    return rng_chance(400000) ? 0 : (uint32_t)rng_below(highest + 1);
}

static void draw_timing(struct parameters *p)
{
    const uint64_t heartbeats[] = {10 * MS, 20 * MS, 50 * MS, 100 * MS};
    p->heartbeat_ns = heartbeats[rng_below(4)];
    p->election_ns = p->heartbeat_ns * rng_between(5, 12);
    p->delay_low_ns = rng_between(20000, 2 * MS);
    p->delay_high_ns = p->delay_low_ns + rng_below(p->heartbeat_ns / 2);
    p->flush_low_ns = rng_between(50000, 2 * MS);
    p->flush_high_ns = p->flush_low_ns + rng_below(p->heartbeat_ns);
    p->apply_ns = rng_chance(500000) ? 0 : rng_below(rng_chance(200000) ? 2 * p->election_ns : p->heartbeat_ns);
    p->slow_packet_ns = rng_between(p->heartbeat_ns, 10 * p->election_ns);
    p->drift_ppm = maybe(50000);
    p->client_drift_ppm = maybe(20000);
    p->think_ns = rng_between(5 * MS, 200 * MS);
    p->nemesis_every_ns = rng_between(50 * MS, 600 * MS);
    p->noise_every_ns = rng_chance(300000) ? 0 : rng_between(2 * MS, 100 * MS);
}

static void draw_faults(struct parameters *p)
{
    p->loss = maybe(300000) / (rng_chance(500000) ? 1 : 10);
    p->duplication = maybe(200000);
    p->slow_packet = maybe(50000);
    p->slow_chunk = maybe(300000);
    p->crash = maybe(200000);
    p->pause = maybe(150000);
    p->partition = maybe(200000);
    p->wipe = maybe(60000);
    p->transfer = (uint32_t)rng_between(5000, 150000); /* these two in every run */
    p->member = (uint32_t)rng_between(5000, 100000);
    p->stall = maybe(100000);
    p->jump = maybe(100000);
    p->forget = maybe(100000);
    p->crash_after_promise = rng_chance(500000) ? 0 : (uint32_t)rng_below(rng_chance(500000) ? 5000 : 60000);
    p->same_timeouts = maybe(400000);
    p->going_round = rng_chance(900000) ? 100000 : 500000;
    p->chance_timeouts = rng_chance(500000);
    p->torn = maybe(1000000);
    p->keep_all = maybe(500000);
    p->client_loss = maybe(100000);
    p->damage = maybe(60000);
    p->client_pause = maybe(150000);
    p->client_silence = maybe(100000);
    p->client_crash = maybe(60000);
    p->older = rng_chance(250000);
    p->upgrade = (uint32_t)rng_between(5000, 100000);
    p->client_jump = maybe(100000);
    p->lonely = maybe(400000);
}

static void draw_sizes(struct parameters *p)
{
    const uint32_t slots[] = {64, 128, 256, 1024};
    p->nodes = rng_chance(500000) ? 3 : (uint32_t)rng_between(3, 5);
    p->clients = (uint32_t)rng_between(2, CLIENTS_AT_MOST);
    p->read_share = (uint32_t)rng_between(100000, 700000);
    p->queue_share = maybe(1000000);
    p->register_share = maybe(1000000);
    p->lock_share = maybe(600000);
    p->txn_share = maybe(600000);
    p->session_share = maybe(60000);
    p->hash_every = rng_chance(100000) ? 1 : 64;
    p->slots = slots[rng_below(4)];
    p->trailing = (uint32_t)rng_below(p->slots / 4);
    p->message_bytes = rng_chance(200000) ? 1 : (uint32_t)rng_between(100, 16384);
    p->persist_bytes = rng_chance(200000) ? 1 : (uint32_t)rng_between(100, 32768);
    p->apply_bytes = p->apply_ns < p->heartbeat_ns && rng_chance(200000) ? 1 : 32768;
    p->inflight = (uint32_t)rng_between(1, RAFT_INFLIGHT_MAX);
    p->chunk_bytes = (uint32_t)rng_between(200, 8192);
}

/* Half of the runs have clocks as leases are made for; in the others they may be worse, and only fences help. */
static void draw_clocks(struct parameters *p)
{
    if (rng_chance(500000)) {
        p->jump = 0;
        p->drift_ppm = (uint32_t)rng_below(LEASE_DRIFT_PPM + 1);
        p->client_drift_ppm = (uint32_t)rng_below(LEASE_DRIFT_PPM + 1);
    }
    /* The margin covers more than the drift that is stated. */
    uint64_t covered_ns = TABLES_LEASE_NS - LEASE_MARGIN_NS;
    w.good_clocks = p->jump == 0 &&
                    (1000000ull - p->client_drift_ppm) * TABLES_LEASE_NS >= (1000000ull + p->drift_ppm) * covered_ns;
}

void nemesis_draw(void)
{
    struct parameters *p = &w.p;
    uint64_t safety_ns = p->safety_ns;
    draw_timing(p);
    draw_faults(p);
    draw_sizes(p);
    p->safety_ns = safety_ns;
    limit_parameters(p);
    draw_clocks(p);
}

void nemesis_start(void)
{
    event_add(w.p.nemesis_every_ns, EVENT_NEMESIS, 0, 0, NULL, 0);
    event_add(w.p.election_ns, EVENT_ADMIN, 0, 0, NULL, 0);
    if (w.p.noise_every_ns > 0)
        event_add(w.p.noise_every_ns, EVENT_NOISE, 0, 0, NULL, 0);
}

/* ---- cuts ---- */

static void heal(void)
{
    memset(w.cut, 0, sizeof(w.cut));
}

static void cut(uint32_t a, uint32_t b, bool both)
{
    if (a == b)
        return;
    w.cut[a][b] = true;
    if (both)
        w.cut[b][a] = true;
}

static void partition(void)
{
    uint32_t kind = (uint32_t)rng_below(4), one = (uint32_t)rng_between(1, w.p.nodes);
    uint64_t side = rng();
    bool both = rng_chance(600000);
    w.s.partitions++;
    trace("partition kind %u", kind);
    for (uint32_t a = 1; a <= w.p.nodes; a++)
        for (uint32_t b = 1; b <= w.p.nodes; b++) {
            bool apart = (side >> a & 1) == 0 && (side >> b & 1) == 1;
            if (kind == 0 ? a == one : kind == 1 ? b == one : kind == 2 ? apart : rng_chance(200000))
                cut(a, b, both);
        }
    event_add(rng_between(100 * MS, 4 * SECOND), EVENT_HEAL, 0, 0, NULL, 0);
}

/* ---- machines ---- */

static struct node *any_node(void)
{
    return &w.nodes[rng_between(1, w.p.nodes)];
}

static void crash(struct node *n)
{
    if (!n->up)
        return;
    w.s.crashes++;
    node_crash(n);
    event_add(rng_between(10 * MS, 3 * SECOND), EVENT_RESTART, n->number, 0, NULL, 0);
}

static void pause_node(struct node *n)
{
    if (!n->up)
        return;
    w.s.pauses++;
    n->paused_until_ns = w.now_ns + rng_between(w.p.heartbeat_ns, 6 * w.p.election_ns);
    trace("node %u pauses", n->number);
}

/* A disk may be lost only while every voter still has its own: else what was acknowledged could be gone. */
static bool all_voters_have_their_disk(void)
{
    const struct raft_conf *conf = ghost_conf_now();
    uint32_t voters = 0;
    for (uint32_t i = 1; i <= w.p.nodes; i++) /* and everybody knows that the last change is over, and of no other */
        if (!w.nodes[i].up || w.nodes[i].disk.hurt || w.nodes[i].raft->conf_last > w.nodes[i].raft->conf_index ||
            w.nodes[i].raft->conf_index != ghost_conf_index() || w.nodes[i].raft->durable_commit < ghost_conf_index())
            return false;
    for (uint32_t i = 0; i < conf->count; i++) {
        if (node_of(conf->members[i].id) == NULL || raft_conf_is_joint(conf))
            return false;
        voters += (conf->members[i].flags & RAFT_VOTER) != 0;
    }
    return voters >= 3;
}

static void wipe(struct node *n)
{
    if (!all_voters_have_their_disk())
        return;
    w.s.wipes++;
    trace("node %u loses its disk", n->number);
    if (n->up)
        node_crash(n);
    node_new_log(n);
    event_add(rng_between(10 * MS, 2 * SECOND), EVENT_RESTART, n->number, 0, NULL, 0);
}

/* Sectors go bad at rest, under the same rule: what is lost here the others have. Mostly the node reads them soon. */
static void damage(struct node *n)
{
    if (!all_voters_have_their_disk() || !disk_hurt(&n->disk))
        return;
    trace("sectors of node %u go bad", n->number);
    if (rng_chance(800000))
        crash(n);
}

static void stall(struct node *n)
{
    w.s.stalls++;
    n->disk.stalled_until_ns = w.now_ns + rng_between(w.p.election_ns / 2, 5 * w.p.election_ns);
    trace("disk of node %u stalls", n->number);
}

/* The clock runs on while the machine stood still. */
static void jump(struct node *n)
{
    if (!n->up)
        return;
    w.s.jumps++;
    n->clock_local_ns = node_local_time(n) + rng_below(3 * w.p.election_ns);
    n->clock_global_ns = w.now_ns;
}

static void transfer(void)
{
    struct node *leader = leader_now(), *to = any_node();
    if (leader == NULL || leader == to || leader->paused_until_ns > w.now_ns)
        return;
    raft_tick(leader->raft, node_local_time(leader));
    if (raft_transfer(leader->raft, to->id) == E_OK)
        w.s.transfers++;
    node_round(leader);
}

static bool propose(struct node *leader, uint32_t mode, uint32_t count, const struct raft_change *changes)
{
    struct raft_conf_change change = {.mode = mode, .count = count};
    uint64_t index, term;
    for (uint32_t i = 0; i < count; i++)
        change.changes[i] = changes[i];
    return raft_propose_conf(leader->raft, &change, &index, &term, NULL) == E_OK;
}

/* A voter becomes a learner or is taken out, in one step or through a joint configuration that somebody must leave by
 * hand; the membership rule takes it in again. */
static void move_member(void)
{
    const uint32_t modes[] = {RAFT_CHANGE_SIMPLE, RAFT_CHANGE_JOINT, RAFT_CHANGE_JOINT_STAY};
    struct node *leader = leader_now(), *n = any_node();
    if (leader == NULL || leader->paused_until_ns > w.now_ns || !all_voters_have_their_disk())
        return;
    struct raft_change change = {.op = rng_chance(500000) ? RAFT_ADD_LEARNER : RAFT_REMOVE, .id = n->id};
    raft_tick(leader->raft, node_local_time(leader));
    if (propose(leader, modes[rng_below(3)], 1, &change)) {
        w.s.members_moved++;
        trace("node %u is to become %s", n->number, change.op == RAFT_REMOVE ? "no member" : "a learner");
    }
    node_round(leader);
}

static void wish_of_operator(void)
{
    struct node *leader = leader_now();
    if (leader == NULL || leader->paused_until_ns > w.now_ns)
        return;
    raft_tick(leader->raft, node_local_time(leader));
    duties_wish(leader);
    node_round(leader);
}

static void forget(struct node *n)
{
    if (!n->up || n->paused_until_ns > w.now_ns)
        return;
    raft_tick(n->raft, node_local_time(n));
    if (rng_chance(500000))
        raft_forget_leader(n->raft);
    else if (n->raft->role != RAFT_LEADER)
        raft_campaign(n->raft);
    else
        raft_unreachable(n->raft, any_node()->id);
    node_round(n);
}

static uint64_t compete_until_ns;

/* All time out together: split votes. */
static void same_timeouts(void)
{
    uint64_t timeout_ns = rng_between(w.p.heartbeat_ns, w.p.election_ns);
    w.s.split_votes++;
    compete_until_ns = w.now_ns + timeout_ns + w.p.election_ns;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        if (!n->up || n->paused_until_ns > w.now_ns || n->raft->role == RAFT_LEADER)
            continue;
        raft_tick(n->raft, node_local_time(n));
        raft_forget_leader(n->raft);
        raft_set_election_timeout(n->raft, timeout_ns);
        node_round(n);
    }
}

/* Entries that mean nothing to the tables: a leader that was left behind gets a long tail that nobody wants. */
static void noise(void)
{
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        if (!n->up || n->paused_until_ns > w.now_ns || n->raft->role != RAFT_LEADER)
            continue;
        uint64_t junk[16], index, term;
        raft_tick(n->raft, node_local_time(n));
        for (uint64_t count = rng_below(4); count > 0; count--) {
            memset(junk, 0xff, sizeof(junk));
            junk[0] = rng();
            w.s.noise += raft_propose(n->raft, junk, rng_between(8, sizeof(junk)), &index, &term) == E_OK;
        }
        if (rng_chance(50000))
            duties_hasty_expiry(n);
        if (rng_chance(20000))
            duties_newer_operation(n);
        node_round(n);
    }
}

/* The worst moment for a crash is right after a promise, or after a leader has just declared something committed; worse
 * yet while several want votes. */
void nemesis_promised(struct node *n)
{
    uint32_t chance = w.p.crash_after_promise * (w.now_ns < compete_until_ns ? 5 : 1);
    if (!w.calm && chance > 0 && rng_chance(chance))
        event_add(rng_below(w.p.delay_low_ns), EVENT_CRASH, n->number, n->life, NULL, 0);
}

/* Nobody hears it, and it may not know. */
static void isolate(struct node *n)
{
    for (uint32_t other = 1; other <= w.p.nodes; other++)
        cut(n->number, other, true);
    event_add(rng_between(w.p.election_ns, 4 * w.p.election_ns), EVENT_HEAL, 0, 0, NULL, 0);
}

/* Who has just won is cut off with entries of its term that only its own disk gets: a log that is newer than the
 * others', and shorter. Who has just decided something for the first time is cut off before many know. */
void nemesis_leads(struct node *n)
{
    if (w.calm || w.p.lonely == 0 || !rng_chance(w.p.lonely))
        return;
    w.s.lonely++;
    isolate(n);
    if (rng_chance(500000))
        event_add(rng_below(2 * w.p.flush_high_ns), EVENT_CRASH, n->number, n->life, NULL, 0);
}

static void crash_now(struct node *n, uint64_t life)
{
    if (!n->up || n->life != life)
        return;
    if (rng_chance(400000)) {
        isolate(n);
        return;
    }
    w.s.crashes++;
    node_crash(n); /* back at once, while the promise still matters, or when others have gone on */
    event_add(rng_chance(500000) ? rng_below(4 * MS) : rng_below(4 * w.p.election_ns), EVENT_RESTART, n->number, 0,
              NULL, 0);
}

static void upgrade(struct node *n)
{
    if (n->level == TABLES_LEVEL_NOW)
        return;
    crash(n);
    n->level = TABLES_LEVEL_NOW;
    w.s.upgrades++;
    trace("node %u gets a newer build", n->number);
}

/* It was removed, or not known of, when the others went on without it: with what it has it can do nothing more. */
void nemesis_too_old(struct node *n)
{
    n->too_old = true;
    event_add(0, EVENT_UPGRADE, n->number, n->life, NULL, 0);
}

static void strike(void)
{
    if (rng_chance(w.p.upgrade))
        upgrade(any_node());
    if (rng_chance(w.p.same_timeouts))
        same_timeouts();
    if (rng_chance(w.p.crash))
        crash(any_node());
    if (rng_chance(w.p.pause))
        pause_node(any_node());
    if (rng_chance(w.p.partition))
        partition();
    if (rng_chance(w.p.wipe))
        wipe(any_node());
    if (rng_chance(w.p.damage))
        damage(any_node());
    if (rng_chance(w.p.transfer))
        transfer();
    if (rng_chance(w.p.member))
        move_member();
    if (rng_chance(w.p.member))
        wish_of_operator();
    clients_strike();
    if (rng_chance(w.p.stall))
        stall(any_node());
    if (rng_chance(w.p.jump))
        jump(any_node());
    if (rng_chance(w.p.forget))
        forget(any_node());
}

/* ---- operators ---- */

/* What the membership rule never does by itself. */
static void leave_by_hand(struct node *leader)
{
    const struct raft_conf *conf = raft_conf_now(leader->raft);
    if (raft_conf_is_joint(conf) && !conf->auto_leave)
        propose(leader, RAFT_CHANGE_LEAVE, 0, NULL);
}

/* In the calm all that was wished is taken back, and the leadership goes round: sessions of the living outlast that. */
static bool going_round = true;

static void administer(void)
{
    struct node *leader = leader_now();
    if (leader == NULL || leader->paused_until_ns > w.now_ns)
        return;
    raft_tick(leader->raft, node_local_time(leader));
    leave_by_hand(leader);
    if (w.calm)
        duties_clear_wishes(leader);
    node_round(leader);
    if (w.calm && going_round && rng_chance(w.p.going_round))
        transfer();
}

void nemesis_end(void)
{
    going_round = false;
}

/* ---- calm ---- */

static bool is_quorum_of(const struct raft_conf *conf)
{
    uint8_t votes[RAFT_MEMBERS_MAX] = {0};
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct node *n = node_of(conf->members[i].id);
        bool there = n != NULL && !w.broken[n->number] && !n->disk.hurt;
        votes[i] = there ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    }
    return raft_conf_vote_result(conf, votes) == RAFT_VOTE_WON;
}

/* Changes that are in some log may still be decided. */
static bool is_enough_for_pending(const struct node *n)
{
    const struct raft *r = n->raft;
    struct raft_conf conf = r->conf, next;
    for (uint64_t i = r->applied + 1; r->started && i <= r->last; i++) {
        struct raft_entry entry;
        struct raft_conf_change change;
        if (!raft_entry_at(r, i, &entry) || entry.type != RAFT_ENTRY_CONF ||
            raft_conf_change_decode(entry.data, entry.length, &change) != E_OK ||
            raft_conf_apply(&conf, &change, &next, NULL) != E_OK)
            continue;
        if (!is_quorum_of(&next))
            return false;
        conf = next;
    }
    return true;
}

/* Of the newest configurations, not just of the last: the nodes that stay may not know that it is committed, and one
 * that restarts may have to learn it anew. */
static bool is_core_enough(void)
{
    for (uint32_t back = 0; ghost_conf_before(back) != NULL; back++)
        if (!is_quorum_of(ghost_conf_before(back)))
            return false;
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        if (!is_enough_for_pending(&w.nodes[i]))
            return false;
    return true;
}

/* A wish that may yet be carried out takes more voters away, on the word of who was heard a moment ago. */
static bool is_wish_pending(const struct node *n)
{
    for (uint32_t i = 1; n->up && i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (row != NULL && row->wish != TABLES_WISH_NONE)
            return true;
    }
    for (uint64_t i = n->raft->applied + 1; i <= n->raft->last; i++) {
        struct raft_entry entry;
        struct tables_op op;
        if (raft_entry_at(n->raft, i, &entry) && entry.type == RAFT_ENTRY_DATA &&
            tables_decode(entry.data, entry.length, &op) == E_OK && op.kind == TABLES_NODE_WISH)
            return true;
    }
    return false;
}

static bool wished_at_calm;

/* Leaves out nodes by chance as long as the rest is a quorum. */
static void choose_core(void)
{
    memset(w.broken, 0, sizeof(w.broken));
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        wished_at_calm |= is_wish_pending(&w.nodes[i]);
    if (wished_at_calm)
        return;
    for (uint32_t tries = 0; tries < w.p.nodes; tries++) {
        uint32_t one = (uint32_t)rng_between(1, w.p.nodes);
        bool was = w.broken[one];
        w.broken[one] = true;
        if (!is_core_enough())
            w.broken[one] = was; /* a disk that was lost may leave no room for more: then all stay */
    }
}

static uint64_t last_term(const struct node *n)
{
    uint64_t term = 0;
    raft_term_at(n->raft, n->raft->last, &term);
    return term;
}

static bool is_behind(const struct node *n, const struct node *other)
{
    uint64_t term = last_term(n), others = last_term(other);
    return term < others || (term == others && n->raft->last < other->raft->last);
}

/* What it will know to be committed once all have asked each other for votes. */
static uint64_t commit_to_know(const struct node *n)
{
    uint64_t commit = n->raft->commit;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        const struct raft *other = w.nodes[i].raft;
        uint64_t own_term, term;
        if (!w.broken[i] && other->commit > commit && raft_term_at(n->raft, other->commit, &own_term) &&
            raft_term_at(other, other->commit, &term) && term == own_term)
            commit = other->commit;
    }
    return commit;
}

/* What it will go by when it has applied that. */
static struct raft_conf conf_as_committed(const struct node *n)
{
    struct raft_conf conf = n->raft->conf, next;
    for (uint64_t i = n->raft->applied + 1, commit = commit_to_know(n); i <= commit; i++) {
        struct raft_entry entry;
        struct raft_conf_change change;
        if (raft_entry_at(n->raft, i, &entry) && entry.type == RAFT_ENTRY_CONF &&
            raft_conf_change_decode(entry.data, entry.length, &change) == E_OK &&
            raft_conf_apply(&conf, &change, &next, NULL) == E_OK)
            conf = next;
    }
    return conf;
}

/* By what it knows of the configuration and by who is there. */
static bool can_lead(const struct node *n)
{
    const struct raft_conf now = conf_as_committed(n), *conf = &now;
    uint8_t votes[RAFT_MEMBERS_MAX] = {0};
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct node *other = node_of(conf->members[i].id);
        bool gives = other != NULL && !w.broken[other->number] && !other->disk.hurt && !is_behind(n, other);
        votes[i] = gives ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    }
    return !w.broken[n->number] && raft_conf_is_voter(conf, n->id) &&
           raft_conf_vote_result(conf, votes) == RAFT_VOTE_WON;
}

/* Who leads decides what its log has, also that. */
static bool a_change_takes_the_quorum(void)
{
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        if (can_lead(&w.nodes[i]) && !is_enough_for_pending(&w.nodes[i]))
            return true;
    return false;
}

/* Can anything be decided at all? An operator who takes votes away in the very moment that another voter loses its disk
 * has lost the majority, or will have lost it when that is decided. Where there is a majority, somebody can always
 * lead: also when a leader gave up its vote and was interrupted before the others knew that this is decided, since
 * votes carry that news. */
bool nemesis_may_live(void)
{
    if (!is_quorum_of(ghost_conf_now()) || a_change_takes_the_quorum()) {
        w.s.majorities_lost++;
        return false;
    }
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        if (can_lead(&w.nodes[i]))
            return true;
    violation(EXIT_LIVENESS, "nobody of a healed quorum can lead");
}

/* A wish that was on its way when the calm came took the vote that was needed in the place of a disk lost just before.
 */
bool nemesis_lost_by_wish(void)
{
    bool lost = wished_at_calm && !is_quorum_of(ghost_conf_now());
    w.s.majorities_lost += lost;
    return lost;
}

void nemesis_calm(void)
{
    w.calm = true;
    for (uint32_t i = 1; i <= w.p.nodes; i++)
        upgrade(&w.nodes[i]);
    heal();
    choose_core();
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        n->disk.stalled_until_ns = 0;
        n->paused_until_ns = 0;
        trace("calm: node %u is %s", i, w.broken[i] ? "broken" : "of the core");
        if (w.broken[i] && n->up && rng_chance(500000)) {
            n->disk.stalled_until_ns = UINT64_MAX / 2; /* it hears and speaks, but can keep nothing any more */
            trace("calm: node %u keeps nothing, role %d", i, (int)n->raft->role);
        } else if (w.broken[i]) {
            bool deaf = rng_chance(500000); /* it is heard, and hears nobody */
            w.unreachable[i] = true;
            for (uint32_t other = 1; other <= w.p.nodes; other++)
                cut(other, i, !deaf);
        } else if (!n->up) {
            node_start(n);
        }
    }
}

void nemesis_event(struct event *e)
{
    if (e->kind == EVENT_ADMIN) {
        administer();
        event_add(2 * w.p.election_ns, EVENT_ADMIN, 0, 0, NULL, 0);
    } else if (w.calm) {
        return;
    } else if (e->kind == EVENT_RESTART) {
        if (!w.nodes[e->who].up)
            node_start(&w.nodes[e->who]);
    } else if (e->kind == EVENT_HEAL) {
        heal();
    } else if (e->kind == EVENT_UPGRADE) {
        if (w.nodes[e->who].life == e->life)
            upgrade(&w.nodes[e->who]);
    } else if (e->kind == EVENT_CRASH) {
        crash_now(&w.nodes[e->who], e->life);
    } else if (e->kind == EVENT_NOISE) {
        noise();
        event_add(w.p.noise_every_ns, EVENT_NOISE, 0, 0, NULL, 0);
    } else {
        strike();
        event_add(w.p.nemesis_every_ns, EVENT_NEMESIS, 0, 0, NULL, 0);
    }
}
