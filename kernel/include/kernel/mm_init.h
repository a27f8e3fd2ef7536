/* Filling the page allocator at boot. */
#pragma once

#include <abi/boot_info.h>

uint64_t pages_bitmap_bytes(uint64_t pages);
void pages_init(void *bitmap, uint64_t pages);     /* all pages used */
void pages_add(uint64_t phys, uint64_t bytes);     /* whole pages inside become free */
void pages_reserve(uint64_t phys, uint64_t bytes); /* pages touched become used */

/* From the memory map: all usable memory above 1 MiB but for the kernel's block, the bundle and `panic`. The bitmap
 * lies below 4 GiB, in a place that it takes itself. Stops the boot when there is no room. */
void mm_pages_from_map(const struct boot_info *info);
