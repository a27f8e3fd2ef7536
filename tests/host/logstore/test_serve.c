/* The kernel's requests: order of answers, one flush for what waits together, damage and failure told as they must be.
 */
#include "mock_disk.h"

#include <base/logformat.h>
#include <serve.h>
#include <test/check.h>

static struct mock_disk disk;
static struct store store;
static struct serve serve;
static struct ring_header request_header, answer_header;
static uint8_t request_bytes[LOG_RING_BYTES], answer_bytes[LOG_RING_BYTES];
static struct ring_end requests, answers; /* the kernel's ends */
static uint64_t serial, wakes;

struct seen {
    struct log_message message;
    uint8_t data[LOG_APPEND_MAX];
};
static struct seen seen;
static struct log_message log_of_answers[100000];
static uint32_t answer_count;

static void drain(void)
{
    uint8_t *bytes = (uint8_t *)&seen;
    uint32_t length;
    while (ring_take(&answers, bytes, sizeof seen, &length) == E_OK) {
        CHECK_EQUAL(length, sizeof seen.message + seen.message.bytes);
        CHECK(answer_count < 100000);
        log_of_answers[answer_count++] = seen.message;
    }
}

static void wake(void *context)
{
    wakes++;
}

static err_t room(void *context)
{
    drain();
    return E_OK;
}

static uint64_t epoch(void *context)
{
    return 0x1234567;
}

static void start(bool wipe)
{
    struct disk interface;
    mock_start(&disk, 9, wipe);
    interface = mock_interface(&disk);
    memset(&serve, 0, sizeof serve);
    serve.store = &store;
    serve.wake_kernel = wake;
    serve.wait_for_room = room;
    serve.new_epoch = epoch;
    serve.state = store_probe(&store, &interface);
    ring_create(&request_header, LOG_RING_BYTES);
    ring_create(&answer_header, LOG_RING_BYTES);
    ring_attach(&requests, &request_header, request_bytes, LOG_RING_BYTES, false);
    ring_attach(&serve.requests, &request_header, request_bytes, LOG_RING_BYTES, true);
    ring_attach(&answers, &answer_header, answer_bytes, LOG_RING_BYTES, true);
    ring_attach(&serve.answers, &answer_header, answer_bytes, LOG_RING_BYTES, false);
    answer_count = 0;
    serial = 0;
}

static void ask(uint32_t op, uint64_t index, uint64_t offset, const void *data, uint32_t bytes)
{
    struct log_message message = {
        .op = op, .serial = ++serial, .index = index, .offset = offset, .term = 4, .bytes = bytes};
    CHECK_EQUAL(ring_put(&requests, &message, sizeof message, data, bytes), E_OK);
}

static void work(void)
{
    serve_work(&serve);
    drain();
}

static const struct log_message *last_answer(void)
{
    return &log_of_answers[answer_count - 1];
}

static uint32_t checksum; /* of the record made last */

static void append(uint64_t index, uint32_t payload_bytes)
{
    static uint8_t payload[LOGFORMAT_PAYLOAD_MAX], encoded[LOGFORMAT_PAYLOAD_MAX + 64];
    struct logformat_record record = {
        .index = index, .term = 4, .bytes = payload_bytes, .payload = payload, .previous = index > 1 ? checksum : 0};
    uint32_t bytes;
    memset(payload, (int)index, payload_bytes);
    CHECK_EQUAL(logformat_encode(&record, encoded, sizeof encoded, &bytes), E_OK);
    checksum = record.checksum;
    ask(LOG_APPEND, index, 0, encoded, bytes);
}

static void format(void)
{
    start(true);
    CHECK_EQUAL(serve.state, LOG_BLANK);
    ask(LOG_OPEN, 0, 0, NULL, 0);
    ask(LOG_FORMAT, 0, 0, "payload", 8);
    work();
    CHECK_EQUAL(answer_count, 2);
    CHECK(log_of_answers[0].op == LOG_FAILED && log_of_answers[0].status == E_NOT_FOUND);
    CHECK(log_of_answers[1].op == LOG_DONE && log_of_answers[1].serial == 2);
}

static void test_what_waits_together_is_one_flush(void)
{
    format();
    uint64_t flushes = disk.flushes;
    answer_count = 0;
    for (uint64_t i = 1; i <= 20; i++) {
        append(i, 100);
        ask(LOG_TRUNCATE, i + 1, 0, NULL, 0);
    }
    work();
    CHECK_EQUAL(disk.flushes - flushes, 1);
    CHECK_EQUAL(answer_count, 40);
    for (uint32_t i = 0; i < 40; i++)
        CHECK(log_of_answers[i].op == LOG_DONE && log_of_answers[i].serial == 3 + i);
    CHECK_EQUAL(log_of_answers[38].index, 20);
}

static void test_answers_keep_the_order_of_requests(void)
{
    format();
    answer_count = 0;
    append(1, 60000); /* too much for one group together */
    append(2, 60000);
    append(3, 60000);
    append(4, 60000);
    append(5, 60000);
    ask(LOG_SNAPSHOT_READ, 16, 0, NULL, 0); /* fails, between two that do not */
    append(6, 10);
    ask(99, 0, 0, NULL, 0);
    ask(LOG_APPEND, 7, 0, "rubbish", 7);
    append(7, 10);
    ask(LOG_TRUNCATE, 6, 0, NULL, 0);
    work();
    CHECK_EQUAL(answer_count, 11);
    const uint32_t status[] = {0, 0, 0, 0, 0, E_NOT_FOUND, 0, E_BAD_MESSAGE, E_CORRUPT, 0, 0};
    for (uint32_t i = 0; i < 11; i++) {
        CHECK_EQUAL(log_of_answers[i].serial, 3 + i);
        CHECK_EQUAL(log_of_answers[i].status, status[i]);
        CHECK_EQUAL(log_of_answers[i].op, status[i] ? LOG_FAILED : LOG_DONE);
    }
    CHECK_EQUAL(store.last_index, 5);
    CHECK(!serve.stopped);
}

static void test_a_restart_gives_everything_back(void)
{
    format();
    for (uint64_t i = 1; i <= 400; i++) {
        append(i, 800);
        if (i % 50 == 0)
            work();
    }
    ask(LOG_COMPACT, 100, 0, NULL, 0);
    ask(LOG_META, 0, 0, "new", 4);
    work();
    start(false);
    CHECK_EQUAL(serve.state, LOG_VALID);
    ask(LOG_OPEN, 0, 0, NULL, 0);
    work();
    CHECK_EQUAL(answer_count, 1 + 300 + 1);
    CHECK(log_of_answers[0].op == LOG_DATA && log_of_answers[0].bytes == sizeof(struct log_superblock) + 4);
    for (uint32_t i = 1; i <= 300; i++)
        CHECK(log_of_answers[i].op == LOG_RECORD && log_of_answers[i].index == 100 + i && log_of_answers[i].term == 4);
    CHECK(last_answer()->op == LOG_DONE && last_answer()->status == E_OK && last_answer()->index == 400);
}

static void test_a_snapshot_travels(void)
{
    static uint8_t part[LOG_SNAPSHOT_PART_MAX];
    uint8_t hash[32] = {5};
    format();
    memset(part, 0x5a, sizeof part);
    ask(LOG_SNAPSHOT_BEGIN, 50, 40000, NULL, 0);
    ask(LOG_SNAPSHOT_DATA, 0, 0, part, 30000);
    ask(LOG_SNAPSHOT_DATA, 0, 30000, part, 10000);
    ask(LOG_SNAPSHOT_COMMIT, 0, 0, hash, 32);
    ask(LOG_SNAPSHOT_READ, 1000, 39000, NULL, 0);
    ask(LOG_SNAPSHOT_READ, LOG_SNAPSHOT_PART_MAX + 1, 0, NULL, 0);
    answer_count = 0;
    work();
    CHECK_EQUAL(answer_count, 6);
    CHECK(log_of_answers[3].op == LOG_DONE);
    CHECK(log_of_answers[4].op == LOG_DATA && log_of_answers[4].bytes == 1000);
    CHECK(log_of_answers[5].op == LOG_FAILED && log_of_answers[5].status == E_TOO_LONG);
}

static void test_a_failed_flush_ends_it(void)
{
    format();
    append(1, 100);
    append(2, 100);
    disk.power_until = disk.operations + 2;
    answer_count = 0;
    work();
    CHECK(serve.stopped);
    append(3, 100);
    work();
    CHECK_EQUAL(answer_count, 0); /* the kernel will ask the next incarnation again */
}

static void test_malformed_requests_end_it(void)
{
    struct log_message lie = {.op = LOG_META, .bytes = 100};
    format();
    CHECK_EQUAL(ring_put(&requests, &lie, sizeof lie, "short", 5), E_OK);
    work();
    CHECK(serve.stopped);
    start(true);
    CHECK_EQUAL(ring_put(&requests, "tiny", 4, NULL, 0), E_OK);
    work();
    CHECK(serve.stopped);
}

static void test_memory_voters_have_no_disk(void)
{
    start(true);
    serve.state = LOG_NONE;
    ask(LOG_OPEN, 0, 0, NULL, 0);
    ask(LOG_FORMAT, 0, 0, "x", 1);
    append(1, 10);
    work();
    CHECK_EQUAL(answer_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_EQUAL(log_of_answers[i].op, LOG_FAILED);
}

int main(void)
{
    RUN(test_what_waits_together_is_one_flush);
    RUN(test_answers_keep_the_order_of_requests);
    RUN(test_a_restart_gives_everything_back);
    RUN(test_a_snapshot_travels);
    RUN(test_a_failed_flush_ends_it);
    RUN(test_malformed_requests_end_it);
    RUN(test_memory_voters_have_no_disk);
    return 0;
}
