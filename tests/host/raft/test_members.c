/* Who takes part changes, and snapshots bring others up to date. */
#include "cluster.h"

static void test_add_learner_then_replace(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    for (uint32_t i = 0; i < 10; i++)
        unit_propose_ok(c, 1, "x");
    cluster_add_blank(c, 4, 104);
    cluster_pass(c, 5 * ELECTION_MS);
    CHECK_EQUAL(unit_status(c, 4).term, 0); /* nobody invited it, and it does not stir */
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 4), E_OK);
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 4), E_BUSY);
    cluster_pass(c, 10 * HEARTBEAT_MS);
    CHECK(unit_status(c, 4).learner);
    cluster_make_equal(c);
    struct raft_conf_change change = {.mode = RAFT_CHANGE_JOINT, .count = 2};
    change.changes[0] = (struct raft_change){RAFT_ADD_VOTER, c->units[4]->id};
    change.changes[1] = (struct raft_change){RAFT_REMOVE, c->units[3]->id};
    uint64_t index, term;
    CHECK_EQUAL(raft_propose_conf(c->units[1]->r, &change, &index, &term, NULL), E_OK);
    cluster_pass(c, 4 * HEARTBEAT_MS);
    for (uint32_t i = 1; i <= 4; i++)
        if (i != 3) {
            CHECK(!unit_status(c, i).joint); /* left by itself */
            CHECK(unit_status(c, i).voter);
            CHECK_EQUAL(raft_conf_now(c->units[i]->r)->count, 3);
        }
    CHECK(raft_peer(c->units[1]->r, c->units[3]->id) == NULL);
    cluster_free(c);
}

/* Who was removed keeps asking for votes; nobody listens. */
static void test_removed_node_disturbs_nobody(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 3), E_OK);
    cluster_pass(c, 4 * HEARTBEAT_MS);
    CHECK_EQUAL(raft_conf_now(c->units[1]->r)->count, 2);
    cluster_isolate(c, 3, false);
    uint64_t term = unit_status(c, 1).term;
    cluster_pass(c, 30 * ELECTION_MS);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_LEADER);
    CHECK_EQUAL(unit_status(c, 1).term, term);
    cluster_free(c);
}

static void test_leader_removes_itself(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 1), E_OK);
    cluster_pass(c, 5 * ELECTION_MS);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_FOLLOWER);
    uint32_t leader = cluster_leader(c);
    CHECK(leader == 2 || leader == 3);
    CHECK_EQUAL(unit_propose(c, leader, "x"), E_OK);
    cluster_free(c);
}

/* No change before something of the leader's own term is committed, and none while one is not applied. */
static void test_change_waits_for_own_term(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, ELECTION_MS);
    cluster_isolate(c, 2, true);
    c->units[3]->hold_disk = true;
    unit_propose_ok(c, 1, "x");
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 2), E_OK);
    cluster_settle(c);
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 3), E_BUSY);
    cluster_free(c);
}

/* What is not committed when the leader changes takes no effect, and the old configuration goes on. */
static void test_uncommitted_change_is_undone(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    cluster_isolate(c, 1, true);
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 3), E_OK);
    cluster_pass(c, 4 * ELECTION_MS);
    uint32_t leader = cluster_leader(c);
    CHECK(leader > 1);
    unit_propose_ok(c, leader, "x");
    cluster_isolate(c, 1, false);
    cluster_pass(c, 2 * ELECTION_MS);
    CHECK_EQUAL(raft_conf_now(c->units[1]->r)->count, 3);
    cluster_make_equal(c);
    CHECK_EQUAL(unit_change(c, leader, RAFT_CHANGE_SIMPLE, RAFT_REMOVE, 1), E_OK);
    cluster_free(c);
}

/* An acknowledgement that follows a committed change says that the change will be known after a crash. */
static void test_commit_of_change_is_durable_before_ack(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    cluster_add_blank(c, 4, 104);
    c->units[2]->hold_disk = true;
    CHECK_EQUAL(unit_change(c, 1, RAFT_CHANGE_SIMPLE, RAFT_ADD_LEARNER, 4), E_OK);
    cluster_settle(c);
    uint64_t change = unit_status(c, 1).commit;
    CHECK_EQUAL(raft_conf_now(c->units[1]->r)->count, 4);
    unit_propose_ok(c, 1, "x");
    while (c->units[2]->write_count > 0) {
        unit_flush(c, 2, 1);
        cluster_settle(c);
        CHECK(raft_peer(c->units[1]->r, c->units[2]->id)->match <= change || c->units[2]->hard_state.commit >= change);
    }
    CHECK_EQUAL(raft_peer(c->units[1]->r, c->units[2]->id)->match, change + 1);
    cluster_free(c);
}

/* ---- snapshots ---- */

static void test_snapshot_for_a_slow_follower(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    for (uint32_t i = 0; i < 40; i++)
        unit_propose_ok(c, 1, "x");
    unit_snapshot(c, 1, 0);
    cluster_isolate(c, 3, false);
    cluster_pass(c, 20 * HEARTBEAT_MS);
    CHECK_EQUAL(raft_counters(c->units[3]->r)->snapshots_installed, 1);
    cluster_make_equal(c);
    CHECK_EQUAL(raft_peer(c->units[1]->r, c->units[3]->id)->state, RAFT_REPLICATE);
    unit_crash(c, 3);
    unit_restart(c, 3);
    cluster_pass(c, 4 * HEARTBEAT_MS);
    cluster_make_equal(c);
    cluster_free(c);
}

/* Entries kept behind the snapshot spare a follower that is only a little slow. */
static void test_trailing_entries(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    cluster_isolate(c, 3, true);
    for (uint32_t i = 0; i < 10; i++)
        unit_propose_ok(c, 1, "x");
    unit_snapshot(c, 1, 20);
    cluster_isolate(c, 3, false);
    cluster_pass(c, 10 * HEARTBEAT_MS);
    CHECK_EQUAL(raft_counters(c->units[3]->r)->snapshots_installed, 0);
    cluster_make_equal(c);
    cluster_free(c);
}

/* The entries kept behind a snapshot go when those of several leaders, none of which could decide anything, need the
 * room. */
static void test_trailing_entries_make_room(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t slots = c->units[1]->r->memory.slot_count;
    while (c->units[1]->applied <= slots / 4)
        unit_propose_ok(c, 1, "x");
    cluster_pass(c, 2 * HEARTBEAT_MS);
    uint64_t kept = slots / 4;
    unit_snapshot(c, 3, kept);
    const struct raft *r = c->units[3]->r;
    uint64_t commit = r->commit;
    cluster_isolate(c, 2, true);
    c->drop_types = 1ull << RAFT_MSG_APPEND_REPLY; /* what 1 and 3 get from now on is not decided */
    CHECK_EQUAL(r->base + kept, r->saved.index);
    while (unit_propose(c, 1, "x") == E_OK)
        cluster_pass(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    CHECK(r->commit == commit && r->last - commit >= slots / 2);
    CHECK_EQUAL(r->base, r->saved.index);
    c->drop_types = 0;
    cluster_isolate(c, 2, false);
    cluster_pass(c, 20 * HEARTBEAT_MS);
    cluster_make_equal(c);
    cluster_free(c);
}

/* Chunks that arrived are not sent again when the answers were lost. */
static void test_snapshot_is_resumed(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    for (uint32_t i = 0; i < 40; i++)
        unit_propose_ok(c, 1, "x");
    unit_snapshot(c, 1, 0);
    c->drop_types = 1ull << RAFT_MSG_SNAPSHOT_REPLY;
    cluster_isolate(c, 3, false);
    cluster_pass(c, 10 * HEARTBEAT_MS);
    CHECK_EQUAL(raft_counters(c->units[3]->r)->snapshots_installed, 0);
    CHECK_EQUAL(c->units[3]->r->incoming_offset, 3); /* one chunk of three */
    c->drop_types = 0;
    cluster_pass(c, 10 * HEARTBEAT_MS);
    cluster_make_equal(c);
    cluster_free(c);
}

static void test_window_fills_and_empties(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    uint32_t taken = 0;
    while (taken < 1000 && unit_propose(c, 1, "x") == E_OK) {
        cluster_settle(c);
        taken++;
    }
    CHECK(taken > 100 && taken < 256); /* no place: refused, not broken */
    CHECK(c->units[1]->snapshot_wanted > 0);
    CHECK_EQUAL(unit_propose(c, 1, "x"), E_FULL);
    cluster_pass(c, 2 * HEARTBEAT_MS);
    for (uint32_t i = 1; i <= 3; i++)
        unit_snapshot(c, i, 4);
    unit_propose_ok(c, 1, "x");
    cluster_pass(c, 2 * HEARTBEAT_MS);
    cluster_make_equal(c);
    cluster_free(c);
}

int main(void)
{
    RUN(test_add_learner_then_replace);
    RUN(test_removed_node_disturbs_nobody);
    RUN(test_leader_removes_itself);
    RUN(test_change_waits_for_own_term);
    RUN(test_uncommitted_change_is_undone);
    RUN(test_commit_of_change_is_durable_before_ack);
    RUN(test_snapshot_for_a_slow_follower);
    RUN(test_trailing_entries);
    RUN(test_trailing_entries_make_room);
    RUN(test_snapshot_is_resumed);
    RUN(test_window_fills_and_empties);
    return 0;
}
