/* The key of each log is pinned in the tables; who names a log and has not its key takes no part as that log, though it
 * has the cluster key. It stays with the log: over power cuts, changes of the cluster key, and keys put in by hand. */
#include "lab.h"

#include "node_state.h"

static struct node *node(uint32_t machine)
{
    return lab.machines[machine].n;
}

static void begin(uint64_t seed)
{
    lab_start(3, seed);
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 60000));
}

static uint64_t id_of(uint8_t byte)
{
    uint8_t key[NODE_KEY_BYTES];
    memset(key, byte, sizeof(key));
    return link_key_id(node(0)->link, key);
}

/* At `on`, the pin of machine `about`. */
static struct tables_log_key pin(uint32_t on, uint32_t about)
{
    const struct tables_node *row = tables_node(node_tables(node(on)), about + 1);
    CHECK(row);
    return row->log_key;
}

/* The tables of all have the key that it proves, under that cluster key. */
static bool pinned(uint32_t mask, uint32_t about, uint8_t cluster_byte)
{
    struct tables_log_key own = node_log_key_of(node(about), node(about)->log_key.pair.public);
    for (uint32_t i = 0; i < 3; i++) {
        struct tables_log_key k = mask >> i & 1 ? pin(i, about) : own;
        if (!same_id(k.low, own.low) || !same_id(k.high, own.high) ||
            (mask >> i & 1 && k.cluster_key != id_of(cluster_byte)))
            return false;
    }
    return true;
}

static bool until_pinned(uint32_t mask, uint32_t about, uint8_t cluster_byte)
{
    for (uint32_t tries = 0; tries < 100 && !pinned(mask, about, cluster_byte); tries++)
        lab_run(100);
    return pinned(mask, about, cluster_byte);
}

static void test_pins_stay_with_logs(void)
{
    uint8_t before[32];
    begin(300);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(until_pinned(7, i, 5));
    memcpy(before, node(1)->log_key.pair.public, 32);
    lab_power_cut(1);
    lab_power_on(1, false);
    CHECK(lab_until_members(7, 60000) && !memcmp(before, node(1)->log_key.pair.public, 32) && pinned(7, 1, 5));
    lab_power_cut(1);
    disk_blank(&lab.machines[1].disk); /* another log */
    lab_power_on(1, false);
    CHECK(lab_until_members(7, 60000) && memcmp(before, node(1)->log_key.pair.public, 32));
    CHECK(until_pinned(7, 1, 5));
    lab_stop();
}

static void test_logs_in_memory(void)
{
    lab_start(3, 310);
    for (uint32_t i = 0; i < 3; i++) {
        lab.machines[i].has_disk = false;
        lab_power_on(i, true);
    }
    CHECK(lab_until_members(7, 60000));
    lab_power_cut(2);
    lab_run(1000);
    lab_power_on(2, false);
    CHECK(lab_until_members(7, 60000) && until_pinned(7, 2, 5));
    lab_stop();
}

/* Machine 3 has the cluster key and says that it is machine `victim`, with its log. */
static void impersonate(uint32_t victim, const uint64_t log_id[2])
{
    lab_power_on(3, false);
    struct node *liar = node(3);
    liar->config.node_id[0] = 1000 + victim;
    memcpy(liar->log_id, log_id, sizeof(liar->log_id));
    node_identity_changed(liar);
}

static uint32_t sessions_of(const struct node *n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++)
        count += n->others[i].session != 0;
    return count;
}

/* It is refused, counted and shown, by the lower and the higher node ids; the log's own machine is not hurt by it. */
static void test_another_claims_a_log(void)
{
    struct cluster_node row;
    for (uint32_t victim = 0; victim < 3; victim++) {
        uint32_t others = 7u & ~(1u << victim), one = (victim + 1) % 3;
        begin(320 + victim);
        CHECK(until_pinned(7, victim, 5));
        uint64_t log_id[2] = {node(victim)->log_id[0], node(victim)->log_id[1]};
        lab.cut[3][victim] = lab.cut[victim][3] = true; /* so that it is not found out by its node id alone */
        impersonate(victim, log_id);
        lab_run(10000);
        CHECK(lab_all_members(7) && sessions_of(node(3)) == 0);
        lab_power_cut(victim);
        lab_run(15000);
        CHECK(sessions_of(node(3)) == 0 && sessions_of(node(one)) == 1);
        for (uint32_t i = 0; i < 3; i++) {
            if (i == victim)
                continue;
            CHECK(lab_status(i).frames_false_log > 0);
            CHECK(node_row(node(i), victim + 1, &row) && row.state == 4 &&
                  strstr(row.note, "has not the key of the log"));
        }
        CHECK_EQUAL(lab_put(one, "without it", "yes"), E_OK);
        CHECK(lab_all_members(others));
        lab_power_cut(3);
        lab_power_on(victim, false);
        CHECK(lab_until_members(7, 60000) && pinned(7, victim, 5) && lab_has(victim, "without it", "yes"));
        lab_stop();
    }
}

/* A node that takes part under its own name, log and key says things in the name of another. */
static void test_nobody_speaks_for_another_log(void)
{
    uint8_t bytes[RAFT_WIRE_HEADER_MAX];
    size_t count;
    begin(330);
    lab_power_on(3, false);
    CHECK(lab_until_members(15, 60000));
    uint32_t leader = lab_leader(), victim = (leader + 1) % 3, target = (leader + 2) % 3;
    struct node *liar = node(3);
    uint64_t term = lab_status(target).term;
    struct raft_message m = {.type = RAFT_MSG_VOTE,
                             .transfer = true,
                             .cluster = node(target)->cluster_id[0],
                             .from = raft_id_of(node(victim)->config.node_id, node(victim)->log_id),
                             .to = raft_id_of(node(target)->config.node_id, node(target)->log_id),
                             .term = term + 7,
                             .index = 1000000,
                             .log_term = term + 6};
    CHECK_EQUAL(raft_wire_encode(liar->raft, &m, NULL, bytes, sizeof(bytes), &count), E_OK);
    const struct other *o = node_other_by_raft(liar, node(target)->config.node_id[0]);
    CHECK(o && node_send_control(liar, o, CONTROL_RAFT, bytes, count));
    lab_run(2000);
    CHECK(lab_status(target).term == term && lab_leader() == leader);
    m.from = raft_id_of(liar->config.node_id, liar->log_id); /* and in its own it is heard: terms are believed */
    CHECK_EQUAL(raft_wire_encode(liar->raft, &m, NULL, bytes, sizeof(bytes), &count), E_OK);
    CHECK(node_send_control(liar, o, CONTROL_RAFT, bytes, count));
    lab_run(2000);
    CHECK(lab_status(target).term > term);
    lab_stop();
}

/* Nor does it join as another, or with another's key. */
static void test_joins_are_ones_own(void)
{
    uint8_t entry[512];
    begin(340);
    lab_power_on(3, false);
    CHECK(lab_until_members(15, 60000));
    uint32_t leader = lab_leader(), victim = (leader + 1) % 3;
    struct node *liar = node(3);
    const struct other *o = node_other_by_raft(liar, node(leader)->config.node_id[0]);
    struct tables_op join = {.kind = TABLES_NODE_JOIN,
                             .node_join = {.node_id = {1000 + victim, 1},
                                           .log_id = {4321, 1}, /* which the tables know nothing of */
                                           .boot_id = {77, 77},
                                           .log_key = node_log_key_of(liar, liar->log_key.pair.public)}};
    size_t bytes = tables_encode(&join, entry, sizeof(entry));
    CHECK(o && node_send_control(liar, o, CONTROL_PROPOSE, entry, bytes));
    for (uint32_t i = 0; i < 100; i++) { /* the machine itself would soon put it right */
        lab_run(20);
        CHECK(tables_node(node_tables(node(leader)), victim + 1)->boot_id[0] != 77);
    }
    CHECK(lab_all_members(15));
    lab_stop();
}

/* All are off while another cluster key is put where they boot from: the logs' secrets cannot be opened, and the pins
 * were made under a key that is valid nowhere. They begin with new ones, and keep those. */
static void test_all_cluster_keys_replaced(void)
{
    uint8_t before[32], after[32];
    begin(350);
    CHECK_EQUAL(lab_put(0, "kept", "yes"), E_OK);
    CHECK(until_pinned(7, 1, 5));
    memcpy(before, node(1)->log_key.pair.public, 32);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            lab_power_cut(i);
            lab.machines[i].key_byte = 8;
        }
        for (uint32_t i = 0; i < 3; i++)
            lab_power_on(i, false);
        CHECK(lab_until_members(7, 60000) && lab_has(2, "kept", "yes"));
        for (uint32_t i = 0; i < 3; i++)
            CHECK(until_pinned(7, i, 8) && !node(i)->log_key.closed);
        CHECK(memcmp(before, node(1)->log_key.pair.public, 32));
        CHECK(round == 0 || !memcmp(after, node(1)->log_key.pair.public, 32));
        memcpy(after, node(1)->log_key.pair.public, 32);
        lab_run(3000); /* the record goes to the disk */
    }
    lab_stop();
}

static err_t change(uint32_t machine, uint64_t action, uint8_t byte)
{
    struct tables_result result;
    struct node *n = node(machine);
    uint8_t key[NODE_KEY_BYTES];
    uint64_t id, from = action == TABLES_KEY_BEGIN ? node_keys_now(n) : 0;
    memset(key, byte, sizeof(key));
    if (action == TABLES_KEY_BEGIN)
        CHECK_EQUAL(node_keys_offer(n, key, &id), E_OK);
    err_t err = lab_propose(
        machine, (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {action, id_of(byte), from, false}},
        &result);
    if (action == TABLES_KEY_BEGIN)
        node_keys_offer_decided(n);
    return err;
}

/* A change of the cluster key with a node away, whose machine is then given the new key where it boots from. */
static void test_away_in_a_change(void)
{
    begin(360);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(until_pinned(7, i, 5));
    lab_power_cut(1);
    lab_run(6000);
    CHECK_EQUAL(change(0, TABLES_KEY_BEGIN, 9), E_OK);
    lab_run(5000);
    CHECK_EQUAL(change(0, TABLES_KEY_DROP_NOW, 9), E_OK);
    lab_run(3000);
    CHECK_EQUAL(pin(0, 1).cluster_key, id_of(5));
    CHECK(pin(0, 0).cluster_key == id_of(9) && pin(0, 2).cluster_key == id_of(9)); /* they have proven theirs */
    lab.machines[1].key_byte = 9;
    lab_power_on(1, false);
    CHECK(lab_until_members(7, 60000) && until_pinned(7, 1, 9));
    lab_stop();
}

/* Booted with a wrong key, and given the right one by hand: the log's secret is found again, not drawn anew. */
static void test_right_key_entered_later(void)
{
    uint8_t before[32], key[NODE_KEY_BYTES];
    begin(370);
    CHECK(until_pinned(7, 1, 5));
    memcpy(before, node(1)->log_key.pair.public, 32);
    CHECK_EQUAL(change(0, TABLES_KEY_BEGIN, 9), E_OK);
    lab_run(10000);
    CHECK(pin(0, 1).cluster_key == id_of(9));
    lab_power_cut(1);
    lab.machines[1].key_byte = 6;
    lab_power_on(1, false);
    lab_run(5000);
    CHECK(node(1)->log_key.closed && memcmp(before, node(1)->log_key.pair.public, 32) && !lab_all_members(2));
    memset(key, 9, sizeof(key));
    CHECK_EQUAL(node_keys_enter(node(1), key), E_OK);
    CHECK(!node(1)->log_key.closed && !memcmp(before, node(1)->log_key.pair.public, 32));
    CHECK(lab_until_members(7, 60000) && pinned(7, 1, 9) && lab_status(0).frames_false_log == 0);
    lab_stop();
}

/* The record tells nothing of the secret, and damage to it is as if it had been sealed under another key. */
static void test_record(void)
{
    uint8_t record[NODE_LOG_KEY_BYTES], secret[32];
    begin(380);
    struct node *n = node(1);
    memcpy(record, n->log_key.record, sizeof(record));
    memcpy(secret, n->log_key.pair.secret, sizeof(secret));
    for (uint32_t at = 0; at + 8 <= sizeof(record); at++)
        CHECK(memcmp(record + at, secret, 8) && memcmp(record + at, secret + 24, 8));
    CHECK(node_log_key_load(n, record) && !n->log_key.closed && !memcmp(n->log_key.pair.secret, secret, 32));
    for (uint32_t bit = 0; bit < 8 * (33 + 8 + 48); bit++) {
        if (bit / 8 == 32) /* how many there are */
            continue;
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(node_log_key_load(n, record) && n->log_key.closed);
        record[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    record[32] = NODE_KEYS_MAX + 2;
    CHECK(!node_log_key_load(n, record));
    record[32] = 0;
    CHECK(!node_log_key_load(n, record));
    lab_stop();
}

int main(void)
{
    RUN(test_pins_stay_with_logs);
    RUN(test_logs_in_memory);
    RUN(test_another_claims_a_log);
    RUN(test_nobody_speaks_for_another_log);
    RUN(test_joins_are_ones_own);
    RUN(test_all_cluster_keys_replaced);
    RUN(test_away_in_a_change);
    RUN(test_right_key_entered_later);
    RUN(test_record);
    return 0;
}
