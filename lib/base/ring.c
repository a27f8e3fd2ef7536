#include <base/ring.h>

enum { RECORD_ALIGN = 8, LENGTH_BYTES = 4 };

static uint64_t load(const uint64_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

static uint32_t record_span(uint32_t bytes)
{
    return (LENGTH_BYTES + bytes + RECORD_ALIGN - 1) & ~(uint32_t)(RECORD_ALIGN - 1);
}

static bool positions_possible(uint64_t head, uint64_t tail, uint32_t capacity)
{
    return head - tail <= capacity && head % RECORD_ALIGN == 0 && tail % RECORD_ALIGN == 0;
}

static bool capacity_possible(uint32_t capacity)
{
    return capacity >= 64 && (capacity & (capacity - 1)) == 0;
}

void ring_create(struct ring_header *header, uint32_t capacity)
{
    __builtin_memset(header, 0, sizeof *header);
    header->capacity = capacity;
}

err_t ring_attach(struct ring_end *end, struct ring_header *header, void *bytes, uint32_t capacity, bool consumer)
{
    uint64_t head = load(&header->head), tail = load(&header->tail);
    if (!capacity_possible(capacity) || header->capacity != capacity || !positions_possible(head, tail, capacity))
        return E_INVALID;
    *end = (struct ring_end){header, bytes, capacity, 0, 0, consumer ? tail : head};
    return E_OK;
}

/* Bytes in the ring as the producer sees them; marks the ring broken when the consumer's tail cannot be true. */
static err_t producer_used(struct ring_end *end, uint32_t *used_out)
{
    uint64_t tail = load(&end->header->tail);
    if (end->broken || !positions_possible(end->position, tail, end->capacity)) {
        end->broken = 1;
        return E_BAD_MESSAGE;
    }
    *used_out = (uint32_t)(end->position - tail);
    return E_OK;
}

static err_t consumer_used(struct ring_end *end, uint32_t *used_out)
{
    uint64_t head = load(&end->header->head);
    if (end->broken || !positions_possible(head, end->position, end->capacity)) {
        end->broken = 1;
        return E_BAD_MESSAGE;
    }
    *used_out = (uint32_t)(head - end->position);
    return E_OK;
}

static void copy_in(struct ring_end *end, uint64_t position, const void *from, uint32_t bytes)
{
    uint32_t at = (uint32_t)position & (end->capacity - 1);
    uint32_t first = end->capacity - at < bytes ? end->capacity - at : bytes;
    if (first > 0)
        __builtin_memcpy(end->bytes + at, from, first);
    if (bytes > first)
        __builtin_memcpy(end->bytes, (const uint8_t *)from + first, bytes - first);
}

static void copy_out(const struct ring_end *end, uint64_t position, void *to, uint32_t bytes)
{
    uint32_t at = (uint32_t)position & (end->capacity - 1);
    uint32_t first = end->capacity - at < bytes ? end->capacity - at : bytes;
    if (first > 0)
        __builtin_memcpy(to, end->bytes + at, first);
    if (bytes > first)
        __builtin_memcpy((uint8_t *)to + first, end->bytes, bytes - first);
}

err_t ring_put(struct ring_end *end, const void *first, uint32_t first_bytes, const void *second, uint32_t second_bytes)
{
    uint32_t most = end->capacity / 4, used;
    if (first_bytes > most || second_bytes > most || first_bytes + second_bytes > most)
        return E_TOO_LONG;
    err_t err = producer_used(end, &used);
    if (err != E_OK)
        return err;
    uint32_t bytes = first_bytes + second_bytes, span = record_span(bytes);
    if (end->capacity - used < span)
        return E_FULL;
    copy_in(end, end->position, &bytes, LENGTH_BYTES);
    copy_in(end, end->position + LENGTH_BYTES, first, first_bytes);
    copy_in(end, end->position + LENGTH_BYTES + first_bytes, second, second_bytes);
    end->position += span;
    end->changed = 1;
    __atomic_store_n(&end->header->head, end->position, __ATOMIC_RELEASE);
    return E_OK;
}

err_t ring_peek(struct ring_end *end, uint32_t *bytes_out)
{
    uint32_t used, bytes;
    err_t err = consumer_used(end, &used);
    if (err != E_OK)
        return err;
    if (used == 0)
        return E_AGAIN;
    copy_out(end, end->position, &bytes, LENGTH_BYTES);
    if (bytes > end->capacity / 4 || record_span(bytes) > used) {
        end->broken = 1;
        return E_BAD_MESSAGE;
    }
    *bytes_out = bytes;
    return E_OK;
}

void ring_copy(const struct ring_end *end, uint32_t offset, void *to, uint32_t bytes)
{
    copy_out(end, end->position + LENGTH_BYTES + offset, to, bytes);
}

void ring_drop(struct ring_end *end, uint32_t bytes)
{
    end->position += record_span(bytes);
    end->changed = 1;
    __atomic_store_n(&end->header->tail, end->position, __ATOMIC_RELEASE);
}

err_t ring_take(struct ring_end *end, void *to, uint32_t room, uint32_t *bytes_out)
{
    uint32_t bytes;
    err_t err = ring_peek(end, &bytes);
    if (err != E_OK)
        return err;
    if (bytes > room)
        return E_TOO_LONG;
    ring_copy(end, 0, to, bytes);
    ring_drop(end, bytes);
    *bytes_out = bytes;
    return E_OK;
}

uint32_t ring_used(struct ring_end *end)
{
    uint64_t head = load(&end->header->head), tail = load(&end->header->tail);
    return end->broken || head - tail > end->capacity ? 0 : (uint32_t)(head - tail);
}

/* The flag is set before the last look and cleared by who signals; the fence orders each side's store before its look
 * at what the other stored, so one of the two always sees the other. */
static bool take_flag(struct ring_end *end, uint32_t *flag)
{
    if (!end->changed)
        return false;
    end->changed = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(flag, __ATOMIC_RELAXED) != 0 && __atomic_exchange_n(flag, 0, __ATOMIC_SEQ_CST) != 0;
}

static void set_flag(uint32_t *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool ring_must_wake_consumer(struct ring_end *producer)
{
    return take_flag(producer, &producer->header->consumer_waiting);
}

bool ring_must_wake_producer(struct ring_end *consumer)
{
    return take_flag(consumer, &consumer->header->producer_waiting);
}

bool ring_consumer_may_sleep(struct ring_end *consumer)
{
    uint32_t used;
    set_flag(&consumer->header->consumer_waiting);
    return consumer_used(consumer, &used) != E_OK || used == 0;
}

bool ring_producer_may_sleep(struct ring_end *producer, uint32_t bytes)
{
    uint32_t used;
    set_flag(&producer->header->producer_waiting);
    return producer_used(producer, &used) != E_OK || producer->capacity - used < record_span(bytes);
}
