/* The kernel's ELF file, as far as a loader needs it. Pure; also built for the host tests. */
#pragma once

#include <abi/types.h>

#define KERNEL_BYTES_MAX (64ull << 20)

struct kernel_plan {
    uint64_t lowest;       /* physical address of the lowest segment, as linked */
    uint64_t bytes;        /* from there to the end of the highest segment */
    uint64_t entry_offset; /* of the entry point, from `lowest` */
};

/* False: not a kernel that can be loaded. After true, kernel_file_place() cannot fail. */
bool kernel_file_plan(const void *file, uint64_t file_bytes, struct kernel_plan *plan_out);
/* Copies the segments into a block of plan->bytes bytes and zeroes the rest of it. */
void kernel_file_place(const void *file, const struct kernel_plan *plan, void *block);
