/* Bounds-checked little-endian cursors for everything that crosses a wire or a disk.
 *
 * A cursor that ran out, or met something impossible, stays failed and yields zeroes, so a decoder reads all its fields
 * and asks once at the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_writer {
    uint8_t *to;
    size_t room, used;
    bool failed;
};

struct wire_reader {
    const uint8_t *from;
    size_t bytes, used;
    bool failed;
};

static inline struct wire_writer wire_writer(void *to, size_t room)
{
    return (struct wire_writer){.to = to, .room = room};
}

static inline struct wire_reader wire_reader(const void *from, size_t bytes)
{
    return (struct wire_reader){.from = from, .bytes = bytes};
}

/* Room for `bytes` more, or NULL. */
static inline uint8_t *wire_claim(struct wire_writer *w, size_t bytes)
{
    if (w->failed || w->room - w->used < bytes) {
        w->failed = true;
        return NULL;
    }
    uint8_t *at = w->to + w->used;
    w->used += bytes;
    return at;
}

/* The next `bytes` bytes, or NULL. */
static inline const uint8_t *wire_take(struct wire_reader *r, size_t bytes)
{
    if (r->failed || r->bytes - r->used < bytes) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->from + r->used;
    r->used += bytes;
    return at;
}

static inline size_t wire_left(const struct wire_reader *r)
{
    return r->failed ? 0 : r->bytes - r->used;
}
/* True if all was there and nothing is left over. */
static inline bool wire_done(const struct wire_reader *r)
{
    return !r->failed && r->used == r->bytes;
}

static inline void wire_put(struct wire_writer *w, uint64_t value, size_t bytes)
{
    uint8_t *at = wire_claim(w, bytes);
    for (size_t i = 0; at && i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t wire_get(struct wire_reader *r, size_t bytes)
{
    const uint8_t *at = wire_take(r, bytes);
    uint64_t value = 0;
    for (size_t i = 0; at && i < bytes; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static inline void wire_put_u8(struct wire_writer *w, uint8_t value)
{
    wire_put(w, value, 1);
}
static inline void wire_put_u16(struct wire_writer *w, uint16_t value)
{
    wire_put(w, value, 2);
}
static inline void wire_put_u32(struct wire_writer *w, uint32_t value)
{
    wire_put(w, value, 4);
}
static inline void wire_put_u64(struct wire_writer *w, uint64_t value)
{
    wire_put(w, value, 8);
}
static inline uint8_t wire_get_u8(struct wire_reader *r)
{
    return (uint8_t)wire_get(r, 1);
}
static inline uint16_t wire_get_u16(struct wire_reader *r)
{
    return (uint16_t)wire_get(r, 2);
}
static inline uint32_t wire_get_u32(struct wire_reader *r)
{
    return (uint32_t)wire_get(r, 4);
}
static inline uint64_t wire_get_u64(struct wire_reader *r)
{
    return wire_get(r, 8);
}

static inline void wire_put_bytes(struct wire_writer *w, const void *from, size_t bytes)
{
    uint8_t *at = wire_claim(w, bytes);
    for (size_t i = 0; at && i < bytes; i++)
        at[i] = ((const uint8_t *)from)[i];
}

/* Zeroes `to` if they are not all there. */
static inline void wire_get_bytes(struct wire_reader *r, void *to, size_t bytes)
{
    const uint8_t *at = wire_take(r, bytes);
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = at ? at[i] : 0;
}
