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
            {.kind = TABLES_NODE_JOIN, .node_join = {.node_id = {1}, .boot_id = {1}, .wanted = 1}},
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
    RUN(test_memory_ends_anywhere);
    return 0;
}
