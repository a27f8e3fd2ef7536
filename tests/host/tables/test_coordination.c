/* What the operations for coordination promise: transactions, watching, keys that end, semaphores, elections, barriers.
 */
#include "fixture.h"

static struct replica r;

static void renew(uint64_t now_ns)
{
    CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_RENEW, .renew = {now_ns, UINT64_MAX}}), E_OK);
}

static uint64_t session(uint32_t node, uint64_t process)
{
    CHECK_EQUAL(replica_from(&r, node, (struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {process}}),
                E_OK);
    return r.result.value;
}

static void process_end(uint32_t node, uint64_t process)
{
    CHECK_EQUAL(replica_from(&r, node, (struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {process}}), E_OK);
}

static void lock_cancel(uint32_t node, uint64_t ticket)
{
    CHECK_EQUAL(replica_from(&r, node, (struct tables_op){.kind = TABLES_LOCK_CANCEL, .lock_cancel = {ticket}}), E_OK);
}

static err_t acquire(uint32_t node, uint64_t process, const char *name, uint32_t mode, uint32_t permits)
{
    return replica_from(
        &r, node,
        (struct tables_op){.kind = TABLES_LOCK,
                           .lock = {.mode = mode, .process_id = process, .name = text(name), .permits = permits}});
}

static bool has(const char *key, const char *value)
{
    struct tables_key_view view;
    return tables_key(r.t, text(key), &view) && view.value_bytes == strlen(value) &&
           !memcmp(view.value, value, view.value_bytes);
}

/* ---- transactions ---- */

static void test_transaction_takes_one_branch(void)
{
    uint32_t a = join(&r, 1, 1);
    struct steps s = {.used = 0};
    CHECK_EQUAL(put(&r, a, "color", "blue"), E_OK);
    uint64_t revision = r.result.value;
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_REVISION, .number = revision}, "color", "");
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_VALUE}, "color", "blue");
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_ABSENT}, "shape", "");
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_PRESENT}, "color", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "shape", "round");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_DELETE}, "color", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_DELETE}, "never was", "");
    steps_add(&s, (struct txn_step){.section = TXN_ELSE, .kind = TXN_PUT}, "shape", "square");
    CHECK_EQUAL(transact(&r, a, &s), E_OK);
    CHECK_EQUAL(r.result.number, 1);
    CHECK(has("shape", "round") && !has("color", "blue"));
    CHECK_EQUAL(transact(&r, a, &s), E_OK);
    CHECK_EQUAL(r.result.number, 0);
    CHECK(has("shape", "square"));
}

static void test_transaction_guarded_by_a_fence(void)
{
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    CHECK_EQUAL(lock(&r, a, 10, "L", TABLES_EXCLUSIVE), E_OK);
    uint64_t fence = r.result.value, ticket = r.result.ticket;
    CHECK_EQUAL(lock(&r, b, 20, "L", TABLES_EXCLUSIVE), E_OK);
    struct steps s = {.used = 0};
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_FENCE, .number = fence}, "L", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "guarded", "1");
    CHECK_EQUAL(transact(&r, a, &s), E_OK);
    CHECK(r.result.number == 1 && has("guarded", "1"));
    lock_cancel(a, ticket);
    CHECK_EQUAL(put(&r, b, "guarded", "2"), E_OK);
    CHECK_EQUAL(transact(&r, a, &s), E_OK); /* late: another has the lock */
    CHECK(r.result.number == 0 && has("guarded", "2"));
}

/* All of the branch or nothing, also when room runs out in the middle. */
static void test_transaction_is_whole(void)
{
    char name[32];
    uint32_t a = join(&r, 1, 1);
    for (uint32_t i = 0; i < TABLES_KEYS_MAX - 1; i++) {
        snprintf(name, sizeof(name), "key%u", i);
        CHECK_EQUAL(put(&r, a, name, "x"), E_OK);
    }
    struct steps s = {.used = 0};
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "new 1", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "new 2", "");
    CHECK_EQUAL(transact(&r, a, &s), E_FULL);
    CHECK(!has("new 1", "") && !has("new 2", ""));
    s.used = 0;
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "new 1", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT, .number = 77}, "key1", "");
    CHECK_EQUAL(transact(&r, a, &s), E_NO_SESSION);
    CHECK(!has("new 1", ""));
}

static err_t one_step(struct txn_step head, const char *name, const char *value)
{
    struct steps s = {.used = 0};
    steps_add(&s, head, name, value);
    return tables_txn_check((struct tables_text){s.bytes, s.used});
}

static void test_transactions_refused(void)
{
    struct steps s = {.used = 0};
    CHECK_EQUAL(tables_txn_check((struct tables_text){s.bytes, 0}), E_BAD_MESSAGE);
    CHECK_EQUAL(one_step((struct txn_step){.section = TXN_IF, .kind = TXN_PUT}, "a", "b"), E_BAD_MESSAGE);
    CHECK_EQUAL(one_step((struct txn_step){.section = TXN_THEN, .kind = TXN_ABSENT}, "a", ""), E_BAD_MESSAGE);
    CHECK_EQUAL(one_step((struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "", "b"), E_BAD_MESSAGE);
    CHECK_EQUAL(one_step((struct txn_step){.section = TXN_THEN, .kind = TXN_DELETE}, "a", "b"), E_BAD_MESSAGE);
    CHECK_EQUAL(one_step((struct txn_step){.section = 4, .kind = TXN_PUT}, "a", "b"), E_BAD_MESSAGE);
    CHECK_EQUAL(one_step((struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "a", "b"), E_OK);
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "a", "1");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_DELETE}, "a", "");
    CHECK_EQUAL(tables_txn_check((struct tables_text){s.bytes, s.used}), E_INVALID);
    CHECK_EQUAL(tables_txn_check((struct tables_text){s.bytes, s.used - 8}), E_BAD_MESSAGE);
    s.used = 0;
    steps_add(&s, (struct txn_step){.section = TXN_ELSE, .kind = TXN_PUT}, "a", "1");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "b", "1");
    CHECK_EQUAL(tables_txn_check((struct tables_text){s.bytes, s.used}), E_BAD_MESSAGE);
    s.used = 0;
    for (uint32_t i = 0; i <= TXN_STEPS_MAX; i++)
        steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_ABSENT}, "a", "");
    CHECK_EQUAL(tables_txn_check((struct tables_text){s.bytes, s.used}), E_BAD_MESSAGE);
}

/* ---- watching ---- */

static uint32_t watch(const char *prefix, struct tables_position *at)
{
    struct tables_change change;
    uint32_t count = 0;
    while (tables_change_next(r.t, TABLES_WATCH_KEYS, text(prefix), at, &change))
        count++;
    return count;
}

static void test_watching_from_a_revision(void)
{
    struct tables_change change;
    uint32_t a = join(&r, 1, 1);
    put(&r, a, "w/1", "one");
    uint64_t first = r.result.value;
    put(&r, a, "other", "x");
    put(&r, a, "w/2", "two");
    struct tables_position at = {first, 0}, present;
    CHECK(tables_change_next(r.t, TABLES_WATCH_KEYS, text("w/"), &at, &change));
    CHECK(change.kind == TABLES_CHANGE_PUT && change.position.revision == first && change.value.bytes == 3);
    CHECK(tables_change_next(r.t, TABLES_WATCH_KEYS, text("w/"), &at, &change));
    CHECK(!memcmp(change.name.at, "w/2", 3));
    CHECK(!tables_change_next(r.t, TABLES_WATCH_KEYS, text("w/"), &at, &change));
    CHECK_EQUAL(at.revision, tables_applied_index(r.t) + 1);
    present = at;
    struct steps s = {.used = 0};
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "w/3", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_DELETE}, "w/1", "");
    CHECK_EQUAL(transact(&r, a, &s), E_OK);
    CHECK_EQUAL(watch("w/", &present), 2);
    struct tables_position middle = {r.result.value, 1}; /* it goes on within one entry */
    CHECK(tables_change_next(r.t, TABLES_WATCH_KEYS, text("w/"), &middle, &change));
    CHECK_EQUAL(change.kind, TABLES_CHANGE_DELETE);
}

static void test_history_is_a_fixed_ring(void)
{
    static char value[TABLES_VALUE_MAX];
    struct tables_counts before, after;
    uint32_t a = join(&r, 1, 1);
    CHECK_EQUAL(tables_history_begin(r.t).revision, 1);
    for (uint32_t i = 0; i < TABLES_HISTORY_MAX + 100; i++)
        put(&r, a, "k", "v");
    struct tables_position begin = tables_history_begin(r.t);
    CHECK_EQUAL(watch("k", &begin), TABLES_HISTORY_MAX);
    memset(value, 'v', sizeof(value));
    struct tables_op op = {
        .kind = TABLES_KEY_PUT,
        .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text("k"), .value = {value, sizeof(value)}}};
    for (uint32_t i = 0; i < 500; i++)
        CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    tables_counts(r.t, &before);
    for (uint32_t i = 0; i < 500; i++)
        CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    tables_counts(r.t, &after);
    CHECK_EQUAL(after.memory_bytes, before.memory_bytes);
    begin = tables_history_begin(r.t);
    CHECK(watch("k", &begin) <= TABLES_HISTORY_BYTES / sizeof(value));
}

/* ---- keys that end, keys with numbers ---- */

static void test_keys_end_with_their_session(void)
{
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    uint64_t s = session(a, 5), other = session(b, 6);
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION,
                                       .name = text("here/a"),
                                       .process_id = 5,
                                       .value = text("1"),
                                       .session = s}};
    CHECK_EQUAL(replica_from(&r, b, op), E_NO_SESSION); /* another node's */
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    op.key_put.process_id = 6;
    CHECK_EQUAL(replica_from(&r, a, op), E_NO_SESSION); /* another process's */
    op.key_put.name = text("here/b");
    op.key_put.session = other;
    CHECK_EQUAL(replica_from(&r, b, op), E_OK);
    op.key_put.process_id = 5;
    op.key_put.name = text("here/kept");
    op.key_put.session = s;
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    CHECK_EQUAL(put(&r, b, "here/kept", "2"), E_OK); /* put without a session: it stays */
    struct tables_position at = {tables_applied_index(r.t) + 1, 0};
    process_end(a, 5);
    CHECK(!has("here/a", "1") && has("here/b", "1") && has("here/kept", "2"));
    CHECK_EQUAL(watch("here/", &at), 1);
    join(&r, 2, 2); /* the other node starts anew */
    CHECK(!has("here/b", "1"));
    CHECK_EQUAL(replica_from(&r, a, op), E_NO_SESSION);
}

static void test_sequential_keys(void)
{
    struct tables_key_view view;
    uint32_t a = join(&r, 1, 1);
    struct tables_op op = {.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text("q/"), .sequential = 1}};
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    CHECK_EQUAL(r.result.number, 1);
    CHECK(has("q/000000000001", ""));
    CHECK_EQUAL(put(&r, a, "q/000000000002", "in the way"), E_OK);
    CHECK_EQUAL(replica_from(&r, a, op), E_EXISTS);
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    CHECK_EQUAL(r.result.number, 3);
    CHECK(tables_key(r.t, text("q/000000000003"), &view));
    op.key_put.if_revision = 0;
    CHECK_EQUAL(replica_from(&r, a, op), E_INVALID);
}

/* ---- semaphores, elections, barriers, delays ---- */

static void test_semaphore(void)
{
    struct tables_lock_view view;
    uint32_t a = join(&r, 1, 1);
    CHECK_EQUAL(acquire(a, 1, "S", TABLES_PERMIT, 2), E_OK);
    uint64_t first = r.result.ticket, fence = r.result.value;
    CHECK_EQUAL(acquire(a, 2, "S", TABLES_PERMIT, 2), E_OK);
    CHECK(r.result.value > fence);
    CHECK_EQUAL(acquire(a, 3, "S", TABLES_PERMIT, 2), E_OK);
    CHECK_EQUAL(r.result.value, 0);
    CHECK_EQUAL(acquire(a, 4, "S", TABLES_PERMIT, 3), E_CONFLICT);
    CHECK_EQUAL(acquire(a, 4, "S", TABLES_PERMIT, 0), E_RANGE);
    CHECK_EQUAL(acquire(a, 4, "S", TABLES_EXCLUSIVE, 0), E_WRONG_TYPE);
    lock_cancel(a, first);
    CHECK(r.event_count == 1 && r.events[0].process_id == 3 && r.events[0].kind == TABLES_EVENT_GRANTED);
    CHECK(tables_lock(r.t, text("S"), &view) && view.holders == 2 && view.waiters == 0 && view.permits == 2);
}

static void test_barrier_opens_for_all_at_once(void)
{
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    CHECK_EQUAL(acquire(a, 1, "B", TABLES_PARTY, 3), E_OK);
    CHECK_EQUAL(r.result.value, 0);
    CHECK_EQUAL(acquire(b, 2, "B", TABLES_PARTY, 3), E_OK);
    process_end(b, 2); /* it does not count any more */
    CHECK_EQUAL(acquire(b, 3, "B", TABLES_PARTY, 3), E_OK);
    CHECK_EQUAL(r.result.value, 0);
    CHECK_EQUAL(acquire(a, 4, "B", TABLES_PARTY, 3), E_OK);
    CHECK(r.result.value != 0);
    uint64_t own = r.result.value, ticket = r.result.ticket;
    CHECK_EQUAL(r.event_count, 2); /* several grants of one entry: each fence another, rising */
    CHECK(r.events[0].fence != 0 && r.events[0].fence < r.events[1].fence && r.events[1].fence < own);
    CHECK_EQUAL(acquire(b, 5, "B", TABLES_PARTY, 3), E_OK);
    CHECK_EQUAL(r.result.value, 0); /* the next round */
    uint64_t waiting = r.result.ticket;
    lock_cancel(a, ticket);
    CHECK_EQUAL(r.event_count, 0);
    struct tables_request_view view;
    CHECK(tables_request(r.t, waiting, &view) && view.fence == 0);
}

static void test_election(void)
{
    struct tables_lock_view view;
    struct tables_change change;
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    struct tables_position at = {1, 0};
    struct tables_op op = {
        .kind = TABLES_LOCK,
        .lock = {.mode = TABLES_CANDIDATE, .process_id = 1, .name = text("E"), .value = text("first")}};
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    uint64_t fence = r.result.value;
    op.lock.process_id = 2;
    op.lock.value = text("second");
    CHECK_EQUAL(replica_from(&r, b, op), E_OK);
    CHECK(tables_lock(r.t, text("E"), &view) && view.value.bytes == 5 && !memcmp(view.value.at, "first", 5));
    struct tables_op set = {.kind = TABLES_ELECTED_SET, .elected_set = {fence, 1, text("E"), text("moved")}};
    CHECK_EQUAL(replica_from(&r, a, set), E_OK);
    process_end(a, 1);
    CHECK(tables_lock(r.t, text("E"), &view) && !memcmp(view.value.at, "second", 6));
    CHECK_EQUAL(replica_from(&r, a, set), E_STALE_FENCE);
    process_end(b, 2);
    const char *values[] = {"first", "moved", "second"};
    for (int i = 0; i < 3; i++) {
        CHECK(tables_change_next(r.t, TABLES_WATCH_ELECTIONS, text("E"), &at, &change));
        CHECK_EQUAL(change.kind, TABLES_CHANGE_ELECTED);
        CHECK(change.value.bytes == strlen(values[i]) && !memcmp(change.value.at, values[i], change.value.bytes));
        CHECK_EQUAL(change.process_id, i < 2 ? 1 : 2);
    }
    CHECK(tables_change_next(r.t, TABLES_WATCH_ELECTIONS, text("E"), &at, &change));
    CHECK_EQUAL(change.kind, TABLES_CHANGE_VACANT);
    CHECK(!tables_change_next(r.t, TABLES_WATCH_ELECTIONS, text("E"), &at, &change));
}

/* The first renewal after the death begins the delay; one that was on its way at the death must not count. */
static void test_lock_delay(void)
{
    struct tables_lock_view view;
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    struct tables_op op = {.kind = TABLES_LOCK,
                           .lock = {.mode = TABLES_EXCLUSIVE, .process_id = 1, .name = text("D"), .delay_ns = 1000}};
    renew(100);
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    uint64_t ticket = r.result.ticket;
    CHECK_EQUAL(lock(&r, b, 2, "D", TABLES_EXCLUSIVE), E_OK);
    lock_cancel(a, ticket); /* let go of on purpose: no delay */
    CHECK(r.event_count == 1 && r.events[0].process_id == 2);
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    process_end(b, 2); /* it asked for no delay */
    CHECK_EQUAL(r.event_count, 2);
    process_end(a, 1);
    CHECK_EQUAL(r.event_count, 1); /* LOST alone */
    CHECK(tables_lock(r.t, text("D"), &view) && view.delayed && view.holders == 0);
    op.lock.try_only = 1;
    CHECK_EQUAL(replica_from(&r, a, op), E_BUSY);
    CHECK_EQUAL(lock(&r, b, 3, "D", TABLES_EXCLUSIVE), E_OK);
    CHECK_EQUAL(r.result.value, 0);
    renew(1200);
    renew(2199);
    CHECK_EQUAL(r.event_count, 0);
    renew(2200);
    CHECK(r.event_count == 1 && r.events[0].kind == TABLES_EVENT_GRANTED && r.events[0].process_id == 3);
    process_end(b, 3);
    CHECK(!tables_lock(r.t, text("D"), &view));
    op.lock.try_only = 0;
    CHECK_EQUAL(replica_from(&r, a, op), E_OK);
    join(&r, 1, 2); /* its node starts anew: that is a death too */
    CHECK(tables_lock(r.t, text("D"), &view) && view.delayed);
    renew(3000);
    renew(4000);
    CHECK(!tables_lock(r.t, text("D"), &view)); /* nobody wanted it */
}

static void test_who_is_robbed_of_a_lock_is_told(void)
{
    uint32_t a = join(&r, 1, 1), b = join(&r, 2, 1);
    struct tables_op op = {.kind = TABLES_UNLOCK, .unlock = {.process_id = 2, .name = text("L")}};
    CHECK_EQUAL(lock(&r, a, 1, "L", TABLES_EXCLUSIVE), E_OK);
    op.unlock.fence = r.result.value;
    CHECK_EQUAL(lock(&r, b, 2, "L", TABLES_EXCLUSIVE), E_OK);
    CHECK_EQUAL(replica_from(&r, b, op), E_NO_RIGHT);
    op.unlock.any = 1;
    CHECK_EQUAL(replica_from(&r, b, op), E_OK);
    CHECK_EQUAL(r.event_count, 2);
    CHECK(r.events[0].kind == TABLES_EVENT_LOST && r.events[0].node == a && r.events[0].process_id == 1);
    CHECK(r.events[1].kind == TABLES_EVENT_GRANTED && r.events[1].node == b);
    op.unlock.fence = r.events[1].fence;
    CHECK_EQUAL(replica_from(&r, b, op), E_OK);
    CHECK_EQUAL(r.event_count, 0); /* its own doing */
}

#define FRESH(test)                                                                                                    \
    do {                                                                                                               \
        replica_open(&r);                                                                                              \
        RUN(test);                                                                                                     \
        replica_close(&r);                                                                                             \
    } while (0)

int main(void)
{
    FRESH(test_transaction_takes_one_branch);
    FRESH(test_transaction_guarded_by_a_fence);
    FRESH(test_transaction_is_whole);
    FRESH(test_transactions_refused);
    FRESH(test_watching_from_a_revision);
    FRESH(test_history_is_a_fixed_ring);
    FRESH(test_keys_end_with_their_session);
    FRESH(test_sequential_keys);
    FRESH(test_semaphore);
    FRESH(test_barrier_opens_for_all_at_once);
    FRESH(test_election);
    FRESH(test_lock_delay);
    FRESH(test_who_is_robbed_of_a_lock_is_told);
    return 0;
}
