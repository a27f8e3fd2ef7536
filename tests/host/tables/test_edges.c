/* What lies at the edges of the tables: the last row of each kind, reads of what is there and is not, requests of
 * nobody, and a replica that runs out of memory in the middle of anything. */
#include "fixture.h"

static struct replica r;

static err_t from_one(struct tables_op op)
{
    return replica_from(&r, 1, op);
}

static err_t open_session(uint64_t process)
{
    return from_one((struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {process}});
}

static err_t put_name(const char *name)
{
    return from_one(
        (struct tables_op){.kind = TABLES_NAME_PUT, .name_put = {.process_id = 7, .export_id = 3, .name = text(name)}});
}

static err_t append(uint64_t session, uint64_t number, const char *key, struct tables_text data)
{
    return from_one((struct tables_op){.kind = TABLES_KEY_APPEND, .key_append = {session, number, 7, text(key), data}});
}

static void test_sessions(void)
{
    uint64_t process, sequence;
    CHECK_EQUAL(open_session(7), E_OK);
    uint64_t session = r.result.value;
    CHECK_EQUAL(append(session, 1, "k", text("a")), E_OK);
    CHECK(tables_session(r.t, session, &process, &sequence) && process == 7 && sequence == 1);
    CHECK(!tables_session(r.t, session + 1000, &process, &sequence));
    for (uint32_t i = 1; i < TABLES_SESSIONS_MAX; i++)
        CHECK_EQUAL(open_session(8 + i / TABLES_OWNER_SESSIONS), E_OK);
    CHECK_EQUAL(open_session(8), E_FULL);
    CHECK_EQUAL(open_session(1000), E_FULL);
    join(&r, 2, 1);
    struct tables_op close = {.kind = TABLES_SESSION_CLOSE, .session_close = {session, 7}};
    CHECK_EQUAL(replica_from(&r, 2, close), E_NO_SESSION); /* another node's */
    CHECK_EQUAL(from_one(close), E_OK);
    CHECK_EQUAL(from_one(close), E_NO_SESSION);
    CHECK_EQUAL(append(session, 2, "k", text("b")), E_NO_SESSION);
    CHECK_EQUAL(open_session(8), E_OK);
}

/* Each process may have so many, of every node; what one closes it may open again, and its locks do not count. */
static void test_no_process_takes_all_sessions(void)
{
    join(&r, 2, 1);
    for (uint32_t i = 0; i < TABLES_OWNER_SESSIONS; i++)
        CHECK_EQUAL(open_session(7), E_OK);
    uint64_t newest = r.result.value;
    CHECK_EQUAL(open_session(7), E_FULL);
    CHECK_EQUAL(open_session(8), E_OK);
    CHECK_EQUAL(replica_from(&r, 2, (struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {7}}), E_OK);
    CHECK_EQUAL(lock(&r, 1, 7, "l", TABLES_EXCLUSIVE), E_OK);
    CHECK_EQUAL(from_one((struct tables_op){.kind = TABLES_SESSION_CLOSE, .session_close = {newest, 7}}), E_OK);
    CHECK_EQUAL(open_session(7), E_OK);
    CHECK_EQUAL(open_session(7), E_FULL);
    CHECK_EQUAL(from_one((struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {7}}), E_OK);
    CHECK_EQUAL(open_session(7), E_OK);
}

static void test_appends(void)
{
    static const char much[TABLES_VALUE_MAX];
    CHECK_EQUAL(open_session(7), E_OK);
    uint64_t session = r.result.value;
    join(&r, 2, 1);
    struct tables_op other = {.kind = TABLES_KEY_APPEND, .key_append = {session, 1, 7, text("k"), text("a")}};
    CHECK_EQUAL(replica_from(&r, 2, other), E_NO_SESSION);
    CHECK_EQUAL(append(session, 0, "k", text("a")), E_RANGE);
    CHECK_EQUAL(append(session, 1, "", text("a")), E_INVALID);
    CHECK_EQUAL(append(session, 2, "k", (struct tables_text){much, TABLES_VALUE_MAX}), E_OK);
    CHECK_EQUAL(append(session, 3, "k", text("a")), E_FULL);
    CHECK_EQUAL(append(session, 3, "k", text("a")), E_FULL); /* again: what it got */
    CHECK_EQUAL(append(session, 5, "k", text("a")), E_RANGE);
}

static void test_names(void)
{
    struct tables_name_view view;
    char name[16];
    CHECK_EQUAL(put_name(""), E_INVALID);
    CHECK_EQUAL(put_name("b"), E_OK);
    CHECK(tables_name(r.t, text("b"), &view) && view.node == 1 && view.process_id == 7 && view.export_id == 3);
    CHECK(!tables_name(r.t, text("a"), &view));
    CHECK(tables_name_next(r.t, text(""), &view) && view.name_bytes == 1 && view.name[0] == 'b');
    CHECK(!tables_name_next(r.t, text("b"), &view));
    for (uint32_t i = 1; i < TABLES_NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        CHECK_EQUAL(put_name(name), E_OK);
    }
    CHECK_EQUAL(put_name("one more"), E_FULL);
}

static err_t lock_as(uint64_t mode, bool try_only, const char *name)
{
    return from_one((struct tables_op){
        .kind = TABLES_LOCK, .lock = {.mode = mode, .try_only = try_only, .process_id = 9, .name = text(name)}});
}

/* By process `process` of node 1. */
static err_t share(uint64_t process, const char *name, uint64_t delay_ns)
{
    return from_one((struct tables_op){
        .kind = TABLES_LOCK,
        .lock = {.mode = TABLES_SHARED, .process_id = process, .name = text(name), .delay_ns = delay_ns}});
}

static err_t unlock(uint64_t fence, const char *name)
{
    return from_one((struct tables_op){.kind = TABLES_UNLOCK, .unlock = {fence, 9, 0, text(name)}});
}

static void test_locks(void)
{
    struct tables_request_view request;
    struct tables_lock_view view;
    char name[16];
    CHECK_EQUAL(lock_as(9, false, "l"), E_INVALID);
    CHECK_EQUAL(lock_as(TABLES_EXCLUSIVE, false, ""), E_INVALID);
    CHECK_EQUAL(unlock(4, "l"), E_NOT_FOUND);
    CHECK_EQUAL(lock_as(TABLES_EXCLUSIVE, false, "l"), E_OK);
    uint64_t fence = r.result.value, ticket = r.result.ticket;
    CHECK(tables_request(r.t, ticket, &request) && request.fence == fence && request.process_id == 9);
    CHECK(!tables_request(r.t, ticket + 99, &request));
    CHECK_EQUAL(unlock(0, "l"), E_STALE_FENCE);
    CHECK_EQUAL(unlock(fence + 1, "l"), E_NOT_FOUND);
    CHECK_EQUAL(lock_as(TABLES_SHARED, true, "l"), E_BUSY);
    join(&r, 2, 1);
    struct tables_op cancel = {.kind = TABLES_LOCK_CANCEL, .lock_cancel = {ticket}};
    CHECK_EQUAL(replica_from(&r, 2, cancel), E_NOT_FOUND);
    for (uint32_t i = 1; i < TABLES_LOCKS_MAX; i++) {
        snprintf(name, sizeof(name), "m%u", i);
        CHECK_EQUAL(share(100 + i / 100, name, 0), E_OK);
    }
    CHECK_EQUAL(lock_as(TABLES_SHARED, false, "one more"), E_FULL);
    for (uint32_t i = TABLES_LOCKS_MAX; i < TABLES_REQUESTS_MAX; i++)
        CHECK_EQUAL(share(200 + i / 100, "m1", 0), E_OK);
    CHECK_EQUAL(lock_as(TABLES_SHARED, false, "m1"), E_FULL);
    CHECK(tables_lock_next(r.t, text(""), &view) && tables_lock_next(r.t, text("l"), &view));
}

/* What one process, or all together, may ask for: nobody fills the table for the others. */
static void test_no_process_takes_all_locks(void)
{
    char name[16];
    for (uint32_t i = 0; i < TABLES_OWNER_MAX; i++)
        CHECK_EQUAL(share(9, "l", 0), E_OK);
    uint64_t fence = r.result.value;
    CHECK_EQUAL(share(9, "other", 0), E_FULL);
    CHECK_EQUAL(share(10, "other", 0), E_OK);
    CHECK_EQUAL(unlock(fence, "l"), E_OK);
    CHECK_EQUAL(share(9, "other", 0), E_OK);
    CHECK_EQUAL(share(9, "l", 0), E_FULL);
    CHECK_EQUAL(from_one((struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {9}}), E_OK);
    CHECK_EQUAL(share(9, "l", 0), E_OK);

    CHECK_EQUAL(share(20, "d", TABLES_DELAY_MAX_NS + 1), E_RANGE);
    for (uint32_t i = 0; i < TABLES_DELAYS_MAX; i++) {
        snprintf(name, sizeof(name), "d%u", i);
        CHECK_EQUAL(share(20 + i / TABLES_OWNER_DELAYS, name, TABLES_DELAY_MAX_NS), E_OK);
    }
    CHECK_EQUAL(share(20, "d", 1), E_FULL); /* too many of its own */
    CHECK_EQUAL(share(99, "d", 1), E_FULL); /* of all */
    CHECK_EQUAL(share(20, "d", 0), E_OK);
    CHECK_EQUAL(from_one((struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {20}}), E_OK);
    CHECK_EQUAL(share(99, "d", 1), E_FULL); /* its locks keep their delay */
    CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_RENEW, .renew = {1, 1}}), E_OK);
    CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_RENEW, .renew = {1 + TABLES_DELAY_MAX_NS, 1}}),
                E_OK);
    CHECK_EQUAL(share(99, "d", 1), E_OK);
}

static void test_keys_by_prefix(void)
{
    struct tables_key_view view;
    CHECK(!tables_key_next(r.t, text("p"), text("o"), &view)); /* nothing is there at all */
    CHECK(!tables_key_next(r.t, text("p"), text(""), &view));
    CHECK(!tables_key_next(r.t, text(""), text(""), &view));
    CHECK_EQUAL(put(&r, 1, "pa", "1"), E_OK);
    CHECK_EQUAL(put(&r, 1, "pb", "2"), E_OK);
    CHECK_EQUAL(put(&r, 1, "q", "3"), E_OK);
    CHECK(tables_key_next(r.t, text("p"), text(""), &view) && view.value[0] == '1');
    CHECK(tables_key_next(r.t, text("p"), text("a"), &view) && view.value[0] == '1');
    CHECK(tables_key_next(r.t, text("p"), text("pa"), &view) && view.value[0] == '2');
    CHECK(!tables_key_next(r.t, text("p"), text("pb"), &view));
    CHECK(!tables_key_next(r.t, text("p"), text("z"), &view));
    CHECK(tables_key_next(r.t, text(""), text(""), &view) && view.value[0] == '1');
    struct tables_op gone = {.kind = TABLES_KEY_DELETE, .key_delete = {view.revision, text("pa")}};
    CHECK_EQUAL(from_one(gone), E_OK);
    CHECK_EQUAL(from_one(gone), E_NOT_FOUND);
}

static err_t submit(uint64_t count, const char *command)
{
    return from_one(
        (struct tables_op){.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = count, .command = text(command)}});
}

static err_t report(uint64_t job, uint64_t instance, uint64_t state)
{
    return from_one((struct tables_op){.kind = TABLES_JOB_REPORT,
                                       .job_report = {.job = job, .instance = instance, .state = state}});
}

static void test_jobs(void)
{
    struct tables_counts counts;
    CHECK(tables_job_next(r.t, 0) == NULL);
    CHECK_EQUAL(submit(0, "c"), E_INVALID);
    CHECK_EQUAL(submit(TABLES_INSTANCES_MAX + 1, "c"), E_INVALID);
    CHECK_EQUAL(submit(1, ""), E_INVALID);
    CHECK_EQUAL(submit(2, "c"), E_OK);
    uint64_t job = r.result.value;
    CHECK(tables_job_next(r.t, 0) == tables_job(r.t, job) && tables_job_next(r.t, job) == NULL);
    CHECK_EQUAL(report(job, 0, TABLES_JOB_RUNNING), E_NOT_FOUND); /* it was not placed here */
    CHECK_EQUAL(report(job + 50, 0, TABLES_JOB_RUNNING), E_NOT_FOUND);
    tables_counts(r.t, &counts);
    CHECK(counts.nodes == 1 && counts.jobs == 1 && counts.keys == 0 && counts.memory_bytes > 0);
    CHECK_EQUAL(tables_applied_term(r.t), 1);
}

/* Everything once, on replicas with ever more memory: each ends in E_NO_MEMORY or does all of it. */
static bool goes_well(struct replica *small, uint32_t limit)
{
    static const char value[3000];
    uint8_t entry[TABLES_ENTRY_MAX];
    memset(small, 0, sizeof(*small));
    replica_open(small);
    small->chunk_limit = limit > small->chunk_count ? limit : small->chunk_count;
    uint64_t index = 1;
    err_t err = E_OK;
    for (uint32_t round = 0; round < 200 && err == E_OK; round++) {
        char name[200];
        memset(name, 'a', sizeof(name));
        snprintf(name, sizeof(name), "%u", round);
        struct tables_text long_name = {name, sizeof(name)}, much = {value, sizeof(value)};
        struct tables_op ops[] = {
            {.kind = TABLES_NODE_JOIN,
             .node_join = {.node_id = {1}, .boot_id = {1}, .wanted = 1, .level = TABLES_LEVEL_NOW}},
            {.kind = TABLES_KEY_PUT, .key_put = {.if_revision = TABLES_ANY_REVISION, .name = long_name, .value = much}},
            {.kind = TABLES_KEY_PUT,
             .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text("same"), .value = much}},
            {.kind = TABLES_SESSION_OPEN, .session_open = {7}},
            {.kind = TABLES_LOCK, .lock = {.mode = TABLES_SHARED, .process_id = 7, .name = long_name}},
            {.kind = TABLES_NAME_PUT, .name_put = {.process_id = 7, .name = long_name}},
            {.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = 60, .command = text("c")}}};
        for (uint32_t i = 0; i < sizeof(ops) / sizeof(ops[0]) && err == E_OK; i++) {
            if (ops[i].kind != TABLES_NODE_JOIN) {
                ops[i].node = 1;
                ops[i].boot[0] = 1;
                ops[i].sequence = ++small->sequence[1];
            }
            size_t bytes = tables_encode(&ops[i], entry, sizeof(entry));
            err = tables_apply(small->t, index++, 1, entry, bytes, &small->result);
        }
    }
    replica_close(small);
    CHECK(err == E_OK || err == E_NO_MEMORY);
    return err == E_OK;
}

static err_t place(uint64_t job, uint64_t boot, const char *why)
{
    return replica_apply(&r,
                         (struct tables_op){.kind = TABLES_JOB_PLACE,
                                            .job_place = {.job = job, .node = 1, .boot_id = {boot}, .why = text(why)}});
}

/* A report is of the boot that the instance was placed on. */
static void test_jobs_of_another_boot(void)
{
    CHECK_EQUAL(submit(1, "c"), E_OK);
    uint64_t job = r.result.value;
    CHECK_EQUAL(place(job, 9, "why"), E_CONFLICT);
    CHECK_EQUAL(place(job, 1, ""), E_OK);
    CHECK_EQUAL(tables_job(r.t, job)->instances[0].why[0], 0);
    CHECK_EQUAL(join(&r, 1, 2), 1);
    CHECK_EQUAL(report(job, 0, TABLES_JOB_RUNNING), E_NOT_FOUND);
}

static err_t acquire(uint32_t mode, const char *name, uint64_t permits, uint64_t delay_ns, const char *value)
{
    struct tables_op op = {.kind = TABLES_LOCK, .lock = {.mode = mode, .process_id = 7, .name = text(name)}};
    op.lock.permits = permits;
    op.lock.delay_ns = delay_ns;
    op.lock.value = text(value);
    return from_one(op);
}

static void test_fields_of_locks(void)
{
    CHECK_EQUAL(acquire(0, "l", 0, 0, ""), E_INVALID);
    CHECK_EQUAL(acquire(TABLES_PARTY + 1, "l", 1, 0, ""), E_INVALID);
    CHECK_EQUAL(acquire(TABLES_SHARED, "", 0, 0, ""), E_INVALID);
    CHECK_EQUAL(acquire(TABLES_SHARED, "l", 0, 0, "value"), E_INVALID);
    CHECK_EQUAL(acquire(TABLES_PARTY, "l", 2, 1, ""), E_INVALID);
    CHECK_EQUAL(acquire(TABLES_SHARED, "l", 1, 0, ""), E_RANGE);
    CHECK_EQUAL(acquire(TABLES_PERMIT, "l", 0, 0, ""), E_RANGE);
    CHECK_EQUAL(acquire(TABLES_PERMIT, "l", TABLES_PERMITS_MAX + 1, 0, ""), E_RANGE);
    CHECK_EQUAL(acquire(TABLES_CANDIDATE, "e", 0, 0, "value"), E_OK);
    struct tables_op set = {.kind = TABLES_ELECTED_SET, .elected_set = {r.result.value, 8, text("e"), text("mine")}};
    CHECK_EQUAL(from_one(set), E_NO_RIGHT); /* another process's */
    set.elected_set.process_id = 7;
    CHECK_EQUAL(from_one(set), E_OK);
    CHECK_EQUAL(acquire(TABLES_SHARED, "s", 0, 0, ""), E_OK);
    set.elected_set.fence = r.result.value;
    set.elected_set.name = text("s");
    CHECK_EQUAL(from_one(set), E_WRONG_TYPE);
}

/* Of holders that die together the longest delay counts, in whichever order they came. */
static void test_the_longest_delay_counts(void)
{
    for (uint32_t longer_first = 0; longer_first < 2; longer_first++) {
        const char *name = longer_first ? "first" : "last";
        struct tables_lock_view view;
        struct tables_op renew = {.kind = TABLES_RENEW, .renew = {1000000000 * (longer_first + 1), 1}};
        CHECK_EQUAL(acquire(TABLES_SHARED, name, 0, longer_first ? 50 : 10, ""), E_OK);
        CHECK_EQUAL(acquire(TABLES_SHARED, name, 0, longer_first ? 10 : 50, ""), E_OK);
        CHECK_EQUAL(from_one((struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {7}}), E_OK);
        CHECK_EQUAL(replica_apply(&r, renew), E_OK);
        renew.renew.now_ns += 49;
        CHECK_EQUAL(replica_apply(&r, renew), E_OK);
        CHECK(tables_lock(r.t, text(name), &view) && view.delayed);
        renew.renew.now_ns += 1;
        CHECK_EQUAL(replica_apply(&r, renew), E_OK);
        CHECK(!tables_lock(r.t, text(name), &view));
    }
}

static void test_floors_of_fences(void)
{
    uint64_t exclusive, shared, first;
    tables_lock_floor(r.t, text("l"), &exclusive, &shared);
    uint64_t before = exclusive;
    CHECK_EQUAL(exclusive, shared);
    CHECK_EQUAL(acquire(TABLES_SHARED, "l", 0, 9, ""), E_OK);
    first = r.result.value;
    CHECK(first >= before); /* nobody held it: only later grants would do */
    CHECK_EQUAL(acquire(TABLES_SHARED, "l", 0, 9, ""), E_OK);
    tables_lock_floor(r.t, text("l"), &exclusive, &shared);
    CHECK(exclusive == first && shared == r.result.value && shared > first);
    CHECK_EQUAL(from_one((struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {7}}), E_OK);
    tables_lock_floor(r.t, text("l"), &exclusive, &shared); /* kept from all by its delay */
    CHECK(exclusive == shared && exclusive > r.result.value);
}

/* A recovery by hand: nothing is held, keys stay, and no fence comes again. */
static void test_recovered(void)
{
    const uint64_t cluster[2] = {9, 9};
    struct tables_key_view key;
    struct tables_counts counts;
    CHECK_EQUAL(put(&r, 1, "k", "stays"), E_OK);
    CHECK_EQUAL(open_session(7), E_OK);
    CHECK_EQUAL(acquire(TABLES_EXCLUSIVE, "l", 0, 0, ""), E_OK);
    uint64_t fence = r.result.value;
    const uint64_t unknown[2] = {77, 77}; /* of a node that the tables do not know nothing is changed */
    tables_recover(r.t, cluster, 2, unknown);
    tables_counts(r.t, &counts);
    CHECK(tables_key(r.t, text("k"), &key) && counts.sessions == 0 && counts.requests == 0);
    CHECK(!tables_node(r.t, 1)->live);
    CHECK_EQUAL(open_session(7), E_GONE);
    CHECK_EQUAL(join(&r, 1, 2), 1);
    CHECK_EQUAL(acquire(TABLES_EXCLUSIVE, "l", 0, 0, ""), E_OK);
    CHECK(r.result.value >> 56 == 2 && r.result.value > fence);
}

/* Who is recovered from takes part, also if it had been removed; the others stay as they were. */
static void test_recovered_from_a_removed_node(void)
{
    const uint64_t cluster[2] = {9, 9};
    join(&r, 2, 1);
    join(&r, 3, 1);
    for (uint32_t node = 2; node <= 3; node++)
        CHECK_EQUAL(
            replica_apply(&r, (struct tables_op){.kind = TABLES_NODE_WISH, .node_wish = {node, TABLES_WISH_REMOVED}}),
            E_OK);
    tables_recover(r.t, cluster, 2, tables_node(r.t, 2)->node_id);
    CHECK_EQUAL(tables_node(r.t, 2)->wish, TABLES_WISH_NONE);
    CHECK_EQUAL(tables_node(r.t, 3)->wish, TABLES_WISH_REMOVED);
    tables_recover(r.t, cluster, 3, tables_node(r.t, 1)->node_id); /* it was not removed */
    CHECK_EQUAL(tables_node(r.t, 1)->wish, TABLES_WISH_NONE);
}

static void test_leases(void)
{
    CHECK(!tables_lease_over(r.t, 2)); /* nobody's */
    CHECK(!tables_lease_over(r.t, 1));
    join(&r, 2, 1);
    CHECK_EQUAL(replica_apply(&r, (struct tables_op){.kind = TABLES_RENEW, .renew = {TABLES_LEASE_NS, 2}}), E_OK);
    CHECK(tables_lease_over(r.t, 1) && !tables_lease_over(r.t, 2));
}

/* A number of a proposal that can be of no proposal is as one that was seen. */
static void test_the_highest_sequence_is_refused(void)
{
    struct tables_op op = {.kind = TABLES_SESSION_OPEN, .node = 1, .boot = {1}, .sequence = UINT64_MAX};
    replica_apply(&r, op);
    CHECK(r.result.repeated);
    op.sequence--;
    CHECK_EQUAL(replica_apply(&r, op), E_OK);
    CHECK(!r.result.repeated);
}

static void test_watching_everything_and_the_future(void)
{
    struct tables_position at = tables_history_begin(r.t), future = {1000, 0};
    struct tables_change change;
    CHECK_EQUAL(put(&r, 1, "longer", "x"), E_OK);
    CHECK(tables_change_next(r.t, TABLES_WATCH_KEYS, text(""), &at, &change) && change.name.bytes == 6);
    at = tables_history_begin(r.t);
    CHECK(!tables_change_next(r.t, TABLES_WATCH_KEYS, text("other"), &at, &change));
    CHECK_EQUAL(at.revision, tables_applied_index(r.t) + 1);
    CHECK(!tables_change_next(r.t, TABLES_WATCH_KEYS, text(""), &future, &change));
    CHECK_EQUAL(future.revision, 1000); /* it is not set back */
}

static err_t put_in_sequence(struct tables_text prefix, uint64_t sequential, uint64_t if_revision)
{
    return from_one(
        (struct tables_op){.kind = TABLES_KEY_PUT, .key_put = {if_revision, prefix, text("v"), 7, 0, sequential}});
}

static void test_fields_of_keys_in_sequence(void)
{
    static const char a[TABLES_NAME_MAX];
    const uint64_t any = TABLES_ANY_REVISION;
    CHECK_EQUAL(put_in_sequence(text(""), 1, any), E_INVALID);
    CHECK_EQUAL(put_in_sequence(text("q"), 2, any), E_INVALID);
    CHECK_EQUAL(put_in_sequence(text("q"), 1, 3), E_INVALID);
    CHECK_EQUAL(put_in_sequence((struct tables_text){a, TABLES_NAME_MAX - TABLES_SEQUENCE_DIGITS + 1}, 1, any),
                E_TOO_LONG);
    CHECK_EQUAL(put_in_sequence((struct tables_text){a, TABLES_NAME_MAX - TABLES_SEQUENCE_DIGITS}, 1, any), E_OK);
    CHECK_EQUAL(r.result.number, 1); /* what was refused used up none */
}

static void test_entries_out_of_form(void)
{
    static const char much[TABLES_VALUE_MAX + 1];
    uint8_t entry[2 * TABLES_ENTRY_MAX];
    struct tables_op op = {.kind = TABLES_KEY_PUT, .key_put = {.name = text("k"), .value = {much, sizeof(much)}}};
    CHECK_EQUAL(tables_encode(&op, entry, sizeof(entry)), 0);
    op.key_put.value.bytes--;
    size_t bytes = tables_encode(&op, entry, sizeof(entry));
    CHECK(bytes > TABLES_VALUE_MAX);
    entry[1] = TABLES_KINDS;
    CHECK_EQUAL(tables_decode(entry, bytes, &op), E_BAD_MESSAGE);
    entry[1] = 0;
    CHECK_EQUAL(tables_decode(entry, bytes, &op), E_BAD_MESSAGE);
}

static err_t check_step(uint32_t section, uint32_t kind, uint32_t name_bytes, uint32_t value_bytes)
{
    static uint8_t steps[8192];
    struct txn_step head = {(uint8_t)section, (uint8_t)kind, (uint16_t)name_bytes, (uint16_t)value_bytes, 0, 0};
    memset(steps, 'n', sizeof(steps));
    memcpy(steps, &head, sizeof(head));
    return tables_txn_check((struct tables_text){steps, (sizeof(head) + name_bytes + value_bytes + 7) & ~7u});
}

static void test_steps_out_of_form(void)
{
    CHECK_EQUAL(check_step(TXN_IF, TXN_VALUE, TABLES_NAME_MAX, TABLES_VALUE_MAX), E_OK);
    CHECK_EQUAL(check_step(TXN_THEN, TXN_PUT, TABLES_NAME_MAX, TABLES_VALUE_MAX), E_OK);
    CHECK_EQUAL(check_step(TXN_THEN, TXN_PUT, 0, 1), E_BAD_MESSAGE);
    CHECK_EQUAL(check_step(TXN_THEN, TXN_PUT, TABLES_NAME_MAX + 1, 1), E_BAD_MESSAGE);
    CHECK_EQUAL(check_step(TXN_THEN, TXN_PUT, 1, TABLES_VALUE_MAX + 1), E_BAD_MESSAGE);
    for (uint32_t section = 0; section <= TXN_ELSE + 1; section++) {
        for (uint32_t kind = 0; kind <= TXN_DELETE + 1; kind++) {
            bool compares = section == TXN_IF && kind >= TXN_REVISION && kind <= TXN_FENCE;
            bool changes = (section == TXN_THEN || section == TXN_ELSE) && (kind == TXN_PUT || kind == TXN_DELETE);
            CHECK_EQUAL(check_step(section, kind, 3, 0), compares || changes ? E_OK : E_BAD_MESSAGE);
        }
    }
}

/* Nothing is a value, too, and equals itself alone. */
static void test_an_empty_value_is_compared(void)
{
    struct steps s = {.used = 0};
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_VALUE}, "k", "");
    steps_add(&s, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "then", "1");
    CHECK_EQUAL(put(&r, 1, "k", ""), E_OK);
    CHECK_EQUAL(transact(&r, 1, &s), E_OK);
    CHECK_EQUAL(r.result.number, 1);
    CHECK_EQUAL(put(&r, 1, "k", "x"), E_OK);
    CHECK_EQUAL(transact(&r, 1, &s), E_OK);
    CHECK_EQUAL(r.result.number, 0);
}

static void *no_chunk(void *context)
{
    return NULL;
}

static void test_memory_ends_anywhere(void)
{
    static struct replica small;
    const uint64_t cluster[2] = {1, 2};
    struct tables *none;
    uint32_t limit = 1;
    CHECK_EQUAL(tables_init(&(struct tables_memory){.chunk = no_chunk}, cluster, 1, &none), E_NO_MEMORY);
    while (limit < 64 && !goes_well(&small, limit))
        limit++;
    CHECK(limit > 4 && limit < 64);
}

#define FRESH(test)                                                                                                    \
    do {                                                                                                               \
        replica_open(&r);                                                                                              \
        CHECK_EQUAL(join(&r, 1, 1), 1);                                                                                \
        RUN(test);                                                                                                     \
        replica_close(&r);                                                                                             \
    } while (0)

int main(void)
{
    FRESH(test_sessions);
    FRESH(test_no_process_takes_all_sessions);
    FRESH(test_appends);
    FRESH(test_names);
    FRESH(test_locks);
    FRESH(test_no_process_takes_all_locks);
    FRESH(test_keys_by_prefix);
    FRESH(test_jobs);
    FRESH(test_jobs_of_another_boot);
    FRESH(test_fields_of_locks);
    FRESH(test_the_longest_delay_counts);
    FRESH(test_floors_of_fences);
    FRESH(test_recovered);
    FRESH(test_recovered_from_a_removed_node);
    FRESH(test_leases);
    FRESH(test_the_highest_sequence_is_refused);
    FRESH(test_watching_everything_and_the_future);
    FRESH(test_fields_of_keys_in_sequence);
    FRESH(test_entries_out_of_form);
    FRESH(test_steps_out_of_form);
    FRESH(test_an_empty_value_is_compared);
    RUN(test_memory_ends_anywhere);
    return 0;
}
