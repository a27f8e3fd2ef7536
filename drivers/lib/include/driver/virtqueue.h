/* A split virtqueue, driver's side. Pure: the memory, bus addresses and the doorbell are the caller's.
 *
 * The device is not trusted: what it writes into the used ring is checked against what it was given, once. After
 * E_BAD_MESSAGE the queue is broken and must be set up anew with the device reset.
 */
#pragma once

#include <abi/types.h>

#define VIRTQUEUE_SIZE_MAX 256u

enum { VIRTQ_DESC_NEXT = 1, VIRTQ_DESC_WRITE = 2 };
enum { VIRTQ_AVAIL_NO_INTERRUPT = 1 };
enum { VIRTQ_USED_NO_NOTIFY = 1 };

struct virtq_desc {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct virtq_avail {
    uint16_t flags, index;
    uint16_t ring[];
};

struct virtq_used_element {
    uint32_t id, length;
};

struct virtq_used {
    uint16_t flags, index;
    struct virtq_used_element ring[];
};

struct virtqueue {
    uint32_t size; /* a power of two */
    uint32_t broken;
    struct virtq_desc *desc; /* shared with the device, like the next two */
    struct virtq_avail *avail;
    struct virtq_used *used;
    uint64_t desc_bus, avail_bus, used_bus;
    uint16_t free_first, free_count; /* descriptors chained through next_free */
    uint16_t avail_index, used_index;
    uint16_t next_free[VIRTQUEUE_SIZE_MAX];
    uint16_t chain_length[VIRTQUEUE_SIZE_MAX]; /* by first descriptor; 0: not with the device */
    uint32_t chain_room[VIRTQUEUE_SIZE_MAX];   /* bytes the device may write */
    void *cookie[VIRTQUEUE_SIZE_MAX];
};

/* A piece of a buffer: bus address, length, and whether the device writes it. Pieces it reads come first. */
struct virtqueue_piece {
    uint64_t address;
    uint32_t length;
    bool device_writes;
};

/* Bytes of memory a queue of that size needs. */
uint32_t virtqueue_bytes(uint32_t size);

/* Lays a queue out in zeroed memory at a page start. size: a power of two, at most VIRTQUEUE_SIZE_MAX. */
void virtqueue_init(struct virtqueue *queue, uint32_t size, void *memory, uint64_t bus);

/* Gives the device a buffer. E_FULL: not enough free descriptors. The cookie comes back from virtqueue_take. */
err_t virtqueue_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count, void *cookie);

/* Does the device want to be told about what was added since? */
bool virtqueue_must_notify(const struct virtqueue *queue);

/* The next buffer that the device is done with. E_AGAIN: none. length_out: how much it wrote, never more than it may.
 */
err_t virtqueue_take(struct virtqueue *queue, void **cookie_out, uint32_t *length_out);

/* Interrupts for this queue on or off. After switching them on look once more: what came before brings none. */
void virtqueue_interrupts(struct virtqueue *queue, bool on);
