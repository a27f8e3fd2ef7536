#include "smbios.h"

#define TYPE_SYSTEM    1
#define TYPE_END       127
#define UUID_OFFSET    8
#define STRUCTURE_HEAD 4

static bool begins(const uint8_t *p, const char *with)
{
    for (; *with; p++, with++)
        if (*p != (uint8_t)*with)
            return false;
    return true;
}

static uint64_t little_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

bool smbios_entry(const void *entry, uint64_t *table_out, uint64_t *bytes_out)
{
    const uint8_t *p = entry;
    if (begins(p, "_SM3_")) {
        *bytes_out = little_endian(p + 0x0c, 4);
        *table_out = little_endian(p + 0x10, 8);
        return true;
    }
    if (begins(p, "_SM_")) {
        *bytes_out = little_endian(p + 0x16, 2);
        *table_out = little_endian(p + 0x18, 4);
        return true;
    }
    return false;
}

/* The first three fields are little-endian in the table (SMBIOS 2.6 and later) and big-endian when written. */
static void take_uuid(const uint8_t *raw, uint8_t uuid[16])
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned i = 0; i < 16; i++)
        uuid[i] = raw[order[i]];
}

static bool meaningless(const uint8_t *uuid)
{
    unsigned zeroes = 0, ones = 0;
    for (unsigned i = 0; i < 16; i++) {
        zeroes += uuid[i] == 0;
        ones += uuid[i] == 0xff;
    }
    return zeroes == 16 || ones == 16;
}

bool smbios_uuid(const void *table, uint64_t table_bytes, uint8_t uuid_out[16])
{
    const uint8_t *p = table;
    for (uint64_t at = 0; at + STRUCTURE_HEAD <= table_bytes;) {
        uint8_t type = p[at], length = p[at + 1];
        if (length < STRUCTURE_HEAD || at + length > table_bytes || type == TYPE_END)
            return false;
        if (type == TYPE_SYSTEM) {
            if (length < UUID_OFFSET + 16)
                return false;
            take_uuid(p + at + UUID_OFFSET, uuid_out);
            return !meaningless(uuid_out);
        }
        at += length; /* then strings, up to two zero bytes */
        while (at + 1 < table_bytes && (p[at] || p[at + 1]))
            at++;
        at += 2;
    }
    return false;
}
