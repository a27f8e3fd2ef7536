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
        .started = true, .durable = true, .healthy = true, .epoch_left = true, .conf = &conf, .count = voters};
    conf.count = voters;
    for (uint32_t i = 0; i < voters; i++) {
        conf.members[i] = (struct raft_member){.id = {10 + i, 20 + i}, .flags = RAFT_VOTER};
        view.members[i] = (struct recover_member){.id = conf.members[i].id,
                                                  .voter = true,
                                                  .self = i == 0,
                                                  .heard = i > 0 && i < heard,
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

static void test_when_it_may_not_be(void)
{
    see(3, 1);
    view.leader = true;
    check(RECOVER_LEADER, 0);
    see(3, 1);
    view.started = false;
    check(RECOVER_NOT_STARTED, 0);
    see(3, 1);
    view.durable = false;
    check(RECOVER_NOT_DURABLE, 0);
    see(3, 1);
    view.healthy = false;
    check(RECOVER_NOT_HEALTHY, 0);
    see(3, 1);
    view.epoch_left = false;
    check(RECOVER_NO_EPOCH, 0);
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

int main(void)
{
    RUN(test_when_it_may_be);
    RUN(test_when_it_may_not_be);
    RUN(test_refused_while_a_majority_lives);
    RUN(test_a_new_epoch);
    RUN(test_power_cuts_amid_recovery);
    RUN(test_the_best_log_is_named);
    RUN(test_wiping_an_older_image);
    return 0;
}
