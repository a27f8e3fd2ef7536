/* A pool of 4 KiB pages that files and pipes in memory are made of. The pool never hands out more than its bound, which
 * lies below what the server's Budget can pay: a full pool is a clean E_FULL, never a fault. Pure. */
#pragma once

#include <abi/types.h>

#define PAGE_REF_NONE 0u /* page number 0 is never given out */

struct pages {
    uint8_t *base;
    uint32_t limit; /* pages at base, page 0 included */
    uint32_t next_new;
    uint32_t free_list; /* linked through the first word of each free page */
    uint32_t used;
};

void pages_init(struct pages *pool, void *base, uint64_t bytes);
/* A zeroed page, or PAGE_REF_NONE when the pool is used up. */
uint32_t pages_take(struct pages *pool);
/* The same, but so that `reserve` pages stay for others. */
uint32_t pages_take_leaving(struct pages *pool, uint32_t reserve);
void pages_give(struct pages *pool, uint32_t page);

static inline void *pages_at(const struct pages *pool, uint32_t page)
{
    return pool->base + (uint64_t)page * PAGE_BYTES;
}
static inline uint32_t pages_left(const struct pages *pool)
{
    return pool->limit - 1 - pool->used;
}
