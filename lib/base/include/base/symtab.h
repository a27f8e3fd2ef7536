/* Tables of function names, made by tools/symtab.py. Pure; the bytes may be anything at all.
 *
 * Little-endian: "SYM1", count (32 bits), base (64 bits), then `count` pairs {address - base, offset of the name} of 32
 * bits each, sorted by address, then the names, each ended by a zero byte. */
#pragma once

#include <abi/types.h>

/* Name of the function that contains `address`, and the offset in it; NULL: none, or the table is damaged. */
const char *symtab_find(const void *table, size_t bytes, uint64_t address, uint64_t *offset_out);
