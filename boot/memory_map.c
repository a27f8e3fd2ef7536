#include "memory_map.h"

#define PAGE       4096ull
#define RANGES_MAX 1024u

/* EFI_MEMORY_TYPE, as far as they differ for us. */
enum {
    EFI_LOADER_CODE = 1,
    EFI_LOADER_DATA = 2,
    EFI_BOOT_CODE = 3,
    EFI_BOOT_DATA = 4,
    EFI_RUNTIME_CODE = 5,
    EFI_RUNTIME_DATA = 6,
    EFI_CONVENTIONAL = 7,
    EFI_ACPI_RECLAIM = 9,
    EFI_ACPI_NVS = 10
};

struct efi_descriptor {
    uint32_t type, pad;
    uint64_t physical, virtual, pages, attributes;
};

static uint32_t kind_of(uint32_t efi_type)
{
    switch (efi_type) {
    case EFI_BOOT_CODE:
    case EFI_BOOT_DATA:
    case EFI_CONVENTIONAL:
        return BOOT_MEMORY_USABLE;
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
        return BOOT_MEMORY_LOADER;
    case EFI_RUNTIME_CODE:
    case EFI_RUNTIME_DATA:
    case EFI_ACPI_NVS:
        return BOOT_MEMORY_FIRMWARE;
    case EFI_ACPI_RECLAIM:
        return BOOT_MEMORY_ACPI;
    default:
        return BOOT_MEMORY_RESERVED;
    }
}

static void sort(struct boot_memory *map, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct boot_memory moving = map[i];
        uint32_t j = i;
        for (; j > 0 && map[j - 1].base > moving.base; j--)
            map[j] = map[j - 1];
        map[j] = moving;
    }
}

/* Neighbours of one kind become one. Of two that overlap (firmware does that) the later is cut at the earlier's end. */
static uint32_t merge(struct boot_memory *map, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct boot_memory next = map[i];
        uint64_t end = kept ? map[kept - 1].base + map[kept - 1].bytes : 0;
        if (kept && next.base < end) {
            uint64_t overlap = end - next.base;
            if (overlap >= next.bytes)
                continue;
            next.base += overlap;
            next.bytes -= overlap;
        }
        if (kept && next.base == end && map[kept - 1].kind == next.kind)
            map[kept - 1].bytes += next.bytes;
        else
            map[kept++] = next;
    }
    return kept;
}

static void drop_smallest_usable(struct boot_memory *map, uint32_t *count)
{
    uint32_t victim = *count - 1;
    for (uint32_t i = 0; i < *count; i++)
        if (map[i].kind == BOOT_MEMORY_USABLE &&
            (map[victim].kind != BOOT_MEMORY_USABLE || map[i].bytes < map[victim].bytes))
            victim = i;
    for (uint32_t i = victim + 1; i < *count; i++)
        map[i - 1] = map[i];
    --*count;
}

uint32_t memory_map_convert(const void *descriptors, uint64_t bytes, uint64_t stride, struct boot_memory *map,
                            uint32_t max)
{
    static struct boot_memory all[RANGES_MAX];
    uint32_t count = 0;
    if (stride < sizeof(struct efi_descriptor))
        return 0;
    for (uint64_t at = 0; at + stride <= bytes && count < RANGES_MAX; at += stride) {
        const struct efi_descriptor *d = (const void *)((const uint8_t *)descriptors + at);
        if (d->pages == 0 || d->pages > (UINT64_MAX - d->physical) / PAGE)
            continue;
        all[count++] = (struct boot_memory){d->physical, d->pages * PAGE, kind_of(d->type), 0};
    }
    sort(all, count);
    count = merge(all, count);
    while (count > max)
        drop_smallest_usable(all, &count);
    for (uint32_t i = 0; i < count; i++)
        map[i] = all[i];
    return count;
}
