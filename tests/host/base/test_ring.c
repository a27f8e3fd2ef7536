/* Rings of abi/ring.h: every size and position, a full ring, and another side that writes nonsense. */
#include <base/ring.h>
#include <test/check.h>

enum { CAPACITY = 1024 };

static struct ring_header header;
static uint8_t bytes[CAPACITY];
static struct ring_end producer, consumer;

static void start(void)
{
    ring_create(&header, CAPACITY);
    CHECK_EQUAL(ring_attach(&producer, &header, bytes, CAPACITY, false), E_OK);
    CHECK_EQUAL(ring_attach(&consumer, &header, bytes, CAPACITY, true), E_OK);
}

static void fill(uint8_t *to, uint32_t length, uint32_t seed)
{
    for (uint32_t i = 0; i < length; i++)
        to[i] = (uint8_t)(seed * 31 + i * 7);
}

static void test_records_arrive_in_order_at_every_offset(void)
{
    uint8_t in[256], out[256], expected[256];
    uint32_t got, next_read = 0, state = 1;
    start();
    for (uint32_t i = 0; i < 20000; i++) {
        state = state * 1103515245u + 12345u;
        uint32_t length = state >> 16 & 255, split = length ? state >> 8 & 255 : 0;
        if (split > length)
            split = length;
        fill(in, length, i);
        while (ring_put(&producer, in, split, in + split, length - split) == E_FULL) {
            CHECK_EQUAL(ring_take(&consumer, out, sizeof out, &got), E_OK);
            fill(expected, got, next_read++);
            CHECK(memcmp(out, expected, got) == 0);
        }
    }
    while (ring_take(&consumer, out, sizeof out, &got) == E_OK) {
        fill(expected, got, next_read++);
        CHECK(memcmp(out, expected, got) == 0);
    }
    CHECK_EQUAL(next_read, 20000);
}

static void test_limits(void)
{
    uint8_t big[512] = {0};
    uint32_t got;
    start();
    CHECK_EQUAL(ring_put(&producer, big, 257, NULL, 0), E_TOO_LONG);
    CHECK_EQUAL(ring_put(&producer, big, 0xfffffff0u, big, 32), E_TOO_LONG);
    CHECK_EQUAL(ring_peek(&consumer, &got), E_AGAIN);
    CHECK_EQUAL(ring_put(&producer, big, 200, big, 56), E_OK);
    CHECK_EQUAL(ring_take(&consumer, big, 255, &got), E_TOO_LONG);
    CHECK_EQUAL(ring_take(&consumer, big, 256, &got), E_OK);
    CHECK_EQUAL(got, 256);
}

static void test_attach_refuses_what_cannot_be(void)
{
    struct ring_end end;
    start();
    CHECK_EQUAL(ring_attach(&end, &header, bytes, CAPACITY * 2, true), E_INVALID);
    header.capacity = 100;
    CHECK_EQUAL(ring_attach(&end, &header, bytes, 100, true), E_INVALID);
    header.capacity = CAPACITY;
    header.head = CAPACITY + 8;
    CHECK_EQUAL(ring_attach(&end, &header, bytes, CAPACITY, true), E_INVALID);
    header.head = 4;
    CHECK_EQUAL(ring_attach(&end, &header, bytes, CAPACITY, true), E_INVALID);
}

static void test_hostile_other_side(void)
{
    uint8_t data[64] = {0};
    uint32_t got;
    start();
    header.tail = 8; /* beyond the head */
    CHECK_EQUAL(ring_put(&producer, data, 8, NULL, 0), E_BAD_MESSAGE);
    header.tail = 0; /* too late: broken stays broken */
    CHECK_EQUAL(ring_put(&producer, data, 8, NULL, 0), E_BAD_MESSAGE);

    start();
    header.head = 16;
    uint32_t lie = 200; /* longer than what the head covers */
    memcpy(bytes, &lie, 4);
    CHECK_EQUAL(ring_peek(&consumer, &got), E_BAD_MESSAGE);
    CHECK_EQUAL(ring_take(&consumer, data, 64, &got), E_BAD_MESSAGE);

    for (uint32_t seed = 1; seed < 20000; seed++) { /* any memory at all: no access outside, and it always ends */
        start();
        uint32_t state = seed * 2654435761u;
        for (uint32_t i = 0; i < CAPACITY; i++)
            bytes[i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24) & (seed & 1 ? 255 : 31);
        header.head = (state >> 20) & (seed & 2 ? ~7u : ~0u);
        for (uint32_t i = 0; i < 200 && ring_take(&consumer, data, sizeof data, &got) == E_OK; i++)
            CHECK(got <= sizeof data);
    }
}

static void test_waiting_flags(void)
{
    uint8_t data[256] = {0};
    uint32_t got;
    start();
    CHECK(!ring_must_wake_consumer(&producer));
    CHECK(ring_consumer_may_sleep(&consumer));
    CHECK(!ring_must_wake_consumer(&producer)); /* nothing new: waking it would only make it look in vain */
    CHECK_EQUAL(ring_put(&producer, data, 8, NULL, 0), E_OK);
    CHECK(ring_must_wake_consumer(&producer));
    CHECK(!ring_must_wake_consumer(&producer));
    CHECK(!ring_consumer_may_sleep(&consumer));
    while (ring_put(&producer, data, 256, NULL, 0) == E_OK)
        ;
    CHECK(ring_producer_may_sleep(&producer, 256));
    CHECK_EQUAL(ring_take(&consumer, data, 256, &got), E_OK);
    CHECK_EQUAL(ring_take(&consumer, data, 256, &got), E_OK);
    CHECK(ring_must_wake_producer(&consumer));
    CHECK(!ring_producer_may_sleep(&producer, 256));
}

int main(void)
{
    RUN(test_records_arrive_in_order_at_every_offset);
    RUN(test_limits);
    RUN(test_attach_refuses_what_cannot_be);
    RUN(test_hostile_other_side);
    RUN(test_waiting_flags);
    return 0;
}
