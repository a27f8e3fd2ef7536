#include <driver/virtqueue.h>

enum { AVAIL_ALIGN = 2, USED_ALIGN = 4096, NO_DESCRIPTOR = 0xffff };

static uint32_t avail_offset(uint32_t size)
{
    return size * (uint32_t)sizeof(struct virtq_desc);
}

static uint32_t used_offset(uint32_t size)
{
    uint32_t end = avail_offset(size) + (uint32_t)sizeof(struct virtq_avail) + size * 2 + AVAIL_ALIGN;
    return (end + USED_ALIGN - 1) & ~(uint32_t)(USED_ALIGN - 1);
}

uint32_t virtqueue_bytes(uint32_t size)
{
    uint32_t end = used_offset(size) + (uint32_t)sizeof(struct virtq_used) + size * 8 + 2;
    return (end + 4095) & ~4095u;
}

void virtqueue_init(struct virtqueue *q, uint32_t size, void *memory, uint64_t bus)
{
    uint8_t *at = memory;
    *q = (struct virtqueue){.size = size,
                            .desc = memory,
                            .avail = (void *)(at + avail_offset(size)),
                            .used = (void *)(at + used_offset(size)),
                            .desc_bus = bus,
                            .avail_bus = bus + avail_offset(size),
                            .used_bus = bus + used_offset(size),
                            .free_count = (uint16_t)size};
    for (uint32_t i = 0; i < size; i++)
        q->next_free[i] = (uint16_t)(i + 1 < size ? i + 1 : NO_DESCRIPTOR);
}

err_t virtqueue_add(struct virtqueue *q, const struct virtqueue_piece *pieces, uint32_t count, void *cookie)
{
    if (count == 0 || count > q->free_count)
        return q->broken ? E_BAD_MESSAGE : E_FULL;
    uint16_t first = q->free_first, at = first;
    uint32_t room = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t next = q->next_free[at];
        uint16_t flags =
            (uint16_t)((pieces[i].device_writes ? VIRTQ_DESC_WRITE : 0) | (i + 1 < count ? VIRTQ_DESC_NEXT : 0));
        q->desc[at] = (struct virtq_desc){pieces[i].address, pieces[i].length, flags, i + 1 < count ? next : 0};
        room += pieces[i].device_writes ? pieces[i].length : 0;
        at = next;
    }
    q->free_first = at;
    q->free_count = (uint16_t)(q->free_count - count);
    q->chain_length[first] = (uint16_t)count;
    q->chain_room[first] = room;
    q->cookie[first] = cookie;
    q->avail->ring[q->avail_index & (q->size - 1)] = first;
    q->avail_index++;
    __atomic_store_n(&q->avail->index, q->avail_index, __ATOMIC_RELEASE);
    return E_OK;
}

bool virtqueue_must_notify(const struct virtqueue *q)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the device sees the index before we look at its wish */
    return !(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & VIRTQ_USED_NO_NOTIFY);
}

static void free_chain(struct virtqueue *q, uint16_t first)
{
    uint16_t last = first; /* next_free still links the chain in its order */
    for (uint32_t i = 1; i < q->chain_length[first]; i++)
        last = q->next_free[last];
    q->next_free[last] = q->free_first;
    q->free_first = first;
    q->free_count = (uint16_t)(q->free_count + q->chain_length[first]);
    q->chain_length[first] = 0;
}

err_t virtqueue_take(struct virtqueue *q, void **cookie_out, uint32_t *length_out)
{
    uint16_t index = __atomic_load_n(&q->used->index, __ATOMIC_ACQUIRE);
    if (q->broken)
        return E_BAD_MESSAGE;
    if (index == q->used_index)
        return E_AGAIN;
    struct virtq_used_element element = q->used->ring[q->used_index & (q->size - 1)];
    if ((uint16_t)(index - q->used_index) > q->size || element.id >= q->size || q->chain_length[element.id] == 0) {
        q->broken = 1;
        return E_BAD_MESSAGE;
    }
    uint16_t first = (uint16_t)element.id;
    *cookie_out = q->cookie[first];
    *length_out = element.length < q->chain_room[first] ? element.length : q->chain_room[first];
    free_chain(q, first);
    q->used_index++;
    return E_OK;
}

void virtqueue_interrupts(struct virtqueue *q, bool on)
{
    __atomic_store_n(&q->avail->flags, on ? 0 : VIRTQ_AVAIL_NO_INTERRUPT, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
