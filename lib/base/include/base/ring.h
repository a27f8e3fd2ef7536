/* Records through the rings of abi/ring.h. Pure: signalling is the caller's, and nothing here waits.
 *
 * Each side has a struct ring_end with its own copy of what it must not take from the other: where the bytes are, how
 * many, and its own position. The other side's position is read once an operation and checked; what cannot be true is
 * E_BAD_MESSAGE, for ever after: the other side is broken, and the ring must be made anew.
 *
 * One thread an end. A record is at most a quarter of the capacity.
 */
#pragma once

#include <abi/ring.h>

struct ring_end {
    struct ring_header *header; /* shared */
    uint8_t *bytes;             /* shared */
    uint32_t capacity;
    uint16_t broken;
    uint16_t changed;  /* by this end, since the other side was last considered for waking */
    uint64_t position; /* own: head of a producer, tail of a consumer */
};

/* Writes the header of a new, empty ring. capacity: a power of two, at least 64. */
void ring_create(struct ring_header *header, uint32_t capacity);

/* Takes hold of one end. E_INVALID unless capacity is a power of two, the header says the same, and its positions can
 * be true. `consumer` says which end; it goes on where the shared position stands. */
err_t ring_attach(struct ring_end *end, struct ring_header *header, void *bytes, uint32_t capacity, bool consumer);

/* Adds one record made of two parts (either may be empty). E_FULL: no room now. E_TOO_LONG: never. */
err_t ring_put(struct ring_end *end, const void *first, uint32_t first_bytes, const void *second,
               uint32_t second_bytes);

/* How many bytes the next record has. E_AGAIN: the ring is empty. */
err_t ring_peek(struct ring_end *end, uint32_t *bytes_out);

/* Copies the next record out and removes it. One longer than `room` is E_TOO_LONG and stays. */
err_t ring_take(struct ring_end *end, void *to, uint32_t room, uint32_t *bytes_out);

/* Copies `bytes` bytes at `offset` of the next record, which stays. They must lie within what ring_peek said. */
void ring_copy(const struct ring_end *end, uint32_t offset, void *to, uint32_t bytes);

/* Removes the next record, whose length ring_peek gave. */
void ring_drop(struct ring_end *end, uint32_t bytes);

/* Bytes waiting in the ring, lengths and padding included; 0 when broken. */
uint32_t ring_used(struct ring_end *end);

/* The other side sleeps, this end changed something, and so it must be signalled; true once for each time it said so.
 * Call after put, take or drop; when nothing was changed since the last call the answer is false. */
bool ring_must_wake_consumer(struct ring_end *producer);
bool ring_must_wake_producer(struct ring_end *consumer);

/* Before sleeping: true when there is nothing to do; the other side will then signal. False: something came meanwhile.
 * A producer waits for room for a record of `bytes` bytes. */
bool ring_consumer_may_sleep(struct ring_end *consumer);
bool ring_producer_may_sleep(struct ring_end *producer, uint32_t bytes);
