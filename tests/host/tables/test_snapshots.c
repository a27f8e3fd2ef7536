/* Snapshots that a stranger wrote: records changed, missing, twice, in another order, and with the right hash at their
 * end. Each is refused and leaves nothing, or is a snapshot: then it is what these tables write. */
#include <wire/wire.h>

#include "fixture.h"

#define ROOM (1u << 22)
static struct replica from, to;
static uint8_t whole[ROOM], made[ROOM], again[ROOM];
static struct tables_saver saver;
static struct tables_loader loader;

static size_t record_bytes(const uint8_t *record)
{
    return 4 + (record[0] | (size_t)record[1] << 8 | (size_t)record[2] << 16 | (size_t)record[3] << 24);
}

/* The last record is a hash of those before it. */
static void mend(uint8_t *snapshot, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i + 13 < bytes; i++)
        hash = (hash ^ snapshot[i]) * 0x100000001b3ull;
    for (size_t i = 0; i < 8; i++)
        snapshot[bytes - 8 + i] = (uint8_t)(hash >> 8 * i);
}

static err_t load(const uint8_t *snapshot, size_t bytes)
{
    tables_load_begin(to.t, &loader);
    err_t err = tables_load(to.t, &loader, snapshot, bytes);
    if (err)
        CHECK_EQUAL(tables_load(to.t, &loader, snapshot, bytes), err); /* it stays refused */
    CHECK(!err || tables_load_end(to.t, &loader) == err);
    return tables_load_end(to.t, &loader);
}

/* True: it was taken. */
static bool refused_or_written_alike(const uint8_t *snapshot, size_t bytes)
{
    err_t err = load(snapshot, bytes);
    if (err) {
        CHECK((err == E_BAD_MESSAGE || err == E_NOT_SUPPORTED) && tables_applied_index(to.t) == 0);
        return false;
    }
    tables_save_begin(to.t, &saver);
    CHECK_EQUAL(saver.total, bytes);
    CHECK_EQUAL(tables_save(to.t, &saver, again, sizeof(again)), bytes);
    CHECK(!memcmp(again, snapshot, bytes));
    return true;
}

static void lock_with(uint64_t process, const char *name, uint32_t mode, uint32_t permits, uint64_t delay_ns)
{
    struct tables_op op = {.kind = TABLES_LOCK,
                           .lock = {.mode = mode, .process_id = process, .name = text(name), .permits = permits}};
    op.lock.delay_ns = delay_ns;
    if (mode == TABLES_CANDIDATE)
        op.lock.value = text("value");
    CHECK_EQUAL(replica_from(&from, 1, op), E_OK);
}

/* Rows of every kind, in most of their states. */
static size_t write_rich(void)
{
    replica_open(&from);
    join(&from, 1, 1);
    join(&from, 2, 1);
    join(&from, 3, 1);
    replica_apply(&from, (struct tables_op){.kind = TABLES_RENEW, .renew = {1000, 7}});
    replica_apply(&from, (struct tables_op){.kind = TABLES_NODE_WISH, .node_wish = {3, TABLES_WISH_REMOVED}});
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {TABLES_KEY_BEGIN, 9, 8, 1}});
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_CLUSTER_KEY, .cluster_key = {TABLES_KEY_READY, 9, 0, 0}});
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {7}});
    uint64_t session = from.result.value;
    put(&from, 1, "k", "value");
    replica_from(&from, 1,
                 (struct tables_op){.kind = TABLES_KEY_APPEND, .key_append = {session, 1, 7, text("a"), text("b")}});
    replica_from(&from, 1,
                 (struct tables_op){.kind = TABLES_KEY_PUT,
                                    .key_put = {TABLES_ANY_REVISION, text("e"), text(""), 7, session, 1}});
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_NAME_PUT, .name_put = {7, 3, text("service")}});
    replica_from(&from, 2, (struct tables_op){.kind = TABLES_NAME_PUT, .name_put = {8, 4, text("t")}});
    for (uint64_t process = 7; process < 9; process++) {
        lock_with(process, "x", TABLES_EXCLUSIVE, 0, 5);
        lock_with(process, "s", TABLES_SHARED, 0, 0);
        lock_with(process, "p", TABLES_PERMIT, 2, 0);
        lock_with(process, "el", TABLES_CANDIDATE, 0, 0);
        lock_with(process, "party", TABLES_PARTY, 3, 0);
        lock_with(process + 10, "met", TABLES_PARTY, 2, 0);
    }
    lock_with(30, "kept", TABLES_EXCLUSIVE, 0, 77);
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {30}});
    lock_with(31, "late", TABLES_EXCLUSIVE, 0, 90);
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {31}});
    replica_apply(&from, (struct tables_op){.kind = TABLES_RENEW, .renew = {1010, 3}});
    lock_with(32, "unarmed", TABLES_EXCLUSIVE, 0, 90);
    replica_from(&from, 1, (struct tables_op){.kind = TABLES_PROCESS_END, .process_end = {32}});
    for (uint32_t i = 0; i < 2; i++) {
        replica_from(&from, 1,
                     (struct tables_op){.kind = TABLES_JOB_SUBMIT, .job_submit = {2, 3, text("app/"), text("run")}});
        uint64_t job = from.result.value;
        replica_apply(&from,
                      (struct tables_op){.kind = TABLES_JOB_PLACE, .job_place = {job, i, 2, {1, 0}, text("why")}});
        replica_from(&from, 2, (struct tables_op){.kind = TABLES_JOB_REPORT, .job_report = {job, i, 3, 1, 2, 9}});
    }
    tables_save_begin(from.t, &saver);
    size_t bytes = tables_save(from.t, &saver, whole, sizeof(whole));
    CHECK_EQUAL(bytes, saver.total);
    CHECK_EQUAL(load(whole, bytes), E_OK);
    CHECK_EQUAL(tables_hash(to.t), tables_hash(from.t));
    mend(whole, bytes);
    CHECK_EQUAL(load(whole, bytes), E_OK); /* mending a whole one changes nothing */
    replica_close(&from);
    return bytes;
}

static void test_every_byte_changed(void)
{
    size_t bytes = write_rich();
    uint32_t taken = 0;
    const uint8_t changes[] = {0x01, 0x02, 0x03, 0x04, 0x80, 0xff};
    for (size_t at = 0; at + 8 < bytes; at++) {
        for (uint32_t change = 0; change < sizeof(changes) + 1; change++) {
            memcpy(made, whole, bytes);
            made[at] = change < sizeof(changes) ? made[at] ^ changes[change] : 0;
            mend(made, bytes);
            taken += refused_or_written_alike(made, bytes);
        }
    }
    CHECK(taken > 0);
}

/* Each run of bytes that can be a number set to 0, and to all there are. */
static void test_every_number_changed(void)
{
    size_t bytes = write_rich();
    for (size_t at = 0; at + 16 < bytes; at++) {
        for (uint32_t width = 4; width <= 8; width += 4) {
            for (uint32_t fill = 0; fill < 2; fill++) {
                memcpy(made, whole, bytes);
                memset(made + at, fill ? 0xff : 0, width);
                mend(made, bytes);
                refused_or_written_alike(made, bytes);
            }
        }
    }
}

/* Every record left out, put again behind every other, and changed with every other of its kind and the next. */
static void test_records_missing_moved_and_twice(void)
{
    size_t bytes = write_rich(), starts[200];
    uint32_t count = 0, taken = 0;
    for (size_t at = 0; at < bytes; at += record_bytes(whole + at)) {
        CHECK(count < 200);
        starts[count++] = at;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t length = record_bytes(whole + starts[i]), after = starts[i] + length;
        memcpy(made, whole, starts[i]);
        memcpy(made + starts[i], whole + after, bytes - after);
        if (bytes > length + 13)
            mend(made, bytes - length);
        taken += refused_or_written_alike(made, bytes - length);
        for (uint32_t j = 0; j <= count; j++) {
            size_t place = j < count ? starts[j] : bytes;
            memcpy(made, whole, place);
            memcpy(made + place, whole + starts[i], length);
            memcpy(made + place + length, whole + place, bytes - place);
            mend(made, bytes + length);
            CHECK(!refused_or_written_alike(made, bytes + length));
        }
    }
    CHECK(taken > 0 && taken < count); /* a session without keys can be missing, a head cannot */
}

static void test_cut_short(void)
{
    size_t bytes = write_rich();
    for (size_t length = 0; length < bytes; length++)
        CHECK(!refused_or_written_alike(whole, length));
    memset(whole + bytes, 0, 4);
    for (size_t length = bytes + 1; length <= bytes + 4; length++)
        CHECK(!refused_or_written_alike(whole, length));
}

/* ---- more rows than there is room for ---- */

static struct wire_writer w;
static size_t record_at;

static void begin(uint8_t part)
{
    record_at = w.used;
    wire_put_u32(&w, 0);
    wire_put_u8(&w, part);
}

static void end(void)
{
    struct wire_writer length = wire_writer(made + record_at, 4);
    wire_put_u32(&length, (uint32_t)(w.used - record_at - 4));
}

static void put_name(const char *name, uint32_t number)
{
    char full[32];
    int bytes = snprintf(full, sizeof(full), "%s%05u", name, number);
    wire_put_u16(&w, (uint16_t)bytes);
    wire_put_bytes(&w, full, (size_t)bytes);
}

static void put_u64s(uint32_t count, const uint64_t *numbers)
{
    for (uint32_t i = 0; i < count; i++)
        wire_put_u64(&w, numbers[i]);
}
#define NUMBERS(...) put_u64s(sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), (const uint64_t[]){__VA_ARGS__})

enum { HEAD = 1, NODE, SESSION, KEY, NAME, LOCK, REQUEST, JOB, INSTANCE, END };

static void put_row(uint32_t part, uint32_t i)
{
    begin((uint8_t)part);
    if (part == SESSION)
        NUMBERS(i + 1, i / TABLES_OWNER_SESSIONS, 0, 0, 1ull << 32);
    if (part == KEY) {
        NUMBERS(1, 0);
        put_name("k", i);
        wire_put_u16(&w, 0);
    }
    if (part == NAME) {
        NUMBERS(7, 1);
        wire_put_u32(&w, 1);
        put_name("n", i);
    }
    if (part == LOCK) { /* nobody holds it, but it is kept */
        NUMBERS(1, 1, 5, 0, 1);
        put_name("l", i);
    }
    if (part == REQUEST) {
        NUMBERS(i + 1, i + 1, 7, 1 | (uint64_t)TABLES_SHARED << 32, 0, 0);
        wire_put_u16(&w, 0);
        put_name("l", 0);
    }
    if (part == JOB) {
        NUMBERS(i + 1, 1);
        wire_put_u32(&w, 0);
        put_name("c", i);
        wire_put_u32(&w, 0);
        wire_put_u16(&w, 0);
        end();
        begin(INSTANCE);
        NUMBERS(0, 0, 0, 0, 0, 0, 0);
        static const uint8_t why[48];
        wire_put_bytes(&w, why, sizeof(why));
    }
    end();
}

/* A head and a node, and room for more behind them. */
static void begin_rows(void)
{
    write_rich();
    size_t kept = record_bytes(whole);
    kept += record_bytes(whole + kept);
    memcpy(made, whole, kept);
    memset(made + 33, 0xff, 2); /* an index that all of them are below */
    memset(made + 57, 0xff, 2); /* and a number of jobs */
    w = wire_writer(made, sizeof(made));
    w.used = kept;
}

static err_t load_made(void)
{
    begin(END);
    wire_put_u64(&w, 0);
    end();
    CHECK(!w.failed);
    mend(made, w.used);
    return load(made, w.used);
}

static err_t load_rows(uint32_t part, uint32_t count)
{
    begin_rows();
    if (part == REQUEST) {
        begin(LOCK);
        NUMBERS(0xffff, 1, 0, 0, TABLES_SHARED);
        put_name("l", 0);
        end();
    }
    for (uint32_t i = 0; i < count; i++)
        put_row(part, i);
    return load_made();
}

static void test_no_more_rows_than_there_is_room_for(void)
{
    const struct {
        uint32_t part, most;
    } rooms[] = {{SESSION, TABLES_SESSIONS_MAX}, {KEY, TABLES_KEYS_MAX},         {NAME, TABLES_NAMES_MAX},
                 {LOCK, TABLES_LOCKS_MAX},       {REQUEST, TABLES_REQUESTS_MAX}, {JOB, TABLES_JOBS_MAX}};
    for (uint32_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        CHECK_EQUAL(load_rows(rooms[i].part, rooms[i].most), E_OK);
        CHECK_EQUAL(load_rows(rooms[i].part, rooms[i].most + 1), E_BAD_MESSAGE);
    }
}

/* One lock of that mode, and a request for it with that value, if it is to have one. */
static err_t load_lock(uint32_t mode, uint32_t permits, const char *value)
{
    begin_rows();
    begin(LOCK);
    NUMBERS(0xffff, 1, 0, 0, mode | (uint64_t)permits << 32);
    put_name("l", 0);
    end();
    if (value) {
        begin(REQUEST);
        NUMBERS(1, mode == TABLES_PARTY ? 0 : 1, 7, 1 | (uint64_t)mode << 32, 0, 0);
        wire_put_u16(&w, (uint16_t)strlen(value));
        wire_put_bytes(&w, value, strlen(value));
        put_name("l", 0);
        end();
    }
    return load_made();
}

static void test_locks_that_cannot_be(void)
{
    CHECK_EQUAL(load_lock(TABLES_CANDIDATE, 0, "value"), E_OK);
    CHECK_EQUAL(load_lock(TABLES_EXCLUSIVE, 0, ""), E_OK);
    CHECK_EQUAL(load_lock(TABLES_EXCLUSIVE, 0, "value"), E_BAD_MESSAGE);
    CHECK_EQUAL(load_lock(TABLES_EXCLUSIVE, 0, NULL), E_BAD_MESSAGE); /* nothing would ever remove it */
    CHECK_EQUAL(load_lock(TABLES_PARTY, 2, ""), E_OK);
    CHECK_EQUAL(load_lock(TABLES_PARTY, 2, NULL), E_BAD_MESSAGE);
    CHECK_EQUAL(load_lock(TABLES_PARTY, 1, ""), E_BAD_MESSAGE); /* it would have opened */
}

int main(void)
{
    replica_open(&to);
    RUN(test_every_byte_changed);
    RUN(test_every_number_changed);
    RUN(test_records_missing_moved_and_twice);
    RUN(test_cut_short);
    RUN(test_no_more_rows_than_there_is_room_for);
    RUN(test_locks_that_cannot_be);
    replica_close(&to);
    return 0;
}
