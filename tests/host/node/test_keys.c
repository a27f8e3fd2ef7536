/* Another key takes the cluster key's place: for all without a stop, past a node that was away, and after a leak. */
#include "lab.h"

#include "node_state.h"

#include <seal/primitives.h>

static void make_key(uint8_t byte, uint8_t key[NODE_KEY_BYTES])
{
    memset(key, byte, NODE_KEY_BYTES);
}

static uint64_t id_of(uint32_t machine, uint8_t byte)
{
    uint8_t key[NODE_KEY_BYTES];
    make_key(byte, key);
    return link_key_id(lab.machines[machine].n->link, key);
}

static err_t step_of_change(uint32_t machine, uint64_t action, uint8_t byte, bool leaked)
{
    struct tables_result result;
    struct node *n = lab.machines[machine].n;
    uint8_t key[NODE_KEY_BYTES];
    uint64_t id, from = action == TABLES_KEY_BEGIN ? node_keys_now(n) : 0;
    make_key(byte, key);
    if (action == TABLES_KEY_BEGIN && node_keys_offer(n, key, &id) != E_OK)
        return E_BUSY;
    err_t err = lab_propose(
        machine,
        (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {action, id_of(machine, byte), from, leaked}},
        &result);
    if (action == TABLES_KEY_BEGIN)
        node_keys_offer_decided(n);
    return err;
}

static err_t enter(uint32_t machine, uint8_t byte)
{
    uint8_t key[NODE_KEY_BYTES];
    make_key(byte, key);
    return node_keys_enter(lab.machines[machine].n, key);
}

/* It has this key and no other. */
static bool has_only(uint32_t machine, uint8_t byte)
{
    const struct node_keys *k = &lab.machines[machine].n->keys;
    return k->count == 1 && k->held[0].id == id_of(machine, byte);
}

static bool until_all_have_only(uint32_t mask, uint8_t byte)
{
    for (uint32_t tries = 0; tries < 100; tries++) {
        bool all = true;
        for (uint32_t i = 0; i < LAB_NODES; i++)
            all = all && (!(mask >> i & 1) || has_only(i, byte));
        if (all)
            return true;
        lab_run(100);
    }
    return false;
}

static void begin(uint64_t seed)
{
    lab_start(3, seed);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 60000));
}

static uint32_t call_ends(void)
{
    return lab.machines[0].call_ends + lab.machines[1].call_ends + lab.machines[2].call_ends;
}

/* With loss, with writes all the time, and begun by each: nothing is refused, no session ends, and after it a power cut
 * of all finds the new key again. */
static void test_planned(void)
{
    char value[16];
    for (uint32_t by = 0; by < 3; by++) {
        begin(70 + by);
        lab.loss_percent = by * 5;
        lab_run(3000);
        uint32_t ends = call_ends();
        uint64_t term = lab_status(0).term;
        CHECK_EQUAL(step_of_change(by, TABLES_KEY_BEGIN, 9, false), E_OK);
        for (uint32_t i = 0; i < 60; i++) {
            snprintf(value, sizeof(value), "%u", i);
            CHECK_EQUAL(lab_put(i % 3, "written", value), E_OK);
            lab_run(100);
        }
        CHECK(until_all_have_only(7, 9));
        lab_run(12000); /* sessions that were begun with the old key would end now */
        CHECK(lab_all_members(7) && call_ends() == ends && lab_status(0).term == term);
        CHECK_EQUAL(tables_cluster_key(node_tables(lab.machines[0].n))->changes, 1);
        lab.loss_percent = 0;
        for (uint32_t i = 0; i < 3; i++)
            lab_power_cut(i);
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, false);
        CHECK(lab_until_members(7, 60000) && until_all_have_only(7, 9) && lab_has(by, "written", "59"));
        lab_stop();
    }
}

/* And again: the second change's key is kept under the key of the boot as well. */
static void test_again_and_again(void)
{
    begin(80);
    for (uint8_t byte = 20; byte < 24; byte++) {
        CHECK_EQUAL(step_of_change(byte % 3, TABLES_KEY_BEGIN, byte, false), E_OK);
        CHECK(until_all_have_only(7, byte));
        lab_power_cut(byte % 3);
        lab_power_on(byte % 3, false);
        CHECK(lab_until_members(7, 60000) && has_only(byte % 3, byte));
    }
    lab_stop();
}

/* Power cuts anywhere in a change lose nobody who was ready. */
static void test_cuts_in_a_change(void)
{
    for (uint64_t seed = 90; seed < 102; seed++) {
        begin(seed);
        CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
        lab_run(random_below(&lab.random, 1500));
        uint32_t victim = 1 + random_below(&lab.random, 2);
        lab_power_cut(victim);
        lab_run(random_below(&lab.random, 9000));
        lab_power_on(victim, false);
        CHECK(lab_until_members(7, 60000) && until_all_have_only(7, 9));
        lab_stop();
    }
}

/* The change waits for who is away, until somebody says that it does not. */
static void test_absent(void)
{
    begin(110);
    lab_power_cut(2);
    lab_run(8000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
    uint64_t ready;
    CHECK(!node_keys_majority(lab.machines[0].n, &ready) && !ready);
    lab_run(10000);
    CHECK(lab.machines[0].n->keys.count == 2 && lab.machines[1].n->keys.count == 2); /* both are valid */
    CHECK_EQUAL(step_of_change(1, TABLES_KEY_DROP, 9, false), E_BUSY);
    CHECK(node_keys_majority(lab.machines[1].n, &ready) && ready == 3);
    CHECK_EQUAL(step_of_change(1, TABLES_KEY_DROP_NOW, 9, false), E_OK);
    CHECK(until_all_have_only(3, 9));
    lab_power_on(2, false);
    lab_run(20000);
    CHECK(!lab_all_members(4) && strstr(lab_status(2).waiting, "key enter"));
    struct cluster_node row;
    CHECK(node_row(lab.machines[0].n, 3, &row) && row.state == 4 && strstr(row.note, "key"));
    CHECK(lab_status(0).frames_old_key > 0 && lab_status(0).frames_wrong_key == 0);
    CHECK_EQUAL(enter(0, 77), E_CONFLICT); /* a member is not given another one by mistake */
    CHECK_EQUAL(enter(2, 9), E_OK);
    CHECK(lab_until_members(7, 60000) && has_only(2, 9) && lab_status(2).waiting[0] == 0);
    lab_power_cut(2); /* what was entered is in memory only */
    lab_power_on(2, false);
    lab_run(20000);
    CHECK(!lab_all_members(4));
    lab_power_cut(2);
    lab.machines[2].key_byte = 9; /* where it boots from */
    lab_power_on(2, false);
    CHECK(lab_until_members(7, 60000) && has_only(2, 9));
    lab_stop();
}

static void test_back_in_time(void)
{
    begin(120);
    lab_power_cut(1);
    lab_run(8000);
    CHECK_EQUAL(step_of_change(2, TABLES_KEY_BEGIN, 9, false), E_OK);
    lab_run(5000);
    lab_power_on(1, false);
    CHECK(lab_until_members(7, 60000) && until_all_have_only(7, 9));
    lab_stop();
}

static void test_cancelled(void)
{
    begin(130);
    lab_power_cut(1);
    lab_run(8000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
    lab_run(5000);
    CHECK_EQUAL(step_of_change(2, TABLES_KEY_BEGIN, 8, false), E_BUSY);
    CHECK_EQUAL(step_of_change(2, TABLES_KEY_CANCEL, 9, false), E_OK);
    CHECK(until_all_have_only(5, 5));
    lab_power_on(1, false);
    CHECK(lab_until_members(7, 60000) && has_only(1, 5));
    CHECK_EQUAL(step_of_change(2, TABLES_KEY_BEGIN, 8, false), E_OK);
    CHECK(until_all_have_only(7, 8));
    lab_stop();
}

/* After a leak the new key goes nowhere by itself, however long, whoever asks; and it is on no disk. */
static void test_leaked(void)
{
    static const uint8_t none[NODE_KEY_RECORD_BYTES];
    begin(140);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, true), E_OK);
    lab_run(15000);
    CHECK(lab.machines[0].n->keys.count == 2 && has_only(1, 5) && has_only(2, 5));
    CHECK(!lab.machines[0].n->keys.held[1].kept && memcmp(lab.machines[0].n->keys.record, none, sizeof(none)));
    CHECK_EQUAL(lab.machines[0].n->keys.record[9], 0); /* so many are kept */
    uint8_t key[NODE_KEY_BYTES];
    make_key(9, key);
    for (uint32_t i = 1; i < 3; i++) /* also not when a member that does not know it is a leak sends it */
        node_send_control(lab.machines[0].n, &lab.machines[0].n->others[i], CONTROL_KEY, key, sizeof(key));
    lab_run(2000);
    CHECK(has_only(1, 5) && has_only(2, 5));
    CHECK_EQUAL(enter(1, 77), E_CONFLICT);
    CHECK_EQUAL(enter(1, 9), E_OK);
    CHECK_EQUAL(enter(1, 9), E_EXISTS);
    lab_run(5000);
    CHECK(lab.machines[1].n->keys.count == 2 && has_only(2, 5));
    uint32_t ends = call_ends();
    CHECK_EQUAL(enter(2, 9), E_OK);
    CHECK(until_all_have_only(7, 9));
    lab_run(12000);
    CHECK(lab_all_members(7) && call_ends() == ends);
    for (uint32_t i = 0; i < 3; i++) {
        lab_power_cut(i);
        lab.machines[i].key_byte = 9;
    }
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, false);
    CHECK(lab_until_members(7, 60000) && until_all_have_only(7, 9));
    lab_stop();
}

/* A power cut between the entry that drops the old key and its record: the node drops it as soon as it has read its
 * log, and not only when it is a member again. */
static void test_cut_before_the_record(void)
{
    uint8_t record[NODE_KEY_RECORD_BYTES];
    begin(144);
    lab_power_cut(2);
    lab_run(8000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
    lab_run(5000);
    struct node *n = lab.machines[1].n;
    CHECK(n->keys.count == 2);
    memcpy(record, n->keys.record, sizeof(record));
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_DROP_NOW, 9, false), E_OK);
    CHECK(until_all_have_only(3, 9));
    lab_run(3000);
    memcpy(n->keys.record, record, sizeof(record));
    node_log_keep_keys(n);
    lab_run(1000);
    lab_power_cut(0);
    lab_power_cut(1);
    lab_power_on(1, false); /* alone */
    lab_run(3000);
    CHECK(!lab_all_members(2) && has_only(1, 9));
    lab_power_on(0, false);
    CHECK(lab_until_members(3, 60000));
    lab_stop();
}

/* Two are offered at one node at once: the second waits for what becomes of the first, so no change is begun to a key
 * that nobody has. */
static void test_offered_twice(void)
{
    uint8_t key[NODE_KEY_BYTES];
    uint64_t id;
    begin(145);
    struct node *n = lab.machines[1].n;
    for (uint32_t i = 0; i < 2; i++) {
        make_key(9, key);
        CHECK_EQUAL(node_keys_offer(n, key, &id), E_OK);
        make_key(8, key);
        CHECK_EQUAL(node_keys_offer(n, key, &id), E_BUSY);
        if (i)
            break;
        node_keys_offer_decided(n); /* refused: what was offered is wiped */
        make_key(9, key);
        CHECK(!lab_memory_holds(1, key));
    }
    struct tables_result result;
    struct tables_op op = {.kind = TABLES_CLUSTER_KEY,
                           .cluster_key = {TABLES_KEY_BEGIN, id_of(1, 9), node_keys_now(n), 0}};
    CHECK_EQUAL(lab_propose(1, op, &result), E_OK);
    node_keys_offer_decided(n);
    CHECK(until_all_have_only(7, 9));
    lab_stop();
}

/* A stranger with the dropped key keeps a session with who has missed the change: it is enrolled all the same. */
static void test_enrolled_beside_a_stranger(void)
{
    begin(146);
    lab_power_cut(2);
    lab_run(8000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, true), E_OK);
    lab_run(3000);
    CHECK_EQUAL(enter(1, 9), E_OK);
    lab_run(5000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_DROP_NOW, 9, false), E_OK);
    CHECK(until_all_have_only(3, 9));
    lab_power_on(2, false);
    lab_power_on(3, false); /* the stranger */
    lab_run(15000);
    CHECK(!lab_all_members(4) && lab.machines[2].n->others[0].session + lab.machines[2].n->others[1].session +
                                         lab.machines[2].n->others[2].session >
                                     0);
    CHECK_EQUAL(enter(2, 9), E_OK);
    CHECK(lab_until_members(7, 60000) && has_only(2, 9));
    lab_stop();
}

/* Strangers with the dropped key say that they are a thousand nodes: a few lines of log, and the member that lacks the
 * new key is still shown. */
static void test_flood_under_a_dropped_key(void)
{
    struct seal_cluster cluster;
    uint8_t key[NODE_KEY_BYTES], drawn[32], frame[SEAL_HELLO_BYTES];
    begin(147);
    lab_power_cut(2);
    lab_run(8000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
    lab_run(5000);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_DROP_NOW, 9, false), E_OK);
    CHECK(until_all_have_only(3, 9));
    lab_power_on(2, false);
    lab_run(5000);
    lab_power_cut(2);
    make_key(5, key);
    seal_cluster_begin(&cluster, "lab");
    seal_secret_add(&cluster, key);
    uint32_t lines = lab.machines[0].lines;
    for (uint32_t i = 0; i < 1000; i++) {
        struct seal_identity self = {.node_id = {7000 + i, 1}, .boot_id = {1, 1}, .protocol = SEAL_PROTOCOL};
        random_fill(&lab.random, drawn, sizeof(drawn));
        seal_hello_write(&cluster, &cluster.secrets[0], &self, drawn, frame);
        node_datagram(lab.machines[0].n, lab.now_ns, (struct link_address){900 + i, 7447}, frame, sizeof(frame));
        lab_run(10);
    }
    struct cluster_node row;
    CHECK(lab.machines[0].lines - lines <= 3);
    CHECK(node_row(lab.machines[0].n, 3, &row) && row.state == 4 && strstr(row.note, "key"));
    lab_stop();
}

/* What the disk keeps is of no use without the key that the machine boots with, and damage to it is as if it were not
 * there. */
static void test_kept_keys_are_sealed(void)
{
    begin(150);
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
    CHECK(until_all_have_only(7, 9));
    uint8_t key[NODE_KEY_BYTES], record[NODE_KEY_RECORD_BYTES];
    make_key(9, key);
    memcpy(record, lab.machines[1].n->keys.record, sizeof(record));
    CHECK_EQUAL(record[9], 1);
    for (uint32_t at = 0; at + 8 <= sizeof(record); at++)
        CHECK(memcmp(record + at, key, 8));
    lab_power_cut(1);
    lab.machines[1].key_byte = 6;
    lab_power_on(1, false);
    lab_run(15000);
    CHECK(!lab_all_members(2) && has_only(1, 6) && lab_status(0).frames_wrong_key > 0);
    struct node *n = lab.machines[1].n;
    uint8_t keeper[32];
    make_key(5, key); /* as if it had booted with that, but for what it holds */
    seal_hkdf("lab", 3, key, sizeof(key), "shoal keeper", 12, keeper, sizeof(keeper));
    memcpy(n->keys.keeper, keeper, sizeof(keeper));
    n->keys.boot_id = id_of(1, 5);
    struct node_keys before = n->keys;
    for (uint32_t bit = 0; bit < 8 * 98; bit++) { /* also of what says that the key of the boot is valid no more */
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        n->keys.loaded = false;
        node_keys_load(n, record);
        CHECK(n->keys.count == (bit == 72 ? 0 : 1) && (bit == 72 || has_only(1, 6))); /* 72: fewer, if none is kept */
        n->keys = before;
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    n->keys.loaded = false; /* and it opens when nothing is wrong */
    CHECK(node_keys_load(n, record) && has_only(1, 9));
    record[9] = 3;
    CHECK(!node_keys_load(n, record));
    lab_stop();
}

/* The new key crosses the wire, in no form that a listener knows. */
static uint8_t planted[NODE_KEY_BYTES];
static uint32_t searched, found;

static void search(struct lab_packet *p)
{
    searched++;
    for (uint32_t at = 0; at + 8 <= p->bytes; at++)
        found += !memcmp(p->data + at, planted, 8) || !memcmp(p->data + at, planted + 24, 8);
}

static void test_nothing_on_the_wire(void)
{
    make_key(9, planted);
    begin(160);
    lab.tap = search;
    searched = found = 0;
    CHECK_EQUAL(step_of_change(0, TABLES_KEY_BEGIN, 9, false), E_OK);
    CHECK(until_all_have_only(7, 9));
    CHECK(searched > 50 && found == 0);
    struct lab_packet p = {.bytes = 100};
    memcpy(p.data + 31, planted, sizeof(planted)); /* and it would be found */
    search(&p);
    CHECK(found > 0);
    lab_stop();
}

/* A key is in memory while it is valid and no longer, and what sessions' keys were drawn from not at all: who reads all
 * memory later can open nothing that was recorded. */
static void test_nothing_is_left_in_memory(void)
{
    uint8_t key[3][NODE_KEY_BYTES];
    begin(170);
    for (uint32_t i = 0; i < 3; i++) {
        random_fill(&lab.random, key[i], NODE_KEY_BYTES);
        CHECK(!lab_memory_holds(i, lab.machines[i].seed));
    }
    for (uint32_t i = 0; i < 3; i++) {
        struct node *n = lab.machines[i].n;
        struct tables_result result;
        uint64_t id;
        CHECK_EQUAL(node_keys_offer(n, key[i], &id), E_OK);
        lab.secret = key[i];
        CHECK_EQUAL(lab_propose(i,
                                (struct tables_op){.kind = TABLES_CLUSTER_KEY,
                                                   .cluster_key = {TABLES_KEY_BEGIN, id, node_keys_now(n), false}},
                                &result),
                    E_OK);
        node_keys_offer_decided(n);
        for (uint32_t tries = 0; tries < 100 && tables_cluster_key(node_tables(n))->changes < i + 1; tries++)
            lab_run(100);
        lab_run(10000);
        for (uint32_t at = 0; at < 3; at++) {
            CHECK(lab_memory_holds(at, key[i]));
            CHECK(!i || !lab_memory_holds(at, key[i - 1]));
        }
    }
    lab_stop(); /* and nothing is given back with it */
}

int main(void)
{
    RUN(test_planned);
    RUN(test_again_and_again);
    RUN(test_cuts_in_a_change);
    RUN(test_absent);
    RUN(test_back_in_time);
    RUN(test_cancelled);
    RUN(test_leaked);
    RUN(test_cut_before_the_record);
    RUN(test_offered_twice);
    RUN(test_enrolled_beside_a_stranger);
    RUN(test_flood_under_a_dropped_key);
    RUN(test_kept_keys_are_sealed);
    RUN(test_nothing_on_the_wire);
    RUN(test_nothing_is_left_in_memory);
    return 0;
}
