/* Nodes of different builds in one cluster. */
#include "fixture.h"

static err_t join_as(struct replica *r, uint64_t node_id, uint64_t boot, uint64_t level)
{
    return replica_apply(r, (struct tables_op){.kind = TABLES_NODE_JOIN,
                                               .node_join = {.node_id = {node_id},
                                                             .log_id = {node_id},
                                                             .boot_id = {boot},
                                                             .cpus = 1,
                                                             .level = level,
                                                             .name = text("n")}});
}

static err_t raise(struct replica *r, uint64_t level)
{
    return replica_apply(r, (struct tables_op){.kind = TABLES_LEVEL, .level = {level}});
}

static err_t change_key(struct replica *r, uint32_t node)
{
    return replica_from(r, node,
                        (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {TABLES_KEY_BEGIN, 8, 7, 0}});
}

/* Of this build, in a cluster of level 1: it got its state from there. */
static void replica_at_1(struct replica *r)
{
    static uint8_t bytes[65536];
    static struct replica old;
    struct tables_saver saver;
    struct tables_loader loader;
    replica_open(&old);
    tables_pretend_level(old.t, 1);
    tables_save_begin(old.t, &saver);
    size_t count = tables_save(old.t, &saver, bytes, sizeof(bytes));
    replica_open(r);
    tables_load_begin(r->t, &loader);
    CHECK_EQUAL(tables_load(r->t, &loader, bytes, count), E_OK);
    CHECK_EQUAL(tables_load_end(r->t, &loader), E_OK);
    CHECK_EQUAL(tables_level(r->t), 1);
    replica_close(&old);
}

/* Before all know it, an operation does nothing. */
static void test_nothing_before_all_know_it(void)
{
    static struct replica r;
    replica_at_1(&r);
    CHECK_EQUAL(join_as(&r, 1, 1, 2), E_OK);
    CHECK_EQUAL(join_as(&r, 2, 1, 1), E_OK);
    CHECK_EQUAL(change_key(&r, 1), E_BAD_MESSAGE);
    CHECK_EQUAL(tables_cluster_key(r.t)->next_id, 0);
    CHECK_EQUAL(tables_level_possible(r.t), 1);
    CHECK_EQUAL(raise(&r, 2), E_BUSY);
    CHECK_EQUAL(tables_level(r.t), 1);
    replica_close(&r);
}

static void test_raised_when_the_last_has_it(void)
{
    static struct replica r;
    replica_at_1(&r);
    join_as(&r, 1, 1, 2);
    join_as(&r, 2, 1, 1);
    join_as(&r, 3, 1, 1);
    join_as(&r, 2, 2, 2);
    CHECK_EQUAL(raise(&r, 2), E_BUSY);
    CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_NODE_WISH, .node_wish = {3, TABLES_WISH_REMOVED}}),
                E_OK);
    CHECK_EQUAL(tables_level_possible(r.t), 2); /* who was removed is not waited for */
    CHECK_EQUAL(raise(&r, 1), E_INVALID);
    CHECK_EQUAL(raise(&r, 2), E_OK);
    CHECK_EQUAL(raise(&r, 2), E_INVALID);
    CHECK_EQUAL(tables_level(r.t), 2);
    CHECK_EQUAL(change_key(&r, 1), E_OK);
    CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_NODE_WISH, .node_wish = {3, TABLES_WISH_NONE}}),
                E_OK);
    CHECK_EQUAL(tables_level_possible(r.t), 2); /* it never falls */
    CHECK_EQUAL(join_as(&r, 3, 2, 1), E_NOT_SUPPORTED);
    replica_close(&r);
}

/* It is told of a level that it does not know, and stops there. */
static void test_an_old_build_stops(void)
{
    static struct replica r;
    struct tables_result result;
    uint8_t entry[64];
    replica_open(&r);
    tables_pretend_level(r.t, 1);
    join_as(&r, 1, 1, 2);
    size_t bytes = tables_encode(&(struct tables_op){.kind = TABLES_LEVEL, .level = {2}}, entry, sizeof(entry));
    CHECK_EQUAL(tables_apply(r.t, tables_applied_index(r.t) + 1, tables_applied_term(r.t), entry, bytes, &result),
                E_NOT_SUPPORTED);
    replica_close(&r);
}

static void test_an_old_build_may_not_join(void)
{
    static struct replica r;
    replica_open(&r);
    CHECK_EQUAL(tables_level(r.t), TABLES_LEVEL_NOW);
    CHECK_EQUAL(join_as(&r, 1, 1, TABLES_LEVEL_NOW), E_OK);
    CHECK_EQUAL(join_as(&r, 2, 1, TABLES_LEVEL_NOW - 1), E_NOT_SUPPORTED);
    CHECK(tables_node(r.t, 2) == NULL);
    CHECK_EQUAL(join_as(&r, 3, 1, 1ull << 32), E_NOT_SUPPORTED);
    CHECK_EQUAL(join_as(&r, 4, 1, TABLES_LEVEL_NOW + 1), E_OK); /* it knows more than it must */
    replica_close(&r);
}

/* It is refused for what it is, before anything of it is taken. */
static void test_a_snapshot_of_a_later_level(void)
{
    static uint8_t bytes[65536];
    static struct replica from, to;
    struct tables_saver saver;
    struct tables_loader loader;
    replica_open(&from);
    replica_open(&to);
    tables_pretend_level(to.t, 1);
    join_as(&from, 1, 1, 2);
    tables_save_begin(from.t, &saver);
    size_t count = tables_save(from.t, &saver, bytes, sizeof(bytes));
    tables_load_begin(to.t, &loader);
    CHECK_EQUAL(tables_load(to.t, &loader, bytes, count), E_NOT_SUPPORTED);
    CHECK_EQUAL(tables_level(to.t), 1);
    replica_close(&from);
    replica_close(&to);
}

int main(void)
{
    RUN(test_nothing_before_all_know_it);
    RUN(test_raised_when_the_last_has_it);
    RUN(test_an_old_build_stops);
    RUN(test_an_old_build_may_not_join);
    RUN(test_a_snapshot_of_a_later_level);
    return 0;
}
