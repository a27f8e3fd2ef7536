#include "pipe.h"

#include <string.h>

static uint32_t smallest(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t m = a < b ? a : b;
    return m < c ? m : c;
}

uint32_t pipe_put(struct pipe *p, struct pages *pool, const void *from, uint32_t count)
{
    uint32_t done = 0;
    while (done < count && pipe_room(p) > 0) {
        uint32_t *page = &p->pages[p->written / PAGE_BYTES % PIPE_PAGES];
        uint32_t in_page = (uint32_t)(p->written % PAGE_BYTES);
        if (*page == PAGE_REF_NONE && (*page = pages_take(pool)) == PAGE_REF_NONE)
            break;
        uint32_t part = smallest(count - done, (uint32_t)PAGE_BYTES - in_page, pipe_room(p));
        memcpy((uint8_t *)pages_at(pool, *page) + in_page, (const uint8_t *)from + done, part);
        p->written += part;
        done += part;
    }
    return done;
}

uint32_t pipe_take(struct pipe *p, struct pages *pool, void *to, uint32_t count)
{
    uint32_t done = 0;
    while (done < count && pipe_filled(p) > 0) {
        uint32_t *page = &p->pages[p->taken / PAGE_BYTES % PIPE_PAGES];
        uint32_t in_page = (uint32_t)(p->taken % PAGE_BYTES);
        uint32_t part = smallest(count - done, (uint32_t)PAGE_BYTES - in_page, pipe_filled(p));
        memcpy((uint8_t *)to + done, (uint8_t *)pages_at(pool, *page) + in_page, part);
        p->taken += part;
        done += part;
        /* The writer may be in this very page again, a whole ring further on: then it stays. */
        if (p->taken % PAGE_BYTES == 0 && p->written - p->taken <= PIPE_BYTES - PAGE_BYTES) {
            pages_give(pool, *page);
            *page = PAGE_REF_NONE;
        }
    }
    if (pipe_filled(p) == 0)
        pipe_clear(p, pool);
    return done;
}

void pipe_clear(struct pipe *p, struct pages *pool)
{
    for (uint32_t i = 0; i < PIPE_PAGES; i++) {
        if (p->pages[i] != PAGE_REF_NONE)
            pages_give(pool, p->pages[i]);
        p->pages[i] = PAGE_REF_NONE;
    }
    p->taken = p->written;
}
