/* Reads that see everything that was acknowledged before them. */
#include "cluster.h"

static struct raft_read_state read_at(struct cluster *c, uint32_t unit, uint64_t token)
{
    for (uint32_t i = 0; i < c->units[unit]->read_count; i++)
        if (c->units[unit]->reads[i].token == token)
            return c->units[unit]->reads[i];
    return (struct raft_read_state){.token = 0};
}

static void test_leader_asks_a_quorum(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t commit = unit_status(c, 1).commit;
    cluster_isolate(c, 1, true);
    CHECK_EQUAL(raft_read(c->units[1]->r, 7), E_OK);
    cluster_settle(c);
    CHECK_EQUAL(c->units[1]->read_count, 0);
    cluster_isolate(c, 1, false);
    cluster_pass(c, HEARTBEAT_MS);
    struct raft_read_state state = read_at(c, 1, 7);
    CHECK(state.token == 7 && !state.failed);
    CHECK_EQUAL(state.index, commit);
    cluster_free(c);
}

static void test_follower_asks_the_leader(void)
{
    struct cluster *c = cluster_make(3);
    CHECK_EQUAL(raft_read(c->units[2]->r, 1), E_NOT_DELIVERED); /* nobody leads */
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    unit_propose_ok(c, 1, "x");
    CHECK_EQUAL(raft_read(c->units[2]->r, 8), E_OK);
    cluster_settle(c);
    struct raft_read_state state = read_at(c, 2, 8);
    CHECK(state.token == 8 && !state.failed);
    CHECK_EQUAL(state.index, unit_status(c, 1).commit);
    CHECK(c->units[2]->applied >= state.index);
    cluster_free(c);
}

/* A leader that was replaced without noticing answers nothing. */
static void test_deposed_leader_fails_reads(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    cluster_isolate(c, 1, true);
    CHECK_EQUAL(raft_read(c->units[1]->r, 9), E_OK);
    cluster_pass(c, 4 * ELECTION_MS);
    CHECK(cluster_leader(c) > 1);
    CHECK(read_at(c, 1, 9).failed);
    cluster_free(c);
}

/* Answers to an earlier question do not confirm a later read. */
static void test_old_answers_do_not_count(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, 3 * HEARTBEAT_MS);
    struct unit *u = c->units[1];
    uint64_t context = u->r->read_context;
    cluster_isolate(c, 1, true);
    CHECK_EQUAL(raft_read(u->r, 5), E_OK);
    unit_work(c, 1);
    struct raft_message reply = {.type = RAFT_MSG_HEARTBEAT_REPLY,
                                 .cluster = 77,
                                 .from = c->units[2]->id,
                                 .to = u->id,
                                 .term = unit_status(c, 1).term,
                                 .context = context};
    raft_receive(u->r, &reply);
    unit_work(c, 1);
    CHECK_EQUAL(u->read_count, 0);
    reply.context = context + 2; /* a question that was never asked */
    raft_receive(u->r, &reply);
    unit_work(c, 1);
    CHECK_EQUAL(u->read_count, 0);
    reply.context = context + 1;
    raft_receive(u->r, &reply);
    unit_work(c, 1);
    CHECK_EQUAL(u->read_count, 1);
    CHECK(!u->reads[0].failed);
    cluster_free(c);
}

/* A new leader does not know the newest commit index before it has committed in its own term. */
static void test_reads_wait_for_own_term(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    unit_propose_ok(c, 1, "x");
    cluster_pass(c, ELECTION_MS);
    c->units[2]->hold_disk = true;
    cluster_isolate(c, 1, true);
    cluster_pass(c, ELECTION_MS);
    raft_forget_leader(c->units[3]->r);
    raft_campaign(c->units[2]->r);
    cluster_settle(c);
    unit_flush(c, 2, 1);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 2).role, RAFT_LEADER);
    CHECK_EQUAL(raft_read(c->units[2]->r, 3), E_OK);
    cluster_settle(c);
    CHECK_EQUAL(c->units[2]->read_count, 0); /* its first entry is not durable yet */
    unit_flush(c, 2, 1);
    cluster_settle(c);
    CHECK_EQUAL(c->units[2]->read_count, 1);
    CHECK(read_at(c, 2, 3).index > 3);
    cluster_free(c);
}

static void test_lost_question_fails_in_time(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    c->drop_types = 1ull << RAFT_MSG_READ;
    CHECK_EQUAL(raft_read(c->units[2]->r, 4), E_OK);
    cluster_pass(c, ELECTION_MS + 1);
    CHECK(read_at(c, 2, 4).failed);
    cluster_free(c);
}

static void test_one_voter_reads_at_once(void)
{
    struct cluster *c = cluster_make(1);
    cluster_pass(c, 3 * ELECTION_MS);
    CHECK_EQUAL(raft_read(c->units[1]->r, 2), E_OK);
    cluster_settle(c);
    CHECK(!read_at(c, 1, 2).failed && read_at(c, 1, 2).token == 2);
    cluster_free(c);
}

static void test_too_many_reads(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint32_t taken = 0;
    while (raft_read(c->units[1]->r, 100 + taken) == E_OK)
        taken++;
    CHECK_EQUAL(taken, RAFT_READS_MAX);
    cluster_settle(c);
    CHECK_EQUAL(raft_read(c->units[1]->r, 1), E_OK);
    cluster_free(c);
}

int main(void)
{
    RUN(test_leader_asks_a_quorum);
    RUN(test_follower_asks_the_leader);
    RUN(test_deposed_leader_fails_reads);
    RUN(test_old_answers_do_not_count);
    RUN(test_reads_wait_for_own_term);
    RUN(test_lost_question_fails_in_time);
    RUN(test_one_voter_reads_at_once);
    RUN(test_too_many_reads);
    return 0;
}
