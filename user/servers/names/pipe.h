/* The bytes between the two ends of a pipe: a ring of pages that are taken as needed and given back when it drains.
 * Who waits for whom is the server's business. Pure. */
#pragma once

#include "pages.h"

#define PIPE_PAGES 16u
#define PIPE_BYTES (PIPE_PAGES * PAGE_BYTES)

struct pipe {
    uint64_t written, taken; /* since its beginning */
    uint32_t pages[PIPE_PAGES];
};

static inline uint32_t pipe_filled(const struct pipe *p)
{
    return (uint32_t)(p->written - p->taken);
}
static inline uint32_t pipe_room(const struct pipe *p)
{
    return (uint32_t)(PIPE_BYTES - (p->written - p->taken));
}

/* Both return how many bytes were moved; less than asked for when the pipe is full (or the pool is), or drained. */
uint32_t pipe_put(struct pipe *p, struct pages *pool, const void *from, uint32_t count);
uint32_t pipe_take(struct pipe *p, struct pages *pool, void *to, uint32_t count);
void pipe_clear(struct pipe *p, struct pages *pool);
