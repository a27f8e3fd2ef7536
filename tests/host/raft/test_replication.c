/* Logs that become equal, and what counts as committed. */
#include "cluster.h"

static void test_replicates_and_applies(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    for (uint32_t i = 0; i < 100; i++)
        unit_propose_ok(c, 1, "abc");
    cluster_pass(c, 2 * HEARTBEAT_MS);
    CHECK_EQUAL(c->units[1]->applied, 102);
    cluster_make_equal(c);
    CHECK_EQUAL(unit_propose(c, 2, "x"), E_NOT_DELIVERED);
    cluster_free(c);
}

/* Many proposals between two updates leave in one message a follower. */
static void test_batches(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    uint64_t before = c->messages;
    for (uint32_t i = 0; i < 20; i++)
        CHECK_EQUAL(unit_propose(c, 1, "abc"), E_OK);
    cluster_settle(c);
    CHECK(c->messages - before <= 6); /* 2 appends, 2 answers, 2 words about the commit index */
    cluster_free(c);
}

/* Figure 8 of the paper: an entry of an older term on a majority is not committed by counting. */
static void test_figure_8(void)
{
    struct cluster *c = cluster_make(5);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t base = unit_status(c, 1).last;
    /* (a) leader 1 gives its entry to 2 only */
    c->cut[1][3] = c->cut[1][4] = c->cut[1][5] = true;
    unit_propose_ok(c, 1, "old");
    CHECK_EQUAL(unit_status(c, 2).last, base + 1);
    CHECK_EQUAL(unit_status(c, 1).commit, base);
    /* (b) 1 is gone; 5 leads with the votes of 3 and 4, and writes something else for itself alone */
    unit_crash(c, 1);
    cluster_isolate(c, 2, true);
    cluster_pass(c, ELECTION_MS);
    cluster_elect(c, 5);
    /* its first entry reached 3 and 4 as well; cut them off before the next */
    cluster_isolate(c, 5, true);
    unit_propose_ok(c, 5, "lonely");
    uint64_t lonely = unit_status(c, 5).last;
    CHECK(lonely > base + 1);
    CHECK(unit_status(c, 5).commit < lonely);
    /* (c) 5 is gone. Whoever leads now has what was committed, and "lonely" is not among it. */
    unit_crash(c, 5);
    memset(c->cut, 0, sizeof(c->cut));
    unit_restart(c, 1);
    cluster_pass(c, 6 * ELECTION_MS);
    uint32_t leader = cluster_leader(c);
    CHECK(leader == 3 || leader == 4); /* 1 and 2 have the older last term */
    unit_propose_ok(c, leader, "new");
    unit_restart(c, 5);
    cluster_pass(c, 4 * HEARTBEAT_MS);
    cluster_make_equal(c);
    CHECK(c->units[5]->applied >= lonely);
    cluster_free(c);
}

/* The same seen in one leader: it has a majority for an older entry, and waits for one of its own term. */
static void test_own_term_only(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 1, true);
    unit_propose_ok(c, 1, "old");
    uint64_t old = unit_status(c, 1).last;
    c->message_bytes = 1;
    unit_crash(c, 1);
    unit_restart(c, 1);
    cluster_isolate(c, 1, false);
    cluster_pass(c, ELECTION_MS);
    for (uint32_t i = 1; i <= 3; i++)
        c->units[i]->hold_disk = true; /* nobody acknowledges anything by himself */
    raft_forget_leader(c->units[2]->r);
    raft_forget_leader(c->units[3]->r);
    raft_campaign(c->units[1]->r);
    cluster_settle(c);
    unit_flush(c, 1, 1);
    cluster_settle(c);
    unit_flush(c, 2, 1);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 1).role, RAFT_LEADER);
    CHECK_EQUAL(unit_status(c, 2).last, old + 1);
    struct raft_message ack = {.type = RAFT_MSG_APPEND_REPLY,
                               .cluster = 77,
                               .from = c->units[2]->id,
                               .to = c->units[1]->id,
                               .term = unit_status(c, 1).term,
                               .index = old};
    raft_receive(c->units[1]->r, &ack);
    unit_work(c, 1);
    CHECK(unit_status(c, 1).commit < old); /* 1 and 2 have it, and still */
    ack.index = old + 1;
    raft_receive(c->units[1]->r, &ack);
    ack.from = c->units[3]->id;
    raft_receive(c->units[1]->r, &ack);
    CHECK_EQUAL(unit_status(c, 1).commit, old + 1); /* without its own disk: two others are a majority */
    cluster_free(c);
}

/* The leader counts itself only when its own write is done, and sends before that. */
static void test_leader_sends_before_its_flush(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t base = unit_status(c, 1).commit;
    c->units[1]->hold_disk = true;
    cluster_isolate(c, 3, true);
    unit_propose_ok(c, 1, "x");
    CHECK_EQUAL(unit_status(c, 2).stable, base + 1);
    CHECK_EQUAL(unit_status(c, 1).commit, base);
    unit_flush(c, 1, 1);
    CHECK_EQUAL(unit_status(c, 1).commit, base + 1);
    cluster_free(c);
}

static void test_follower_acknowledges_after_its_flush(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t base = unit_status(c, 1).commit;
    c->units[2]->hold_disk = c->units[3]->hold_disk = true;
    unit_propose_ok(c, 1, "x");
    CHECK_EQUAL(unit_status(c, 1).commit, base);
    unit_flush(c, 3, 1);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 1).commit, base + 1);
    cluster_free(c);
}

static struct raft_message append_of(struct cluster *c, uint32_t from, uint32_t to, uint64_t term, uint64_t index,
                                     uint64_t log_term, uint64_t entry_term, uint8_t *buffer)
{
    /* one entry of one byte, as raft_wire_encode() writes it */
    buffer[0] = (uint8_t)entry_term;
    buffer[1] = 1 << 2 | RAFT_ENTRY_DATA;
    buffer[2] = (uint8_t)('a' + entry_term);
    return (struct raft_message){.type = RAFT_MSG_APPEND,
                                 .cluster = 77,
                                 .from = c->units[from]->id,
                                 .to = c->units[to]->id,
                                 .term = term,
                                 .index = index,
                                 .log_term = log_term,
                                 .entry_count = 1,
                                 .entry_bytes = 3,
                                 .entries = buffer};
}

/* An entry is written, replaced by another, and comes back. The first write being done says nothing about the third. */
static void test_aba_of_log_writes(void)
{
    struct cluster *c = cluster_make(3);
    struct unit *u = c->units[3];
    uint8_t buffer[3];
    u->hold_disk = true;
    struct raft_message first = append_of(c, 1, 3, 2, 1, 1, 2, buffer);
    raft_receive(u->r, &first);
    unit_work(c, 3);
    CHECK_EQUAL(unit_status(c, 3).last, 2);
    struct raft_message second = append_of(c, 2, 3, 3, 1, 1, 3, buffer);
    raft_receive(u->r, &second);
    unit_work(c, 3);
    struct raft_message third = append_of(c, 1, 3, 4, 1, 1, 2, buffer);
    raft_receive(u->r, &third);
    unit_work(c, 3);
    CHECK_EQUAL(u->write_count, 3);
    CHECK_EQUAL(unit_status(c, 3).last, 2);
    unit_flush(c, 3, 1);
    CHECK_EQUAL(unit_status(c, 3).stable, 1);
    unit_flush(c, 3, 1);
    CHECK_EQUAL(unit_status(c, 3).stable, 1);
    CHECK_EQUAL(c->packet_count, 0);
    unit_flush(c, 3, 1);
    CHECK_EQUAL(unit_status(c, 3).stable, 2);
    CHECK_EQUAL(c->packet_count, 1); /* only now it is acknowledged */
    CHECK_EQUAL(u->disk[2].term, 2);
    cluster_free(c);
}

static void test_committed_is_never_cut(void)
{
    struct cluster *c = cluster_make(3);
    uint8_t buffer[3];
    cluster_elect(c, 1);
    unit_propose_ok(c, 1, "x");
    cluster_pass(c, HEARTBEAT_MS);
    uint64_t refused = raft_counters(c->units[3]->r)->messages_refused, last = unit_status(c, 3).last;
    struct raft_message bad = append_of(c, 2, 3, 5, 1, 1, 5, buffer); /* a leader that cannot be */
    raft_receive(c->units[3]->r, &bad);
    unit_work(c, 3);
    CHECK_EQUAL(raft_counters(c->units[3]->r)->messages_refused, refused + 1);
    CHECK_EQUAL(unit_status(c, 3).last, last);
    cluster_free(c);
}

/* A follower with a long tail of its own is brought back in a few steps, not entry by entry. */
static void test_fast_backup(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    unit_propose_ok(c, 1, "common");
    cluster_isolate(c, 1, true);
    for (uint32_t i = 0; i < 50; i++)
        unit_propose_ok(c, 1, "tail");
    cluster_pass(c, 4 * ELECTION_MS);
    uint32_t leader = cluster_leader(c);
    CHECK(leader > 1);
    for (uint32_t i = 0; i < 50; i++)
        unit_propose_ok(c, leader, "truth");
    cluster_isolate(c, 1, false);
    cluster_pass(c, ELECTION_MS);
    cluster_make_equal(c);
    CHECK(raft_counters(c->units[1]->r)->rejects <= 4);
    CHECK(raft_counters(c->units[1]->r)->entries_truncated >= 50);
    cluster_free(c);
}

static void test_lost_appends_are_sent_again(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    c->drop_types = 1ull << RAFT_MSG_APPEND;
    for (uint32_t i = 0; i < 10; i++)
        unit_propose_ok(c, 1, "lost");
    c->drop_types = 0;
    cluster_pass(c, 4 * HEARTBEAT_MS);
    CHECK_EQUAL(unit_status(c, 1).commit, unit_status(c, 1).last);
    cluster_make_equal(c);
    cluster_free(c);
}

/* Neither in messages nor in bytes is more under way to a silent follower than the windows allow. */
static void test_window(void)
{
    struct cluster *c = cluster_make(3);
    c->message_bytes = 1;
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    c->drop_types = 1ull << RAFT_MSG_APPEND_REPLY;
    for (uint32_t i = 0; i < 10; i++)
        unit_propose_ok(c, 1, "x");
    const struct raft_peer *p = raft_peer(c->units[1]->r, c->units[2]->id);
    CHECK(p->inflight_count <= 4);
    CHECK(p->next <= p->match + 1 + 4);
    c->drop_types = 0;
    cluster_pass(c, 10 * HEARTBEAT_MS);
    CHECK_EQUAL(unit_status(c, 1).commit, unit_status(c, 1).last);
    cluster_free(c);
}

static void test_uncommitted_is_bounded(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    cluster_isolate(c, 1, true);
    char text[61];
    memset(text, 'x', 60);
    text[60] = 0;
    uint32_t taken = 0;
    while (unit_propose(c, 1, text) == E_OK)
        taken++;
    CHECK(taken * 60 <= 2048 && (taken + 1) * 60 > 2048);
    CHECK_EQUAL(unit_propose(c, 1, text), E_FULL);
    cluster_isolate(c, 1, false);
    cluster_pass(c, 4 * HEARTBEAT_MS);
    CHECK_EQUAL(unit_propose(c, cluster_leader(c), text), E_OK);
    cluster_free(c);
}

static void test_too_long_is_refused(void)
{
    struct cluster *c = cluster_make(1);
    cluster_pass(c, 3 * ELECTION_MS);
    static uint8_t big[RAFT_ENTRY_BYTES_MAX + 1];
    uint64_t index, term;
    CHECK_EQUAL(raft_propose(c->units[1]->r, big, sizeof(big), &index, &term), E_TOO_LONG);
    cluster_free(c);
}

/* Three units that boot with these settings, and unit 1 leads. */
static struct cluster *cluster_with(uint64_t commit_notice_ns, uint32_t inflight_short)
{
    struct cluster *c = cluster_make(3);
    c->commit_notice_ns = commit_notice_ns;
    c->inflight_short = inflight_short;
    for (uint32_t i = 1; i <= 3; i++) {
        unit_crash(c, i);
        unit_restart(c, i);
    }
    cluster_elect(c, 1);
    cluster_pass(c, HEARTBEAT_MS);
    return c;
}

/* While an append is under way, what is proposed gathers, and goes out as one when it is answered. */
static void test_short_appends_gather(void)
{
    struct cluster *c = cluster_with(0, 1);
    uint64_t base = unit_status(c, 1).commit;
    c->units[2]->hold_disk = c->units[3]->hold_disk = true;
    for (uint32_t i = 0; i < 5; i++)
        unit_propose_ok(c, 1, "x");
    CHECK_EQUAL(unit_status(c, 2).last, base + 1);
    CHECK_EQUAL(unit_status(c, 3).last, base + 1);
    unit_flush(c, 2, 1);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, 1).commit, base + 1);
    CHECK_EQUAL(unit_status(c, 2).last, base + 5);
    CHECK_EQUAL(c->units[2]->write_count, 1); /* the four in one write */
    CHECK_EQUAL(unit_status(c, 3).last, base + 1);
    cluster_free(c);
}

/* What fills a message does not wait. */
static void test_full_appends_do_not_wait(void)
{
    struct cluster *c = cluster_with(0, 1);
    char text[ENTRY_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    uint64_t base = unit_status(c, 1).commit;
    c->units[2]->hold_disk = c->units[3]->hold_disk = true;
    for (uint32_t i = 0; i < 25; i++)
        unit_propose_ok(c, 1, text);
    CHECK(unit_status(c, 2).last > base + 1024 / ENTRY_MAX);
    CHECK(unit_status(c, 2).last < base + 25);
    cluster_free(c);
}

/* The next append tells what is committed; without one a message of its own does, a little later. */
static void test_commit_waits_for_an_append(void)
{
    struct cluster *c = cluster_with(4 * MS, 0);
    unit_propose_ok(c, 1, "a");
    uint64_t index = unit_status(c, 1).commit, messages = c->messages;
    CHECK(unit_status(c, 2).commit < index);
    unit_propose_ok(c, 1, "b");
    CHECK_EQUAL(c->messages - messages, 4); /* two appends, two answers */
    CHECK_EQUAL(unit_status(c, 2).commit, index);
    CHECK(raft_deadline(c->units[1]->r) <= c->now_ns + 4 * MS);
    cluster_pass(c, 4);
    CHECK_EQUAL(unit_status(c, 2).commit, index + 1);
    CHECK_EQUAL(unit_status(c, 3).commit, index + 1);
    CHECK(raft_deadline(c->units[1]->r) > c->now_ns + MS); /* nothing more to tell */
    cluster_free(c);
}

static void test_commit_that_is_waited_for_is_told_at_once(void)
{
    struct cluster *c = cluster_with(4 * MS, 0);
    uint64_t next = unit_status(c, 1).last + 1;
    raft_commit_wanted(c->units[1]->r, c->units[2]->id, next);
    raft_commit_wanted(c->units[1]->r, c->units[2]->id, next + 1);
    for (uint32_t i = 0; i < 2; i++) {
        unit_propose_ok(c, 1, "x");
        CHECK_EQUAL(unit_status(c, 2).commit, next + i);
        CHECK(unit_status(c, 3).commit < next + i);
    }
    unit_propose_ok(c, 1, "y");
    CHECK_EQUAL(unit_status(c, 1).commit, next + 2);
    CHECK_EQUAL(unit_status(c, 2).commit, next + 1);
    cluster_free(c);
}

/* All power off at once, all come back: nothing that was committed is lost. */
static void test_all_restart(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    for (uint32_t i = 0; i < 20; i++)
        unit_propose_ok(c, 1, "kept");
    uint64_t commit = unit_status(c, 1).commit;
    for (uint32_t i = 1; i <= 3; i++)
        unit_crash(c, i);
    for (uint32_t i = 1; i <= 3; i++)
        unit_restart(c, i);
    cluster_pass(c, 5 * ELECTION_MS);
    CHECK(unit_status(c, cluster_leader(c)).commit > commit);
    cluster_make_equal(c);
    cluster_free(c);
}

int main(void)
{
    RUN(test_replicates_and_applies);
    RUN(test_batches);
    RUN(test_figure_8);
    RUN(test_own_term_only);
    RUN(test_leader_sends_before_its_flush);
    RUN(test_follower_acknowledges_after_its_flush);
    RUN(test_aba_of_log_writes);
    RUN(test_committed_is_never_cut);
    RUN(test_fast_backup);
    RUN(test_lost_appends_are_sent_again);
    RUN(test_window);
    RUN(test_uncommitted_is_bounded);
    RUN(test_too_long_is_refused);
    RUN(test_short_appends_gather);
    RUN(test_full_appends_do_not_wait);
    RUN(test_commit_waits_for_an_append);
    RUN(test_commit_that_is_waited_for_is_told_at_once);
    RUN(test_all_restart);
    return 0;
}
