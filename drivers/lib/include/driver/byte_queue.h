/* A bounded queue of bytes. Pure, single-threaded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYTE_QUEUE_BYTES 8192u /* a power of two */

struct byte_queue {
    uint32_t head, tail; /* count for ever; head - tail bytes are in it */
    uint8_t bytes[BYTE_QUEUE_BYTES];
};

static inline uint32_t byte_queue_used(const struct byte_queue *q)
{
    return q->head - q->tail;
}
static inline uint32_t byte_queue_room(const struct byte_queue *q)
{
    return BYTE_QUEUE_BYTES - byte_queue_used(q);
}

/* As many as fit; returns how many. */
static inline uint32_t byte_queue_put(struct byte_queue *q, const uint8_t *from, uint32_t bytes)
{
    uint32_t n = bytes < byte_queue_room(q) ? bytes : byte_queue_room(q);
    for (uint32_t i = 0; i < n; i++)
        q->bytes[q->head++ % BYTE_QUEUE_BYTES] = from[i];
    return n;
}

static inline uint32_t byte_queue_take(struct byte_queue *q, uint8_t *to, uint32_t room)
{
    uint32_t n = room < byte_queue_used(q) ? room : byte_queue_used(q);
    for (uint32_t i = 0; i < n; i++)
        to[i] = q->bytes[q->tail++ % BYTE_QUEUE_BYTES];
    return n;
}
