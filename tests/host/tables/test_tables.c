/* What each operation of the tables promises. */
#include "fixture.h"

static struct replica r;

static err_t renew(uint64_t now_ns, uint64_t nodes)
{
    return replica_apply(&r, (struct tables_op){.kind = TABLES_RENEW, .renew = {now_ns, nodes}});
}

static err_t expire(uint32_t node, uint64_t renewal, uint64_t term)
{
    const struct tables_node *row = tables_node(r.t, node);
    return replica_apply(&r, (struct tables_op){.kind = TABLES_EXPIRE,
                                                .expire = {node, {row->boot_id[0], row->boot_id[1]}, renewal, term}});
}

static void test_nodes_get_numbers(void)
{
    CHECK_EQUAL(join(&r, 100, 1), 1);
    CHECK_EQUAL(join(&r, 200, 1), 2);
    CHECK_EQUAL(join(&r, 100, 1), 1);
    CHECK_EQUAL(join(&r, 100, 2), 1); /* a new boot keeps its number */
    struct tables_op op = {.kind = TABLES_NODE_JOIN,
                           .node_join = {.node_id = {300}, .boot_id = {1}, .wanted = 9, .level = TABLES_LEVEL_NOW}};
    CHECK_EQUAL(replica_apply(&r, op), E_OK);
    CHECK_EQUAL(r.result.value, 9);
    for (uint64_t id = 1000; id < 1000 + NODES_MAX - 3; id++)
        join(&r, id, 1);
    op.node_join.node_id[0] = 5000;
    CHECK_EQUAL(replica_apply(&r, op), E_FULL);
}

static err_t wish(uint32_t node, uint64_t what)
{
    return replica_apply(&r, (struct tables_op){.kind = TABLES_NODE_WISH, .node_wish = {node, what}});
}

static void test_a_removed_node_has_nothing_and_may_come_again(void)
{
    struct tables_lock_view view;
    uint32_t node = join(&r, 100, 1), other = join(&r, 200, 1);
    CHECK_EQUAL(lock(&r, node, 1, "L", TABLES_EXCLUSIVE), E_OK);
    CHECK_EQUAL(lock(&r, other, 1, "L", TABLES_EXCLUSIVE), E_OK);
    CHECK_EQUAL(wish(node, TABLES_WISH_DRAINED), E_OK);
    CHECK_EQUAL(put(&r, node, "a", "while drained"), E_OK);
    CHECK_EQUAL(wish(node, TABLES_WISH_REMOVED), E_OK);
    CHECK_EQUAL(wish(node, TABLES_WISH_REMOVED), E_OK);                             /* the leader may say it twice */
    CHECK(tables_lock(r.t, text("L"), &view) && view.holders == 0 && view.delayed); /* it may not know yet */
    for (uint64_t now_ns = 1; now_ns <= 1 + TABLES_LEASE_NS; now_ns += TABLES_LEASE_NS) {
        CHECK(tables_lock(r.t, text("L"), &view) && view.holders == 0);
        CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_RENEW, .renew = {now_ns, UINT64_MAX}}), E_OK);
    }
    CHECK(tables_lock(r.t, text("L"), &view) && view.node == other);
    CHECK_EQUAL(put(&r, node, "a", "too late"), E_GONE);
    for (uint64_t boot = 1; boot <= 2; boot++) {
        struct tables_op again = {.kind = TABLES_NODE_JOIN,
                                  .node_join = {.node_id = {100}, .boot_id = {boot}, .level = TABLES_LEVEL_NOW}};
        CHECK_EQUAL(replica_apply(&r, again), E_NO_RIGHT);
    }
    CHECK(!tables_node(r.t, node)->live);
    CHECK_EQUAL(wish(node, TABLES_WISH_NONE), E_OK);
    CHECK_EQUAL(join(&r, 100, 2), node); /* under its old number */
    CHECK_EQUAL(put(&r, node, "a", "again"), E_OK);
    CHECK_EQUAL(wish(node, TABLES_WISHES), E_INVALID);
    CHECK_EQUAL(wish(60, TABLES_WISH_NONE), E_NOT_FOUND);
    CHECK_EQUAL(wish(UINT32_MAX, TABLES_WISH_NONE), E_NOT_FOUND);
}

static void test_keys(void)
{
    struct tables_key_view view;
    uint32_t node = join(&r, 1, 1);
    CHECK_EQUAL(put(&r, node, "a", "one"), E_OK);
    uint64_t first = r.result.value;
    CHECK(tables_key(r.t, text("a"), &view) && view.revision == first && !memcmp(view.value, "one", 3));
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = first, .name = text("a"), .value = text("two")}};
    CHECK_EQUAL(replica_from(&r, node, op), E_OK);
    CHECK_EQUAL(replica_from(&r, node, op), E_CONFLICT); /* the revision moved */
    op.key_put.if_revision = 0;
    CHECK_EQUAL(replica_from(&r, node, op), E_CONFLICT); /* it exists */
    struct tables_op del = {.kind = TABLES_KEY_DELETE, .key_delete = {TABLES_ANY_REVISION, text("a")}};
    CHECK_EQUAL(replica_from(&r, node, del), E_OK);
    CHECK_EQUAL(replica_from(&r, node, del), E_NOT_FOUND);
    CHECK_EQUAL(replica_from(&r, node, op), E_OK); /* only if absent */
    CHECK_EQUAL(put(&r, node, "", "x"), E_INVALID);
}

static void test_keys_in_order(void)
{
    struct tables_key_view view;
    uint32_t node = join(&r, 1, 1);
    const char *names[] = {"b/2", "a", "b", "c", "b/1", "b/10"};
    for (int i = 0; i < 6; i++)
        CHECK_EQUAL(put(&r, node, names[i], "v"), E_OK);
    const char *expected[] = {"b", "b/1", "b/10", "b/2"};
    struct tables_text after = text("");
    for (int i = 0; i < 4; i++) {
        CHECK(tables_key_next(r.t, text("b"), after, &view));
        CHECK_EQUAL(view.name_bytes, strlen(expected[i]));
        CHECK(!memcmp(view.name, expected[i], view.name_bytes));
        after = (struct tables_text){view.name, view.name_bytes};
    }
    CHECK(!tables_key_next(r.t, text("b"), after, &view));
    CHECK(!tables_key_next(r.t, text("b"), text("c"), &view));
    CHECK(tables_key_next(r.t, text("b"), text("0"), &view) && view.name_bytes == 1);
}

static void test_room_for_keys(void)
{
    char name[32];
    uint32_t node = join(&r, 1, 1);
    for (uint32_t i = 0; i < TABLES_KEYS_MAX; i++) {
        snprintf(name, sizeof(name), "key%u", i);
        CHECK_EQUAL(put(&r, node, name, "x"), E_OK);
    }
    CHECK_EQUAL(put(&r, node, "one more", "x"), E_FULL);
    CHECK_EQUAL(put(&r, node, "key7", "still changes"), E_OK);
}

static uint64_t appending = 5; /* process */

static err_t append(uint32_t node, uint64_t session, uint64_t number, const char *data)
{
    return replica_from(&r, node,
                        (struct tables_op){.kind = TABLES_KEY_APPEND,
                                           .key_append = {session, number, appending, text("log"), text(data)}});
}

static void test_append_at_most_once(void)
{
    struct tables_key_view view;
    uint32_t node = join(&r, 1, 1), other = join(&r, 2, 1);
    CHECK_EQUAL(replica_from(&r, node, (struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {5}}), E_OK);
    uint64_t session = r.result.value;
    CHECK_EQUAL(append(node, session, 1, "a"), E_OK);
    uint64_t revision = r.result.value;
    CHECK_EQUAL(append(node, session, 1, "a"), E_OK); /* sent again: the same answer, nothing added */
    CHECK_EQUAL(r.result.value, revision);
    CHECK_EQUAL(append(node, session, 3, "c"), E_RANGE);
    CHECK_EQUAL(append(node, session, 2, "b"), E_OK);
    CHECK_EQUAL(append(node, session, 1, "a"), E_RANGE);
    CHECK_EQUAL(append(other, session, 3, "x"), E_NO_SESSION);
    CHECK(tables_key(r.t, text("log"), &view) && view.value_bytes == 2 && !memcmp(view.value, "ab", 2));
    CHECK_EQUAL(replica_from(&r, node, (struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {5}}), E_OK);
    CHECK_EQUAL(append(node, session, 3, "c"), E_NO_SESSION);
}

static void test_proposals_at_most_once(void)
{
    uint32_t node = join(&r, 1, 1);
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .node = node,
                           .boot = {1},
                           .sequence = 4,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text("k"), .value = text("1")}};
    CHECK_EQUAL(replica_apply(&r, op), E_OK);
    CHECK(!r.result.repeated);
    CHECK_EQUAL(replica_apply(&r, op), E_OK);
    CHECK(r.result.repeated);
    op.sequence = 2; /* order does not matter within the window */
    replica_apply(&r, op);
    CHECK(!r.result.repeated);
    op.sequence = 4 + TABLES_WINDOW;
    replica_apply(&r, op);
    CHECK(!r.result.repeated);
    op.sequence = 3; /* fell out of the window */
    replica_apply(&r, op);
    CHECK(r.result.repeated);
    op.boot[0] = 9;
    op.sequence = 1000;
    CHECK_EQUAL(replica_apply(&r, op), E_GONE); /* another life of that node */
}

static void test_locks_in_line(void)
{
    struct tables_lock_view view;
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    CHECK_EQUAL(lock(&r, a, 10, "L", TABLES_EXCLUSIVE), E_OK);
    uint64_t fence = r.result.value;
    CHECK(fence != 0);
    CHECK_EQUAL(lock(&r, b, 20, "L", TABLES_SHARED), E_OK);
    CHECK_EQUAL(r.result.value, 0);
    CHECK_EQUAL(lock(&r, b, 21, "L", TABLES_SHARED), E_OK);
    uint64_t second_shared = r.result.ticket;
    CHECK_EQUAL(lock(&r, a, 11, "L", TABLES_EXCLUSIVE), E_OK);
    uint64_t exclusive = r.result.ticket;
    CHECK(tables_lock(r.t, text("L"), &view) && view.holders == 1 && view.waiters == 3 && view.node == a);
    struct tables_op try = {.kind = TABLES_LOCK,
                            .lock = {.mode = TABLES_SHARED, .try_only = 1, .process_id = 22, .name = text("L")}};
    CHECK_EQUAL(replica_from(&r, b, try), E_BUSY);
    struct tables_op unlock = {.kind = TABLES_UNLOCK, .unlock = {fence, 10, 0, text("L")}};
    unlock.unlock.process_id = 11;
    CHECK_EQUAL(replica_from(&r, a, unlock), E_NO_RIGHT); /* not who holds it */
    unlock.unlock.process_id = 10;
    CHECK_EQUAL(replica_from(&r, b, unlock), E_NO_RIGHT); /* a process of another node */
    CHECK_EQUAL(replica_from(&r, a, unlock), E_OK);
    CHECK_EQUAL(r.event_count, 2); /* both shared ones, not the exclusive one behind them */
    CHECK(r.events[0].process_id == 20 && r.events[1].process_id == 21);
    CHECK(r.events[0].fence > fence && r.events[1].fence > r.events[0].fence);
    CHECK_EQUAL(replica_from(&r, a, unlock), E_STALE_FENCE);
    CHECK_EQUAL(lock(&r, b, 23, "L", TABLES_SHARED), E_OK); /* no overtaking */
    CHECK_EQUAL(r.result.value, 0);
    struct tables_op cancel = {.kind = TABLES_LOCK_CANCEL, .lock_cancel = {second_shared}};
    CHECK_EQUAL(replica_from(&r, b, cancel), E_OK); /* it was granted: released */
    CHECK_EQUAL(r.event_count, 0);
    CHECK_EQUAL(replica_from(&r, b, (struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {20}}), E_OK);
    CHECK_EQUAL(r.event_count, 2); /* 20 lost it, 11 got it */
    CHECK(r.events[1].kind == TABLES_EVENT_GRANTED && r.events[1].ticket == exclusive);
}

static void test_leases(void)
{
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    CHECK_EQUAL(lock(&r, a, 10, "L", TABLES_EXCLUSIVE), E_OK);
    CHECK_EQUAL(lock(&r, b, 20, "L", TABLES_EXCLUSIVE), E_OK);
    struct tables_op name = {.kind = TABLES_NAME_PUT, .name_put = {10, 77, text("service")}};
    CHECK_EQUAL(replica_from(&r, a, name), E_OK);
    CHECK_EQUAL(replica_from(&r, b, name), E_EXISTS);
    CHECK_EQUAL(renew(TABLES_LEASE_NS / 2, 3), E_OK);
    uint64_t seen = tables_node(r.t, a)->renewal;
    CHECK_EQUAL(expire(a, seen, 1), E_CONFLICT); /* its lease is not over */
    CHECK_EQUAL(renew(2 * TABLES_LEASE_NS, 2), E_OK);
    CHECK(tables_lease_over(r.t, a) && !tables_lease_over(r.t, b));
    CHECK_EQUAL(expire(a, seen - 1, 1), E_CONFLICT); /* stale knowledge */
    CHECK_EQUAL(expire(a, seen, 2), E_CONFLICT);     /* another term's leader */
    CHECK_EQUAL(expire(a, seen, 1), E_OK);
    struct tables_lock_view view;
    CHECK(tables_lock(r.t, text("L"), &view) && view.node == b && view.holders == 1);
    struct tables_name_view gone;
    CHECK(!tables_name(r.t, text("service"), &gone));
    CHECK_EQUAL(put(&r, a, "k", "v"), E_GONE); /* until it joins again */
    uint64_t sequence = r.sequence[a];
    CHECK_EQUAL(join(&r, 1, 1), a);
    r.sequence[a] = sequence;
    CHECK_EQUAL(put(&r, a, "k", "v"), E_OK);
}

static void test_time_never_goes_back(void)
{
    renew(1000, 0);
    renew(500, 0);
    CHECK_EQUAL(tables_time_ns(r.t), 1000);
}

static void test_jobs(void)
{
    uint32_t a = join(&r, 1, 1);
    struct tables_op submit = {.kind = TABLES_JOB_SUBMIT, .job_submit = {2, 5, text("app/"), text("echo hi")}};
    CHECK_EQUAL(replica_from(&r, a, submit), E_OK);
    uint64_t job = r.result.value;
    struct tables_op place = {.kind = TABLES_JOB_PLACE, .job_place = {job, 0, a, {1}, text("most free memory")}};
    CHECK_EQUAL(replica_apply(&r, place), E_OK);
    CHECK_EQUAL(r.events[0].kind, TABLES_EVENT_PLACED);
    CHECK_EQUAL(replica_apply(&r, place), E_CONFLICT); /* placed once */
    struct tables_op report = {.kind = TABLES_JOB_REPORT, .job_report = {job, 0, TABLES_JOB_RUNNING, 0, 0, 4}};
    CHECK_EQUAL(replica_from(&r, a, report), E_OK);
    CHECK_EQUAL(replica_from(&r, a, report), E_CONFLICT);
    CHECK_EQUAL(tables_job(r.t, job)->placed_from, 1);
    CHECK_EQUAL(replica_from(&r, a, (struct tables_op){.kind = TABLES_JOB_KILL, .job_kill = {job}}), E_OK);
    CHECK_EQUAL(r.event_count, 1);
    uint64_t asked = tables_job(r.t, job)->instances[0].stop;
    CHECK_EQUAL(asked, tables_applied_index(r.t));
    CHECK_EQUAL(replica_from(&r, a, (struct tables_op){.kind = TABLES_JOB_KILL, .job_kill = {job}}), E_OK);
    CHECK_EQUAL(tables_job(r.t, job)->instances[0].stop, asked);
    CHECK_EQUAL(r.event_count, 0); /* once is enough */
    CHECK_EQUAL(tables_job(r.t, job)->instances[1].state, TABLES_JOB_ENDED);
    join(&r, 1, 2);                                           /* its node starts anew */
    CHECK_EQUAL(tables_job(r.t, job)->instances[0].cause, 6); /* EXIT_NODE_LOST */
    CHECK_EQUAL(tables_job(r.t, job)->ended, 2);
}

static void test_old_jobs_make_room(void)
{
    uint32_t a = join(&r, 1, 1);
    struct tables_op submit = {.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = 1, .command = text("x")}};
    for (uint32_t i = 0; i < TABLES_JOBS_MAX; i++)
        CHECK_EQUAL(replica_from(&r, a, submit), E_OK);
    CHECK_EQUAL(replica_from(&r, a, submit), E_FULL);
    CHECK_EQUAL(replica_from(&r, a, (struct tables_op){.kind = TABLES_JOB_KILL, .job_kill = {5}}), E_OK);
    CHECK_EQUAL(replica_from(&r, a, submit), E_OK);
    CHECK(!tables_job(r.t, 5));
}

static void test_no_memory_stops_the_replica(void)
{
    uint8_t entry[TABLES_ENTRY_MAX];
    char name[16], value[TABLES_VALUE_MAX];
    uint32_t node = join(&r, 1, 1);
    r.chunk_limit = r.chunk_count;
    memset(value, 'v', sizeof(value));
    err_t err = E_OK;
    for (uint64_t i = 1; !err; i++) {
        snprintf(name, sizeof(name), "%d", (int)i);
        struct tables_op op = {
            .kind = TABLES_KEY_PUT,
            .node = node,
            .boot = {1},
            .sequence = i,
            .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text(name), .value = {value, sizeof(value)}}};
        size_t bytes = tables_encode(&op, entry, sizeof(entry));
        err = tables_apply(r.t, tables_applied_index(r.t) + 1, 1, entry, bytes, &r.result);
        CHECK(err || r.result.err == E_OK); /* or it would never end */
    }
    CHECK_EQUAL(err, E_NO_MEMORY);
}

#define FRESH(test)                                                                                                    \
    do {                                                                                                               \
        replica_open(&r);                                                                                              \
        RUN(test);                                                                                                     \
        replica_close(&r);                                                                                             \
    } while (0)

static err_t key_step(uint32_t node, uint64_t action, uint64_t id, uint64_t from_id, uint64_t leaked)
{
    return replica_from(&r, node,
                        (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {action, id, from_id, leaked}});
}

/* One change at a time, from the key that is valid; the old one goes when nobody lacks the new one, or at once. */
static void test_the_clusters_key(void)
{
    const struct tables_cluster_key *k = tables_cluster_key(r.t);
    join(&r, 100, 1);
    join(&r, 200, 1);
    CHECK(k->id == 0 && !tables_cluster_key_everywhere(r.t));
    CHECK_EQUAL(key_step(1, TABLES_KEY_READY, 0, 0, 0), E_CONFLICT);
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP, 6, 0, 0), E_CONFLICT);
    CHECK_EQUAL(key_step(1, 0, 6, 5, 0), E_INVALID);
    CHECK_EQUAL(key_step(1, TABLES_KEY_CANCEL + 1, 6, 5, 0), E_INVALID);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 5, 5, 0), E_INVALID);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 0, 5, 0), E_INVALID);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 6, 0, 0), E_INVALID);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 6, 5, 2), E_INVALID);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 6, 5, 0), E_OK);
    CHECK(k->id == 5 && k->next_id == 6 && !k->leaked);
    CHECK_EQUAL(key_step(2, TABLES_KEY_BEGIN, 7, 5, 0), E_BUSY);
    CHECK_EQUAL(key_step(1, TABLES_KEY_READY, 7, 0, 0), E_CONFLICT);
    CHECK_EQUAL(key_step(1, TABLES_KEY_READY, 6, 0, 0), E_OK);
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP, 6, 0, 0), E_BUSY);
    CHECK_EQUAL(key_step(2, TABLES_KEY_READY, 6, 0, 0), E_OK);
    CHECK(tables_cluster_key_everywhere(r.t));
    join(&r, 200, 2); /* a new boot has to say so itself */
    CHECK(!tables_cluster_key_everywhere(r.t) && k->ready == 1);
    r.sequence[2] = 0;
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP, 6, 0, 0), E_BUSY);
    replica_apply(&r, (struct tables_op){.kind = TABLES_NODE_WISH, .node_wish = {2, TABLES_WISH_REMOVED}});
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP, 6, 0, 0), E_OK); /* who was removed is not waited for */
    CHECK(k->id == 6 && !k->next_id && !k->ready && k->changes == 1);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 7, 5, 0), E_CONFLICT);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 7, 6, 1), E_OK);
    CHECK(k->leaked == 1);
    CHECK_EQUAL(key_step(1, TABLES_KEY_CANCEL, 7, 0, 0), E_OK);
    CHECK(k->id == 6 && !k->next_id && !k->leaked && k->changes == 1);
    CHECK_EQUAL(key_step(1, TABLES_KEY_BEGIN, 7, 6, 1), E_OK);
    CHECK_EQUAL(key_step(1, TABLES_KEY_READY, 7, 0, 0), E_OK);
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP_NOW, 7, 3, 0),
                E_BUSY); /* node 2 was counted on, and is not ready any more */
    CHECK(k->id == 6 && k->next_id == 7);
    CHECK_EQUAL(key_step(1, TABLES_KEY_DROP_NOW, 7, 1, 0), E_OK);
    CHECK(k->id == 7 && k->changes == 2);
}

int main(void)
{
    FRESH(test_nodes_get_numbers);
    FRESH(test_a_removed_node_has_nothing_and_may_come_again);
    FRESH(test_the_clusters_key);
    FRESH(test_keys);
    FRESH(test_keys_in_order);
    FRESH(test_room_for_keys);
    FRESH(test_append_at_most_once);
    FRESH(test_proposals_at_most_once);
    FRESH(test_locks_in_line);
    FRESH(test_leases);
    FRESH(test_time_never_goes_back);
    FRESH(test_jobs);
    FRESH(test_old_jobs_make_room);
    FRESH(test_no_memory_stops_the_replica);
    return 0;
}
