/* Page-table entries, and the kernel's own tables. */
#pragma once

#include <kernel/arch.h>

#define PTE_PRESENT   (1ull << 0)
#define PTE_WRITE     (1ull << 1)
#define PTE_USER      (1ull << 2)
#define PTE_PWT       (1ull << 3) /* with this kernel's PAT: write-combining; with PCD: uncached */
#define PTE_PCD       (1ull << 4)
#define PTE_LARGE     (1ull << 7)
#define PTE_GLOBAL    (1ull << 8)
#define PTE_NX        (1ull << 63)
#define PTE_ADDRESS   0x000ffffffffff000ull
#define LARGE_BYTES   (2ull << 20)
#define TABLE_ENTRIES 512

uint64_t pte_bits(uint32_t page_flags); /* of PAGE_* flags, without the address and PTE_USER */

/* Builds the kernel's tables from the memory map and loads them. Needs the page allocator. */
void paging_init(void);
/* Loads them on this CPU, with NX, write protection, PAT, and the protections that this CPU has. */
void paging_load(void);
uint64_t paging_root(void);

/* Maps into the kernel's half; the window's top-level entry exists. Panics without memory (boot) or returns false. */
bool paging_map(uint64_t virt, uint64_t phys, uint64_t bytes, uint64_t bits);
/* One 4 KiB page of the kernel's half is no longer mapped; flushes this CPU only. Returns the physical address. */
uint64_t paging_unmap_page(uint64_t virt);
/* Fills the kernel's half of a new top-level table. */
void paging_copy_kernel_half(uint64_t *root);
