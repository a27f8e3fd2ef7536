/* A snapshot on its way to a node that is too far behind for the log: what goes wrong with its bytes is noticed, it is
 * fetched again, and the node ends whole. */
#include "lab.h"

#include "node_state.h"

#define KEYS  60u
#define VALUE 2000u

static char value[VALUE + 1];

/* Machine 2 is off while the others write more than the log's window keeps, and is then put on. */
static void begin(uint64_t seed)
{
    char key[16];
    lab_start(3, seed);
    lab.window_entries = 256;
    lab.delay_ms = 2;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    lab_power_cut(2);
    memset(value, 'v', VALUE);
    for (uint32_t i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "key%u", i % KEYS);
        CHECK_EQUAL(lab_put(i % 2, key, value), E_OK);
    }
    CHECK(lab.machines[lab_leader()].disk.compacted > 0);
    lab_power_on(2, false);
}

static bool under_way(const struct node *n)
{
    return !n->saving && !n->installing && n->incoming_label.index && n->incoming.bytes &&
           n->incoming.bytes < n->incoming_label.bytes;
}

static uint64_t installed(const struct node *n)
{
    return n->raft ? n->raft->counters.snapshots_installed : 0;
}

/* Runs until a part of a snapshot is there, at least so much of it. */
static struct node *until_under_way(uint64_t bytes)
{
    struct node *n = lab.machines[2].n;
    for (uint32_t i = 0; i < 100000 && !(under_way(n) && n->incoming.bytes >= bytes); i++)
        lab_run(1);
    CHECK(under_way(n) && n->incoming.bytes >= bytes && !installed(n));
    return n;
}

static void check_whole(struct node *n)
{
    CHECK(lab_until_members(7, 30000));
    CHECK(!lab_status(2).waiting[0]);
    CHECK_EQUAL(installed(n), 1);
    CHECK(lab_has(2, "key0", value) && lab_has(2, "key59", value));
    lab_check_equal(7);
    lab_power_cut(2); /* and what it wrote to its disk is whole too */
    lab_power_on(2, false);
    CHECK(lab_until_members(7, 20000));
    CHECK(lab_has(2, "key59", value));
    lab_check_equal(7);
}

/* One bit of one byte, anywhere in it. */
static void test_a_wrong_byte(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        uint32_t refused = 0;
        begin(100 + seed);
        struct node *n = until_under_way(1);
        uint64_t at = random_below(&lab.random, n->incoming.bytes);
        n->incoming.piece[at / PIECE_BYTES][at % PIECE_BYTES] ^= (uint8_t)(1u << seed % 8);
        uint64_t had = n->incoming.bytes;
        for (uint32_t i = 0; i < 30000 && !installed(n) && !n->problem; i++) {
            lab_run(1);
            refused += n->incoming.bytes < had && n->incoming.bytes && !installed(n);
            had = n->incoming.bytes;
        }
        CHECK(!n->problem);
        CHECK_EQUAL(refused, 1); /* it began anew, once */
        check_whole(n);
        lab_stop();
    }
}

/* A snapshot that the node takes of its own tables needs the room of the one under way: that one is asked for again
 * from its beginning. */
static void test_its_own_takes_the_room(void)
{
    begin(120);
    struct node *n = until_under_way(PIECE_BYTES);
    n->snapshot_wanted = true; /* as a disk does that is full */
    check_whole(n);
    lab_stop();
}

/* Nor does what came first stay when there is no memory for the rest. */
static void test_no_memory_amid_it(void)
{
    begin(121);
    struct node *n = until_under_way(PIECE_BYTES);
    lab.machines[2].no_memory = true;
    lab_run(2000);
    CHECK(!installed(n) && !n->problem);
    lab.machines[2].no_memory = false;
    check_whole(n);
    lab_stop();
}

/* Each is taken when half of the window is in use again, not as soon as the one before is written. */
static void test_no_more_than_are_wanted(void)
{
    uint64_t last = 0;
    uint32_t taken = 0;
    lab_start(3, 122);
    lab.window_entries = 256;
    for (uint32_t i = 0; i < 3; i++)
        lab_power_on(i, true);
    CHECK(lab_until_members(7, 20000));
    for (uint32_t i = 0; i < 600; i++) {
        CHECK_EQUAL(lab_put(i % 3, "k", "v"), E_OK);
        uint64_t now = lab.machines[0].disk.snapshot_index;
        CHECK(now == last || now >= last + lab.window_entries / 8);
        taken += now != last;
        last = now;
    }
    CHECK(taken >= 3);
    printf("%u snapshots of 600 entries\n", taken);
    lab_stop();
}

int main(void)
{
    RUN(test_a_wrong_byte);
    RUN(test_its_own_takes_the_room);
    RUN(test_no_memory_amid_it);
    RUN(test_no_more_than_are_wanted);
    return 0;
}
