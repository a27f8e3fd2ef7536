/* CRC-32C (Castagnoli), as iSCSI and file systems use it. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over `bytes` bytes. crc32c(0, "123456789", 9) == 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);
