/* Records of the log: what is encoded is read back, and any damage, cut or exchange is seen. */
#include <base/crc32c.h>
#include <base/logformat.h>
#include <test/check.h>

static struct logformat_record record(uint64_t index, uint32_t previous, const void *payload, uint32_t length)
{
    return (struct logformat_record){
        .index = index, .term = 3, .type = 7, .bytes = length, .previous = previous, .payload = payload};
}

static void test_checksum_vector(void)
{
    uint8_t zeros[32] = {0};
    CHECK_EQUAL(crc32c(0, "123456789", 9), 0xe3069283u);
    CHECK_EQUAL(crc32c(0, zeros, 32), 0x8a9136aau); /* RFC 3720, B.4 */
    CHECK_EQUAL(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

static void test_round_trip(void)
{
    static uint8_t payload[LOGFORMAT_PAYLOAD_MAX], encoded[LOGFORMAT_PAYLOAD_MAX + 64];
    uint32_t lengths[] = {0, 1, 7, 8, 9, 100, 4096, LOGFORMAT_PAYLOAD_MAX}, total, used;
    for (uint32_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 13);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct logformat_record in = record(i + 1, 0x1234, payload, lengths[i]), out;
        CHECK_EQUAL(logformat_encode(&in, encoded, sizeof encoded, &total), E_OK);
        CHECK_EQUAL(total, logformat_record_bytes(lengths[i]));
        CHECK_EQUAL(logformat_check(encoded, sizeof encoded, &out, &used), E_OK);
        CHECK_EQUAL(used, total);
        CHECK(out.index == i + 1 && out.term == 3 && out.type == 7 && out.bytes == lengths[i] &&
              out.previous == 0x1234 && out.checksum == in.checksum);
        CHECK(memcmp(out.payload, payload, lengths[i]) == 0);
        CHECK_EQUAL(logformat_encode(&in, encoded, total - 1, &total), E_FULL);
    }
    struct logformat_record huge = record(1, 0, payload, LOGFORMAT_PAYLOAD_MAX + 1);
    CHECK_EQUAL(logformat_encode(&huge, encoded, sizeof encoded, &total), E_TOO_LONG);
}

static void test_every_flipped_bit_and_every_cut_is_seen(void)
{
    uint8_t encoded[128], damaged[128];
    uint32_t total, used;
    struct logformat_record in = record(9, 5, "what was agreed upon", 20), out;
    CHECK_EQUAL(logformat_encode(&in, encoded, sizeof encoded, &total), E_OK);
    for (uint32_t bit = 0; bit < total * 8; bit++) {
        memcpy(damaged, encoded, total);
        damaged[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(logformat_check(damaged, total, &out, &used) != E_OK);
    }
    for (uint32_t cut = 0; cut < total; cut++)
        CHECK_EQUAL(logformat_check(encoded, cut, &out, &used), E_AGAIN);
}

static void test_chain(void)
{
    uint8_t encoded[128];
    uint32_t total;
    struct logformat_record first = record(1, 0, "a", 1);
    CHECK_EQUAL(logformat_encode(&first, encoded, sizeof encoded, &total), E_OK);
    struct logformat_record good = record(2, first.checksum, "b", 1), other = record(2, first.checksum ^ 1, "b", 1),
                            gap = record(3, first.checksum, "b", 1), older = good;
    older.term = 2;
    CHECK(logformat_follows(&first, &good));
    CHECK(!logformat_follows(&first, &other));
    CHECK(!logformat_follows(&first, &gap));
    CHECK(!logformat_follows(&first, &older));
}

static void test_random_bytes_are_no_record(void)
{
    uint8_t bytes[256];
    struct logformat_record out;
    uint32_t used, state = 1, magic = LOGFORMAT_MAGIC;
    for (int round = 0; round < 50000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
        memcpy(bytes, &magic, 4);
        memset(bytes + 28, 0, round & 1 ? 4 : 3);
        memset(bytes + 36, 0, 4);
        CHECK(logformat_check(bytes, sizeof bytes, &out, &used) != E_OK);
    }
}

int main(void)
{
    RUN(test_checksum_vector);
    RUN(test_round_trip);
    RUN(test_every_flipped_bit_and_every_cut_is_seen);
    RUN(test_chain);
    RUN(test_random_bytes_are_no_record);
    return 0;
}
