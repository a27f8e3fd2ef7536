#include "loader.h"

#define KERNEL_ALIGN (2ull << 20)

void *try_pages_below_4g(UINT64 bytes, EFI_MEMORY_TYPE type)
{
    EFI_PHYSICAL_ADDRESS address = LOW_4G - 1;
    UINTN pages = (bytes + PAGE - 1) / PAGE;
    if (BS->AllocatePages(AllocateMaxAddress, type, pages, &address) != EFI_SUCCESS)
        return NULL;
    ZeroMem((void *)address, pages * PAGE);
    return (void *)address;
}

void *pages_below_4g(UINT64 bytes, EFI_MEMORY_TYPE type)
{
    void *memory = try_pages_below_4g(bytes, type);
    if (!memory)
        stop("not enough memory below 4 GiB", "the firmware's memory map",
             "give the machine more memory: 64 MiB are enough");
    return memory;
}

void *kernel_block(UINT64 bytes)
{
    UINT64 room = (bytes + PAGE - 1) / PAGE * PAGE;
    UINT64 start = (UINT64)pages_below_4g(room + KERNEL_ALIGN, EfiLoaderCode);
    UINT64 block = (start + KERNEL_ALIGN - 1) / KERNEL_ALIGN * KERNEL_ALIGN;
    if (block > start)
        BS->FreePages(start, (block - start) / PAGE);
    UINT64 end = start + room + KERNEL_ALIGN;
    if (end > block + room)
        BS->FreePages(block + room, (end - block - room) / PAGE);
    return (void *)block;
}

void blob_shrink(struct blob *blob, UINT64 room, UINT64 bytes)
{
    UINT64 kept = (bytes + 1 + PAGE - 1) / PAGE * PAGE;
    UINT64 had = (room + PAGE - 1) / PAGE * PAGE;
    if (kept < had)
        BS->FreePages((UINT64)blob->base + kept, (had - kept) / PAGE);
    blob->bytes = bytes;
}
