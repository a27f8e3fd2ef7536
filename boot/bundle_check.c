#include "bundle_check.h"

#include "sha256.h"

#define PAGE 4096u

static bool same(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < bytes; i++)
        if (x[i] != y[i])
            return false;
    return true;
}

static bool header_hash_right(const struct bundle_header *header)
{
    struct bundle_header copy = *header;
    uint8_t hash[32];
    for (unsigned i = 0; i < sizeof copy.header_sha256; i++)
        copy.header_sha256[i] = 0;
    boot_sha256(&copy, sizeof copy, hash);
    return same(hash, header->header_sha256, sizeof hash);
}

static bool table_inside(const struct bundle_header *header)
{
    uint64_t table_bytes = (uint64_t)header->part_count * sizeof(struct bundle_part);
    return header->part_count <= BUNDLE_PARTS_MAX && header->table_offset >= sizeof *header &&
           header->table_offset % 8 == 0 && header->table_offset <= header->total_bytes &&
           table_bytes <= header->total_bytes - header->table_offset;
}

enum bundle_fault bundle_check_header(const void *image, uint64_t bytes, uint64_t *total_bytes_out)
{
    const struct bundle_header *header = image;
    *total_bytes_out = 0;
    if (bytes < sizeof *header)
        return BUNDLE_SHORT;
    if (!same(header->magic, BUNDLE_MAGIC, sizeof header->magic))
        return BUNDLE_NOT_ONE;
    if (!header_hash_right(header) || header->version != BUNDLE_VERSION || !table_inside(header))
        return BUNDLE_BAD_HEADER;
    *total_bytes_out = header->total_bytes;
    return BUNDLE_SOUND;
}

static bool part_right(const struct bundle_header *header, const struct bundle_part *part)
{
    if (part->offset % PAGE || part->offset > header->total_bytes || part->bytes > header->total_bytes - part->offset ||
        part->name[BUNDLE_NAME_MAX - 1] != 0)
        return false;
    uint8_t hash[32];
    boot_sha256((const uint8_t *)header + part->offset, part->bytes, hash);
    return same(hash, part->sha256, sizeof hash);
}

static void copy_name(char *to, const char *from)
{
    unsigned i = 0;
    for (; i + 1 < BUNDLE_NAME_MAX && from[i] > ' ' && from[i] < 127; i++)
        to[i] = from[i];
    to[i] = 0;
}

struct bundle_verdict bundle_check(const void *image, uint64_t bytes)
{
    struct bundle_verdict verdict = {BUNDLE_SOUND, 0, ""};
    const struct bundle_header *header = image;
    uint64_t total;
    verdict.fault = bundle_check_header(image, bytes, &total);
    if (verdict.fault == BUNDLE_SOUND && total > bytes)
        verdict.fault = BUNDLE_SHORT;
    if (verdict.fault != BUNDLE_SOUND)
        return verdict;
    const struct bundle_part *table = (const void *)((const uint8_t *)image + header->table_offset);
    uint8_t hash[32];
    boot_sha256(table, header->part_count * sizeof *table, hash);
    if (!same(hash, header->table_sha256, sizeof hash)) {
        verdict.fault = BUNDLE_BAD_TABLE;
        return verdict;
    }
    for (uint32_t i = 0; i < header->part_count; i++) {
        if (part_right(header, &table[i]))
            continue;
        verdict.fault = BUNDLE_BAD_PART;
        verdict.part = i;
        copy_name(verdict.name, table[i].name);
        break;
    }
    return verdict;
}

const struct bundle_part *bundle_kernel(const void *image)
{
    const struct bundle_header *header = image;
    const struct bundle_part *table = (const void *)((const uint8_t *)image + header->table_offset);
    for (uint32_t i = 0; i < header->part_count; i++)
        if (table[i].kind == BUNDLE_KERNEL)
            return &table[i];
    return NULL;
}

const char *bundle_fault_text(enum bundle_fault fault)
{
    switch (fault) {
    case BUNDLE_SOUND:
        return "it is sound";
    case BUNDLE_SHORT:
        return "it is shorter than its header says";
    case BUNDLE_NOT_ONE:
        return "it does not begin with SHOALIMG";
    case BUNDLE_BAD_HEADER:
        return "its header is damaged or of another version";
    case BUNDLE_BAD_TABLE:
        return "its table of parts is damaged";
    case BUNDLE_BAD_PART:
        return "a part is damaged";
    }
    return "unknown";
}
