/* The last steps: the boot services end, and the kernel begins on page tables and a stack of the loader's own. */
#include "loader.h"

#include "memory_map.h"

#define STACK_BYTES      65536ull
#define EXIT_TRIES       8
#define MAP_SPARE        16
#define CR4_LA57         (1ull << 12)
#define PAGE_TABLE_FLAGS 3ull /* present, writable */
#define PAGE_LARGE       0x80ull
#define LARGE_PAGE       (2ull << 20)

/* An identity map of the first 4 GiB: the firmware's own tables may forbid execution, and lie in memory that the kernel
 * is free to reuse. */
static UINT64 make_page_tables(void)
{
    UINT64 *tables = pages_below_4g(6 * PAGE, EfiLoaderData);
    UINT64 *directories = tables + 2 * 512, *pointers = tables + 512;
    tables[0] = (UINT64)pointers | PAGE_TABLE_FLAGS;
    for (UINT64 i = 0; i < 4; i++)
        pointers[i] = (UINT64)(directories + i * 512) | PAGE_TABLE_FLAGS;
    for (UINT64 i = 0; i < 4 * 512; i++)
        directories[i] = i * LARGE_PAGE | PAGE_TABLE_FLAGS | PAGE_LARGE;
    return (UINT64)tables;
}

struct map {
    UINT8 *base;
    UINTN room, bytes, key, stride;
};

static void map_room(struct map *map)
{
    UINT32 version;
    map->bytes = 0;
    BS->GetMemoryMap(&map->bytes, NULL, &map->key, &map->stride, &version);
    map->room = map->bytes + MAP_SPARE * map->stride;
    map->base = pages_below_4g(map->room, EfiLoaderData);
}

/* After the first failure only these two services may be called: the firmware may have shut down others. */
static EFI_STATUS exit_boot_services(EFI_HANDLE image, struct map *map)
{
    EFI_STATUS status = EFI_INVALID_PARAMETER;
    UINT32 version;
    for (unsigned i = 0; i < EXIT_TRIES && status != EFI_SUCCESS; i++) {
        map->bytes = map->room;
        status = BS->GetMemoryMap(&map->bytes, (EFI_MEMORY_DESCRIPTOR *)map->base, &map->key, &map->stride, &version);
        if (status == EFI_SUCCESS)
            status = BS->ExitBootServices(image, map->key);
    }
    return status;
}

__attribute__((noreturn)) static void enter(UINT64 entry, UINT64 info, UINT64 stack_top, UINT64 page_tables)
{
    __asm__ volatile("cli\n"
                     "test %3, %3\n"
                     "jz 1f\n"
                     "mov %3, %%cr3\n"
                     "1: mov %2, %%rsp\n"
                     "xor %%ebp, %%ebp\n"
                     "push %%rbp\n"
                     "jmp *%0"
                     :
                     : "r"(entry), "D"(info), "r"(stack_top), "r"(page_tables)
                     : "memory");
    __builtin_unreachable();
}

void handover(EFI_HANDLE image, struct boot_info *info, UINT64 entry)
{
    struct map map;
    UINT64 cr4;
    __asm__("mov %%cr4, %0" : "=r"(cr4));
    /* With five levels on, a four-level table would not do; there the firmware's own stays. */
    UINT64 page_tables = cr4 & CR4_LA57 ? 0 : make_page_tables();
    UINT64 stack_top = (UINT64)pages_below_4g(STACK_BYTES, EfiLoaderData) + STACK_BYTES;
    map_room(&map);
    EFI_STATUS status = exit_boot_services(image, &map);
    if (EFI_ERROR(status)) /* consoles may be gone already; it is still the best that can be done */
        stop_status("the firmware does not let go of the machine", "ExitBootServices", status, "report this firmware");
    info->memory_count = memory_map_convert(map.base, map.bytes, map.stride, info->memory, BOOT_MEMORY_MAX);
    enter(entry, (UINT64)info, stack_top, page_tables);
}
