/* What members come to believe of each other. */
#include "lab.h"

static struct member_view view(uint32_t observer, uint32_t subject)
{
    struct member_view v = {0};
    CHECK(member_view(lab.machines[observer].m, lab_id(subject), &v));
    return v;
}

static uint32_t deaths(void)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < LAB_NODES; i++)
        all += lab.machines[i].deaths;
    return all;
}

static void test_all_alive_and_quiet(void)
{
    lab_start(5, false);
    lab_run(20000);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK(lab_all(5, i, MEMBER_ALIVE));
        CHECK_EQUAL(member_health(lab.machines[i].m), 0);
        CHECK_EQUAL(member_digest(lab.machines[i].m), member_digest(lab.machines[0].m));
    }
    CHECK_EQUAL(deaths(), 0);
    lab_stop();
}

static void test_crash_is_known(void)
{
    lab_start(5, false);
    lab_run(5000);
    lab.machines[2].m = NULL;
    lab_run(15000);
    CHECK(lab_all(5, 2, MEMBER_DEAD));
    CHECK_EQUAL(deaths(), 4);
    CHECK(view(0, 2).since_ns > 5000 * MS); /* silent since then, not since it was given up */
    lab_stop();
}

static void test_two_alone(void)
{
    lab_start(2, false);
    lab_run(5000);
    lab.machines[1].m = NULL;
    lab_run(30000);
    CHECK_EQUAL(lab_state(0, 1), MEMBER_DEAD);
    lab_stop();
}

/* Two cannot reach each other, but others reach both: no suspicion. */
static void test_a_cut_between_two_is_asked_around(void)
{
    lab_start(5, false);
    lab.cut[0][1] = lab.cut[1][0] = true;
    lab_run(60000);
    CHECK_EQUAL(lab_state(0, 1), MEMBER_ALIVE);
    CHECK_EQUAL(lab_state(1, 0), MEMBER_ALIVE);
    CHECK_EQUAL(deaths(), 0);
    CHECK_EQUAL(member_counters(lab.machines[0].m)->probes_failed, 0);
    CHECK_EQUAL(member_counters(lab.machines[0].m)->suspicions, 0);
    lab_stop();
}

static void test_lossy_network_kills_nobody(void)
{
    lab_start(8, false);
    lab.loss_percent = 20;
    lab_run(300000);
    CHECK_EQUAL(deaths(), 0);
    lab_stop();
}

/* A node that was not run for long finds all its times over: it is the slow one. */
static void test_who_slept_buries_nobody(void)
{
    lab_start(5, false);
    lab_run(5000);
    lab.machines[3].stalled = true;
    lab.machines[4].m = NULL; /* so that it has a suspicion to sleep over */
    lab_run(60000);
    CHECK(lab_all(3, 3, MEMBER_DEAD));
    lab.machines[3].stalled = false;
    lab_run(1000);
    CHECK_EQUAL(lab.machines[3].deaths, 0);
    CHECK(member_counters(lab.machines[3].m)->stalls > 0);
    lab_run(60000);
    CHECK(lab_all(4, 3, MEMBER_ALIVE)); /* it outbid what was said of it */
    CHECK(view(0, 3).incarnation > 1);
    CHECK_EQUAL(lab.machines[3].deaths, 1);
    lab_stop();
}

static void test_restart_is_another_boot(void)
{
    lab_start(4, false);
    lab_run(5000);
    lab_boot(1, 999);
    for (uint32_t i = 0; i < 4; i++) {
        if (i != 1)
            lab_tell(1, i);
    }
    lab_run(10000);
    CHECK(lab_all(4, 1, MEMBER_ALIVE));
    for (uint32_t i = 0; i < 4; i++)
        CHECK_EQUAL(view(i, 1).boot, 999);
    CHECK_EQUAL(deaths(), 0);
    lab_stop();
}

static void test_partition_heals_without_flapping(void)
{
    lab_start(7, false);
    lab_run(5000);
    for (uint32_t i = 0; i < 7; i++) {
        for (uint32_t j = 0; j < 7; j++)
            lab.cut[i][j] = (i < 3) != (j < 3);
    }
    lab_run(60000);
    CHECK_EQUAL(deaths(), 2 * 3 * 4);
    memset(lab.cut, 0, sizeof(lab.cut));
    lab_run(60000);
    for (uint32_t i = 0; i < 7; i++)
        CHECK(lab_all(7, i, MEMBER_ALIVE));
    CHECK_EQUAL(deaths(), 2 * 3 * 4);
    lab_stop();
}

static void test_open_members_find_each_other(void)
{
    lab_start(8, true);
    lab_run(15000);
    for (uint32_t i = 0; i < 8; i++)
        CHECK(lab_all(8, i, MEMBER_ALIVE));
    lab_stop();
}

/* Suspicion never makes a member forgotten; the mount's word does, and gossip does not bring it back. */
static void test_only_the_mount_removes(void)
{
    lab_start(4, false);
    lab.machines[3].m = NULL;
    lab_run(60000);
    CHECK_EQUAL(lab_state(0, 3), MEMBER_DEAD);
    member_remove(lab.machines[0].m, lab_id(3));
    lab_run(30000);
    CHECK_EQUAL(lab_state(0, 3), 0);
    member_remove(lab.machines[0].m, lab_id(0)); /* not itself */
    CHECK_EQUAL(lab_state(0, 0), MEMBER_ALIVE);
    lab_stop();
}

static void test_leaving(void)
{
    lab_start(4, false);
    lab_run(5000);
    member_leave(lab.machines[2].m, lab.now_ns);
    lab_run(3000);
    lab.machines[2].m = NULL;
    lab_run(20000);
    CHECK(lab_all(4, 2, MEMBER_LEFT));
    CHECK_EQUAL(deaths(), 0);
    lab_stop();
}

/* What is heard by another way needs no question. */
static void test_signs_of_life_save_questions(void)
{
    lab_start(3, false);
    lab_run(20000);
    uint64_t before = lab.machines[0].sent;
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t a = 0; a < 3; a++) {
            for (uint32_t b = 0; b < 3; b++)
                member_heard(lab.machines[a].m, lab_id(b), 100 + b, lab.now_ns);
        }
        lab_run(500);
    }
    CHECK(lab.machines[0].sent - before < 30);                     /* comparisons alone */
    member_heard(lab.machines[0].m, lab_id(1), 7, lab.now_ns + 1); /* another boot's sign says nothing of this one */
    CHECK(view(0, 1).since_ns <= lab.now_ns);
    lab_stop();
}

static void test_all_memory_is_given(void)
{
    struct member_config c;
    member_config_default(&c, 250 * MS);
    c.capacity = 1000;
    CHECK(member_bytes(&c) && member_bytes(&c) <= 256 * 1000);
    c.capacity = 64;
    CHECK(member_bytes(&c) <= 256 * 64);
    lab_start(8, false);
    CHECK_EQUAL(member_add(lab.machines[0].m, lab.now_ns, 12345, 1), E_FULL);
    c.timeout_ns = c.probe_ns;
    CHECK_EQUAL(member_bytes(&c), 0);
    lab_stop();
}

static void test_foreign_packets_are_refused(void)
{
    lab_start(2, false);
    uint8_t packet[MEMBER_PACKET_MAX];
    uint64_t to;
    const char *why;
    struct member *a = lab.machines[0].m, *b = lab.machines[1].m;
    size_t bytes = 0;
    while (!bytes) {
        lab.now_ns += 100 * MS;
        member_run(a, lab.now_ns);
        bytes = member_output(a, lab.now_ns, &to, packet);
    }
    CHECK_EQUAL(member_receive(b, lab.now_ns, lab_id(0), packet, bytes, &why), E_OK);
    CHECK_EQUAL(member_receive(b, lab.now_ns, lab_id(1), packet, bytes, &why), E_BAD_MESSAGE);
    CHECK_STRING(why, "it is not of who carried it here");
    CHECK_EQUAL(member_receive(a, lab.now_ns, lab_id(0), packet, bytes, &why), E_BAD_MESSAGE);
    CHECK_STRING(why, "it is for another node");
    packet[4] ^= 1;
    CHECK_EQUAL(member_receive(b, lab.now_ns, lab_id(0), packet, bytes, &why), E_BAD_MESSAGE);
    CHECK_STRING(why, "it is of another cluster");
    CHECK_EQUAL(member_counters(b)->refused, 2);
    lab_stop();
}

int main(void)
{
    RUN(test_all_alive_and_quiet);
    RUN(test_crash_is_known);
    RUN(test_two_alone);
    RUN(test_a_cut_between_two_is_asked_around);
    RUN(test_lossy_network_kills_nobody);
    RUN(test_who_slept_buries_nobody);
    RUN(test_restart_is_another_boot);
    RUN(test_partition_heals_without_flapping);
    RUN(test_open_members_find_each_other);
    RUN(test_only_the_mount_removes);
    RUN(test_leaving);
    RUN(test_signs_of_life_save_questions);
    RUN(test_all_memory_is_given);
    RUN(test_foreign_packets_are_refused);
    return 0;
}
