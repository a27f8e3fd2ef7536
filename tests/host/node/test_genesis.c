/* A cluster begins once: whatever is cut, lost or missing when it does. */
#include "lab.h"

#include "node_state.h"

static void cut(uint32_t a, uint32_t b, bool yes)
{
    lab.cut[a][b] = lab.cut[b][a] = yes;
}

static uint32_t clusters(void)
{
    uint64_t seen[LAB_NODES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        struct cluster_status s;
        uint32_t j = 0;
        if (!lab.machines[i].n)
            continue;
        node_status(lab.machines[i].n, &s);
        if (!s.role)
            continue; /* takes part in none */
        while (j < count && seen[j] != s.cluster_id[0])
            j++;
        seen[j] = s.cluster_id[0];
        count += j == count;
    }
    return count;
}

/* No part of a partition is enough to begin; when it heals there is one cluster, of all voters. */
static void test_a_partition_begins_nothing(void)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        lab_start(3, seed);
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, true);
        uint32_t alone = (uint32_t)seed % 3;
        lab_run(random_below(&lab.random, 400)); /* somewhere in the midst of it */
        cut(alone, (alone + 1) % 3, true);
        cut(alone, (alone + 2) % 3, true);
        lab_run(10000);
        CHECK(clusters() <= 1);
        CHECK(lab_status(alone).role ||
              strstr(lab_status(alone).waiting, alone == 0 ? "voter 2 and 3" : "voter 1 and"));
        memset(lab.cut, 0, sizeof(lab.cut));
        CHECK(lab_until_members(7, 30000));
        CHECK_EQUAL(clusters(), 1);
        for (uint32_t i = 0; i < 3; i++)
            CHECK(lab_status(i).voter);
        lab_stop();
    }
}

/* A first voter that lost its disk and is told, wrongly, that it may begin: alone, and with others that are blank, it
 * does not, while the voters that took part stay what they are. */
static void test_no_second_one_beside_the_first(void)
{
    lab_start(3, 20);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    uint64_t cluster = lab_status(1).cluster_id[0];
    lab_power_cut(0);
    lab_power_cut(2);
    disk_blank(&lab.machines[0].disk);
    disk_blank(&lab.machines[2].disk);
    cut(0, 1, true);
    cut(2, 1, true);
    lab_power_on(0, true);
    lab_power_on(2, true);
    lab_run(20000);
    CHECK(!lab_status(0).role && !lab_status(2).role); /* the second voter is not there, and must be */
    memset(lab.cut, 0, sizeof(lab.cut));
    lab_run(10000);
    CHECK_EQUAL(clusters(), 1);
    CHECK_EQUAL(lab_status(1).cluster_id[0], cluster);
    CHECK_EQUAL(lab_leader(), LAB_NODES); /* one of three is no majority: it waits, and says so */
    CHECK(strstr(lab_status(1).waiting, "came back without their log"));
    lab_stop();
}

/* A voter whose disk is missing or damaged is not blank: there is no genesis with it, and none by it. */
static void test_what_is_not_blank(void)
{
    static const enum log_state states[] = {LOG_ABSENT, LOG_DAMAGED};
    for (uint32_t s = 0; s < 2; s++) {
        lab_start(3, 30 + s);
        lab.machines[0].disk.state = states[s];
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, true);
        lab_run(10000);
        CHECK_EQUAL(clusters(), 0);
        lab_power_cut(0);
        lab.machines[0].disk.state = LOG_BLANK; /* a new one is put in */
        lab_power_on(0, true);
        CHECK(lab_until_members(7, 20000));
        CHECK_EQUAL(lab_put(1, "k", "v"), E_OK);

        lab_power_cut(2);
        lab.machines[2].disk.state = states[s]; /* later in life: it takes part without a vote, and says why */
        lab_power_on(2, true);
        CHECK(lab_until_members(7, 20000));
        struct cluster_node row;
        CHECK(!lab_status(2).voter && !lab_status(2).durable && lab_has(2, "k", "v"));
        CHECK(node_row(lab.machines[0].n, 3, &row) && strstr(row.note, "takes part without a vote"));
        CHECK(strstr(row.note, states[s] == LOG_ABSENT ? "missing" : "damaged"));
        lab_stop();
    }
}

/* All lose power in the midst of it. The flag is given to blank disks only, as the runner does: what has recorded the
 * cluster finishes it without. */
static void test_an_interrupted_one_is_finished(void)
{
    uint32_t prepared = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        lab_start(3, 40 + seed);
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, true);
        lab.delay_ms = 20;
        lab_run(random_below(&lab.random, 250));
        for (uint32_t i = 0; i < 3; i++)
            lab_power_cut(i);
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, lab.machines[i].disk.state == LOG_BLANK);
        prepared += lab.machines[0].disk.state == LOG_VALID;
        CHECK(lab_until_members(7, 30000));
        CHECK_EQUAL(clusters(), 1);
        lab_stop();
    }
    printf("%u of 20 had recorded it\n", prepared);
    CHECK(prepared > 0 && prepared < 20);
}

/* ---- voters that keep nothing ---- */

static bool says(uint32_t machine, const char *words)
{
    return strstr(lab.machines[machine].log, words) != NULL;
}

static bool says_new(uint32_t machine)
{
    char words[80];
    struct cluster_status s = lab_status(machine);
    snprintf(words, sizeof(words), "a new cluster begins; its id is %016llx%016llx",
             (unsigned long long)s.cluster_id[0], (unsigned long long)s.cluster_id[1]);
    return says(machine, words);
}

static void begin_with_disks(uint32_t disks, bool genesis)
{
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].has_disk = i < disks;
        lab_power_on(i, genesis);
    }
}

/* All in memory, all off and on: another cluster, whose voters say that the old state is gone. */
static void test_a_cold_start_in_memory_says_what_is_gone(void)
{
    static const char gone[] = "what an earlier cluster of theirs held is gone";
    lab_start(3, 70);
    begin_with_disks(0, true);
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(lab_put(0, "k", "v"), E_OK);
    uint64_t first = lab_status(0).cluster_id[0];
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    begin_with_disks(0, false); /* nobody told them to begin: they do not, and say why */
    lab_run(10000);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(strstr(lab_status(i).waiting, "in memory, so what it held before is gone"));
        lab_power_cut(i);
    }
    begin_with_disks(0, true);
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(clusters(), 1);
    CHECK(lab_status(0).cluster_id[0] != first && !lab_has(0, "k", "v"));
    for (uint32_t i = 0; i < 3; i++)
        CHECK(says_new(i) && says(i, gone) && strstr(lab_status(i).voters, "gone when they are off together"));
    lab_power_on(3, false); /* a later one joins what is there: nothing is new */
    CHECK(lab_until_members(15, 20000));
    CHECK(!says(3, "a new cluster") && !says(3, gone));
    lab_stop();
}

/* One disk of three: nothing is called gone that is on it, and it is the hand that it needs. */
static void test_one_disk_is_no_majority(void)
{
    lab_start(3, 72);
    begin_with_disks(1, true);
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(lab_put(0, "k", "v"), E_OK);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(!says(i, "gone") && strstr(lab_status(i).voters, "only `raft recover` goes on"));
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    begin_with_disks(1, true);
    lab_run(20000);
    CHECK(clusters() <= 1 && lab_leader() == LAB_NODES);
    CHECK(strstr(lab_status(0).waiting, "of 3 voters 2 came back without their log"));
    CHECK_EQUAL(lab_recover(0, RECOVER_DO), E_OK);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(2, "k", "v"));
    lab_stop();
}

/* A majority with disks outlives that, and nothing else is said; nor again when it comes back. */
static void test_a_majority_of_disks_keeps_what_it_has(void)
{
    lab_start(3, 71);
    begin_with_disks(2, true);
    CHECK(lab_until_members(7, 20000));
    for (uint32_t i = 0; i < 3; i++)
        CHECK(says_new(i) && !says(i, "gone") && !strstr(lab_status(i).voters, "gone"));
    CHECK_EQUAL(lab_put(0, "k", "v"), E_OK);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    begin_with_disks(2, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(0, "k", "v"));
    for (uint32_t i = 0; i < 3; i++)
        CHECK(!says(i, "a new cluster") && !says(i, "gone"));
    lab_stop();
}

/* ---- a blank node beside a cluster that dies ---- */

/* It joins as soon as it hears that there is a leader, and its disk records that when all others are long dead. Nobody
 * can tell this from a node that joined a moment earlier: the next cluster does not begin beside its log, and all say
 * what they wait for, until it is given up by hand. */
static void test_a_dying_cluster_is_joined(void)
{
    lab_start(3, 80);
    begin_with_disks(0, true);
    CHECK(lab_until_members(7, 20000));
    lab.machines[3].log_stuck = true;
    lab_power_on(3, false);
    for (uint32_t i = 0; i < 5000 && lab.machines[3].n->stage != STAGE_STARTED; i++)
        lab_run(1);
    CHECK(lab.machines[3].n->stage == STAGE_STARTED && lab.machines[3].disk.state == LOG_BLANK);
    uint64_t dead = lab.machines[3].n->cluster_id[0];
    for (uint32_t i = 0; i < 3; i++)
        lab_power_cut(i);
    lab_run(20000);
    lab.machines[3].log_stuck = false;
    lab_run(1000);
    CHECK(lab.machines[3].disk.state == LOG_VALID);
    CHECK(strstr(lab_status(3).waiting, "the leader to take this log in"));
    begin_with_disks(0, true);
    lab_run(10000);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(!lab_status(i).role && strstr(lab_status(i).waiting, "to have a leader"));
    CHECK_EQUAL(lab_recover(3, WIPE_DO), E_OK);
    CHECK(lab_until_members(15, 30000));
    CHECK_EQUAL(clusters(), 1);
    CHECK(lab_status(3).cluster_id[0] != dead);
    lab_stop();
}

int main(void)
{
    RUN(test_a_partition_begins_nothing);
    RUN(test_no_second_one_beside_the_first);
    RUN(test_what_is_not_blank);
    RUN(test_an_interrupted_one_is_finished);
    RUN(test_a_cold_start_in_memory_says_what_is_gone);
    RUN(test_one_disk_is_no_majority);
    RUN(test_a_majority_of_disks_keeps_what_it_has);
    RUN(test_a_dying_cluster_is_joined);
    return 0;
}
