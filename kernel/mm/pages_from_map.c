/* The page allocator's first filling. What is not listed as usable stays out of reach. */
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/mm.h>
#include <kernel/mm_init.h>

#define LOW_MEMORY   0x100000ull  /* firmware data, the start page of other processors: never allocated */
#define EARLY_LIMIT  (4ull << 30) /* what the doors' page tables map */
#define TAKEN_RANGES 3

struct range {
    uint64_t base, end;
};

static bool usable(const struct boot_memory *m)
{
    return m->kind == BOOT_MEMORY_USABLE || m->kind == BOOT_MEMORY_LOADER;
}

static uint64_t highest_page(const struct boot_info *info)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < info->memory_count; i++)
        if (usable(&info->memory[i]) && info->memory[i].base + info->memory[i].bytes > end)
            end = info->memory[i].base + info->memory[i].bytes;
    return end / PAGE_BYTES;
}

static void taken_ranges(const struct boot_info *info, struct range taken[TAKEN_RANGES])
{
    taken[0] = (struct range){info->kernel_base, info->kernel_base + info->kernel_bytes};
    taken[1] = (struct range){info->bundle_base, info->bundle_base + info->bundle_bytes};
    taken[2] = (struct range){info->panic_base, info->panic_base + info->panic_bytes};
}

/* Lowest place for `bytes` in `m` that avoids what is taken; 0: none. */
static uint64_t place_in(const struct boot_memory *m, uint64_t bytes, const struct range taken[TAKEN_RANGES])
{
    uint64_t at = m->base > LOW_MEMORY ? m->base : LOW_MEMORY, end = m->base + m->bytes;
    if (end > EARLY_LIMIT)
        end = EARLY_LIMIT;
    at = (at + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    for (uint32_t i = 0; i < TAKEN_RANGES; i++) {
        if (at >= taken[i].end || at + bytes <= taken[i].base)
            continue;
        at = (taken[i].end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        i = UINT32_MAX; /* start over: it may now run into an earlier one */
    }
    return at + bytes <= end ? at : 0;
}

static uint64_t place_bitmap(const struct boot_info *info, uint64_t bytes, const struct range taken[TAKEN_RANGES])
{
    for (uint32_t i = 0; i < info->memory_count; i++) {
        /* Not in the loader's memory: its page tables may be in use still. */
        uint64_t at = info->memory[i].kind == BOOT_MEMORY_USABLE ? place_in(&info->memory[i], bytes, taken) : 0;
        if (at)
            return at;
    }
    panic("no room for the table of pages (%lu bytes) below 4 GiB", bytes);
}

void mm_pages_from_map(const struct boot_info *info)
{
    struct range taken[TAKEN_RANGES];
    uint64_t pages = highest_page(info), bytes = pages_bitmap_bytes(pages);
    taken_ranges(info, taken);
    uint64_t bitmap = place_bitmap(info, bytes, taken);
    pages_init(phys_to_virt(bitmap), pages);
    for (uint32_t i = 0; i < info->memory_count; i++)
        if (usable(&info->memory[i]))
            pages_add(info->memory[i].base, info->memory[i].bytes);
    pages_reserve(0, LOW_MEMORY);
    pages_reserve(bitmap, bytes);
    for (uint32_t i = 0; i < TAKEN_RANGES; i++)
        if (taken[i].end > taken[i].base)
            pages_reserve(taken[i].base, taken[i].end - taken[i].base);
}
