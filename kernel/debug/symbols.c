/* Names of kernel functions. tools/symtab.py makes the table from a first link and puts it behind everything else in the
 * second, so no address moves; `make build` verifies that.
 *
 * Layout, little-endian: magic, count, then `count` pairs {address - start of the text, offset of the name}, then the names. */
#include <kernel/debug.h>
#include <kernel/symbols.h>

#define SYMBOLS_MAGIC 0x314d5953u /* "SYM1" */

struct symbol {
    uint32_t address, name;
};

struct symbol_table {
    uint32_t magic, count;
    struct symbol symbols[];
};

const char *symbol_name(uint64_t address, uint64_t *offset_out)
{
    const struct symbol_table *t = (const struct symbol_table *)kernel_symbols_start;
    *offset_out = address;
    if ((uint64_t)(kernel_symbols_end - kernel_symbols_start) < sizeof *t || t->magic != SYMBOLS_MAGIC)
        return "?";
    uint64_t base = (uint64_t)kernel_text_start;
    if (address < base || address >= (uint64_t)kernel_text_end)
        return "?";
    uint32_t key = (uint32_t)(address - base), low = 0, high = t->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->symbols[middle].address <= key)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return "?";
    *offset_out = key - t->symbols[low - 1].address;
    return (const char *)&t->symbols[t->count] + t->symbols[low - 1].name;
}
