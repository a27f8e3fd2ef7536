/* The kernel's own page tables: its block mapped W^X, all memory at PHYSMAP_BASE without execution, windows for devices
 * and stacks. Made once; only the windows' inner tables change afterwards. */
#include "paging.h"

#include <base/mem.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "cpu.h"
#include "features.h"
#include "layout.h"

/* PAT entries 0..7: WB, WC, UC-, UC, and the same again. */
#define PAT_VALUE 0x0007010600070106ull

uint64_t kernel_phys_base;
static uint64_t root_phys;

extern char boot_stack_guard[];

uint64_t pte_bits(uint32_t f)
{
    uint64_t bits = PTE_PRESENT;
    if (f & PAGE_WRITE)
        bits |= PTE_WRITE;
    if (!(f & PAGE_EXEC))
        bits |= PTE_NX;
    if (f & PAGE_DEVICE)
        bits |= PTE_PCD | PTE_PWT;
    if (f & PAGE_COMBINE)
        bits |= PTE_PWT;
    return bits;
}

static uint64_t *table(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDRESS);
}
static uint32_t index_at(uint64_t virt, int level)
{
    return virt >> (12 + 9 * level) & (TABLE_ENTRIES - 1);
}

/* The entry for `virt` at `level` (0 = 4 KiB pages), tables made on the way; NULL without memory. */
static uint64_t *entry_for(uint64_t virt, int level)
{
    uint64_t *t = phys_to_virt(root_phys);
    for (int l = 3; l > level; l--) {
        uint64_t *e = &t[index_at(virt, l)];
        if (!*e) {
            uint64_t page = page_alloc();
            if (page == PAGE_NONE)
                return NULL;
            *e = page | PTE_PRESENT | PTE_WRITE;
        }
        assert(!(*e & PTE_LARGE));
        t = table(*e);
    }
    return &t[index_at(virt, level)];
}

static bool fits_large(uint64_t virt, uint64_t phys, uint64_t bytes)
{
    return virt % LARGE_BYTES == 0 && phys % LARGE_BYTES == 0 && bytes >= LARGE_BYTES;
}

bool paging_map(uint64_t virt, uint64_t phys, uint64_t bytes, uint64_t bits)
{
    while (bytes > 0) {
        bool large = fits_large(virt, phys, bytes);
        uint64_t step = large ? LARGE_BYTES : PAGE_BYTES;
        uint64_t *e = entry_for(virt, large ? 1 : 0);
        if (!e)
            return false;
        *e = phys | bits | PTE_GLOBAL | (large ? PTE_LARGE : 0);
        virt += step;
        phys += step;
        bytes -= step;
    }
    return true;
}

uint64_t paging_unmap_page(uint64_t virt)
{
    uint64_t *e = entry_for(virt, 0);
    uint64_t phys = *e & PTE_ADDRESS;
    assert(e && (*e & PTE_PRESENT));
    *e = 0;
    invlpg(virt);
    return phys;
}

static void map_or_panic(uint64_t virt, uint64_t phys, uint64_t bytes, uint32_t flags)
{
    if (!paging_map(virt, phys, bytes, pte_bits(flags)))
        panic("no memory for the kernel's page tables");
}

static void map_segment(const char *start, const char *end, uint32_t flags)
{
    map_or_panic((uint64_t)start, kernel_virt_to_phys(start), (uint64_t)(end - start), flags);
}

static void map_image(void)
{
    map_segment(kernel_text_start, kernel_text_end, PAGE_READ | PAGE_EXEC);
    map_segment(kernel_rodata_start, kernel_rodata_end, PAGE_READ);
    map_segment(kernel_data_start, kernel_data_end, PAGE_READ | PAGE_WRITE);
    map_segment(kernel_symbols_start, kernel_symbols_end, PAGE_READ);
    *entry_for((uint64_t)boot_stack_guard, 0) = 0;
}

/* Writable, but for the part that is kernel text and constants. */
static void map_memory(uint64_t base, uint64_t end)
{
    uint64_t fixed = kernel_virt_to_phys(kernel_text_start), fixed_end = kernel_virt_to_phys(kernel_rodata_end);
    while (base < end) {
        uint64_t stop = end;
        uint32_t flags = PAGE_READ | PAGE_WRITE;
        if (base >= fixed && base < fixed_end) {
            stop = fixed_end < end ? fixed_end : end;
            flags = PAGE_READ;
        } else if (base < fixed && fixed < end) {
            stop = fixed;
        }
        map_or_panic(PHYSMAP_BASE + base, base, stop - base, flags);
        base = stop;
    }
}

/* Neighbouring ranges of the map become one, so that large pages fit. Reserved memory stays out: it may be devices. */
static void map_physical(const struct boot_info *info)
{
    uint64_t base = 0, end = 0;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        uint64_t from = m->base & ~(PAGE_BYTES - 1), to = (m->base + m->bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        if (m->kind == BOOT_MEMORY_RESERVED || m->bytes == 0)
            continue;
        if (from < end)
            from = end;
        if (from > end) {
            map_memory(base, end);
            base = from;
        }
        end = to > end ? to : end;
    }
    map_memory(base, end);
}

static void make_window(uint64_t virt)
{
    if (!entry_for(virt, 2))
        panic("no memory for the kernel's page tables");
}

void paging_init(void)
{
    root_phys = page_alloc();
    if (root_phys == PAGE_NONE)
        panic("no memory for the kernel's page tables");
    make_window(DEVICE_WINDOW);
    make_window(STACK_WINDOW);
    map_image();
    map_physical(boot_info_get());
    paging_load();
}

void paging_load(void)
{
    features_enable_paging(PAT_VALUE);
    cr3_write(root_phys);
    cr4_write(cr4_read() | CR4_PGE);
}

uint64_t paging_root(void)
{
    return root_phys;
}

void paging_copy_kernel_half(uint64_t *root)
{
    memcpy(root + TABLE_ENTRIES / 2, (uint64_t *)phys_to_virt(root_phys) + TABLE_ENTRIES / 2, PAGE_BYTES / 2);
}

static void *map_window(uint64_t phys, size_t bytes, uint32_t flags)
{
    static uint64_t next = DEVICE_WINDOW;
    uint64_t offset = phys % PAGE_BYTES, span = (offset + bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), virt = next;
    if (span > DEVICE_WINDOW_END - next ||
        !paging_map(virt, phys - offset, span, pte_bits(PAGE_READ | PAGE_WRITE | flags)))
        panic("no room to map %zu bytes of device memory at %lx", bytes, phys);
    next += span;
    return (void *)(virt + offset);
}

void *kmap_device(uint64_t phys, size_t bytes)
{
    return map_window(phys, bytes, PAGE_DEVICE);
}
void *kmap_framebuffer(uint64_t phys, size_t bytes)
{
    return map_window(phys, bytes, PAGE_COMBINE);
}
