/* sbrk: one region that grows upward, a Memory at a time. Memory is paid for when it is made, so the steps grow with
 * the heap: small programs stay small, and large ones need few steps. */
#include <errno.h>
#include <malloc.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc.h"

/* Below what the kernel chooses from when it places mappings, so that growth never meets one. */
#define HEAP_VA    0x0000080000000000ull
#define HEAP_BYTES 0x0000040000000000ull
#define STEP_BYTES (64ull * 1024)

static uint64_t heap_end = HEAP_VA;    /* what the program has */
static uint64_t heap_mapped = HEAP_VA; /* what is mapped */

static err_t heap_grow(uint64_t bytes)
{
    handle_t memory;
    uint64_t at;
    uint64_t least = (bytes + STEP_BYTES - 1) & ~(STEP_BYTES - 1),
             more = (heap_mapped - HEAP_VA) / 8 & ~(STEP_BYTES - 1);
    bytes = least > more ? least : more;
    err_t err = os_create(os_budget(), OBJECT_MEMORY, bytes, 0, 0, &memory);
    if (err == E_NO_MEMORY && bytes > least) {
        bytes = least;
        err = os_create(os_budget(), OBJECT_MEMORY, bytes, 0, 0, &memory);
    }
    if (err != E_OK)
        return err;
    err = os_vm_map(os_process(), memory, 0, bytes, heap_mapped, VM_READ | VM_WRITE | VM_FIXED, &at);
    os_handle_close(memory);
    if (err == E_OK)
        heap_mapped += bytes;
    return err;
}

/* newlib holds its malloc lock around every call. What is given up stays mapped for the next growth; it is cleared,
 * because malloc takes what it gets from here to be zero. */
void *sbrk(ptrdiff_t change)
{
    uint64_t before = heap_end;
    if (change < 0 ? (uint64_t)-change > heap_end - HEAP_VA
                   : (uint64_t)change > HEAP_VA + HEAP_BYTES - heap_end ||
                         (heap_end + (uint64_t)change > heap_mapped &&
                          heap_grow(heap_end + (uint64_t)change - heap_mapped) != E_OK)) {
        errno = ENOMEM;
        return (void *)-1;
    }
    heap_end += (uint64_t)change;
    if (change < 0)
        memset((void *)heap_end, 0, (size_t)-change);
    return (void *)before;
}

int posix_memalign(void **at, size_t alignment, size_t bytes)
{
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    int before = errno;
    void *made = memalign(alignment, bytes);
    errno = before;
    *at = made ? made : *at;
    return made ? 0 : ENOMEM;
}
