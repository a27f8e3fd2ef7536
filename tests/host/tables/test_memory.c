/* Memory that ends anywhere: in the middle of every operation, and of a snapshot. Whatever is missing by then, the
 * replica ends with E_NO_MEMORY, and what had room enough was done. */
#include "fixture.h"

static struct replica r;
static const char big[TABLES_VALUE_MAX];

static err_t apply(struct tables_op op)
{
    uint8_t entry[TABLES_ENTRY_MAX];
    if (op.kind != TABLES_NODE_JOIN && op.kind != TABLES_RENEW) {
        op.node = 1;
        op.boot[0] = 1;
        op.sequence = ++r.sequence[1];
    }
    size_t bytes = tables_encode(&op, entry, sizeof(entry));
    CHECK(bytes > 0);
    err_t err = tables_apply(r.t, tables_applied_index(r.t) + 1, 1, entry, bytes, &r.result);
    CHECK(err == E_NO_MEMORY || (err == E_OK && r.result.err == E_OK));
    return err;
}

static err_t put_bytes(const char *name, uint32_t bytes)
{
    return apply(
        (struct tables_op){.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text(name), .value = {big, bytes}}});
}

static err_t name_of(uint32_t number, uint32_t bytes)
{
    char name[TABLES_NAME_MAX + 1];
    memset(name, 'n', sizeof(name));
    snprintf(name, sizeof(name), "%04u", number);
    return apply((struct tables_op){.kind = TABLES_NAME_PUT, .name_put = {7, 1, {name, bytes}}});
}

static uint64_t session, fence;

/* One chunk, with what the operations below need, and then `rows` names of one size and one of another in its way.
 * False: there is no room for so many. */
static bool prepare(uint32_t rows, uint32_t last_bytes)
{
    const struct tables_text name = text("e"), value = text("v");
    replica_open(&r);
    r.chunk_limit = r.chunk_count;
    CHECK_EQUAL(join(&r, 1, 1), 1);
    CHECK_EQUAL(apply((struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {7}}), E_OK);
    session = r.result.value;
    CHECK_EQUAL(
        apply((struct tables_op){.kind = TABLES_LOCK,
                                 .lock = {.mode = TABLES_CANDIDATE, .process_id = 7, .name = name, .value = value}}),
        E_OK);
    fence = r.result.value;
    CHECK_EQUAL(put_bytes("k", 10), E_OK);
    for (uint32_t i = 0; i < rows; i++) {
        if (name_of(i, 100) != E_OK)
            return false;
    }
    return name_of(rows, last_bytes) == E_OK;
}

/* Each takes memory, some in several pieces. */
static struct tables_op taking(uint32_t which)
{
    static struct steps steps;
    const struct tables_text much = {big, 1500}, name = text("new"), e = text("e");
    steps.used = 0;
    steps_add(&steps, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "t1", "one");
    steps_add(&steps, (struct txn_step){.section = TXN_THEN, .kind = TXN_PUT}, "t2", "two");
    const struct tables_op ops[] = {
        {.kind = TABLES_SESSION_OPEN, .session_open = {7}},
        {.kind = TABLES_SESSION_OPEN, .session_open = {8}},
        {.kind = TABLES_KEY_PUT, .key_put = {.if_revision = TABLES_ANY_REVISION, .name = name, .value = much}},
        {.kind = TABLES_KEY_PUT, .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text("k"), .value = much}},
        {.kind = TABLES_KEY_APPEND, .key_append = {session, 1, 7, text("k"), much}},
        {.kind = TABLES_KEY_APPEND, .key_append = {session, 1, 7, name, much}},
        {.kind = TABLES_LOCK, .lock = {.mode = TABLES_SHARED, .process_id = 7, .name = name}},
        {.kind = TABLES_LOCK, .lock = {.mode = TABLES_SHARED, .process_id = 8, .name = name}},
        {.kind = TABLES_LOCK, .lock = {.mode = TABLES_CANDIDATE, .process_id = 7, .name = e, .value = {big, 255}}},
        {.kind = TABLES_ELECTED_SET, .elected_set = {fence, 7, e, {big, 255}}},
        {.kind = TABLES_TXN, .txn = {7, {steps.bytes, steps.used}}},
        {.kind = TABLES_NAME_PUT, .name_put = {7, 1, name}},
        {.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = 3, .command = text("run")}},
    };
    return which < sizeof(ops) / sizeof(ops[0]) ? ops[which] : (struct tables_op){.kind = 0};
}

static void test_it_ends_in_any_operation(void)
{
    uint32_t most = 0;
    while (prepare(most, 1)) {
        replica_close(&r);
        most++;
    }
    replica_close(&r);
    CHECK(most > 60);
    for (uint32_t which = 0; taking(which).kind != 0; which++) {
        uint32_t well = 0, badly = 0;
        for (uint32_t rows = most - 24; rows <= most; rows++) {
            for (uint32_t bytes = 1; bytes < 200; bytes += 16) {
                if (prepare(rows, bytes))
                    (*(apply(taking(which)) == E_OK ? &well : &badly))++;
                replica_close(&r);
            }
        }
        CHECK(well > 0 && badly > 0);
    }
}

/* A snapshot of rows of every kind, more than one chunk of them: loaded with ever more memory and, so that other rows
 * are the last that find room, with ever more of the first kind. */
static void test_it_ends_in_any_row_of_a_snapshot(void)
{
    static struct replica other;
    static struct tables_saver saver;
    static struct tables_loader loader;
    static uint8_t bytes[1u << 20];
    uint32_t refused = 0;
    for (uint32_t kind = 0; kind < 6; kind++) {
        for (uint32_t before = 0; before < 12; before++) {
            char name[32];
            replica_open(&r);
            CHECK_EQUAL(join(&r, 1, 1), 1);
            for (uint32_t i = 0; i < before; i++)
                CHECK_EQUAL(apply((struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {1}}), E_OK);
            for (uint32_t i = 0; i < 250; i++) {
                snprintf(name, sizeof(name), "row %u", i);
                const struct tables_op ops[] = {
                    {.kind = TABLES_SESSION_OPEN, .session_open = {i}},
                    {.kind = TABLES_KEY_PUT, .key_put = {TABLES_ANY_REVISION, text(name), text(name), 0, 0, 0}},
                    {.kind = TABLES_NAME_PUT, .name_put = {7, 1, text(name)}},
                    {.kind = TABLES_LOCK, .lock = {.mode = TABLES_EXCLUSIVE, .process_id = i, .name = text(name)}},
                    {.kind = TABLES_LOCK,
                     .lock = {.mode = TABLES_CANDIDATE, .process_id = i, .name = text("e"), .value = {big, 200}}},
                    {.kind = TABLES_JOB_SUBMIT, .job_submit = {.count = 1 + i % 64, .command = text(name)}}};
                CHECK_EQUAL(apply(ops[kind]), E_OK);
            }
            tables_save_begin(r.t, &saver);
            size_t total = tables_save(r.t, &saver, bytes, sizeof(bytes));
            CHECK_EQUAL(total, saver.total);
            err_t err = E_NO_MEMORY;
            for (uint32_t limit = 1; err == E_NO_MEMORY; limit++) {
                replica_open(&other);
                other.chunk_limit = limit;
                tables_load_begin(other.t, &loader);
                err = tables_load(other.t, &loader, bytes, total);
                CHECK_EQUAL(tables_load_end(other.t, &loader), err);
                CHECK(err == E_OK || (err == E_NO_MEMORY && tables_applied_index(other.t) == 0));
                refused += err == E_NO_MEMORY;
                if (err == E_OK)
                    CHECK_EQUAL(tables_hash(other.t), tables_hash(r.t));
                replica_close(&other);
            }
            replica_close(&r);
        }
    }
    CHECK(refused >= 6 * 12);
}

int main(void)
{
    RUN(test_it_ends_in_any_operation);
    RUN(test_it_ends_in_any_row_of_a_snapshot);
    return 0;
}
