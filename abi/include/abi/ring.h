/* A single-producer single-consumer byte ring in shared Memory, carrying variable-length records.
 *
 * `head` is written by the producer only, `tail` by the consumer only; both count bytes since the start and never wrap
 * in practice (64 bits). A record is a u32 length, the bytes, and padding to 8; it may wrap around the end. Each side
 * trusts nothing the other wrote: lengths and positions are checked against the capacity at every use. Signal the other
 * side's Notification after a change when its `waiting` flag was set.
 */
#pragma once

#include <abi/types.h>

struct ring_header {
    uint64_t head;
    uint8_t pad0[56];
    uint64_t tail;
    uint8_t pad1[56];
    uint32_t capacity; /* power of two; the creator writes it, the kernel checks it once and keeps its own copy */
    uint32_t consumer_waiting;
    uint32_t producer_waiting;
    uint32_t reserved[29];
};
_Static_assert(sizeof(struct ring_header) == 256, "ring header");
