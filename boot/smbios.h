/* The machine's UUID out of the SMBIOS tables. Pure; also built for the host tests. */
#pragma once

#include <abi/types.h>

/* uuid_out in the order in which UUIDs are written. False: the tables hold none (all zero or all one count as none). */
bool smbios_uuid(const void *table, uint64_t table_bytes, uint8_t uuid_out[16]);
/* Where the structures lie, from an entry point of either format. */
bool smbios_entry(const void *entry, uint64_t *table_out, uint64_t *bytes_out);
