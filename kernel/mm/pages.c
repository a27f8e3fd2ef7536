/* Physical pages: one bit a page, 1 = free. A bitmap rather than linked free pages, so that contiguous runs for devices
 * and the heap come from the same pool, and a page's contents are nobody's bookkeeping. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/mm.h>
#include <kernel/mm_init.h>

static uint64_t *bits;
static uint64_t page_limit; /* first page number beyond the bitmap */
static uint64_t hint;       /* no free page in any word below it */
static uint64_t free_count, total_count;

static bool is_free(uint64_t page)
{
    return bits[page / 64] >> (page % 64) & 1;
}
static void set_free(uint64_t page)
{
    bits[page / 64] |= 1ull << (page % 64);
}
static void set_used(uint64_t page)
{
    bits[page / 64] &= ~(1ull << (page % 64));
}

void pages_init(void *bitmap, uint64_t pages)
{
    bits = bitmap;
    page_limit = pages;
    memset(bits, 0, pages_bitmap_bytes(pages));
}

uint64_t pages_bitmap_bytes(uint64_t pages)
{
    return (pages + 63) / 64 * 8;
}

void pages_add(uint64_t phys, uint64_t bytes)
{
    uint64_t first = (phys + PAGE_BYTES - 1) / PAGE_BYTES, end = (phys + bytes) / PAGE_BYTES;
    for (uint64_t p = first; p < end && p < page_limit; p++) {
        if (is_free(p))
            continue;
        set_free(p);
        free_count++;
        total_count++;
    }
    if (first / 64 < hint)
        hint = first / 64;
}

void pages_reserve(uint64_t phys, uint64_t bytes)
{
    uint64_t end = (phys + bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    for (uint64_t p = phys / PAGE_BYTES; p < end && p < page_limit; p++) {
        if (!is_free(p))
            continue;
        set_used(p);
        free_count--;
    }
}

static void clear_pages(uint64_t page, uint64_t pages)
{
    memset(phys_to_virt(page * PAGE_BYTES), 0, pages * PAGE_BYTES);
}

uint64_t page_alloc(void)
{
    uint64_t phys = page_alloc_dirty();
    if (phys != PAGE_NONE)
        memset(phys_to_virt(phys), 0, PAGE_BYTES);
    return phys;
}

uint64_t page_alloc_dirty(void)
{
    uint64_t words = (page_limit + 63) / 64;
    for (; hint < words; hint++) {
        if (!bits[hint])
            continue;
        uint64_t page = hint * 64 + (uint64_t)__builtin_ctzll(bits[hint]);
        set_used(page);
        free_count--;
        return page * PAGE_BYTES;
    }
    return PAGE_NONE;
}

/* First fit, from the lowest address. *page is where the search goes on after a used page. */
static bool find_run(uint64_t pages, uint64_t limit, uint64_t *first_out)
{
    uint64_t run = 0;
    for (uint64_t p = hint * 64; p < limit; p++) {
        if (p % 64 == 0 && !bits[p / 64]) {
            run = 0;
            p += 63;
            continue;
        }
        run = is_free(p) ? run + 1 : 0;
        if (run == pages) {
            *first_out = p + 1 - pages;
            return true;
        }
    }
    return false;
}

uint64_t page_alloc_contiguous(uint64_t pages, uint64_t below)
{
    uint64_t limit = below && below / PAGE_BYTES < page_limit ? below / PAGE_BYTES : page_limit, first;
    assert(pages > 0);
    if (pages == 1 && !below)
        return page_alloc();
    if (pages > free_count || !find_run(pages, limit, &first))
        return PAGE_NONE;
    for (uint64_t p = first; p < first + pages; p++)
        set_used(p);
    free_count -= pages;
    clear_pages(first, pages);
    return first * PAGE_BYTES;
}

void page_free_contiguous(uint64_t phys, uint64_t pages)
{
    uint64_t first = phys / PAGE_BYTES;
    assert(phys % PAGE_BYTES == 0 && first + pages <= page_limit);
    for (uint64_t p = first; p < first + pages; p++) {
        assert(!is_free(p));
        set_free(p);
    }
    free_count += pages;
    if (first / 64 < hint)
        hint = first / 64;
}

void page_free(uint64_t phys)
{
    page_free_contiguous(phys, 1);
}
uint64_t pages_free(void)
{
    return free_count;
}
uint64_t pages_total(void)
{
    return total_count;
}

uint64_t mm_root_budget_bytes(void)
{
    uint64_t aside = total_count / 32;
    return (free_count > aside ? free_count - aside : 0) * PAGE_BYTES;
}
