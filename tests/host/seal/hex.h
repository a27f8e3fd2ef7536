/* Bytes as hexadecimal digits. */
#pragma once

#include <stdio.h>
#include <string.h>

#include <test/check.h>

static inline size_t unhex(const char *hex, uint8_t *to)
{
    size_t bytes = 0;
    for (; *hex; hex += 2, bytes++)
        CHECK_EQUAL(sscanf(hex, "%2hhx", &to[bytes]), 1);
    return bytes;
}

static inline void check_hex(const uint8_t *bytes, const char *hex)
{
    uint8_t expected[512];
    size_t count = unhex(hex, expected);
    CHECK(!memcmp(bytes, expected, count));
}
