/* A cluster that lost its majority: a new epoch from the best log that is left, by hand; the old ones stay out. */
#include "lab.h"
#include <recover.h>

/* ---- the decision ---- */

static struct raft_conf conf;
static struct recover_view view;

static void see(uint32_t voters, uint32_t heard)
{
    memset(&conf, 0, sizeof(conf));
    view = (struct recover_view){
        .started = true, .healthy = true, .network = true, .epoch_left = true, .conf = &conf, .count = voters};
    conf.count = voters;
    for (uint32_t i = 0; i < voters; i++) {
        conf.members[i] = (struct raft_member){.id = {10 + i, 20 + i}, .flags = RAFT_VOTER};
        view.members[i] = (struct recover_member){.id = conf.members[i].id,
                                                  .voter = true,
                                                  .self = i == 0,
                                                  .heard = i > 0 && i < heard,
                                                  .durable = true,
                                                  .silent_ns = i == voters - 1 ? UINT64_MAX : 20 * 1000 * MS,
                                                  .last_term = 5,
                                                  .last_index = 100};
    }
}

static void check(enum recover_verdict expected, uint32_t expected_which)
{
    uint32_t which = 0;
    CHECK_EQUAL(recover_judge(&view, &which), expected);
    CHECK_EQUAL(which < view.count ? which : 0, expected_which);
}

static void test_when_it_may_be(void)
{
    see(3, 1);
    check(RECOVER_YES, 0);
    see(3, 2);
    check(RECOVER_MAJORITY, 0);
    see(5, 2);
    check(RECOVER_YES, 0);
    view.members[1].last_index = 101;
    check(RECOVER_BETTER, 1);
    view.members[1].last_term = 4;
    check(RECOVER_YES, 0);
    view.members[1].last_term = 6;
    view.members[1].last_index = 1;
    check(RECOVER_BETTER, 1);
    view.members[1].heard = false; /* what is not reachable does not count, whatever it once had */
    check(RECOVER_YES, 0);
    view.members[2].silent_ns = RECOVER_QUIET_NS - 1;
    check(RECOVER_SOON, 2);
    see(4, 2); /* half is no majority */
    check(RECOVER_YES, 0);
    see(3, 1);
    conf.members[2].flags = RAFT_VOTER_OLD; /* joint: each half counts */
    conf.members[1].flags = RAFT_VOTER_OLD;
    check(RECOVER_YES, 0);
}

/* Of equal logs one is taken, and all agree on which. */
static void test_which_of_equal_logs(void)
{
    for (uint32_t self = 0; self < 2; self++) {
        see(5, 2);
        view.members[0].self = self == 0;
        view.members[1].self = self == 1;
        view.members[0].heard = self == 1;
        check(self == 0 ? RECOVER_YES : RECOVER_BETTER, 0);
        view.members[0].durable = false; /* a disk counts for more than a lower id */
        check(self == 0 ? RECOVER_BETTER : RECOVER_YES, self == 0);
        view.members[0].last_index++; /* and what may have been acknowledged for more than a disk */
        check(self == 0 ? RECOVER_YES : RECOVER_BETTER, 0);
        view.members[0].amiss = self == 1; /* but nothing can be recovered from there */
        check(RECOVER_YES, 0);
    }
}

/* Who is known to others only counts too. */
static void test_logs_outside_the_configuration(void)
{
    see(3, 1);
    view.count = 4;
    view.members[3] = (struct recover_member){
        .id = {1, 1}, .heard = true, .durable = true, .last_term = 5, .last_index = 101, .silent_ns = UINT64_MAX};
    check(RECOVER_BETTER, 3);
    view.members[3].last_index = 99;
    check(RECOVER_YES, 0);
    view.members[3].leader = true; /* of a majority that this node does not know */
    check(RECOVER_LEADER, 0);
}

/* Nor need the best log be a member of what it knows: all name it, and so it must say yes itself. */
static void test_outside_its_own_configuration(void)
{
    see(3, 1);
    view.members[0].self = false;
    view.count = 4;
    view.members[3] = (struct recover_member){
        .id = {1, 1}, .self = true, .durable = true, .last_term = 5, .last_index = 101, .silent_ns = UINT64_MAX};
    check(RECOVER_YES, 0);
    view.members[0].heard = true;
    check(RECOVER_YES, 0);
    view.members[0].last_index = 102;
    check(RECOVER_BETTER, 0);
    view.members[1].heard = true; /* two of three: its own log has no voice among them */
    check(RECOVER_MAJORITY, 0);
    view.members[1].heard = false;
    view.members[2].silent_ns = 1;
    check(RECOVER_SOON, 2);
    view.members[3].last_index = 0; /* it waits to be given the log */
    check(RECOVER_NOT_STARTED, 0);
    view.members[3].last_index = 101;
    conf.count = 0; /* it knows of no voters */
    check(RECOVER_NOT_STARTED, 0);
}

static void test_who_is_just_there(void)
{
    see(5, 1);
    view.members[3].unsure = true;
    check(RECOVER_SOON, 3);
    view.members[2].unsure = true; /* three of five are there */
    check(RECOVER_MAJORITY, 0);
    see(5, 1);
    conf.members[4].flags = RAFT_LEARNER; /* a learner may have the best log */
    view.members[4].voter = false;
    view.members[4].silent_ns = 1;
    check(RECOVER_SOON, 4);
}

static void test_when_it_may_not_be(void)
{
    see(3, 1);
    view.leader = true;
    check(RECOVER_LEADER, 0);
    see(3, 1);
    view.started = false;
    check(RECOVER_NOT_STARTED, 0);
    see(3, 1);
    view.healthy = false;
    check(RECOVER_NOT_HEALTHY, 0);
    see(3, 1);
    view.epoch_left = false;
    check(RECOVER_NO_EPOCH, 0);
    see(3, 1);
    view.network = false;
    check(RECOVER_NO_NETWORK, 0);
    see(3, 1);
    view.newer = view.leader = true;
    check(RECOVER_NEWER, 0);
    see(3, 1);
    view.members[0].self = false; /* no member of what it is in */
    check(RECOVER_NOT_STARTED, 0);
}

/* ---- whole nodes ---- */

static struct disk image;

static uint64_t lock(uint32_t machine, const char *name)
{
    struct tables_result result;
    struct tables_op op = {.kind = TABLES_LOCK,
                           .lock = {.mode = TABLES_EXCLUSIVE, .process_id = 1, .name = {name, (uint32_t)strlen(name)}}};
    CHECK_EQUAL(lab_propose(machine, op, &result), E_OK);
    return result.value;
}

static void begin(uint64_t seed)
{
    lab_start(3, seed);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(lab_put(0, "kept", "yes"), E_OK);
}

/* All but that one lose power, and the wait is over in which they might be back. */
static void lose_the_others(uint32_t left)
{
    for (uint32_t i = 0; i < 3; i++) {
        if (i != left)
            lab_power_cut(i);
    }
    lab_run(1000);
    CHECK_EQUAL(lab_recover(left, RECOVER_DO), E_CONFLICT);
    lab_run(15000);
}

static bool note_says(uint32_t on, uint32_t about, const char *words)
{
    struct cluster_node row;
    return node_row(lab.machines[on].n, about + 1, &row) && strstr(row.note, words);
}

/* All but some lose power, for good. */
static void lose(uint32_t mask)
{
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (mask >> i & 1)
            lab_power_cut(i);
    }
    lab_run(16000);
}

static void begin_all(uint64_t seed)
{
    lab_start(5, seed);
    for (uint32_t i = 0; i < 5; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(31, 20000));
    CHECK_EQUAL(lab_put(0, "kept", "yes"), E_OK);
    lab_run(1000);
}

static void test_refused_while_a_majority_lives(void)
{
    begin(1);
    CHECK_EQUAL(lab_recover(0, RECOVER_LOOK), E_CONFLICT);
    CHECK(strstr(lab.text, "a majority of the voters lives"));
    lab_power_cut(2);
    lab_run(15000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_CONFLICT);
    CHECK_EQUAL(lab_recover(0, WIPE_DO), E_CONFLICT);
    CHECK_EQUAL(lab_put(1, "still", "here"), E_OK);
    lab_stop();
}

static void test_a_new_epoch(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        begin(10 + seed);
        uint64_t fence = lock(1, "L"), old = lab_status(0).cluster_id[0];
        lose_the_others(0);
        CHECK_EQUAL(lab_recover(0, RECOVER_LOOK), E_OK);
        CHECK(strstr(lab.text, "LOST: not heard for") && strstr(lab.text, "the last is"));
        CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
        CHECK(lab_until_members(1, 20000));
        CHECK(lab_has(0, "kept", "yes") && lab_status(0).voter && lab_status(0).cluster_id[0] != old);
        CHECK(lock(0, "L") > fence); /* its holder is gone, and no token repeats */
        CHECK_EQUAL(lab_put(0, "since", "then"), E_OK);

        lab_power_on(1, false); /* an old one comes back: refused on both sides, in words, and harmless */
        lab_run(10000);
        CHECK(strstr(lab_status(1).waiting, "raft wipe"));
        CHECK(note_says(0, 1, "refused") && !note_says(0, 0, "refused"));
        CHECK(lab_has(0, "since", "then"));
        lab_run(10000);

        CHECK_EQUAL(lab_recover(1, WIPE_LOOK), E_OK);
        CHECK_EQUAL(lab_recover(1, WIPE_DO), E_OK);
        CHECK(lab_until_members(3, 20000));
        CHECK(lab_has(1, "since", "then") && !lab_status(1).voter);
        CHECK_EQUAL(lab_status(1).node, 2); /* the same machine */
        lab_check_equal(3);
        lab_power_cut(0);
        lab_power_cut(1);
        lab_power_on(0, false); /* and all of it is on the disks */
        lab_power_on(1, false);
        CHECK(lab_until_members(3, 20000));
        CHECK(lab_has(1, "kept", "yes"));
        CHECK_EQUAL(lab_recover(1, RECOVER_LOOK), E_CONFLICT);
        lab_stop();
    }
}

/* Power cuts amid it leave the old epoch or the new one. */
static void test_power_cuts_amid_recovery(void)
{
    uint32_t old = 0, new = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        begin(30 + seed);
        uint64_t id = lab_status(0).cluster_id[0];
        lose_the_others(0);
        CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
        lab_run(random_below(&lab.random, 8));
        if (seed % 3 == 0)
            lab_log_restart(0);
        lab_run(random_below(&lab.random, 4));
        lab_power_cut(0);
        lab_power_on(0, false);
        lab_run(20000);
        bool begun = lab_status(0).cluster_id[0] != id;
        old += !begun;
        new += begun;
        if (!begun)
            CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
        CHECK(lab_until_members(1, 20000));
        CHECK(lab_has(0, "kept", "yes"));
        lab_stop();
    }
    printf("%u old, %u new\n", old, new);
    CHECK(old > 2 && new > 2);
}

/* What was acknowledged is only in the log of one survivor: the other says where to go. */
static void test_the_best_log_is_named(void)
{
    lab_start(5, 3);
    for (uint32_t i = 0; i < 5; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(31, 20000));
    for (uint32_t i = 0; i < 5; i++)
        lab.cut[i][4] = lab.cut[4][i] = true;
    CHECK_EQUAL(lab_put(3, "kept", "yes"), E_OK);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    lab_run(5000); /* no leader is left that could send it on */
    memset(lab.cut, 0, sizeof(lab.cut));
    lab_run(20000);
    CHECK_EQUAL(lab_recover(4, RECOVER_DO), E_CONFLICT);
    CHECK(strstr(lab.text, "better log") && strstr(lab.text, "node 4 (log"));
    CHECK_EQUAL(lab_recover(3, RECOVER_DO), E_OK);
    CHECK(lab_until_members(8, 20000));
    CHECK(lab_has(3, "kept", "yes"));
    lab_run(8000);
    CHECK(strstr(lab_status(4).waiting, "raft wipe"));
    CHECK_EQUAL(lab_recover(4, WIPE_DO), E_OK);
    CHECK(lab_until_members(24, 20000));
    CHECK(lab_has(4, "kept", "yes"));
    lab_stop();
}

/* An older image is refused until it is given up. */
static void test_wiping_an_older_image(void)
{
    begin(4);
    uint32_t victim = (lab_leader() + 1) % 3;
    lab_power_cut(victim);
    disk_copy(&image, &lab.machines[victim].disk);
    lab_power_on(victim, false);
    CHECK(lab_until_members(7, 20000));
    for (int i = 0; i < 10; i++)
        CHECK_EQUAL(lab_put(victim, "k", "v"), E_OK);
    lab_run(1000);
    lab_power_cut(victim);
    disk_copy(&lab.machines[victim].disk, &image);
    lab_power_on(victim, false);
    lab_run(5000);
    CHECK(strstr(lab_status(victim).waiting, "older image"));
    CHECK_EQUAL(lab_recover(victim, RECOVER_DO), E_CONFLICT);
    CHECK_EQUAL(lab_recover(victim, WIPE_DO), E_OK);
    CHECK(lab_until_members(7, 20000));
    CHECK(!lab_status(victim).voter && lab_has(victim, "k", "v"));
    CHECK_EQUAL(lab_recover(victim, WIPE_DO), E_CONFLICT);
    disk_blank(&image);
    lab_stop();
}

/* Two people at two survivors whose logs are equal: one epoch begins. */
static void test_two_at_once(void)
{
    for (uint64_t seed = 70; seed < 75; seed++) {
        begin_all(seed);
        lose(7);
        err_t third = lab_recover(3, RECOVER_LOOK), fourth = lab_recover(4, RECOVER_LOOK);
        CHECK((third == E_OK) != (fourth == E_OK));
        bool again = lab_recover(4, RECOVER_DO) != E_OK; /* at the same moment */
        CHECK_EQUAL(lab_recover(3, RECOVER_DO) == E_OK, again);
        CHECK_EQUAL(fourth == E_OK, !again);
        uint32_t taken = again ? 3 : 4, other = again ? 4 : 3;
        lab_run(6000);
        CHECK_EQUAL(lab_recover(other, RECOVER_DO), E_CONFLICT); /* and later */
        CHECK(strstr(lab.text, "a later epoch"));
        CHECK(strstr(lab_status(other).waiting, "another epoch are refused"));
        CHECK(note_says(other, taken, "of a later epoch") && note_says(taken, other, "of an older epoch"));
        CHECK(lab_until_members(1u << taken, 20000));
        CHECK(lab_has(taken, "kept", "yes"));
        lab_stop();
    }
}

/* A node that was cut off does not know of those who came meanwhile, and are all that is left. */
static void test_the_best_log_is_not_in_the_configuration(void)
{
    begin(76);
    lab.cut[0][1] = lab.cut[1][0] = lab.cut[0][2] = lab.cut[2][0] = lab.cut[0][3] = lab.cut[3][0] = true;
    lab_power_on(3, false);
    CHECK(lab_until_members(14, 30000));
    CHECK_EQUAL(lab_put(1, "later", "yes"), E_OK);
    lab_run(1000);
    memset(lab.cut, 0, sizeof(lab.cut));
    lab_power_cut(1);
    lab_power_cut(2);
    lab_run(15000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_CONFLICT);
    CHECK(strstr(lab.text, "recover there: node 4"));
    CHECK_EQUAL(lab_recover(3, RECOVER_DO), E_OK);
    CHECK(lab_until_members(8, 20000));
    CHECK(lab_has(3, "later", "yes"));
    lab_stop();
}

/* A leader that was removed knows so, and is all that is left of the cluster: its log is the best. */
static void test_only_who_was_removed_is_left(void)
{
    begin(77);
    lab_power_on(3, false);
    CHECK(lab_until_members(15, 30000));
    uint32_t left = lab_leader();
    CHECK_EQUAL(lab_members(left, CLUSTER_MEMBERS_REMOVE, left + 1), E_OK);
    lab_run(2000);
    CHECK_EQUAL(lab_recover(left, RECOVER_LOOK), E_CONFLICT);
    CHECK(strstr(lab.text, "a majority of the voters"));
    lose(15 & ~(1u << left));
    CHECK_EQUAL(lab_recover(left, RECOVER_LOOK), E_OK);
    CHECK(strstr(lab.text, "  outside  this one"));
    CHECK_EQUAL(lab_recover(left, RECOVER_DO), E_OK);
    CHECK(lab_until_members(1u << left, 20000));
    CHECK(lab_has(left, "kept", "yes") && lab_status(left).voter);
    CHECK_EQUAL(lab_put(left, "since", "then"), E_OK);
    lab_stop();
}

/* What is given up comes to the new epoch, and so does a blank disk, though others of the old one are there. */
static void test_nobody_is_claimed_by_the_old_epoch(void)
{
    for (uint64_t seed = 80; seed < 84; seed++) {
        begin_all(seed);
        uint32_t best = 0;
        lose(30);
        CHECK_EQUAL(lab_recover(best, RECOVER_DO), E_OK);
        CHECK(lab_until_members(1, 20000));
        lab_power_on(1, false);
        lab_power_on(2, false);
        lab_run(3000);
        uint64_t log = lab_status(1).log_id[0];
        lab_power_cut(0); /* nobody leads now: what is given up meanwhile is not written over */
        CHECK_EQUAL(lab_recover(1, WIPE_DO), E_OK);
        lab_run(5000);
        CHECK(!lab_status(1).role && strstr(lab_status(1).waiting, "to have a leader"));
        if (seed & 1) {
            lab_power_cut(1);
            lab_power_on(1, false);
            lab_run(1000);
            CHECK_EQUAL(lab_status(1).log_id[0], log);
            CHECK_EQUAL(lab_recover(1, WIPE_DO), E_OK);
        }
        disk_blank(&lab.machines[3].disk);
        lab_power_on(3, false);
        lab_power_on(0, false);
        CHECK(lab_until_members(11, 30000));
        CHECK(lab_has(3, "kept", "yes") && lab_status(1).log_id[0] != log);
        CHECK(!lab_status(2).quorum && strstr(lab_status(2).waiting, "another epoch are refused"));
        lab_check_equal(11);
        lab_stop();
    }
}

/* A majority that was thought lost comes back and leads its epoch beside the new one. Neither learns of the other but
 * in words, and each of the old ones can be given up. */
static void test_the_old_majority_comes_back(void)
{
    begin(77);
    uint64_t fence = lock(1, "L");
    lose_the_others(0);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
    CHECK(lab_until_members(1, 20000));
    CHECK_EQUAL(lab_put(0, "kept", "in the new one"), E_OK);
    lab_power_on(1, false);
    lab_power_on(2, false);
    CHECK(lab_until_members(7, 30000));
    CHECK_EQUAL(lab_put(2, "kept", "in the old one"), E_OK);
    CHECK(lock(1, "M") < lock(0, "L") && lock(0, "M") > fence);
    CHECK(lab_has(0, "kept", "in the new one"));
    CHECK(note_says(1, 0, "of a later epoch"));
    CHECK_EQUAL(lab_recover(0, WIPE_DO), E_CONFLICT); /* it is the later one */
    for (uint32_t i = 1; i < 3; i++) {
        CHECK_EQUAL(lab_recover(i, RECOVER_DO), E_CONFLICT);
        CHECK_EQUAL(lab_recover(i, WIPE_DO), E_OK);
        CHECK(lab_until_members(1u | 1u << i, 30000));
        CHECK(lab_has(i, "kept", "in the new one"));
    }
    lab_check_equal(7);
    lab_stop();
}

/* Who has just started has heard nobody, which means nothing. */
static void test_not_right_after_a_start(void)
{
    begin(78);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    lab_power_on(0, false);
    lab_run(4000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_CONFLICT);
    CHECK(strstr(lab.text, "Wait, and look again"));
    lab_power_on(1, false);
    CHECK(lab_until_members(3, 20000));
    lab_power_cut(1);
    node_network(lab.machines[0].n, true, 2, 0); /* nor does a node without a network know */
    lab_run(16000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_CONFLICT);
    CHECK(strstr(lab.text, "no network"));
    node_network(lab.machines[0].n, true, 3, 1);
    lab_run(5000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_CONFLICT);
    lab_run(11000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
    lab_stop();
}

/* Epochs rise with each recovery, also of an older log, when the later one was ever heard. */
static void test_no_fence_twice(void)
{
    begin(79);
    lose_the_others(0);
    uint64_t fences[4], count = 0;
    fences[count++] = 0;
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
    CHECK(lab_until_members(1, 20000));
    fences[count++] = lock(0, "L");
    lab_power_on(1, false);
    lab_run(5000);
    lab_power_cut(0);
    lab_run(30000);
    CHECK_EQUAL(lab_recover(1, RECOVER_DO), E_CONFLICT); /* it was there a moment ago */
    lab_run(40000);
    CHECK_EQUAL(lab_recover(1, RECOVER_DO), E_OK); /* by who knows that it is gone for good */
    CHECK(lab_until_members(2, 20000));
    fences[count++] = lock(1, "L");
    lab_power_cut(1);
    lab_power_on(1, false); /* the epoch is on the disk */
    CHECK(lab_until_members(2, 20000));
    fences[count++] = lock(1, "M");
    for (uint64_t i = 1; i < count; i++)
        CHECK(fences[i] > fences[i - 1]);
    CHECK_EQUAL(fences[1] >> 56, 2);
    CHECK_EQUAL(fences[2] >> 56, 3);
    lab_stop();
}

static void test_sessions_and_names_end(void)
{
    struct tables_result result;
    struct tables_text key = {"s", 1}, name = {"server", 6};
    begin(85);
    CHECK_EQUAL(lab_propose(0, (struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {1}}, &result), E_OK);
    uint64_t session = result.value;
    struct tables_op append = {.kind = TABLES_KEY_APPEND, .key_append = {session, 1, 1, key, {"x", 1}}};
    CHECK_EQUAL(lab_propose(0, append, &result), E_OK);
    CHECK_EQUAL(lab_propose(0, (struct tables_op){.kind = TABLES_NAME_PUT, .name_put = {.process_id = 1, .name = name}},
                            &result),
                E_OK);
    lose_the_others(0);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
    CHECK(lab_until_members(1, 20000));
    struct tables_counts counts;
    tables_counts(node_tables(lab.machines[0].n), &counts);
    CHECK(!counts.sessions && !counts.locks && !counts.names && counts.keys == 2);
    append.key_append.number = 2;
    CHECK_EQUAL(lab_propose(0, append, &result), E_NO_SESSION);
    lab_stop();
}

/* It cannot be finished: nothing was written, and nobody is drawn into what never was. */
static void test_it_fails(void)
{
    static char value[2000];
    char key[16];
    for (uint32_t how = 0; how < 2; how++) {
        begin(86 + how);
        uint64_t id = lab_status(0).cluster_id[0];
        memset(value, 'v', sizeof(value) - 1);
        for (int i = 0; i < 30; i++) {
            snprintf(key, sizeof(key), "big%d", i);
            CHECK_EQUAL(lab_put(0, key, value), E_OK);
        }
        lose_the_others(0);
        lab.machines[0].no_memory = how == 0;
        lab.machines[0].disk.snapshot_room = how == 1 ? 30000 : 0;
        CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
        lab_run(1000);
        CHECK(strstr(lab_status(0).waiting, how == 0 ? "no memory to recover" : "do not fit on the log disk"));
        CHECK_EQUAL(lab_status(0).cluster_id[0], id);
        lab.machines[0].no_memory = false;
        lab_power_on(3, false);
        lab_run(3000);
        CHECK(!lab_status(3).role && lab.machines[3].disk.state == LOG_BLANK);
        CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_CONFLICT);
        lab_power_cut(0);
        lab.machines[0].disk.snapshot_room = 0;
        lab_power_on(0, false);
        lab_run(12000);
        CHECK_EQUAL(lab_status(0).cluster_id[0], id);
        CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
        CHECK(lab_until_members(9, 30000));
        CHECK(lab_has(3, "kept", "yes") && lab_has(3, "big29", value));
        lab_stop();
    }
}

/* Its last entries wait for room that nobody will make. */
static void test_on_a_full_disk(void)
{
    begin(88);
    lose_the_others(0);
    lab_power_on(1, false);
    CHECK(lab_until_members(3, 20000));
    lab.machines[0].disk.records_room = lab.machines[0].disk.record_count + 1;
    for (int i = 0; i < 10; i++)
        lab_put(1, "kept", i == 9 ? "yes" : "no");
    lab_power_cut(1);
    lab_run(16000);
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
    CHECK(lab_until_members(1, 20000));
    CHECK(lab_has(0, "kept", "yes") || lab_has(0, "kept", "no"));
    CHECK_EQUAL(lab_put(0, "more", "yes"), E_OK);
    lab_power_cut(0);
    lab_power_on(0, false);
    CHECK(lab_until_members(1, 20000));
    CHECK(lab_has(0, "more", "yes"));
    lab_stop();
}

/* Another person gives up the log that was to be taken, while this one looks. */
static void test_wiped_meanwhile(void)
{
    begin_all(89);
    lose(7);
    uint32_t best = lab_recover(3, RECOVER_LOOK) == E_OK ? 3 : 4, other = 7 - best;
    CHECK_EQUAL(lab_recover(other, RECOVER_DO), E_CONFLICT);
    CHECK_EQUAL(lab_recover(best, WIPE_DO), E_OK);
    lab_run(3000);
    CHECK_EQUAL(lab_recover(best, RECOVER_DO), E_CONFLICT);
    CHECK_EQUAL(lab_recover(other, RECOVER_DO), E_OK);
    CHECK(lab_until_members(24, 30000));
    CHECK(lab_has(best, "kept", "yes"));
    lab_stop();
}

/* A voter of a cluster that elects its next leader in a moment is not given up. */
static void test_no_wipe_between_two_leaders(void)
{
    begin(90);
    uint32_t leader = lab_leader(), victim = (leader + 1) % 3;
    lab_power_cut(leader);
    bool seen = false;
    for (int i = 0; i < 2000 && !(seen && lab_status(victim).leader); i++) {
        lab_run(5);
        if (lab_status(victim).leader)
            continue;
        seen = true;
        CHECK_EQUAL(lab_recover(victim, WIPE_LOOK), E_CONFLICT);
    }
    CHECK(seen);
    lab_stop();
}

int main(void)
{
    RUN(test_when_it_may_be);
    RUN(test_when_it_may_not_be);
    RUN(test_which_of_equal_logs);
    RUN(test_logs_outside_the_configuration);
    RUN(test_outside_its_own_configuration);
    RUN(test_who_is_just_there);
    RUN(test_refused_while_a_majority_lives);
    RUN(test_a_new_epoch);
    RUN(test_power_cuts_amid_recovery);
    RUN(test_the_best_log_is_named);
    RUN(test_wiping_an_older_image);
    RUN(test_two_at_once);
    RUN(test_the_best_log_is_not_in_the_configuration);
    RUN(test_only_who_was_removed_is_left);
    RUN(test_nobody_is_claimed_by_the_old_epoch);
    RUN(test_the_old_majority_comes_back);
    RUN(test_not_right_after_a_start);
    RUN(test_no_fence_twice);
    RUN(test_sessions_and_names_end);
    RUN(test_it_fails);
    RUN(test_on_a_full_disk);
    RUN(test_wiped_meanwhile);
    RUN(test_no_wipe_between_two_leaders);
    return 0;
}
