/* Disks that lose what they had, have no room, or are not what they should be. */
#include "lab.h"

static struct disk image;

static void begin(uint64_t seed, uint32_t window)
{
    lab_start(3, seed);
    lab.window_entries = window;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
}

static void put_many(uint32_t machine, int count)
{
    char key[16];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "key%d", i % 50);
        err_t err;
        while ((err = lab_put(machine, key, "some value")) == E_FULL)
            lab_run(20); /* refused: it can be asked again */
        CHECK_EQUAL(err, E_OK);
    }
}

static uint64_t last_on_disk(uint32_t machine)
{
    const struct disk *d = &lab.machines[machine].disk;
    return d->record_count ? d->records[d->record_count - 1].index : d->compacted;
}

static bool note_says(uint32_t on, uint32_t about, const char *words)
{
    struct cluster_node row;
    return node_row(lab.machines[on].n, about + 1, &row) && strstr(row.note, words);
}

static bool until_whole(uint32_t machine, uint64_t ms)
{
    uint64_t end = lab.now_ns + ms * MS;
    while (lab.now_ns < end && (lab.machines[machine].disk.damaged_index || !lab_all_members(7)))
        lab_run(50);
    return !lab.machines[machine].disk.damaged_index && lab_all_members(7);
}

static uint32_t follower(void)
{
    return (lab_leader() + 1) % 3;
}

/* Fetched from the leader, written, and then it votes again. */
static void test_lost_entries_are_fetched(void)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        begin(seed, 1024);
        put_many(0, 40);
        uint32_t victim = seed % 2 ? follower() : lab_leader();
        lab_power_cut(victim);
        disk_harm(&lab.machines[victim].disk, last_on_disk(victim) - 5 * seed);
        lab_power_on(victim, false);
        CHECK(until_whole(victim, 20000));
        CHECK(!lab_status(victim).waiting[0] && lab_status(victim).voter);
        lab_check_equal(7);
        lab_power_cut((victim + 1) % 3); /* its vote counts */
        CHECK_EQUAL(lab_put(victim, "more", "yes"), E_OK);
        lab_stop();
    }
}

static void test_too_much_was_lost_for_the_log(void)
{
    begin(11, 256);
    put_many(0, 30);
    uint32_t victim = follower();
    lab_power_cut(victim);
    disk_harm(&lab.machines[victim].disk, 3);
    put_many((victim + 1) % 3, 600);
    lab_power_on(victim, false);
    CHECK(until_whole(victim, 30000));
    CHECK(lab.machines[victim].disk.snapshot_index > 0);
    lab_check_equal(7);
    lab_stop();
}

/* The only one that has what was acknowledged is off. The one that lost it and the one that never had it wait. */
static void test_no_vote_on_that_basis(void)
{
    begin(12, 1024);
    uint32_t leader = lab_leader(), victim = (leader + 1) % 3, behind = (leader + 2) % 3;
    lab_power_cut(behind);
    CHECK_EQUAL(lab_put(leader, "kept", "yes"), E_OK);
    lab_power_cut(leader);
    lab_power_cut(victim);
    disk_harm(&lab.machines[victim].disk, last_on_disk(victim) - 3);
    lab_power_on(victim, false);
    lab_power_on(behind, false);
    lab_run(20000);
    CHECK(lab_leader() == LAB_NODES);
    CHECK(note_says(victim, victim, "lost entries") && note_says(behind, victim, "lost entries"));
    lab_power_on(leader, false);
    CHECK(until_whole(victim, 30000));
    CHECK(lab_has(victim, "kept", "yes") && note_says(behind, victim, "") && !note_says(behind, victim, "lost"));
    lab_stop();
}

static void test_a_damaged_snapshot_is_fetched(void)
{
    begin(13, 256);
    put_many(0, 600);
    uint32_t victim = follower();
    struct disk *d = &lab.machines[victim].disk;
    lab_power_cut(victim);
    CHECK(d->snapshot_bytes > 100);
    d->snapshot[d->snapshot_bytes / 2] ^= 0x10;
    lab_power_on(victim, false);
    lab_run(1000);
    CHECK(lab_until_members(7, 30000));
    lab_check_equal(7);
    lab_power_cut(victim);
    lab_power_on(victim, false); /* and written */
    CHECK(lab_until_members(7, 20000));
    CHECK(!lab_status(victim).waiting[0] && lab_status(victim).voter);
    lab_stop();
}

/* Much smaller than the window: the log finds no room again and again, and nobody notices but by the wait. */
static void test_a_full_disk_makes_room(void)
{
    char key[16];
    lab_start(3, 14);
    lab.window_entries = 1024;
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].disk.records_room = 60 + 10 * i;
        lab_power_on(i, true);
    }
    CHECK(lab_until_members(7, 20000));
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof(key), "key%d", i % 50);
        err_t err;
        while ((err = lab_put((uint32_t)i % 3, key, "some value")) == E_FULL)
            lab_run(20); /* refused: it can be asked again */
        CHECK_EQUAL(err, E_OK);
        if (i % 70 == 0)
            lab_log_restart((uint32_t)i % 3);
    }
    for (uint32_t i = 0; i < 3; i++)
        CHECK(lab.machines[i].disk.full_answers > 3 && lab.machines[i].disk.record_count <= 80);
    CHECK(lab_until_members(7, 20000));
    lab_check_equal(7);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(0, "key49", "some value"));
    lab_stop();
}

static err_t delete_key(uint32_t machine, const char *key)
{
    struct tables_result result;
    return lab_propose(machine,
                       (struct tables_op){.kind = TABLES_KEY_DELETE,
                                          .key_delete = {TABLES_ANY_REVISION, {key, (uint32_t)strlen(key)}}},
                       &result);
}

/* A transaction of one step, done unless there is a key of that name. */
static err_t transact(uint32_t machine, uint8_t kind)
{
    const struct txn_step steps[2] = {{.section = TXN_IF, .kind = TXN_ABSENT, .name_bytes = 8},
                                      {.section = TXN_THEN, .kind = kind, .name_bytes = 8}};
    uint8_t bytes[2 * (sizeof(struct txn_step) + 8)];
    struct tables_result result;
    for (int i = 0; i < 2; i++) {
        memcpy(bytes + 24 * i, &steps[i], sizeof(struct txn_step));
        memcpy(bytes + 24 * i + sizeof(struct txn_step), "txn-name", 8);
    }
    return lab_propose(machine, (struct tables_op){.kind = TABLES_TXN, .txn = {.steps = {bytes, sizeof(bytes)}}},
                       &result);
}

/* The state itself does not fit: what is new is refused in words, what makes it smaller is taken, and then all is well.
 */
static void test_tables_that_do_not_fit(void)
{
    static char value[2000];
    char key[16];
    int stored = 0;
    memset(value, 'v', sizeof(value) - 1);
    lab_start(3, 15);
    lab.window_entries = 256;
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].disk.snapshot_room = 100000;
        lab_power_on(i, true);
    }
    CHECK(lab_until_members(7, 20000));
    err_t err = E_OK;
    for (; stored < 400 && err == E_OK; stored++) {
        snprintf(key, sizeof(key), "big%d", stored);
        err = lab_propose(0,
                          (struct tables_op){.kind = TABLES_KEY_PUT,
                                             .key_put = {.if_revision = TABLES_ANY_REVISION,
                                                         .name = {key, (uint32_t)strlen(key)},
                                                         .value = {value, sizeof(value) - 1}}},
                          &(struct tables_result){0});
    }
    CHECK_EQUAL(err, E_FULL);
    lab_run(3000);
    uint32_t who = strstr(lab_status(0).waiting, "keys to be removed") ? 0 : lab_leader();
    CHECK(strstr(lab_status(who).waiting, "keys to be removed"));
    CHECK(note_says(1, who, "full"));
    CHECK_EQUAL(transact(who, TXN_PUT), E_FULL);
    CHECK_EQUAL(transact(who, TXN_DELETE), E_OK);
    for (int i = 0; i < stored; i++) {
        snprintf(key, sizeof(key), "big%d", i);
        err = delete_key(1, key);
        CHECK(err == E_OK || err == E_NOT_FOUND);
    }
    lab_run(12000);
    CHECK(!lab_status(lab_leader()).waiting[0]);
    put_many(2, 300);
    lab_check_equal(7);
    lab_stop();
}

/* A restored copy: the leader knows of entries that this disk had and has not. */
static void test_an_older_image_is_refused(void)
{
    begin(16, 1024);
    put_many(0, 10);
    uint32_t victim = follower();
    lab_power_cut(victim);
    disk_copy(&image, &lab.machines[victim].disk);
    lab_power_on(victim, false);
    CHECK(lab_until_members(7, 20000));
    put_many(0, 10);
    lab_run(1000);
    lab_power_cut(victim);
    disk_copy(&lab.machines[victim].disk, &image);
    lab_power_on(victim, false);
    lab_run(5000);
    CHECK(strstr(lab_status(victim).waiting, "older image"));
    CHECK(note_says(lab_leader(), victim, "older image"));
    CHECK_EQUAL(lab_put(lab_leader(), "on", "it goes"), E_OK);
    disk_blank(&image);
    lab_stop();
}

static struct disk images[2];

/* Also when who leads now was told nothing by those logs: everybody saw how far they reached. */
static void test_two_older_images_under_another_leader(void)
{
    lab_start(5, 19);
    for (uint32_t i = 0; i < 5; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(31, 20000));
    put_many(0, 5);
    uint32_t leader = lab_leader(), next = (leader + 1) % 5, victims[2] = {(leader + 2) % 5, (leader + 3) % 5};
    for (uint32_t i = 0; i < 2; i++) {
        lab_power_cut(victims[i]);
        disk_copy(&images[i], &lab.machines[victims[i]].disk);
        lab_power_on(victims[i], false);
        CHECK(lab_until_members(31, 20000));
    }
    put_many(victims[0], 10);
    lab_run(2500);
    for (uint32_t i = 0; i < 2; i++) {
        lab_power_cut(victims[i]);
        disk_copy(&lab.machines[victims[i]].disk, &images[i]);
        disk_blank(&images[i]);
    }
    CHECK_EQUAL(lab_members(next, CLUSTER_MEMBERS_TRANSFER, next + 1), E_OK);
    lab_power_cut(leader);
    lab_power_on(leader, false);
    CHECK(lab_until_members(31u & ~(1u << victims[0]) & ~(1u << victims[1]), 20000));
    for (uint32_t i = 0; i < 2; i++)
        lab_power_on(victims[i], false);
    lab_run(5000);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(strstr(lab_status(victims[i]).waiting, "older image"));
        CHECK(note_says(next, victims[i], "older image"));
    }
    CHECK_EQUAL(lab_put(next, "on", "it goes"), E_OK);
    lab_stop();
}

/* What was applied is durable: whoever loses power at any moment is never taken for an older image. */
static void test_power_cuts_are_no_older_images(void)
{
    for (uint64_t seed = 20; seed < 26; seed++) {
        begin(seed, 256);
        for (int i = 0; i < 12; i++) {
            uint32_t victim = random_below(&lab.random, 3);
            put_many(victim, 30);
            lab_run(random_below(&lab.random, 1500));
            lab_power_cut(victim);
            lab_run(random_below(&lab.random, 1500));
            lab_power_on(victim, false);
            CHECK(lab_until_members(7, 30000));
            for (uint32_t m = 0; m < 3; m++)
                CHECK(!note_says(m, victim, "older"));
        }
        lab_check_equal(7);
        lab_stop();
    }
}

static void test_anothers_disk_is_refused(void)
{
    begin(17, 1024);
    lab_power_cut(2);
    disk_copy(&lab.machines[3].disk, &lab.machines[2].disk); /* cloned into a machine that was never there */
    lab_power_on(2, false);
    lab_power_on(3, false);
    CHECK(lab_until_members(7, 20000));
    lab_run(3000);
    CHECK(strstr(lab_status(3).waiting, "another machine") && !lab_status(3).voter);
    CHECK_EQUAL(lab_put(2, "mine", "yes"), E_OK);
    for (uint32_t i = 0; i < 3; i++) {
        lab_power_cut(i);
        disk_blank(&lab.machines[i].disk);
    }
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000)); /* what a refused disk says of a cluster keeps nobody from beginning one */
    lab_stop();
}

/* It answered a flush and does not have what it flushed: seen when logstore reads it again. */
static void test_a_disk_that_forgets_while_it_runs(void)
{
    begin(18, 1024);
    put_many(0, 10);
    uint32_t victim = follower();
    lab_run(1000);
    struct disk *d = &lab.machines[victim].disk;
    for (int i = 0; i < 3; i++)
        free(d->records[--d->record_count].bytes);
    lab_log_restart(victim);
    lab_run(1000);
    CHECK(strstr(lab_status(victim).waiting, "lost entries while this node ran"));
    CHECK(note_says(lab_leader(), victim, "refused"));
    lab_stop();
}

int main(void)
{
    RUN(test_lost_entries_are_fetched);
    RUN(test_too_much_was_lost_for_the_log);
    RUN(test_no_vote_on_that_basis);
    RUN(test_a_damaged_snapshot_is_fetched);
    RUN(test_a_full_disk_makes_room);
    RUN(test_tables_that_do_not_fit);
    RUN(test_an_older_image_is_refused);
    RUN(test_two_older_images_under_another_leader);
    RUN(test_power_cuts_are_no_older_images);
    RUN(test_anothers_disk_is_refused);
    RUN(test_a_disk_that_forgets_while_it_runs);
    return 0;
}
