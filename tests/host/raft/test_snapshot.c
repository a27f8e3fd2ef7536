/* A snapshot that comes while the log grows by another way. */
#include "cluster.h"

/* Unit 3 has all of a snapshot but the word that it is stored. Before that a new leader, which has the entries and does
 * not know yet what is committed, gives it the log and more; its acknowledgement is on the way. The snapshot's index.
 */
static uint64_t overtake(struct cluster *c)
{
    struct unit *u = c->units[3], *second = c->units[2];
    u->hold_chunk = true;
    cluster_elect(c, 1);
    cluster_isolate(c, 3, true);
    for (uint32_t i = 0; i < 10; i++)
        unit_propose_ok(c, 1, "kept");
    second->hold_disk = true;
    CHECK_EQUAL(unit_propose(c, 1, "kept"), E_OK);
    cluster_settle(c);
    c->cut[1][2] = true;
    unit_flush(c, 2, second->write_count);
    second->hold_disk = false;
    cluster_settle(c);
    unit_snapshot(c, 1, 0);
    CHECK(c->units[1]->snapshot.index > unit_status(c, 2).commit);
    cluster_isolate(c, 3, false);
    cluster_pass(c, ELECTION_MS / 2);
    cluster_isolate(c, 1, true);
    c->drop_types = 1u << RAFT_MSG_HEARTBEAT | 1u << RAFT_MSG_APPEND;
    cluster_elect(c, 2);
    c->drop_types = 0;
    u->hold_disk = true;
    cluster_pass(c, 4 * HEARTBEAT_MS);
    cluster_isolate(c, 3, true);
    unit_flush(c, 3, u->write_count);
    u->hold_disk = false;
    CHECK(u->r->incoming_chunk);
    CHECK(unit_status(c, 3).commit < c->units[1]->snapshot.index);
    CHECK(unit_status(c, 3).stable > c->units[1]->snapshot.index);
    return c->units[1]->snapshot.index;
}

static void check_kept(struct cluster *c, uint64_t last)
{
    CHECK_EQUAL(unit_status(c, 3).last, last);
    CHECK_EQUAL(c->units[3]->r->counters.snapshots_installed, 0);
}

static void test_entries_that_overtake_it_stay(void)
{
    struct cluster *c = cluster_make(3);
    uint64_t label = overtake(c), last = unit_status(c, 3).last;
    unit_store_chunk(c, 3);
    check_kept(c, last);
    CHECK_EQUAL(unit_status(c, 3).commit, label); /* a snapshot is of what is committed */
    unit_crash(c, 2);                             /* whose leader counted unit 3's acknowledgement, perhaps */
    cluster_isolate(c, 1, false);
    cluster_isolate(c, 3, false);
    cluster_pass(c, 6 * ELECTION_MS);
    CHECK_EQUAL(cluster_leader(c), 3);
    CHECK(unit_status(c, 1).commit > last);
    cluster_make_equal(c);
    cluster_free(c);
}

/* The same, and it follows nobody by then. */
static void test_without_a_leader(void)
{
    struct cluster *c = cluster_make(3);
    uint64_t label = overtake(c), last = unit_status(c, 3).last;
    raft_forget_leader(c->units[3]->r);
    unit_store_chunk(c, 3);
    check_kept(c, last);
    CHECK_EQUAL(unit_status(c, 3).commit, label);
    cluster_isolate(c, 1, false);
    cluster_isolate(c, 3, false);
    cluster_pass(c, 6 * ELECTION_MS);
    CHECK(cluster_leader(c) != 0);
    cluster_make_equal(c);
    cluster_free(c);
}

int main(void)
{
    RUN(test_entries_that_overtake_it_stay);
    RUN(test_without_a_leader);
    return 0;
}
