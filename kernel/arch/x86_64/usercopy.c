/* Copies between the kernel and the current process. */
#include <kernel/debug.h>

#include "cpu.h"
#include "features.h"
#include "machine.h"

uint64_t usercopy(void *to, const void *from, uint64_t bytes); /* trap_entry.S */

static bool in_user_space(uint64_t address, size_t bytes)
{
    return address < USER_END && bytes <= USER_END - address;
}

static err_t copy(void *to, const void *from, size_t bytes)
{
    assert(kernel_lock_held());
    if (features.smap)
        __asm__ volatile("stac" ::: "cc", "memory");
    uint64_t left = usercopy(to, from, bytes);
    if (features.smap)
        __asm__ volatile("clac" ::: "cc", "memory");
    return left ? E_BAD_POINTER : E_OK;
}

err_t copy_from_user(void *to, uint64_t from, size_t bytes)
{
    return in_user_space(from, bytes) ? copy(to, (const void *)from, bytes) : E_BAD_POINTER;
}

err_t copy_to_user(uint64_t to, const void *from, size_t bytes)
{
    return in_user_space(to, bytes) ? copy((void *)to, from, bytes) : E_BAD_POINTER;
}
