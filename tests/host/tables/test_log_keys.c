/* The key of a log is pinned by the entry with which its node is first taken in, and moves on with the cluster key. */
#include "fixture.h"

enum { OLD = 50, NEW = 60 };

static struct replica r;

static err_t join_as(uint64_t node_id, uint64_t log_id, uint64_t boot, uint64_t key, uint64_t cluster_key)
{
    struct tables_op op = {
        .kind = TABLES_NODE_JOIN,
        .node_join = {.node_id = {node_id},
                      .log_id = {log_id},
                      .boot_id = {boot},
                      .level = TABLES_LEVEL_NOW,
                      .name = text("n"),
                      .log_key = {.low = {key / 100}, .high = {0, key % 100}, .cluster_key = cluster_key}}};
    return replica_apply(&r, op);
}

static bool row_is(uint64_t log_id, uint64_t boot, uint64_t key, uint64_t cluster_key)
{
    const struct tables_node *row = tables_node(r.t, 1);
    return row->log_id[0] == log_id && row->boot_id[0] == boot && row->log_key.high[1] == key &&
           row->log_key.cluster_key == cluster_key;
}

static void test_a_pin_stands(void)
{
    CHECK_EQUAL(join_as(100, 1, 1, 7, OLD), E_OK);
    CHECK(row_is(1, 1, 7, OLD));
    CHECK_EQUAL(join_as(100, 1, 2, 8, OLD), E_CONFLICT); /* another key */
    CHECK_EQUAL(join_as(100, 1, 2, 107, OLD), E_CONFLICT);
    CHECK_EQUAL(join_as(100, 1, 1, 8, OLD), E_CONFLICT); /* also for the boot that is there */
    CHECK_EQUAL(join_as(100, 1, 2, 0, 0), E_CONFLICT);   /* none */
    CHECK_EQUAL(join_as(100, 1, 2, 0, NEW), E_CONFLICT); /* what cannot be */
    CHECK_EQUAL(join_as(100, 1, 2, 7, 0), E_CONFLICT);
    CHECK_EQUAL(join_as(200, 1, 1, 7, OLD), E_CONFLICT); /* another node with this log, be it with its key */
    CHECK_EQUAL(join_as(200, 1, 1, 8, NEW), E_CONFLICT);
    CHECK(row_is(1, 1, 7, OLD) && !tables_node(r.t, 2) && tables_node(r.t, 1)->live);
    CHECK_EQUAL(join_as(100, 1, 2, 7, OLD), E_OK);
    CHECK(row_is(1, 2, 7, OLD));
}

static void test_another_log_has_another(void)
{
    CHECK_EQUAL(join_as(100, 1, 1, 7, OLD), E_OK);
    CHECK_EQUAL(join_as(100, 2, 2, 8, OLD), E_OK);
    CHECK(row_is(2, 2, 8, OLD));
    CHECK_EQUAL(join_as(100, 1, 3, 9, OLD), E_OK); /* nothing is known of the log of before any more */
}

static void test_another_cluster_key_proven(void)
{
    CHECK_EQUAL(join_as(100, 1, 1, 7, OLD), E_OK);
    CHECK_EQUAL(join_as(100, 1, 2, 8, NEW), E_OK);
    CHECK(row_is(1, 2, 8, NEW));
    CHECK_EQUAL(join_as(100, 1, 3, 9, NEW), E_CONFLICT);
}

static err_t key_step(uint32_t node, uint64_t action)
{
    uint64_t from = action == TABLES_KEY_BEGIN ? OLD : 0;
    return replica_from(&r, node,
                        (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {action, NEW, from, 0}});
}

/* Those who took part in a change have proven their logs' keys; who was away has not. */
static void test_pins_move_on_with_the_cluster_key(void)
{
    CHECK_EQUAL(join_as(100, 1, 1, 7, OLD), E_OK);
    CHECK_EQUAL(join_as(200, 2, 1, 8, OLD), E_OK);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN), E_OK);
    CHECK_EQUAL(key_step(1, TABLES_KEY_READY), E_OK);
    CHECK(row_is(1, 1, 7, OLD));
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP_NOW), E_OK);
    CHECK(row_is(1, 1, 7, NEW));
    CHECK_EQUAL(tables_node(r.t, 2)->log_key.cluster_key, OLD);
    CHECK_EQUAL(join_as(100, 1, 2, 9, NEW), E_CONFLICT);
    CHECK_EQUAL(join_as(200, 2, 2, 9, NEW), E_OK);
}

/* A snapshot carries them. */
static void test_snapshot(void)
{
    static struct replica copy;
    struct tables_saver saver;
    static struct tables_loader loader;
    uint8_t part[512];
    CHECK_EQUAL(join_as(100, 1, 1, 7, OLD), E_OK);
    replica_open(&copy);
    tables_save_begin(r.t, &saver);
    tables_load_begin(copy.t, &loader);
    for (size_t got; (got = tables_save(r.t, &saver, part, sizeof(part))) > 0;)
        CHECK_EQUAL(tables_load(copy.t, &loader, part, got), E_OK);
    CHECK_EQUAL(tables_load_end(copy.t, &loader), E_OK);
    CHECK(!memcmp(tables_node(copy.t, 1), tables_node(r.t, 1), sizeof(struct tables_node)));
    replica_close(&copy);
}

#define FRESH(test)                                                                                                    \
    do {                                                                                                               \
        replica_open(&r);                                                                                              \
        RUN(test);                                                                                                     \
        replica_close(&r);                                                                                             \
    } while (0)

int main(void)
{
    FRESH(test_a_pin_stands);
    FRESH(test_another_log_has_another);
    FRESH(test_another_cluster_key_proven);
    FRESH(test_pins_move_on_with_the_cluster_key);
    FRESH(test_snapshot);
    return 0;
}
