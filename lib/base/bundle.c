#include <base/bundle.h>
#include <base/format.h>
#include <base/mem.h>
#include <base/sha256.h>

static bool hash_is(const void *data, uint64_t bytes, const uint8_t expected[SHA256_BYTES])
{
    struct sha256 s;
    uint8_t hash[SHA256_BYTES];
    sha256_begin(&s);
    sha256_add(&s, data, bytes);
    sha256_end(&s, hash);
    return memcmp(hash, expected, SHA256_BYTES) == 0;
}

static bool header_hash_good(const struct bundle_header *h)
{
    struct bundle_header copy = *h;
    memset(copy.header_sha256, 0, sizeof copy.header_sha256);
    return hash_is(&copy, sizeof copy, h->header_sha256);
}

static const char *header_fault(const struct bundle_header *h, uint64_t bytes)
{
    if (memcmp(h->magic, BUNDLE_MAGIC, 8) != 0)
        return "it is no boot bundle (wrong magic number)";
    if (!header_hash_good(h))
        return "its header is damaged (SHA-256 differs)";
    if (h->version != BUNDLE_VERSION)
        return "it is of another version than this kernel";
    if (h->total_bytes > bytes)
        return "it is cut off: shorter than its header says";
    uint64_t table_bytes = (uint64_t)h->part_count * sizeof(struct bundle_part);
    if (h->part_count > BUNDLE_PARTS_MAX || h->table_offset % 8 != 0 || h->table_offset > h->total_bytes ||
        table_bytes > h->total_bytes - h->table_offset)
        return "its part table lies outside of it";
    if (!hash_is((const char *)h + h->table_offset, table_bytes, h->table_sha256))
        return "its part table is damaged (SHA-256 differs)";
    return NULL;
}

/* One program under several names lies in the image once, and is looked at once. */
static bool is_checked(const struct bundle_part *parts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (parts[i].offset == parts[n].offset && parts[i].bytes == parts[n].bytes)
            return memcmp(parts[i].sha256, parts[n].sha256, SHA256_BYTES) == 0;
    }
    return false;
}

static const char *part_fault(const struct bundle_header *h, uint32_t n)
{
    const struct bundle_part *parts = bundle_part_at(h, 0), *p = &parts[n];
    if (p->name[0] == 0 || p->name[BUNDLE_NAME_MAX - 1] != 0)
        return "has no proper name";
    if (p->offset % PAGE_BYTES != 0 || p->offset > h->total_bytes || p->bytes > h->total_bytes - p->offset)
        return "lies outside of the bundle";
    if (!is_checked(parts, n) && !hash_is((const char *)h + p->offset, p->bytes, p->sha256))
        return "is damaged (SHA-256 differs)";
    return NULL;
}

err_t bundle_check(const void *image, uint64_t bytes, char *what_out, size_t what_room)
{
    const struct bundle_header *h = image;
    const char *fault = bytes < sizeof *h ? "it is shorter than its header" : header_fault(h, bytes);
    if (fault) {
        base_format(what_out, what_room, "%s", fault);
        return E_CORRUPT;
    }
    for (uint32_t i = 0; i < h->part_count; i++) {
        fault = part_fault(h, i);
        if (!fault)
            continue;
        base_format(what_out, what_room, "part %u '%.*s' %s", i, (int)BUNDLE_NAME_MAX - 1,
                    bundle_part_at(image, i)->name, fault);
        return E_CORRUPT;
    }
    return E_OK;
}

uint32_t bundle_count(const void *image)
{
    return ((const struct bundle_header *)image)->part_count;
}

const struct bundle_part *bundle_part_at(const void *image, uint32_t n)
{
    const struct bundle_header *h = image;
    return (const struct bundle_part *)((const char *)image + h->table_offset) + n;
}
