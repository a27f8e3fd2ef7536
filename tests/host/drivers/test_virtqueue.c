/* The split virtqueue against a device in software, honest and hostile. */
#include <driver/virtqueue.h>
#include <test/check.h>

enum { SIZE = 16, BUS = 0x40000000 };

static _Alignas(4096) uint8_t memory[16384];
static struct virtqueue queue;
static uint16_t device_seen, device_used;

static void start(void)
{
    memset(memory, 0, sizeof memory);
    CHECK(virtqueue_bytes(SIZE) <= sizeof memory);
    virtqueue_init(&queue, SIZE, memory, BUS);
    device_seen = device_used = 0;
}

/* The device takes the next chain; returns its first descriptor, or -1. */
static int device_take(uint32_t *readable, uint32_t *writable, uint32_t *pieces)
{
    if (device_seen == queue.avail->index)
        return -1;
    uint16_t first = queue.avail->ring[device_seen++ % SIZE], at = first;
    *readable = *writable = *pieces = 0;
    for (;;) {
        struct virtq_desc d = queue.desc[at];
        CHECK(at < SIZE && ++*pieces <= SIZE);
        CHECK(d.flags & VIRTQ_DESC_WRITE || *writable == 0);
        *(d.flags & VIRTQ_DESC_WRITE ? writable : readable) += d.length;
        if (!(d.flags & VIRTQ_DESC_NEXT))
            return first;
        at = d.next;
    }
}

static void device_put(uint32_t id, uint32_t length)
{
    queue.used->ring[device_used % SIZE] = (struct virtq_used_element){id, length};
    queue.used->index = ++device_used;
}

static void test_chains_come_back_in_any_order(void)
{
    int cookies[SIZE], pending[SIZE], pending_count = 0, outstanding = 0;
    uint32_t state = 7, lengths[SIZE] = {0};
    start();
    for (int round = 0; round < 100000; round++) {
        state = state * 1664525u + 1013904223u;
        uint32_t what = state >> 16 & 3, count = 1 + (state >> 20) % 3, r, w, n, length;
        void *cookie;
        if (what < 2) {
            struct virtqueue_piece pieces[3] = {{BUS, 16, false}, {BUS + 512, 512, count > 1}, {BUS + 1024, 1, true}};
            err_t err = virtqueue_add(&queue, pieces, count, &cookies[state >> 24 & (SIZE - 1)]);
            CHECK(err == E_OK || err == E_FULL);
            outstanding += err == E_OK;
        } else if (what == 2) {
            int first = device_take(&r, &w, &n);
            if (first >= 0) {
                lengths[first] = w;
                pending[pending_count++] = first;
            }
        } else if (pending_count > 0) {
            int pick = (int)(state >> 8) % pending_count;
            pick = pick < 0 ? 0 : pick;
            device_put((uint32_t)pending[pick], 100000); /* says it wrote more than it may */
            uint32_t may = lengths[pending[pick]];
            pending[pick] = pending[--pending_count];
            CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_OK);
            CHECK_EQUAL(length, may);
            CHECK((int *)cookie >= cookies && (int *)cookie < cookies + SIZE);
            outstanding--;
        }
        CHECK(outstanding >= 0 && queue.free_count <= SIZE);
    }
    uint32_t length;
    void *cookie;
    CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_AGAIN);
}

static void test_full_and_empty(void)
{
    struct virtqueue_piece piece = {BUS, 64, true};
    start();
    for (int i = 0; i < SIZE; i++)
        CHECK_EQUAL(virtqueue_add(&queue, &piece, 1, memory), E_OK);
    CHECK_EQUAL(virtqueue_add(&queue, &piece, 1, memory), E_FULL);
    CHECK_EQUAL(virtqueue_add(&queue, &piece, 0, memory), E_FULL);
}

static void test_what_a_device_cannot_mean_breaks_the_queue(void)
{
    struct virtqueue_piece piece = {BUS, 64, true};
    uint32_t length;
    void *cookie;
    const uint32_t ids[] = {SIZE, 5, 0xffffffff, 0x10000};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        start();
        CHECK_EQUAL(virtqueue_add(&queue, &piece, 1, memory), E_OK);
        device_put(ids[i], 1);
        CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_BAD_MESSAGE);
        CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_BAD_MESSAGE);
    }
    start(); /* the same buffer twice */
    CHECK_EQUAL(virtqueue_add(&queue, &piece, 1, memory), E_OK);
    device_put(0, 64);
    device_put(0, 64);
    CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_OK);
    CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_BAD_MESSAGE);
    start(); /* more ended than can have begun */
    queue.used->index = SIZE + 1;
    CHECK_EQUAL(virtqueue_take(&queue, &cookie, &length), E_BAD_MESSAGE);
}

static void test_flags(void)
{
    start();
    CHECK(virtqueue_must_notify(&queue));
    queue.used->flags = VIRTQ_USED_NO_NOTIFY;
    CHECK(!virtqueue_must_notify(&queue));
    virtqueue_interrupts(&queue, false);
    CHECK_EQUAL(queue.avail->flags, VIRTQ_AVAIL_NO_INTERRUPT);
    virtqueue_interrupts(&queue, true);
    CHECK_EQUAL(queue.avail->flags, 0);
    CHECK_EQUAL(queue.used_bus % 4096, 0);
}

int main(void)
{
    RUN(test_chains_come_back_in_any_order);
    RUN(test_full_and_empty);
    RUN(test_what_a_device_cannot_mean_breaks_the_queue);
    RUN(test_flags);
    return 0;
}
