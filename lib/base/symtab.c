#include <base/mem.h>
#include <base/symtab.h>

#include "bytes.h"

#define HEADER_BYTES 16u
#define PAIR_BYTES   8u

/* The name at `offset` if it ends inside of the table. */
static const char *name_at(const uint8_t *t, size_t bytes, size_t offset)
{
    for (size_t i = offset; i < bytes; i++)
        if (t[i] == 0)
            return (const char *)t + offset;
    return NULL;
}

const char *symtab_find(const void *table, size_t bytes, uint64_t address, uint64_t *offset_out)
{
    const uint8_t *t = table;
    if (bytes < HEADER_BYTES || memcmp(t, "SYM1", 4) != 0)
        return NULL;
    uint64_t count = read32(t + 4), base = read64(t + 8), key = address - base;
    if (count > (bytes - HEADER_BYTES) / PAIR_BYTES || address < base || key > UINT32_MAX)
        return NULL;
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (read32(t + HEADER_BYTES + middle * PAIR_BYTES) <= key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    const uint8_t *pair = t + HEADER_BYTES + (low - 1) * PAIR_BYTES;
    *offset_out = key - read32(pair);
    return name_at(t, bytes, HEADER_BYTES + count * PAIR_BYTES + read32(pair + 4));
}
