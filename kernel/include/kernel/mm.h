/* Physical pages, kernel objects' memory, and who pays: everything is charged to a Budget before it is taken.
 * Kernel lock held for all of these. */
#pragma once

#include <abi/types.h>

struct budget;

/* ---- pages ---- */
#define PAGE_NONE UINT64_MAX
uint64_t page_alloc(void);                                      /* zeroed; PAGE_NONE when out */
uint64_t page_alloc_dirty(void);                                /* the same, with whatever was in it */
uint64_t page_alloc_contiguous(uint64_t pages, uint64_t below); /* zeroed, naturally ascending; below 0: anywhere */
void page_free(uint64_t phys);
void page_free_contiguous(uint64_t phys, uint64_t pages);
uint64_t pages_free(void);
uint64_t pages_total(void);

/* ---- kernel heap: size classes over pages; zeroed memory; 16-byte aligned. Sizes up to 64 KiB. ---- */
void *kalloc(size_t bytes); /* NULL when out */
void kfree(void *object, size_t bytes);

/* Maps device memory into the kernel's own window (uncached), for ACPI tables and interrupt controllers. */
void *kmap_device(uint64_t phys, size_t bytes);
/* The same, with writes combined. */
void *kmap_framebuffer(uint64_t phys, size_t bytes);

/* Pages kept aside so that whatever a Budget promised can be delivered in spite of heap fragmentation: 1/32 of memory.
 */
uint64_t mm_root_budget_bytes(void);
