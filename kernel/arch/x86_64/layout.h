/* Where things lie in the kernel's half of every address space. The top-level entries of all four windows are made once
 * at boot and never change, so that user address spaces copy them when they are made. */
#pragma once

#include <kernel/arch.h>
#include <kernel/symbols.h>

#define KERNEL_OFFSET 0xffffffff80000000ull
#define KERNEL_VIRT   0xffffffff80200000ull /* linker.ld */

#define PHYSMAP_BYTES_MAX (64ull << 40)
#define DEVICE_WINDOW     0xffffc00000000000ull
#define DEVICE_WINDOW_END 0xffffc08000000000ull /* one top-level entry */
#define STACK_WINDOW      0xffffd00000000000ull
#define STACK_SLOT_BYTES  (2 * KERNEL_STACK_BYTES) /* the stack in the upper half, nothing below it */
#define STACK_SLOTS       8192u

/* Set once by the entry: physical address of kernel_image_start. */
extern uint64_t kernel_phys_base;

static inline uint64_t kernel_virt_to_phys(const void *address)
{
    return (uint64_t)address - KERNEL_VIRT + kernel_phys_base;
}
