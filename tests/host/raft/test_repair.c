/* A disk that lost entries which it had acknowledged: no vote on that basis, and a repair from the leader. */
#include "cluster.h"

static struct raft_status status_of(struct cluster *c, uint32_t unit)
{
    struct raft_status s;
    raft_status(c->units[unit]->r, &s);
    return s;
}

static struct cluster *begin(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    for (uint32_t i = 0; i < 20; i++)
        unit_propose_ok(c, 1, "kept");
    return c;
}

static void harmed_restart(struct cluster *c, uint32_t unit, uint64_t last)
{
    unit_crash(c, unit);
    unit_harm(c, unit, last);
    unit_restart(c, unit);
    CHECK(status_of(c, unit).repairing > last);
}

static void check_whole(struct cluster *c, uint32_t unit)
{
    CHECK_EQUAL(status_of(c, unit).repairing, 0);
    CHECK_EQUAL(c->units[unit]->harmed_to, 0); /* and its disk was told so */
    cluster_make_equal(c);
}

/* The leader knows the entries to be durable there; it is told that they are not, and sends them again. */
static void test_repaired_from_the_leader(void)
{
    for (uint64_t last = 1; last < 20; last += 3) {
        struct cluster *c = begin();
        harmed_restart(c, 2, last);
        cluster_pass(c, 5 * HEARTBEAT_MS);
        CHECK_EQUAL(status_of(c, 2).fault, RAFT_FAULT_NONE);
        check_whole(c, 2);
        unit_crash(c, 3); /* and it counts again */
        unit_propose_ok(c, 1, "more");
        cluster_free(c);
    }
}

/* Two of three are there: the one that lacks the entries, and the one that lost them. They must not go on without. */
static void test_no_vote_before(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    for (uint32_t i = 0; i < 5; i++)
        unit_propose_ok(c, 1, "kept");
    uint64_t commit = status_of(c, 1).commit;
    unit_crash(c, 1);
    harmed_restart(c, 2, commit - 3);
    cluster_isolate(c, 3, false);
    cluster_pass(c, 30 * ELECTION_MS);
    CHECK_EQUAL(cluster_leader(c), 0);
    CHECK_EQUAL(raft_campaign(c->units[2]->r), E_NOT_DELIVERED);
    CHECK(status_of(c, 2).applied < commit - 3); /* what is left of it is not trusted either */
    unit_crash(c, 2);
    unit_restart(c, 2); /* the loss is not forgotten */
    cluster_pass(c, 10 * ELECTION_MS);
    CHECK_EQUAL(cluster_leader(c), 0);
    unit_restart(c, 1);
    cluster_pass(c, 10 * ELECTION_MS);
    CHECK_EQUAL(cluster_leader(c), 1);
    CHECK(status_of(c, 1).commit > commit);
    check_whole(c, 2);
    cluster_free(c);
}

/* The write that replaced the end of the log is what was lost: older entries show again in their place. */
static void test_an_older_end_shows_again(void)
{
    struct cluster *c = begin();
    uint64_t last = status_of(c, 2).last;
    struct unit *u = c->units[2];
    unit_crash(c, 1);
    cluster_elect(c, 2); /* of a later term */
    unit_propose_ok(c, 2, "new");
    unit_restart(c, 1);
    cluster_pass(c, 5 * HEARTBEAT_MS);
    cluster_elect(c, 1);
    cluster_pass(c, 5 * HEARTBEAT_MS);
    CHECK(u->disk_last > last + 1 && u->hard_state.term > 1);
    unit_crash(c, 2);
    u->harmed_to = u->disk_last;
    for (uint64_t i = last + 1; i <= u->disk_last; i++)
        u->disk[i] = u->disk[last]; /* of the first term */
    unit_restart(c, 2);
    cluster_pass(c, 10 * HEARTBEAT_MS);
    check_whole(c, 2);
    cluster_free(c);
}

/* Too far behind for the leader's log. */
static void test_repaired_by_a_snapshot(void)
{
    struct cluster *c = begin();
    unit_snapshot(c, 1, 0);
    harmed_restart(c, 2, 5);
    cluster_pass(c, 20 * HEARTBEAT_MS);
    CHECK(raft_counters(c->units[2]->r)->snapshots_installed == 1);
    unit_propose_ok(c, 1, "more");
    cluster_pass(c, 5 * HEARTBEAT_MS);
    check_whole(c, 2);
    cluster_free(c);
}

/* What was lost may never have been committed, and the leader's log be shorter. It is whole when the log has grown. */
static void test_lost_beyond_the_leader(void)
{
    struct cluster *c = begin();
    uint64_t last = status_of(c, 2).last;
    unit_crash(c, 2);
    c->units[2]->harmed_to = last + 3;
    unit_restart(c, 2);
    cluster_pass(c, 10 * HEARTBEAT_MS);
    CHECK_EQUAL(status_of(c, 2).repairing, last + 3);
    for (uint32_t i = 0; i < 3; i++)
        unit_propose_ok(c, 1, "more");
    cluster_pass(c, 5 * HEARTBEAT_MS);
    check_whole(c, 2);
    cluster_free(c);
}

/* The leader itself comes back harmed: another leads, and the repair outlives changes of the leader. */
static void test_the_leader_loses_entries(void)
{
    struct cluster *c = begin();
    harmed_restart(c, 1, 2);
    cluster_pass(c, 10 * ELECTION_MS);
    CHECK(cluster_leader(c) > 1);
    check_whole(c, 1);
    cluster_free(c);
}

int main(void)
{
    RUN(test_repaired_from_the_leader);
    RUN(test_no_vote_before);
    RUN(test_an_older_end_shows_again);
    RUN(test_repaired_by_a_snapshot);
    RUN(test_lost_beyond_the_leader);
    RUN(test_the_leader_loses_entries);
    return 0;
}
