/* The firmware's memory map as boot_info wants it. Pure; also built for the host tests. */
#pragma once

#include <abi/boot_info.h>

/* Descriptors of `stride` bytes each: the layout is EFI_MEMORY_DESCRIPTOR's, the stride is larger and not to be
 * assumed. The result is sorted, free of overlaps and merged. What does not fit into `max` ranges is left out, usable
 * memory of the smallest ranges first. Returns the count. */
uint32_t memory_map_convert(const void *descriptors, uint64_t bytes, uint64_t stride, struct boot_memory *map,
                            uint32_t max);
