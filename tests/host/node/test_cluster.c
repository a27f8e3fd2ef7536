/* Three machines become a cluster, and stay one. */
#include "lab.h"

#define FIRST_LEADER_MS 450u /* less than the least election timeout of the lab */

static void begin(uint64_t seed)
{
    lab_start(3, seed);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
}

static void test_genesis(void)
{
    begin(1);
    for (uint32_t i = 0; i < 3; i++) {
        struct cluster_status s = lab_status(i);
        CHECK_EQUAL(s.node, i + 1); /* numbers follow the list of voters */
        CHECK(s.voter && s.durable && s.quorum && s.nodes_up == 3 && !s.waiting[0]);
        CHECK_EQUAL(s.cluster_id[0], lab_status(0).cluster_id[0]);
        CHECK_EQUAL(lab.machines[i].calls_up, 0xeu & ~(2u << i));
    }
    CHECK_EQUAL(lab_put(1, "greeting", "hello"), E_OK);
    CHECK(lab_has(2, "greeting", "hello") && lab_has(0, "greeting", "hello"));
    lab_check_equal(7);
    lab_stop();
}

/* Machines that are on at once need no election timeout to have their first leader. */
static void test_first_leader(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        lab_start(3, seed);
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, true);
        CHECK(lab_until_members(7, FIRST_LEADER_MS));
        CHECK_EQUAL(lab_status(0).term, 2); /* the first one after genesis */
        lab_stop();
    }
}

static void test_memory_voters(void)
{
    lab_start(3, 2);
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].has_disk = false;
        lab_power_on(i, true);
    }
    CHECK(lab_until_members(7, 20000));
    CHECK(!lab_status(0).durable && lab_status(0).voter);
    CHECK_EQUAL(lab_put(2, "k", "v"), E_OK);
    lab_power_cut(1); /* its log is lost: it comes back without a vote */
    lab_run(1000);
    lab_power_on(1, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(!lab_status(1).voter && lab_has(1, "k", "v"));
    CHECK(lab_until_voters(7, 7, 60000)); /* where nobody has a disk, a log in memory takes the place of one */
    lab_stop();
}

static void test_no_genesis_without_the_flag(void)
{
    lab_start(3, 3);
    lab_power_on(0, true);
    lab_power_on(1, true);
    lab_power_on(2, false);
    lab_run(10000);
    CHECK(!lab_status(0).role && !lab_status(2).role);
    CHECK(strstr(lab_status(2).waiting, "blank"));
    lab_stop();
}

static void test_all_power_off_and_on(void)
{
    begin(4);
    CHECK_EQUAL(lab_put(0, "kept", "yes"), E_OK);
    uint64_t cluster = lab_status(0).cluster_id[0];
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    lab_run(100);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, false);
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(lab_status(2).cluster_id[0], cluster);
    CHECK(lab_status(2).voter && lab_has(2, "kept", "yes"));
    lab_stop();
}

static void test_leader_dies(void)
{
    begin(5);
    for (int i = 0; i < 4; i++) {
        uint32_t leader = lab_leader(), other = (leader + 1) % 3;
        CHECK(leader < 3);
        lab_power_cut(leader);
        CHECK_EQUAL(lab_put(other, "round", i % 2 ? "odd" : "even"), E_OK);
        lab_power_on(leader, false);
        CHECK(lab_until_members(7, 20000));
        CHECK(lab_has(leader, "round", i % 2 ? "odd" : "even"));
        lab_check_equal(7);
    }
    lab_stop();
}

static void test_minority_waits_and_says_so(void)
{
    begin(6);
    for (uint32_t i = 0; i < 3; i++)
        lab.cut[i][2] = lab.cut[2][i] = true;
    lab_run(8000);
    struct cluster_status s = lab_status(2);
    CHECK(!s.quorum && strstr(s.waiting, "a leader") && s.nodes_up == 1);
    CHECK_EQUAL(lab_status(0).nodes_up, 2);
    CHECK_EQUAL(lab_put(0, "while", "away"), E_OK);
    for (uint32_t i = 0; i < 3; i++)
        lab.cut[i][2] = lab.cut[2][i] = false;
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(2, "while", "away"));
    lab_stop();
}

static void test_blank_disk_comes_back_and_votes_again(void)
{
    begin(7);
    CHECK_EQUAL(lab_put(0, "k", "v"), E_OK);
    lab_power_cut(2);
    disk_blank(&lab.machines[2].disk);
    lab_power_on(2, true); /* even if told that it may begin a cluster */
    CHECK(lab_until_members(7, 20000));
    struct cluster_status s = lab_status(2);
    CHECK(!s.voter && s.durable && s.role == 1 && s.node == 3);
    CHECK(lab_has(2, "k", "v"));
    struct cluster_node row;
    CHECK(node_row(lab.machines[0].n, 3, &row) && strstr(row.note, "without a vote"));
    CHECK(lab_until_said(0, "node 3 gets its vote back in"));
    CHECK(lab_until_voters(7, 7, 60000));
    lab_power_cut(2); /* and its new log is good */
    lab_power_on(2, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_status(2).voter && node_row(lab.machines[0].n, 3, &row) && !row.note[0]);
    lab_stop();
}

static void test_more_nodes_join(void)
{
    begin(8);
    lab_power_on(3, false);
    lab.machines[4].has_disk = false;
    lab_power_on(4, false);
    CHECK(lab_until_members(31, 20000));
    CHECK(!lab_status(3).voter && lab_status(3).durable && !lab_status(4).durable);
    CHECK(lab_status(3).node != lab_status(4).node && lab_status(3).node > 3);
    CHECK_EQUAL(lab_put(4, "from", "five"), E_OK);
    CHECK(lab_has(3, "from", "five"));
    lab_check_equal(31);
    lab_stop();
}

/* Power cuts at any moment of it: one cluster comes of it, or none yet. */
static void test_interrupted_genesis(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        lab_start(3, seed);
        lab.loss_percent = 10;
        lab.delay_ms = 20;
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, true);
        for (int cut = 0; cut < 4; cut++) {
            uint32_t victim = random_below(&lab.random, 3);
            lab_run(random_below(&lab.random, 1500));
            lab_power_cut(victim);
            lab_run(random_below(&lab.random, 300));
            lab_power_on(victim, true);
        }
        lab.loss_percent = 0;
        CHECK(lab_until_members(7, 60000));
        for (uint32_t i = 0; i < 3; i++)
            CHECK(lab_status(i).voter && lab_status(i).cluster_id[0] == lab_status(0).cluster_id[0]);
        lab_check_equal(7);
        lab_stop();
    }
}

static void test_locks_of_a_dead_node(void)
{
    struct tables_result result;
    struct tables_lock_view view;
    struct tables_text name = {"L", 1};
    struct tables_op lock = {.kind = TABLES_LOCK, .lock = {.mode = TABLES_EXCLUSIVE, .process_id = 1, .name = name}};
    begin(9);
    CHECK_EQUAL(lab_propose(2, lock, &result), E_OK);
    CHECK(result.value != 0);
    CHECK_EQUAL(lab_propose(0, lock, &result), E_OK);
    CHECK_EQUAL(result.value, 0);
    uint32_t granted = lab.machines[0].granted;
    lab_power_cut(2);
    lab_run(20000);
    CHECK_EQUAL(lab.machines[0].granted, granted + 1);
    CHECK(tables_lock(node_tables(lab.machines[1].n), name, &view) && view.node == 1 && !view.waiters);
    lab_stop();
}

static void test_log_server_restarts(void)
{
    char value[16];
    begin(10);
    for (int i = 0; i < 12; i++) {
        snprintf(value, sizeof(value), "%d", i);
        lab_log_restart((uint32_t)i % 3);
        CHECK_EQUAL(lab_put((uint32_t)(i + 1) % 3, "n", value), E_OK);
    }
    lab_run(1000);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(1, "n", "11"));
    lab_stop();
}

static void test_snapshots(void)
{
    char key[16];
    lab_start(3, 11);
    lab.window_entries = 256;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    lab_power_cut(2);
    for (int i = 0; i < 700; i++) {
        snprintf(key, sizeof(key), "key%d", i % 50);
        CHECK_EQUAL(lab_put((uint32_t)i % 2, key, "some value"), E_OK);
    }
    CHECK(lab.machines[0].disk.snapshot_index > 0 && lab.machines[0].disk.compacted > 0);
    lab_power_on(2, false); /* too far behind for the log */
    CHECK(lab_until_members(7, 30000));
    CHECK(lab.machines[2].disk.snapshot_index > 0);
    CHECK(lab_has(2, "key49", "some value"));
    lab_check_equal(7);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(0, "key0", "some value"));
    lab_check_equal(7);
    lab_stop();
}

static bool save_is_half_done(const struct machine *m)
{
    return m->disk.part != NULL;
}

static void test_log_server_restarts_amid_snapshots(void)
{
    char key[16];
    uint32_t restarts = 0;
    lab_start(3, 13);
    lab.window_entries = 256;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    for (int i = 0; i < 700; i++) {
        snprintf(key, sizeof(key), "key%d", i % 50);
        CHECK_EQUAL(lab_put((uint32_t)i % 2, key, "some value"), E_OK);
        for (uint32_t m = 0; m < 3; m++) {
            bool half_done = save_is_half_done(&lab.machines[m]);
            restarts += half_done;
            if (half_done || i % 10 == 0)
                lab_log_restart(m);
        }
    }
    CHECK(restarts > 0);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab.machines[0].disk.snapshot_index > 0);
    CHECK(lab_has(2, "key49", "some value"));
    lab_check_equal(7);
    lab_stop();
}

static void flood(uint32_t machine, uint32_t count)
{
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = {"k", 1}, .value = {"v", 1}}};
    for (uint32_t i = 0; i < count; i++) {
        while (node_propose(lab.machines[machine].n, ++lab.next_token, &op) != E_OK)
            lab_run(5);
    }
}

/* The entry that put it in line is never seen here, but the line is: it must not be held without a holder. */
static void test_a_lock_that_comes_with_a_snapshot(void)
{
    const struct tables_op lock = {.kind = TABLES_LOCK,
                                   .lock = {.mode = TABLES_EXCLUSIVE, .process_id = 1, .name = {"L", 1}}};
    struct tables_lock_view view;
    lab_start(3, 14);
    lab.window_entries = 256;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    uint32_t leader = lab_leader(), away = (leader + 1) % 3, third = (leader + 2) % 3;
    struct machine *m = &lab.machines[away];
    lab.cut[leader][away] = lab.cut[third][away] = true;
    m->answer = (struct lab_answer){.token = ++lab.next_token};
    struct tables_op op = lock;
    CHECK_EQUAL(node_propose(m->n, m->answer.token, &op), E_OK);
    for (int i = 0; i < 100 && !tables_lock(node_tables(lab.machines[leader].n), lock.lock.name, &view); i++)
        lab_run(5);
    CHECK(tables_lock(node_tables(lab.machines[leader].n), lock.lock.name, &view) && view.holders == 1);
    uint64_t ticket = tables_applied_index(node_tables(lab.machines[leader].n));
    flood(leader, 600);
    for (int i = 0; i < 100 && lab.machines[leader].disk.snapshot_index <= ticket; i++)
        lab_run(10);
    CHECK(lab.machines[leader].disk.compacted > ticket && !m->answer.done);
    lab.cut[leader][away] = lab.cut[third][away] = false;
    for (int i = 0; i < 1000 && !m->answer.done; i++)
        lab_run(10);
    CHECK(m->disk.snapshot_index > ticket);
    CHECK(m->answer.done && m->answer.result.err == E_OK);
    CHECK_EQUAL(m->answer.result.value, view.fence);
    CHECK(m->answer.result.ticket != 0);
    lab_stop();
}

static void test_jobs_are_placed(void)
{
    struct tables_result result;
    begin(12);
    struct tables_op submit = {.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = 3, .command = {"echo hi", 7}}};
    CHECK_EQUAL(lab_propose(1, submit, &result), E_OK);
    lab_run(3000);
    const struct tables_job *job = tables_job(node_tables(lab.machines[0].n), result.value);
    uint32_t nodes = 0;
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQUAL(job->instances[i].state, TABLES_JOB_PLACED);
        nodes |= 1u << job->instances[i].node;
    }
    CHECK_EQUAL(nodes, 0xe); /* spread */
    lab_stop();
}

/* A byte of a key goes bad in the memory of one node: it notices with the next renewals, and says so. */
static void test_tables_are_compared(void)
{
    lab_start(3, 7);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(lab_put(0, "key", "value"), E_OK);
    lab_run(6000);
    CHECK(lab_all_members(7)); /* equal ones go on */
    uint32_t bad = (lab_leader() + 1) % 3;
    struct tables_key_view view;
    CHECK(tables_key(node_tables(lab.machines[bad].n), (struct tables_text){"key", 3}, &view));
    *(uint8_t *)(uintptr_t)view.value ^= 1;
    for (uint32_t i = 0; i < 10 && !strstr(lab_status(bad).waiting, "not those of the leader"); i++)
        lab_run(1000);
    CHECK(strstr(lab_status(bad).waiting, "not those of the leader"));
    CHECK_EQUAL(lab_put((bad + 1) % 3, "key", "other"), E_OK); /* the others go on */
    lab_stop();
}

int main(void)
{
    RUN(test_genesis);
    RUN(test_first_leader);
    RUN(test_memory_voters);
    RUN(test_no_genesis_without_the_flag);
    RUN(test_all_power_off_and_on);
    RUN(test_leader_dies);
    RUN(test_minority_waits_and_says_so);
    RUN(test_blank_disk_comes_back_and_votes_again);
    RUN(test_more_nodes_join);
    RUN(test_interrupted_genesis);
    RUN(test_locks_of_a_dead_node);
    RUN(test_log_server_restarts);
    RUN(test_snapshots);
    RUN(test_log_server_restarts_amid_snapshots);
    RUN(test_a_lock_that_comes_with_a_snapshot);
    RUN(test_jobs_are_placed);
    RUN(test_tables_are_compared);
    return 0;
}
