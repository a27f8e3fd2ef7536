/* Who leads, and who must not. */
#include "cluster.h"

static void test_three_elect_one(void)
{
    struct cluster *c = cluster_make(3);
    cluster_pass(c, 3 * ELECTION_MS);
    CHECK(cluster_leader(c) != 0);
    cluster_pass(c, 20 * ELECTION_MS);
    CHECK_EQUAL(unit_status(c, cluster_leader(c)).term, 2); /* genesis is term 1: one election, then quiet */
    cluster_make_equal(c);
    cluster_free(c);
}

static void test_one_voter_leads_itself(void)
{
    struct cluster *c = cluster_make(1);
    cluster_pass(c, 3 * ELECTION_MS);
    unit_propose_ok(c, 1, "x");
    CHECK_EQUAL(c->units[1]->applied, 3);
    cluster_free(c);
}

/* Not before vote and term are durable may a candidate ask, or a voter answer. */
static void test_votes_wait_for_the_disk(void)
{
    struct cluster *c = cluster_make(3);
    c->units[1]->hold_disk = c->units[2]->hold_disk = true;
    cluster_isolate(c, 3, true);
    raft_campaign(c->units[1]->r);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_CANDIDATE);
    CHECK_EQUAL(unit_status(c, 2).term, 1); /* nobody was asked yet */
    unit_flush(c, 1, 1);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 2).term, 2);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_CANDIDATE);
    unit_flush(c, 2, 1);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_LEADER);
    cluster_free(c);
}

static void test_vote_survives_restart(void)
{
    struct cluster *c = cluster_make(3);
    c->drop_types = 1ull << RAFT_MSG_VOTE_REPLY;
    cluster_isolate(c, 3, true);
    raft_campaign(c->units[1]->r);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 2).vote.node, 1);
    unit_crash(c, 2);
    unit_restart(c, 2);
    CHECK_EQUAL(unit_status(c, 2).vote.node, 1);
    CHECK_EQUAL(unit_status(c, 2).term, 2);
    /* Another candidate of the same term gets nothing from it. */
    c->drop_types = 0;
    struct raft_message vote = {.type = RAFT_MSG_VOTE,
                                .cluster = 77,
                                .from = c->units[3]->id,
                                .to = c->units[2]->id,
                                .term = 2,
                                .index = 100,
                                .log_term = 1};
    raft_receive(c->units[2]->r, &vote);
    unit_work(c, 2);
    CHECK_EQUAL(unit_status(c, 2).vote.node, 1);
    cluster_free(c);
}

/* A member that was away comes back without disturbing anybody. */
static void test_prevote_keeps_term(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    for (uint32_t round = 0; round < 20; round++) {
        cluster_isolate(c, 3, true);
        cluster_pass(c, 5 * ELECTION_MS);
        CHECK_EQUAL(unit_status(c, 3).term, 2);
        CHECK(unit_status(c, 3).role != RAFT_CANDIDATE);
        cluster_isolate(c, 3, false);
        cluster_pass(c, ELECTION_MS);
        CHECK_EQUAL(cluster_leader(c), 1);
        CHECK_EQUAL(unit_status(c, 1).term, 2);
    }
    cluster_free(c);
}

/* One of three links is cut. Whoever leads, somebody does, and terms do not run away. */
static void test_partial_partition(void)
{
    for (uint32_t leader = 1; leader <= 3; leader++) {
        struct cluster *c = cluster_make(3);
        cluster_elect(c, leader);
        c->cut[1][2] = c->cut[2][1] = true;
        cluster_pass(c, 50 * ELECTION_MS);
        uint32_t now = cluster_leader(c);
        CHECK(now != 0);
        CHECK(unit_status(c, now).term <= 6);
        uint64_t applied = c->units[now]->applied;
        unit_propose_ok(c, now, "x");
        CHECK(c->units[now]->applied > applied);
        cluster_free(c);
    }
}

static void test_leader_without_quorum_steps_down(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    CHECK(unit_status(c, 1).quorum);
    cluster_isolate(c, 1, true);
    cluster_pass(c, ELECTION_MS + HEARTBEAT_MS);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_FOLLOWER);
    cluster_pass(c, 3 * ELECTION_MS);
    CHECK(cluster_leader(c) > 1);
    cluster_free(c);
}

/* One-way: the leader hears nobody, though all hear it. They must not follow it for ever. */
static void test_deaf_leader_steps_down(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    c->cut[2][1] = c->cut[3][1] = true;
    cluster_pass(c, 5 * ELECTION_MS);
    CHECK(cluster_leader(c) > 1);
    cluster_free(c);
}

static void test_stalled_disk_ends_leadership(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    c->units[1]->hold_disk = true;
    unit_propose_ok(c, 1, "x");
    cluster_pass(c, 2 * ELECTION_MS + HEARTBEAT_MS);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_FOLLOWER);
    CHECK(unit_status(c, 1).stalled);
    cluster_pass(c, 4 * ELECTION_MS);
    CHECK(cluster_leader(c) > 1);
    CHECK_EQUAL(raft_campaign(c->units[1]->r), E_NOT_DELIVERED);
    cluster_free(c);
}

static void test_vote_needs_the_newer_log(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    unit_propose_ok(c, 1, "only two have it");
    cluster_isolate(c, 3, false);
    cluster_isolate(c, 1, true);
    cluster_pass(c, ELECTION_MS); /* stickiness is over */
    raft_forget_leader(c->units[2]->r);
    raft_campaign(c->units[3]->r);
    cluster_settle(c);
    CHECK(unit_status(c, 3).role != RAFT_LEADER);
    cluster_pass(c, 4 * ELECTION_MS);
    CHECK_EQUAL(cluster_leader(c), 2);
    cluster_free(c);
}

static void test_sticky_to_a_living_leader(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    struct raft_message vote = {.type = RAFT_MSG_VOTE,
                                .cluster = 77,
                                .from = c->units[3]->id,
                                .to = c->units[2]->id,
                                .term = 9,
                                .index = 100,
                                .log_term = 8};
    raft_receive(c->units[2]->r, &vote);
    unit_work(c, 2);
    CHECK_EQUAL(unit_status(c, 2).term, 2);
    vote.transfer = true; /* unless the leader itself wants it */
    raft_receive(c->units[2]->r, &vote);
    unit_work(c, 2);
    CHECK_EQUAL(unit_status(c, 2).term, 9);
    cluster_free(c);
}

static void test_transfer(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    CHECK_EQUAL(raft_transfer(c->units[2]->r, c->units[3]->id), E_NOT_DELIVERED);
    CHECK_EQUAL(raft_transfer(c->units[1]->r, c->units[1]->id), E_INVALID);
    CHECK_EQUAL(raft_transfer(c->units[1]->r, c->units[2]->id), E_OK);
    CHECK_EQUAL(raft_transfer(c->units[1]->r, c->units[3]->id), E_BUSY);
    CHECK_EQUAL(unit_propose(c, 1, "x"), E_BUSY);
    cluster_settle(c);
    CHECK_EQUAL(cluster_leader(c), 2);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_FOLLOWER);
    cluster_make_equal(c);
    cluster_free(c);
}

/* A target that is behind is brought up to date first; one that is gone costs one election timeout. */
static void test_transfer_to_slow_and_to_dead(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    unit_propose_ok(c, 1, "a");
    CHECK_EQUAL(raft_transfer(c->units[1]->r, c->units[3]->id), E_OK);
    cluster_pass(c, ELECTION_MS + HEARTBEAT_MS);
    CHECK_EQUAL(cluster_leader(c), 1);
    unit_propose_ok(c, 1, "b");
    CHECK_EQUAL(raft_transfer(c->units[1]->r, c->units[3]->id), E_OK);
    cluster_isolate(c, 3, false);
    cluster_pass(c, 3 * HEARTBEAT_MS);
    CHECK_EQUAL(cluster_leader(c), 3);
    cluster_make_equal(c);
    cluster_free(c);
}

static void test_foreigners_are_refused(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    struct unit *u = c->units[2];
    struct raft_message base = {
        .type = RAFT_MSG_HEARTBEAT, .cluster = 77, .from = c->units[1]->id, .to = u->id, .term = 2, .context = 1};
    struct raft_message bad[6] = {base, base, base, base, base, base};
    bad[0].cluster = 78;
    bad[1].to.log++; /* meant for a log that this disk does not hold */
    bad[2].from = u->id;
    bad[3].term = RAFT_INDEX_MAX + 1;
    bad[4].from.log = 0;
    bad[5].from = c->units[3]->id; /* a second leader of the term */
    uint64_t refused = raft_counters(u->r)->messages_refused;
    for (uint32_t i = 0; i < 6; i++)
        raft_receive(u->r, &bad[i]);
    CHECK_EQUAL(raft_counters(u->r)->messages_refused, refused + 6);
    CHECK_EQUAL(unit_status(c, 2).term, 2);
    CHECK_EQUAL(unit_status(c, 2).leader.node, 1);
    cluster_free(c);
}

/* The leader knows that a member has entries which its disk no longer holds: it must not go on. */
static void test_older_disk_is_noticed(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    unit_propose_ok(c, 1, "a");
    unit_crash(c, 2);
    c->units[2]->disk_last = 1; /* an older image */
    unit_restart(c, 2);
    cluster_pass(c, 2 * HEARTBEAT_MS);
    CHECK_EQUAL(unit_status(c, 2).fault, RAFT_FAULT_LOG_LOST);
    CHECK_EQUAL(raft_campaign(c->units[2]->r), E_NOT_DELIVERED);
    cluster_free(c);
}

static void test_commit_beyond_log_is_refused(void)
{
    struct cluster *c = cluster_make(1);
    cluster_pass(c, 3 * ELECTION_MS);
    unit_propose_ok(c, 1, "a");
    unit_crash(c, 1);
    struct unit *u = c->units[1];
    u->hard_state.commit = 3;
    struct raft_config config = {.id = u->id,
                                 .cluster = 77,
                                 .seed = 1,
                                 .heartbeat_ns = 1,
                                 .election_ns = 3,
                                 .message_bytes = 1,
                                 .inflight_messages = 1,
                                 .inflight_bytes = 1,
                                 .uncommitted_bytes = 1,
                                 .persist_bytes = 1,
                                 .apply_bytes = 1,
                                 .snapshot_chunk_bytes = 1};
    struct raft_memory memory = {u->slots, 256, u->bytes, 256 * 1024};
    CHECK_EQUAL(raft_init(u->r, &config, &memory, &u->hard_state, &u->snapshot, 0), E_OK);
    CHECK_EQUAL(raft_start(u->r), E_CORRUPT);
    config.election_ns = 2;
    CHECK_EQUAL(raft_init(u->r, &config, &memory, &u->hard_state, &u->snapshot, 0), E_INVALID);
    cluster_free(c);
}

/* The voter behind the leader asks first, as soon as it may; the one behind that one waits for half a timeout more. */
static void test_next_in_line_follows(void)
{
    for (uint32_t leader = 1; leader <= 3; leader++) {
        struct cluster *c = cluster_make(3);
        cluster_elect(c, leader);
        uint32_t first = leader % 3 + 1, second = first % 3 + 1;
        cluster_pass(c, HEARTBEAT_MS);
        cluster_isolate(c, leader, true);
        cluster_pass(c, ELECTION_MS + HEARTBEAT_MS);
        CHECK_EQUAL(cluster_leader(c), first);
        CHECK_EQUAL(unit_status(c, first).term, 3);
        cluster_free(c);

        c = cluster_make(3);
        cluster_elect(c, leader);
        cluster_pass(c, HEARTBEAT_MS);
        c->cut[leader][first] = c->cut[leader][second] = c->cut[first][leader] = c->cut[second][leader] = true;
        c->cut[first][second] = true; /* nobody hears the first */
        cluster_pass(c, ELECTION_MS + ELECTION_MS / 4);
        CHECK(unit_status(c, second).role == RAFT_FOLLOWER);
        CHECK_EQUAL(raft_counters(c->units[second]->r)->pre_elections, 0);
        cluster_pass(c, ELECTION_MS / 2);
        CHECK(raft_counters(c->units[second]->r)->pre_elections > 0);
        cluster_free(c);
    }
}

/* Unit 3 heard the leader later than unit 2, which asks while 3 must not agree yet. One question is enough. */
static void test_early_question_is_kept(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t asked = raft_counters(c->units[2]->r)->pre_elections;
    c->cut[1][2] = true;
    cluster_pass(c, HEARTBEAT_MS + 2);
    cluster_isolate(c, 1, true);
    cluster_pass(c, ELECTION_MS - HEARTBEAT_MS - 2);
    CHECK_EQUAL(unit_status(c, 2).role, RAFT_FOLLOWER); /* its timeout is not over by the least more */
    cluster_pass(c, HEARTBEAT_MS / 2);
    CHECK_EQUAL(unit_status(c, 2).role, RAFT_PRE_CANDIDATE);
    CHECK_EQUAL(unit_status(c, 3).leader.node, 1); /* which it still believes in */
    cluster_pass(c, HEARTBEAT_MS);
    CHECK_EQUAL(unit_status(c, 2).role, RAFT_LEADER);
    CHECK_EQUAL(raft_counters(c->units[2]->r)->pre_elections, asked + 1);
    CHECK_EQUAL(unit_status(c, 2).term, 3);
    cluster_free(c);
}

static void receive_prevote(struct cluster *c, struct raft_id from, uint32_t to)
{
    struct raft_message m = {.type = RAFT_MSG_PREVOTE,
                             .cluster = 77,
                             .from = from,
                             .to = c->units[to]->id,
                             .term = unit_status(c, to).term + 1,
                             .index = 100,
                             .log_term = 2};
    raft_receive(c->units[to]->r, &m);
}

/* Not for who is no voter, nor by who leads, and only until the leader is heard again. */
static void test_kept_question_is_forgotten(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    struct raft *r = c->units[3]->r;
    receive_prevote(c, (struct raft_id){.node = 9, .log = 9}, 3);
    CHECK(r->prevote_kept.from.log == 0);
    receive_prevote(c, c->units[2]->id, 1);
    CHECK(c->units[1]->r->prevote_kept.from.log == 0);
    receive_prevote(c, c->units[2]->id, 3);
    CHECK_EQUAL(r->prevote_kept.from.node, 2);
    CHECK(raft_deadline(r) <= r->leader_heard_ns + ELECTION_MS * MS);
    cluster_pass(c, HEARTBEAT_MS + 1);
    CHECK(r->prevote_kept.from.log == 0);
    /* A term that came meanwhile is not asked about any more. */
    receive_prevote(c, c->units[2]->id, 3);
    c->cut[1][3] = c->cut[2][3] = true;
    struct raft_message vote = {.type = RAFT_MSG_VOTE,
                                .cluster = 77,
                                .from = c->units[1]->id,
                                .to = c->units[3]->id,
                                .term = 7,
                                .transfer = true,
                                .index = 1,
                                .log_term = 1};
    raft_receive(r, &vote);
    unit_work(c, 3);
    CHECK_EQUAL(unit_status(c, 3).term, 7);
    c->drop_types = 0;
    uint64_t out = raft_counters(r)->messages_out;
    raft_tick(r, c->now_ns + MS);
    CHECK_EQUAL(raft_counters(r)->messages_out, out);
    CHECK(r->prevote_kept.from.log == 0);
    cluster_free(c);
}

static uint64_t commit_after(struct cluster *c, uint32_t to, uint32_t type, uint64_t commit, uint64_t commit_term)
{
    struct raft_message m = {.type = type,
                             .cluster = 77,
                             .from = c->units[2]->id,
                             .to = c->units[to]->id,
                             .term = unit_status(c, to).term,
                             .reject = true,
                             .commit = commit,
                             .commit_term = commit_term};
    raft_receive(c->units[to]->r, &m);
    return unit_status(c, to).commit;
}

/* Where nobody leads, votes tell what is committed; but only of an entry that both have. */
static void test_votes_tell_what_is_committed(void)
{
    static const uint32_t types[] = {RAFT_MSG_PREVOTE, RAFT_MSG_PREVOTE_REPLY, RAFT_MSG_VOTE, RAFT_MSG_VOTE_REPLY};
    for (uint32_t i = 0; i < 4; i++) {
        struct cluster *c = cluster_make(3);
        cluster_elect(c, 1);
        cluster_pass(c, HEARTBEAT_MS);
        uint64_t before = unit_status(c, 3).commit;
        c->drop_types = 1ull << RAFT_MSG_HEARTBEAT; /* it has the entry, and is not told that it is committed */
        unit_propose_ok(c, 1, "x");
        struct raft_status status = unit_status(c, 3);
        CHECK_EQUAL(status.last, before + 1);
        CHECK_EQUAL(status.commit, before);
        CHECK_EQUAL(commit_after(c, 3, types[i], status.last, status.term + 1), before);
        CHECK_EQUAL(commit_after(c, 3, types[i], status.last + 1, status.term), before);
        CHECK_EQUAL(commit_after(c, 3, types[i], status.last, status.term), status.last);
        unit_work(c, 3);
        CHECK_EQUAL(c->units[3]->applied, status.last);
        cluster_free(c);
    }
}

/* Its votes were asked for by a configuration that is over. */
static void test_a_candidate_that_learns_of_a_change_gives_up(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    c->drop_types = 1ull << RAFT_MSG_HEARTBEAT;
    cluster_add_blank(c, 4, 40);
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 4), E_OK);
    cluster_settle(c);
    struct raft_status status = unit_status(c, 3);
    CHECK(status.commit < status.last);
    c->drop_types = ~0ull;
    raft_forget_leader(c->units[3]->r);
    CHECK_EQUAL(raft_campaign(c->units[3]->r), E_OK);
    CHECK_EQUAL(unit_status(c, 3).role, RAFT_PRE_CANDIDATE);
    CHECK_EQUAL(commit_after(c, 3, RAFT_MSG_PREVOTE_REPLY, status.last, status.term), status.last);
    CHECK_EQUAL(unit_status(c, 3).role, RAFT_FOLLOWER);
    cluster_free(c);
}

/* What votes bring is what their sender knows. */
static void test_votes_carry_the_commit(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    unit_propose_ok(c, 1, "x");
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t commit = unit_status(c, 2).commit;
    raft_forget_leader(c->units[2]->r);
    raft_campaign(c->units[2]->r);
    struct raft_update update;
    raft_update(c->units[2]->r, &update);
    CHECK(update.message_count > 0);
    for (uint32_t i = 0; i < update.message_count; i++) {
        CHECK_EQUAL(update.messages[i].type, RAFT_MSG_PREVOTE);
        CHECK_EQUAL(update.messages[i].commit, commit);
        CHECK_EQUAL(update.messages[i].commit_term, 2);
    }
    cluster_free(c);
}

int main(void)
{
    RUN(test_three_elect_one);
    RUN(test_one_voter_leads_itself);
    RUN(test_votes_wait_for_the_disk);
    RUN(test_vote_survives_restart);
    RUN(test_prevote_keeps_term);
    RUN(test_partial_partition);
    RUN(test_leader_without_quorum_steps_down);
    RUN(test_deaf_leader_steps_down);
    RUN(test_stalled_disk_ends_leadership);
    RUN(test_vote_needs_the_newer_log);
    RUN(test_sticky_to_a_living_leader);
    RUN(test_transfer);
    RUN(test_transfer_to_slow_and_to_dead);
    RUN(test_foreigners_are_refused);
    RUN(test_older_disk_is_noticed);
    RUN(test_commit_beyond_log_is_refused);
    RUN(test_next_in_line_follows);
    RUN(test_early_question_is_kept);
    RUN(test_kept_question_is_forgotten);
    RUN(test_votes_tell_what_is_committed);
    RUN(test_a_candidate_that_learns_of_a_change_gives_up);
    RUN(test_votes_carry_the_commit);
    return 0;
}
