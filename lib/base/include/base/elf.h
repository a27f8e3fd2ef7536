/* Which parts of an ELF file go where: a program of Shoal is a static x86-64 ELF with page-aligned segments, none of
 * them writable and executable. Pure; the file may be anything at all. The kernel loads the first process with it,
 * programs all others. */
#pragma once

#include <abi/types.h>

#define ELF_SEGMENTS_MAX 8
#define ELF_VA_LOW       0x0000000000010000ull
#define ELF_VA_HIGH      0x0000000080000000ull /* code is linked with 32-bit addresses */

struct elf_segment {
    uint64_t address, bytes;          /* whole pages */
    uint64_t file_offset, file_bytes; /* offset is page-aligned; the rest up to `bytes` is zero */
    uint32_t vm_flags;
};

struct elf_plan {
    uint64_t entry;
    uint32_t count;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/* E_BAD_IMAGE when it is not such a file. Everything in the plan lies within the file, within ELF_VA_LOW..HIGH, in
 * rising order and without overlap. *why_out (may be NULL): what is wrong, in words. */
err_t elf_plan(const void *image, uint64_t image_bytes, struct elf_plan *plan_out, const char **why_out);
