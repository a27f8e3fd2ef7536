#include "pages.h"

#include <base/assert.h>
#include <string.h>

void pages_init(struct pages *pool, void *base, uint64_t bytes)
{
    *pool = (struct pages){.base = base, .limit = (uint32_t)(bytes / PAGE_BYTES), .next_new = 1};
    ASSERT(pool->limit >= 2);
}

uint32_t pages_take(struct pages *pool)
{
    uint32_t page = pool->free_list;
    if (page != PAGE_REF_NONE)
        memcpy(&pool->free_list, pages_at(pool, page), sizeof pool->free_list);
    else if (pool->next_new < pool->limit)
        page = pool->next_new++;
    else
        return PAGE_REF_NONE;
    memset(pages_at(pool, page), 0, PAGE_BYTES);
    pool->used++;
    return page;
}

uint32_t pages_take_leaving(struct pages *pool, uint32_t reserve)
{
    return pages_left(pool) > reserve ? pages_take(pool) : PAGE_REF_NONE;
}

void pages_give(struct pages *pool, uint32_t page)
{
    ASSERT(page != PAGE_REF_NONE && page < pool->next_new && pool->used > 0);
    memcpy(pages_at(pool, page), &pool->free_list, sizeof pool->free_list);
    pool->free_list = page;
    pool->used--;
}
