/* SHA-256 (FIPS 180-4). Pure; also built for the host tests. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void boot_sha256(const void *data, size_t bytes, uint8_t hash_out[32]);
