/* Kernel stacks. Each has 32 KiB of addresses to itself: nothing mapped in the lower half, so running over the end
 * faults instead of damaging a neighbour. Some free ones keep their pages, since unmapping costs a flush on all CPUs.
 */
#include <base/mem.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "cpu.h"
#include "flush.h"
#include "layout.h"
#include "machine.h"
#include "paging.h"

#define KEPT_MAX 16

static uint64_t slots_used[STACK_SLOTS / 64];
static uint64_t kept[KEPT_MAX];
static uint32_t kept_count;

static bool slot_alloc(uint64_t *slot_out)
{
    for (uint64_t word = 0; word < STACK_SLOTS / 64; word++) {
        if (slots_used[word] == UINT64_MAX)
            continue;
        uint64_t bit = (uint64_t)__builtin_ctzll(~slots_used[word]);
        slots_used[word] |= 1ull << bit;
        *slot_out = word * 64 + bit;
        return true;
    }
    return false;
}

static void unmap(uint64_t base, uint64_t bytes)
{
    uint64_t phys[KERNEL_STACK_BYTES / PAGE_BYTES];
    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
        phys[at / PAGE_BYTES] = paging_unmap_page(base + at);
    flush_kernel(base, bytes);
    for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
        page_free(phys[at / PAGE_BYTES]);
}

static void slot_release(uint64_t base)
{
    uint64_t slot = (base - STACK_WINDOW) / STACK_SLOT_BYTES;
    slots_used[slot / 64] &= ~(1ull << (slot % 64));
}

static bool map(uint64_t base)
{
    for (uint64_t at = 0; at < KERNEL_STACK_BYTES; at += PAGE_BYTES) {
        uint64_t page = page_alloc();
        if (page != PAGE_NONE && paging_map(base + at, page, PAGE_BYTES, pte_bits(PAGE_READ | PAGE_WRITE)))
            continue;
        if (page != PAGE_NONE)
            page_free(page);
        unmap(base, at);
        return false;
    }
    return true;
}

uint64_t stack_alloc(void)
{
    uint64_t slot;
    if (kept_count > 0)
        return kept[--kept_count];
    if (!slot_alloc(&slot))
        return 0;
    uint64_t base = STACK_WINDOW + slot * STACK_SLOT_BYTES + KERNEL_STACK_BYTES;
    if (map(base))
        return base;
    slot_release(base);
    return 0;
}

void stack_free(uint64_t base)
{
    if (kept_count < KEPT_MAX) {
        kept[kept_count++] = base;
        return;
    }
    unmap(base, KERNEL_STACK_BYTES);
    slot_release(base);
}

extern char boot_stack_bottom[], boot_stack_top[];

bool arch_stack_bounds(uint64_t address, uint64_t *low_out, uint64_t *high_out)
{
    if (address >= (uint64_t)boot_stack_bottom && address < (uint64_t)boot_stack_top) {
        *low_out = (uint64_t)boot_stack_bottom;
        *high_out = (uint64_t)boot_stack_top;
        return true;
    }
    if (address < STACK_WINDOW || address >= STACK_WINDOW + STACK_SLOTS * STACK_SLOT_BYTES)
        return false;
    uint64_t slot = (address - STACK_WINDOW) / STACK_SLOT_BYTES;
    *low_out = STACK_WINDOW + slot * STACK_SLOT_BYTES + KERNEL_STACK_BYTES;
    *high_out = *low_out + KERNEL_STACK_BYTES;
    return address >= *low_out && (slots_used[slot / 64] >> (slot % 64) & 1);
}
