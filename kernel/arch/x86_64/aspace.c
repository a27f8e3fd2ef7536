/* User address spaces: the lower half of a top-level table. 4 KiB pages only. */
#include <base/mem.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "cpu.h"
#include "flush.h"
#include "machine.h"
#include "paging.h"

static uint32_t index_at(uint64_t address, int level)
{
    return address >> (12 + 9 * level) & (TABLE_ENTRIES - 1);
}
static uint64_t *table(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDRESS);
}

err_t arch_aspace_init(struct arch_aspace *as)
{
    memset(as, 0, sizeof *as);
    as->root_phys = page_alloc_dirty();
    if (as->root_phys == PAGE_NONE)
        return E_NO_MEMORY;
    as->table_pages = 1;
    memset(phys_to_virt(as->root_phys), 0, PAGE_BYTES / 2); /* the upper half is filled next */
    paging_copy_kernel_half(phys_to_virt(as->root_phys));
    return E_OK;
}

static bool eight_empty(const uint64_t *t)
{
    return !(t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]);
}

static void free_tables(uint64_t *t, int level, uint32_t entries)
{
    for (uint32_t i = 0; i < entries; i++) {
        while (i % 8 == 0 && i < entries && eight_empty(&t[i]))
            i += 8;
        if (i == entries)
            break;
        if (!(t[i] & PTE_PRESENT))
            continue;
        if (level > 1)
            free_tables(table(t[i]), level - 1, TABLE_ENTRIES);
        page_free(t[i] & PTE_ADDRESS);
    }
}

void arch_aspace_free(struct arch_aspace *as)
{
    if (!as->root_phys)
        return;
    flush_unload(as);
    assert(as->active_cpus == 0);
    free_tables(phys_to_virt(as->root_phys), 3, TABLE_ENTRIES / 2);
    page_free(as->root_phys);
    memset(as, 0, sizeof *as);
}

/* The entry at the lowest level; NULL if a table on the way is missing. *missing_out: how many are. */
static uint64_t *find_entry(const struct arch_aspace *as, uint64_t address, uint32_t *missing_out)
{
    uint64_t *t = phys_to_virt(as->root_phys);
    for (int level = 3; level > 0; level--) {
        uint64_t e = t[index_at(address, level)];
        *missing_out = (uint32_t)level;
        if (!(e & PTE_PRESENT))
            return NULL;
        t = table(e);
    }
    *missing_out = 0;
    return &t[index_at(address, 0)];
}

uint32_t arch_aspace_tables_needed(const struct arch_aspace *as, uint64_t address)
{
    uint32_t missing;
    find_entry(as, address, &missing);
    return missing;
}

/* Either all tables on the way are made or none is. */
static uint64_t *make_entry(struct arch_aspace *as, uint64_t address)
{
    uint64_t pages[3], *t = phys_to_virt(as->root_phys);
    uint32_t missing;
    uint64_t *e = find_entry(as, address, &missing);
    if (e)
        return e;
    for (uint32_t i = 0; i < missing; i++) {
        pages[i] = page_alloc();
        if (pages[i] != PAGE_NONE)
            continue;
        while (i > 0)
            page_free(pages[--i]);
        return NULL;
    }
    as->table_pages += missing;
    for (int level = 3; level > 0; level--) {
        e = &t[index_at(address, level)];
        if (!(*e & PTE_PRESENT))
            *e = pages[--missing] | PTE_PRESENT | PTE_WRITE | PTE_USER;
        t = table(*e);
    }
    return &t[index_at(address, 0)];
}

err_t arch_aspace_map(struct arch_aspace *as, uint64_t address, uint64_t phys, uint32_t page_flags)
{
    assert(address < USER_END && address % PAGE_BYTES == 0 && phys % PAGE_BYTES == 0);
    assert(!(page_flags & PAGE_WRITE && page_flags & PAGE_EXEC));
    uint64_t *e = make_entry(as, address);
    if (!e)
        return E_NO_MEMORY;
    *e = phys | pte_bits(page_flags) | PTE_USER;
    return E_OK;
}

static uint32_t flags_of(uint64_t e)
{
    uint32_t flags = PAGE_READ | (e & PTE_WRITE ? PAGE_WRITE : 0) | (e & PTE_NX ? 0 : PAGE_EXEC);
    if (e & PTE_PCD)
        return flags | PAGE_DEVICE;
    return e & PTE_PWT ? flags | PAGE_COMBINE : flags;
}

bool arch_aspace_lookup(const struct arch_aspace *as, uint64_t address, uint64_t *phys_out, uint32_t *flags_out)
{
    uint32_t missing;
    uint64_t *e = find_entry(as, address, &missing);
    if (!e || !(*e & PTE_PRESENT))
        return false;
    *phys_out = (*e & PTE_ADDRESS) | address % PAGE_BYTES;
    *flags_out = flags_of(*e);
    return true;
}

/* Calls act on every present page of the range; whole missing tables are skipped. */
static void each_page(struct arch_aspace *as, uint64_t address, uint64_t bytes, uint64_t (*act)(uint64_t, uint64_t),
                      uint64_t argument)
{
    uint64_t end = address + bytes;
    assert(end <= USER_END);
    while (address < end) {
        uint32_t missing;
        uint64_t *e = find_entry(as, address, &missing);
        uint64_t span = PAGE_BYTES << (9 * (missing ? missing : 1)); /* what one table shows, or would show */
        uint64_t stop = (address & ~(span - 1)) + span;
        stop = stop < end ? stop : end;
        for (; e && address < stop; address += PAGE_BYTES, e++)
            if (*e & PTE_PRESENT)
                *e = act(*e, argument);
        address = stop;
    }
}

static uint64_t act_unmap(uint64_t e, uint64_t argument)
{
    return 0;
}

static uint64_t act_protect(uint64_t e, uint64_t bits)
{
    return (e & ~(PTE_WRITE | PTE_NX)) | (bits & (PTE_WRITE | PTE_NX));
}

void arch_aspace_unmap(struct arch_aspace *as, uint64_t address, uint64_t bytes)
{
    each_page(as, address, bytes, act_unmap, 0);
}

/* Without PAGE_READ the pages are taken out: x86 has no page that is there but not readable. */
void arch_aspace_protect(struct arch_aspace *as, uint64_t address, uint64_t bytes, uint32_t page_flags)
{
    if (page_flags & PAGE_READ)
        each_page(as, address, bytes, act_protect, pte_bits(page_flags));
    else
        each_page(as, address, bytes, act_unmap, 0);
}

void arch_aspace_flush(struct arch_aspace *as, uint64_t address, uint64_t bytes)
{
    flush_user(as, address, bytes);
}
