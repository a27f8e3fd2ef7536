/* Who votes changes while machines lose power, disks and links. */
#include "lab.h"

#include "node_state.h"

#define ALL 31u

static void begin(uint32_t machines, uint64_t seed)
{
    lab_start(3, seed);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 30000));
    for (uint32_t i = 3; i < machines; i++) { /* one after the other, so that their numbers are in order */
        lab_power_on(i, false);
        CHECK(lab_until_members((2u << i) - 1, 30000));
    }
}

/* Five that vote. */
static void begin_five(uint64_t seed)
{
    begin(5, seed);
    CHECK(lab_until_voters(ALL, ALL, 60000));
}

static void blank(uint32_t machine)
{
    lab_power_cut(machine);
    disk_blank(&lab.machines[machine].disk);
    lab_power_on(machine, false);
}

static void cut_off(uint32_t machine, bool off)
{
    for (uint32_t i = 0; i < LAB_NODES; i++)
        lab.cut[i][machine] = lab.cut[machine][i] = off;
}

static bool said(uint32_t machine, const char *words)
{
    if (!strstr(lab.machines[machine].members.words, words))
        printf("said: %s\n", lab.machines[machine].members.words);
    return strstr(lab.machines[machine].members.words, words);
}

static struct cluster_node row_of(uint32_t at, uint32_t machine)
{
    struct cluster_node row;
    CHECK(node_row(lab.machines[at].n, machine + 1, &row));
    return row;
}

static uint32_t until_leader(void)
{
    for (int i = 0; i < 200 && lab_leader() == LAB_NODES; i++)
        lab_run(100);
    CHECK(lab_leader() < LAB_NODES);
    return lab_leader();
}

/* ---- by itself ---- */

static void test_grows_to_five(void)
{
    begin(4, 1);
    lab_run(40000);
    CHECK(lab_until_voters(15, 7, 1000)); /* one more would bear no more failures */
    CHECK(lab_until_said(2, "node 4 stays a learner"));
    lab_power_on(4, false);
    CHECK(lab_until_members(ALL, 20000));
    CHECK(lab_until_said(1, "nodes 4 and 5 become voters in"));
    CHECK(!lab_until_voters(ALL, ALL, 10000)); /* it holds off for a while */
    CHECK(lab_until_voters(ALL, ALL, 40000));
    for (uint32_t i = 0; i < 2; i++)
        lab_power_cut(i);
    CHECK_EQUAL(lab_put(4, "two", "are gone"), E_OK);
    CHECK(lab_has(3, "two", "are gone"));
    lab_run(90000);
    CHECK(lab_until_voters(28, ALL, 1000)); /* silence alone takes no vote away */
    lab_stop();
}

static void test_one_voter_grows_to_three(void)
{
    lab_start(1, 2);
    lab_power_on(0, true);
    lab_power_on(1, false);
    lab_power_on(2, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_until_voters(7, 7, 60000));
    lab_power_cut(0);
    CHECK_EQUAL(lab_put(1, "the first", "is gone"), E_OK);
    lab_stop();
}

static void test_nodes_without_disk_stay_learners(void)
{
    begin(3, 3);
    lab.machines[3].has_disk = lab.machines[4].has_disk = false;
    lab_power_on(3, false);
    lab_power_on(4, false);
    CHECK(lab_until_members(ALL, 20000));
    lab_run(60000);
    CHECK(lab_until_voters(ALL, 7, 1000));
    CHECK_EQUAL(lab_members(1, CLUSTER_MEMBERS_PROMOTE, 4), E_CONFLICT);
    CHECK(said(1, "no disk"));
    lab_stop();
}

/* A voter that comes and goes is not one that may get more weight. */
static void test_hold_down_begins_anew(void)
{
    begin(4, 4);
    lab_power_on(4, false);
    CHECK(lab_until_members(ALL, 20000));
    for (int i = 0; i < 6; i++) {
        lab_run(12000);
        lab_power_cut(4);
        lab_run(6000);
        lab_power_on(4, false);
        CHECK(lab_until_voters(7, 7, 1000));
    }
    CHECK(lab_until_voters(ALL, ALL, 60000));
    lab_stop();
}

static void test_blank_disk_while_another_fault_happens(void)
{
    for (uint64_t seed = 5; seed < 10; seed++) {
        uint32_t victim = (uint32_t)seed % 5, other = (victim + 1 + (uint32_t)seed % 4) % 5, asks = (victim + 2) % 5;
        begin_five(seed);
        CHECK_EQUAL(lab_put(0, "k", "before"), E_OK);
        blank(victim);
        lab_run(random_below(&lab.random, 25000));
        lab_power_cut(other);
        asks = asks == other ? (asks + 1) % 5 : asks;
        CHECK(lab_until_voters(ALL & ~(1u << other), ALL, 90000)); /* its new log in the place of the old */
        CHECK_EQUAL(lab_put(victim, "k", "after"), E_OK);
        lab_power_on(other, false);
        CHECK(lab_until_members(ALL, 30000));
        for (uint32_t i = 0; i < 5; i++)
            lab_power_cut(i);
        for (uint32_t i = 0; i < 5; i++)
            lab_power_on(i, false);
        CHECK(lab_until_members(ALL, 30000));
        CHECK(lab_has(asks, "k", "after"));
        lab_check_equal(ALL);
        lab_stop();
    }
}

/* One after the other loses its disk, and power is cut at any moment of each change. */
static void test_every_disk_is_lost_in_turn(void)
{
    for (uint64_t seed = 20; seed < 23; seed++) {
        begin(3, seed);
        CHECK_EQUAL(lab_put(0, "kept", "through it all"), E_OK);
        for (uint32_t victim = 0; victim < 3; victim++) {
            blank(victim);
            for (int cut = 0; cut < 3; cut++) {
                lab_run(random_below(&lab.random, 25000));
                lab_power_cut(victim);
                lab_run(random_below(&lab.random, 2000));
                lab_power_on(victim, false);
            }
            CHECK(lab_until_voters(7, 7, 90000));
            lab_run(5000);
        }
        CHECK(lab_has(1, "kept", "through it all"));
        lab_check_equal(7);
        lab_stop();
    }
}

/* ---- by hand ---- */

static void test_remove_and_add_again(void)
{
    for (uint64_t seed = 30; seed < 34; seed++) {
        begin_five(seed);
        uint32_t victim = seed % 2 ? until_leader() : (until_leader() + 1) % 5;
        uint32_t asks = seed % 4 < 2 ? victim : (victim + 1) % 5, rest = ALL & ~(1u << victim);
        CHECK_EQUAL(lab_members(asks, CLUSTER_MEMBERS_REMOVE, victim + 1), E_OK);
        CHECK(said(asks, "is removed"));
        CHECK(lab_until_voters(rest, rest, 5000));
        uint32_t leader = until_leader();
        CHECK(leader != victim); /* also when it led */
        CHECK_EQUAL(row_of(leader, victim).state, 3);
        uint64_t term = lab_status(leader).term;
        lab_run(30000);
        CHECK(strstr(lab_status(victim).waiting, "was removed from the cluster"));
        CHECK_EQUAL(lab_status(leader).term, term);
        for (uint32_t i = 0; i < 5; i++)
            CHECK(i == victim || !(lab.machines[i].calls_up >> (victim + 1) & 1));
        lab_power_cut(victim);
        if (seed % 3 == 0)
            disk_blank(&lab.machines[victim].disk);
        lab_power_on(victim, false);
        lab_run(20000);
        CHECK(strstr(lab_status(victim).waiting, "was removed from the cluster"));
        CHECK_EQUAL(lab_status(until_leader()).term, term);
        CHECK_EQUAL(lab_members(leader, CLUSTER_MEMBERS_ADD, victim + 1), E_OK);
        CHECK(lab_until_members(ALL, 30000));
        CHECK(lab_until_voters(ALL, ALL, 60000));
        CHECK_EQUAL(lab_put(victim, "again", "here"), E_OK);
        lab_check_equal(ALL);
        lab_stop();
    }
}

/* It was cut off when it was removed: it learns of it late, and disturbs nobody when it comes and campaigns. */
static void test_a_removed_node_that_does_not_know(void)
{
    begin_five(40);
    cut_off(4, true);
    lab_run(6000);
    CHECK_EQUAL(lab_members(0, CLUSTER_MEMBERS_REMOVE, 5), E_OK);
    uint32_t leader = until_leader();
    uint64_t term = lab_status(leader).term;
    cut_off(4, false);
    for (int i = 0; i < 60; i++) {
        raft_campaign(lab.machines[4].n->raft);
        lab_run(500);
    }
    CHECK_EQUAL(lab_leader(), leader);
    CHECK_EQUAL(lab_status(leader).term, term);
    CHECK(strstr(lab_status(4).waiting, "was removed from the cluster"));
    CHECK_EQUAL(lab_put(1, "un", "disturbed"), E_OK);
    lab_stop();
}

static void test_drain_of_the_leader(void)
{
    for (uint64_t seed = 50; seed < 53; seed++) {
        begin(4, seed);
        uint32_t leader = until_leader(), asks = seed & 1 ? leader : (leader + 1) % 3,
                 rest = ALL >> 1 & ~(1u << leader);
        CHECK_EQUAL(lab_members(asks, CLUSTER_MEMBERS_DRAIN, leader + 1), E_OK);
        CHECK(said(asks, "is drained"));
        CHECK(lab_until_voters(15, rest, 5000)); /* node 4 has its vote */
        CHECK(lab_leader() != leader && row_of(asks, leader).state == 1);
        CHECK(strstr(row_of(asks, leader).note, "drained"));
        struct tables_result result;
        struct tables_op submit = {.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = 6, .command = {"echo hi", 7}}};
        CHECK_EQUAL(lab_propose(leader, submit, &result), E_OK); /* it still works for its own people */
        lab_run(5000);
        const struct tables_job *job = tables_job(node_tables(lab.machines[asks].n), result.value);
        for (uint32_t i = 0; i < 6; i++)
            CHECK(job->instances[i].state == TABLES_JOB_PLACED && job->instances[i].node != leader + 1);
        lab_power_cut(leader);
        CHECK_EQUAL(lab_put(3, "drained", "and off"), E_OK);
        lab_power_on(leader, false);
        CHECK(lab_until_members(15, 30000));
        CHECK_EQUAL(lab_members(3, CLUSTER_MEMBERS_ADD, leader + 1), E_OK);
        CHECK(!row_of(3, leader).note[0]);
        lab_run(60000);
        CHECK(lab_until_voters(15, rest, 1000)); /* and back it is a learner: four do not vote */
        lab_stop();
    }
}

static void test_drain_without_a_substitute_keeps_the_vote(void)
{
    begin(3, 60);
    uint32_t leader = until_leader(), other = (leader + 1) % 3, third = (leader + 2) % 3;
    CHECK_EQUAL(lab_members(other, CLUSTER_MEMBERS_DRAIN, leader + 1), E_OK);
    CHECK(said(other, "keeps its vote"));
    CHECK(lab_until_voters(7, 7, 1000) && lab_leader() != leader);
    CHECK_EQUAL(lab_members(other, CLUSTER_MEMBERS_TRANSFER, leader + 1), E_CONFLICT);
    CHECK(said(other, "drained"));
    lab_power_cut(third);
    lab_run(6000);
    CHECK_EQUAL(lab_members(leader, CLUSTER_MEMBERS_DRAIN, other + 1), E_CONFLICT); /* two of three are left */
    CHECK(said(leader, "would leave no quorum: 1 of 3"));
    CHECK_EQUAL(lab_members(leader, CLUSTER_MEMBERS_REMOVE, other + 1), E_CONFLICT);
    CHECK_EQUAL(lab_members(leader, CLUSTER_MEMBERS_REMOVE, third + 1), E_OK); /* who is gone can be let go */
    CHECK(lab_until_voters(7 & ~(1u << third), 7 & ~(1u << third), 5000));
    lab_stop();
}

static void test_promote_demote_and_refusals(void)
{
    begin(4, 70);
    CHECK_EQUAL(lab_members(1, CLUSTER_MEMBERS_REMOVE, 9), E_NOT_FOUND);
    CHECK(said(1, "no such node"));
    CHECK_EQUAL(lab_members(1, CLUSTER_MEMBERS_PROMOTE, 4), E_OK);
    CHECK(lab_until_voters(15, 15, 1000) && said(1, "is a voter"));
    CHECK_EQUAL(lab_members(3, CLUSTER_MEMBERS_DEMOTE, 4), E_OK);
    CHECK(lab_until_voters(15, 7, 1000) && said(3, "is a learner"));
    lab_power_on(4, false);
    CHECK(lab_until_members(ALL, 20000));
    lab_run(60000);
    CHECK(lab_until_voters(ALL, 7, 1000)); /* what is demoted by hand is not promoted by itself */
    cut_off(4, true);
    lab_run(6000);
    CHECK_EQUAL(lab_members(2, CLUSTER_MEMBERS_PROMOTE, 5), E_CONFLICT);
    CHECK(said(2, "not heard"));
    cut_off(4, false);
    uint32_t leader = until_leader();
    CHECK_EQUAL(lab_members(leader, CLUSTER_MEMBERS_DEMOTE, leader + 1), E_OK);
    CHECK(lab_leader() != leader && !row_of(leader, leader).voter);
    lab_stop();
}

static void test_transfer(void)
{
    begin(3, 80);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQUAL(lab_members(i % 3, CLUSTER_MEMBERS_TRANSFER, i * 2 % 3 + 1), E_OK);
        CHECK_EQUAL(lab_leader(), i * 2 % 3);
    }
    lab_power_on(3, false);
    CHECK(lab_until_members(15, 20000));
    CHECK_EQUAL(lab_members(0, CLUSTER_MEMBERS_TRANSFER, 4), E_CONFLICT);
    CHECK(said(0, "not a voter"));
    cut_off(2, true);
    lab_run(6000);
    CHECK_EQUAL(lab_members(2, CLUSTER_MEMBERS_TRANSFER, 1), E_NOT_DELIVERED);
    CHECK(said(2, "no leader is reachable"));
    lab_stop();
}

/* Two operators at once: one is served, the other hears so. */
static void test_one_change_at_a_time(void)
{
    begin_five(90);
    uint32_t leader = until_leader(), a = (leader + 1) % 5, b = (leader + 2) % 5;
    struct machine *second = &lab.machines[b];
    CHECK_EQUAL(node_members(lab.machines[a].n, 1000001, CLUSTER_MEMBERS_REMOVE, a + 1), E_OK);
    lab.machines[a].members = (struct lab_members){.token = 1000001};
    lab_run(100);
    CHECK_EQUAL(lab_members(b, CLUSTER_MEMBERS_REMOVE, b + 1), E_BUSY);
    CHECK(strstr(second->members.words, "under way"));
    lab_run(20000);
    CHECK(lab.machines[a].members.done && !lab.machines[a].members.err);
    CHECK(lab_until_voters(ALL & ~(1u << a), ALL & ~(1u << a), 1000));
    lab_stop();
}

/* Power cuts while an operator drains, removes and adds: each request has its effect, or none, and the cluster lives.
 */
static void test_power_cuts_amid_changes(void)
{
    static const enum cluster_members actions[] = {CLUSTER_MEMBERS_DRAIN,  CLUSTER_MEMBERS_ADD,
                                                   CLUSTER_MEMBERS_REMOVE, CLUSTER_MEMBERS_ADD,
                                                   CLUSTER_MEMBERS_DEMOTE, CLUSTER_MEMBERS_PROMOTE};
    uint32_t done = 0;
    for (uint64_t seed = 100; seed < 106; seed++) {
        begin_five(seed);
        CHECK_EQUAL(lab_put(0, "kept", "yes"), E_OK);
        for (uint32_t i = 0; i < 6; i++) {
            uint32_t target = random_below(&lab.random, 5), asks = random_below(&lab.random, 5);
            uint32_t victim = random_below(&lab.random, 5);
            struct machine *m = &lab.machines[asks];
            m->members = (struct lab_members){.token = ++lab.next_token};
            node_members(m->n, m->members.token, actions[i], target + 1);
            lab_run(random_below(&lab.random, 4000));
            lab_power_cut(victim);
            lab_run(random_below(&lab.random, 8000));
            lab_power_on(victim, false);
            lab_run(30000);
            done += m->members.done && !m->members.err;
        }
        uint32_t leader = until_leader();
        for (uint32_t node = 1; node <= 5; node++)
            CHECK_EQUAL(lab_members(leader = until_leader(), CLUSTER_MEMBERS_ADD, node), E_OK);
        CHECK(lab_until_members(ALL, 60000));
        CHECK(lab_until_voters(ALL, ALL, 120000));
        CHECK(lab_has(leader, "kept", "yes"));
        lab_check_equal(ALL);
        lab_stop();
    }
    CHECK(done > 15);
}

/* ---- what must not be ---- */

static void test_a_partitioned_leader_commits_nothing(void)
{
    begin_five(120);
    uint32_t old = until_leader(), other = (old + 1) % 5;
    struct machine *m = &lab.machines[old];
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = {"k", 1}, .value = {"old", 3}}};
    cut_off(old, true);
    uint64_t commit = lab_status(old).commit;
    m->answer = (struct lab_answer){.token = ++lab.next_token};
    CHECK_EQUAL(node_propose(m->n, m->answer.token, &op), E_OK);
    CHECK_EQUAL(node_members(m->n, 2000001, CLUSTER_MEMBERS_REMOVE, other + 1), E_OK);
    m->members = (struct lab_members){.token = 2000001};
    CHECK_EQUAL(lab_put(other, "k", "new"), E_OK);
    CHECK_EQUAL(lab_members(other, CLUSTER_MEMBERS_REMOVE, old + 1), E_OK);
    lab_run(20000);
    CHECK_EQUAL(lab_status(old).commit, commit);
    CHECK(!m->answer.done && m->members.done && m->members.err);
    cut_off(old, false);
    lab_run(20000);
    CHECK(!m->answer.done && strstr(lab_status(old).waiting, "was removed"));
    CHECK(lab_has(other, "k", "new"));
    lab_stop();
}

/* The voters have moved on, and the first ones lost their disks behind a partition, with leave to begin a cluster. */
static void test_no_second_genesis(void)
{
    begin_five(130);
    for (uint32_t node = 1; node <= 2; node++)
        CHECK_EQUAL(lab_members(4, CLUSTER_MEMBERS_REMOVE, node), E_OK);
    CHECK(lab_until_voters(28, 28, 5000));
    uint64_t cluster = lab_status(4).cluster_id[0];
    for (uint32_t i = 0; i < 2; i++) {
        lab_power_cut(i);
        disk_blank(&lab.machines[i].disk);
        for (uint32_t other = 2; other < 5; other++)
            lab.cut[i][other] = lab.cut[other][i] = true;
        lab_power_on(i, true);
    }
    lab_run(60000);
    for (uint32_t i = 0; i < 2; i++)
        CHECK(!lab_status(i).role && strstr(lab_status(i).waiting, "all voters of the new cluster"));
    memset(lab.cut, 0, sizeof(lab.cut));
    lab_run(20000);
    for (uint32_t i = 0; i < 2; i++)
        CHECK(lab_status(i).cluster_id[0] == cluster && strstr(lab_status(i).waiting, "was removed"));
    CHECK_EQUAL(lab_put(3, "one", "cluster"), E_OK);
    lab_stop();
}

static void test_memory_voters_that_lose_the_majority(void)
{
    lab_start(3, 140);
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].has_disk = false;
        lab_power_on(i, true);
    }
    CHECK(lab_until_members(7, 20000));
    CHECK_EQUAL(lab_put(2, "k", "v"), E_OK);
    lab_power_cut(0);
    lab_run(6000);
    CHECK_EQUAL(lab_members(2, CLUSTER_MEMBERS_DRAIN, 2), E_CONFLICT);
    CHECK(said(2, "would break the majority of memory voters"));
    lab_power_cut(1);
    uint64_t applied = lab_status(2).applied;
    char lost[2][17];
    const struct raft_conf *conf = raft_conf_now(lab.machines[2].n->raft);
    for (uint32_t i = 0; i < 2; i++)
        snprintf(lost[i], sizeof(lost[i]), "%016llx", (unsigned long long)conf->members[i].id.log);
    lab_run(3000);
    lab_power_on(0, true); /* even if told that they may begin a cluster */
    lab_power_on(1, true);
    lab_run(30000);
    struct cluster_status s = lab_status(2);
    char words[64];
    snprintf(words, sizeof(words), "last applied entry %llu;", (unsigned long long)s.applied);
    CHECK(strstr(s.waiting, "of 3 voters 2 came back without their log") && strstr(s.waiting, words));
    CHECK(strstr(s.waiting, lost[0]) && strstr(s.waiting, lost[1]));
    CHECK_EQUAL(s.applied, applied);
    CHECK(!s.quorum && lab_leader() == LAB_NODES);
    for (uint32_t i = 0; i < 2; i++)
        CHECK(!lab_status(i).role && strstr(lab_status(i).waiting, "to have a leader"));
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = {"k", 1}, .value = {"w", 1}}};
    struct tables_result result;
    CHECK_EQUAL(lab_propose(2, op, &result), E_TIMED_OUT);
    CHECK_EQUAL(lab_recover(2, RECOVER_DO), E_OK); /* and what waits is applied in the new epoch */
    CHECK(strstr(lab.text, "in memory only"));
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(0, "k", "w"));
    CHECK(lab_status(2).voter && lab_status(2).cluster_id[0] != s.cluster_id[0]);
    lab_stop();
}

int main(void)
{
    RUN(test_grows_to_five);
    RUN(test_one_voter_grows_to_three);
    RUN(test_nodes_without_disk_stay_learners);
    RUN(test_hold_down_begins_anew);
    RUN(test_blank_disk_while_another_fault_happens);
    RUN(test_every_disk_is_lost_in_turn);
    RUN(test_remove_and_add_again);
    RUN(test_a_removed_node_that_does_not_know);
    RUN(test_drain_of_the_leader);
    RUN(test_drain_without_a_substitute_keeps_the_vote);
    RUN(test_promote_demote_and_refusals);
    RUN(test_transfer);
    RUN(test_one_change_at_a_time);
    RUN(test_power_cuts_amid_changes);
    RUN(test_a_partitioned_leader_commits_nothing);
    RUN(test_no_second_genesis);
    RUN(test_memory_voters_that_lose_the_majority);
    return 0;
}
