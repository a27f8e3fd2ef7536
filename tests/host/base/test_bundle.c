/* The boot bundle: every byte of it counts. */
#include <base/bundle.h>
#include <base/sha256.h>
#include <test/check.h>

#define PARTS 3
#define BYTES (4 * 4096)

static uint8_t image[BYTES] __attribute__((aligned(4096)));
static char what[160];

static void hash(const void *data, size_t bytes, uint8_t out[32])
{
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, data, bytes);
    sha256_end(&s, out);
}

static void seal(void)
{
    struct bundle_header *h = (struct bundle_header *)image;
    struct bundle_part *parts = (struct bundle_part *)(image + sizeof *h);
    hash(parts, h->part_count * sizeof *parts, h->table_sha256);
    memset(h->header_sha256, 0, 32);
    hash(h, sizeof *h, h->header_sha256);
}

static void make(void)
{
    struct bundle_header *h = (struct bundle_header *)image;
    struct bundle_part *parts = (struct bundle_part *)(image + sizeof *h);
    memset(image, 0, sizeof image);
    memcpy(h->magic, BUNDLE_MAGIC, 8);
    h->version = BUNDLE_VERSION;
    h->part_count = PARTS;
    h->total_bytes = BYTES;
    h->table_offset = sizeof *h;
    for (uint32_t i = 0; i < PARTS; i++) {
        snprintf(parts[i].name, sizeof parts[i].name, "bin/part%u", i);
        parts[i].offset = 4096 * (i + 1);
        parts[i].bytes = 4096 - i;
        memset(image + parts[i].offset, (int)i + 1, parts[i].bytes);
        hash(image + parts[i].offset, parts[i].bytes, parts[i].sha256);
    }
    seal();
}

static err_t check(uint64_t bytes)
{
    return bundle_check(image, bytes, what, sizeof what);
}

static void test_good(void)
{
    make();
    CHECK_EQUAL(check(BYTES), E_OK);
    CHECK_EQUAL(bundle_count(image), PARTS);
    CHECK_STRING(bundle_part_at(image, 1)->name, "bin/part1");
}

static void test_every_part_is_covered(void)
{
    for (uint32_t at = 0; at < sizeof(struct bundle_header) + PARTS * sizeof(struct bundle_part); at++) {
        make();
        image[at] ^= 0x10;
        CHECK_EQUAL(check(BYTES), E_CORRUPT);
    }
    for (uint32_t part = 0; part < PARTS; part++) {
        make();
        image[4096 * (part + 1) + 17] ^= 1;
        CHECK_EQUAL(check(BYTES), E_CORRUPT);
        char name[16];
        snprintf(name, sizeof name, "bin/part%u", part);
        CHECK(strstr(what, name) != NULL);
    }
}

static void test_lies(void)
{
    struct bundle_header *h = (struct bundle_header *)image;
    struct bundle_part *parts = (struct bundle_part *)(image + sizeof *h);
    make();
    CHECK_EQUAL(check(BYTES - 1), E_CORRUPT);
    CHECK_EQUAL(check(100), E_CORRUPT);
    h->part_count = BUNDLE_PARTS_MAX + 1;
    memset(h->header_sha256, 0, 32);
    hash(h, sizeof *h, h->header_sha256);
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
    make();
    h->table_offset = UINT64_MAX - 7;
    memset(h->header_sha256, 0, 32);
    hash(h, sizeof *h, h->header_sha256);
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
    make();
    parts[1].offset = UINT64_MAX & ~4095ull;
    seal();
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
    make();
    parts[1].bytes = UINT64_MAX;
    seal();
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
    make();
    memset(parts[2].name, 'x', sizeof parts[2].name);
    seal();
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
}

/* Two names for the same bytes. */
static void test_shared(void)
{
    struct bundle_part *parts = (struct bundle_part *)(image + sizeof(struct bundle_header));
    make();
    parts[2].offset = parts[0].offset;
    parts[2].bytes = parts[0].bytes;
    memcpy(parts[2].sha256, parts[0].sha256, sizeof parts[2].sha256);
    seal();
    CHECK_EQUAL(check(BYTES), E_OK);
    image[parts[2].offset] ^= 1;
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
    image[parts[2].offset] ^= 1;
    parts[2].sha256[5] ^= 1; /* what the second name promises is not what lies there */
    seal();
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
    CHECK(strstr(what, "bin/part2") != NULL);
    parts[2].sha256[5] ^= 1;
    parts[2].bytes--; /* a part of the same bytes is another part */
    seal();
    CHECK_EQUAL(check(BYTES), E_CORRUPT);
}

int main(void)
{
    RUN(test_good);
    RUN(test_every_part_is_covered);
    RUN(test_lies);
    RUN(test_shared);
    return 0;
}
