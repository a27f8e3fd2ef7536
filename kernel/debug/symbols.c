/* Names of kernel functions. tools/symtab.py makes the table from a first link and puts it behind everything else in
 * the second, so no address moves; `make build` verifies that. */
#include <base/symtab.h>
#include <kernel/debug.h>
#include <kernel/symbols.h>

const char *symbol_name(uint64_t address, uint64_t *offset_out)
{
    const char *name = NULL;
    *offset_out = address;
    if (address >= (uint64_t)kernel_text_start && address < (uint64_t)kernel_text_end)
        name =
            symtab_find(kernel_symbols_start, (size_t)(kernel_symbols_end - kernel_symbols_start), address, offset_out);
    return name ? name : "?";
}
