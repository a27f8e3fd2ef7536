/* What the loader decides without firmware: hashes, the bundle, the kernel's file, the memory map, the UUID. */
#include <stdlib.h>
#include <string.h>

#include <test/check.h>

#include <base/bundle.h>
#include <base/sha256.h>

#include "kernel_file.h"
#include "key_variable.h"
#include "memory_map.h"
#include "smbios.h"

static void hash_of(const void *data, size_t bytes, uint8_t hash_out[32])
{
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, data, bytes / 3); /* in two pieces, as no caller should notice */
    sha256_add(&s, (const char *)data + bytes / 3, bytes - bytes / 3);
    sha256_end(&s, hash_out);
}

static void check_hash(const char *text, size_t bytes, const char *expected)
{
    uint8_t hash[32];
    char hex[65];
    hash_of(text, bytes, hash);
    for (int i = 0; i < 32; i++)
        sprintf(hex + 2 * i, "%02x", hash[i]);
    CHECK_STRING(hex, expected);
}

static void test_sha256_vectors(void)
{
    static char million[1000000];
    memset(million, 'a', sizeof million);
    check_hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_hash(million, sizeof million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* ---- the bundle ---- */

#define IMAGE_BYTES (4096u * 4)

static void seal_bundle(uint8_t *image)
{
    struct bundle_header *header = (void *)image;
    struct bundle_part *parts = (void *)(image + header->table_offset);
    for (uint32_t i = 0; i < header->part_count; i++)
        hash_of(image + parts[i].offset, parts[i].bytes, parts[i].sha256);
    hash_of(parts, header->part_count * sizeof *parts, header->table_sha256);
    memset(header->header_sha256, 0, 32);
    hash_of(header, sizeof *header, header->header_sha256);
}

static uint8_t *make_bundle(void)
{
    uint8_t *image = aligned_alloc(4096, IMAGE_BYTES);
    memset(image, 0, IMAGE_BYTES);
    struct bundle_header *header = (void *)image;
    struct bundle_part *parts = (void *)(image + sizeof *header);
    memcpy(header->magic, BUNDLE_MAGIC, 8);
    header->version = BUNDLE_VERSION;
    header->part_count = 2;
    header->total_bytes = IMAGE_BYTES;
    header->table_offset = sizeof *header;
    strcpy(parts[0].name, "bin/sh");
    parts[0].kind = BUNDLE_FILE;
    parts[0].offset = 4096;
    parts[0].bytes = 100;
    strcpy(parts[1].name, "kernel");
    parts[1].kind = BUNDLE_KERNEL;
    parts[1].offset = 8192;
    parts[1].bytes = 5000;
    for (uint32_t i = 4096; i < 8192 + 5000; i++)
        image[i] = (uint8_t)(i * 31);
    memset(image + 4096 + 100, 0, 4096 - 100);
    seal_bundle(image);
    return image;
}

static char fault[256];

static void test_sound_bundle(void)
{
    uint8_t *image = make_bundle();
    CHECK_EQUAL(bundle_check(image, IMAGE_BYTES, fault, sizeof fault), E_OK);
    CHECK_EQUAL(bundle_count(image), 2);
    CHECK_STRING(bundle_part_at(image, 1)->name, "kernel");
    free(image);
}

static void test_flipped_bytes(void)
{
    uint8_t *image = make_bundle();
    for (uint32_t at = 0; at < 8192 + 5000; at++) {
        if (at == 128 + 256)
            at = 4096; /* nothing is promised about the gaps between parts */
        if (at == 4096 + 100)
            at = 8192;
        image[at] ^= 1;
        CHECK_EQUAL(bundle_check(image, IMAGE_BYTES, fault, sizeof fault), E_CORRUPT);
        if (at >= 4096)
            CHECK(strstr(fault, at < 8192 ? "'bin/sh' is damaged" : "'kernel' is damaged"));
        image[at] ^= 1;
    }
    CHECK_EQUAL(bundle_check(image, IMAGE_BYTES, fault, sizeof fault), E_OK);
    free(image);
}

static void test_short_bundle(void)
{
    uint8_t *image = make_bundle();
    CHECK_EQUAL(bundle_check(image, IMAGE_BYTES - 1, fault, sizeof fault), E_CORRUPT);
    CHECK_EQUAL(bundle_check(image, 127, fault, sizeof fault), E_CORRUPT);
    CHECK_EQUAL(bundle_check(image, 0, fault, sizeof fault), E_CORRUPT);
    free(image);
}

static void seal_table(uint8_t *image)
{
    struct bundle_header *header = (void *)image;
    hash_of(image + 128, 256, header->table_sha256);
}

static void seal_header(uint8_t *image)
{
    struct bundle_header *header = (void *)image;
    memset(header->header_sha256, 0, 32);
    hash_of(image, 128, header->header_sha256);
}

/* Numbers that lie, with hashes that are right: only the maker could do it, and still nothing outside is read. */
static void test_lying_numbers(void)
{
    static const uint64_t bad[] = {1, 4097, IMAGE_BYTES + 4096, UINT64_MAX - 4095, 1ull << 63};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t *image = make_bundle();
        ((struct bundle_part *)(image + 128))[1].offset = bad[i];
        seal_table(image);
        seal_header(image);
        CHECK_EQUAL(bundle_check(image, IMAGE_BYTES, fault, sizeof fault), E_CORRUPT);
        free(image);
        image = make_bundle();
        ((struct bundle_header *)image)->table_offset = bad[i];
        seal_header(image);
        CHECK_EQUAL(bundle_check(image, IMAGE_BYTES, fault, sizeof fault), E_CORRUPT);
        free(image);
    }
}

/* ---- the kernel's file ---- */

struct test_elf {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments, sections;
    uint32_t flags;
    uint16_t header_bytes, segment_bytes, segment_count, unused[3];
    struct {
        uint32_t type, flags;
        uint64_t offset, va, pa, file, memory, align;
    } s[2];
    uint8_t text[16], data[8];
};

static struct test_elf make_elf(void)
{
    struct test_elf e = {{0x7f, 'E', 'L', 'F', 2, 1, 1}, 2, 62, 1, 0x200004, 64, 0, 0, 64, 56, 2, {0}, {{0}}, {0}, {0}};
    e.s[0].type = e.s[1].type = 1;
    e.s[0].pa = 0x200000;
    e.s[0].offset = offsetof(struct test_elf, text);
    e.s[0].file = e.s[0].memory = 16;
    e.s[1].pa = 0x201000;
    e.s[1].offset = offsetof(struct test_elf, data);
    e.s[1].file = 8;
    e.s[1].memory = 64;
    memset(e.text, 0x90, 16);
    memset(e.data, 0xda, 8);
    return e;
}

static void test_elf_is_placed(void)
{
    static uint8_t block[0x1040];
    struct test_elf e = make_elf();
    struct kernel_plan plan;
    memset(block, 0xff, sizeof block);
    CHECK(kernel_file_plan(&e, sizeof e, &plan));
    CHECK_EQUAL(plan.lowest, 0x200000);
    CHECK_EQUAL(plan.bytes, 0x1040);
    CHECK_EQUAL(plan.entry_offset, 4);
    kernel_file_place(&e, &plan, block);
    CHECK_EQUAL(block[0], 0x90);
    CHECK_EQUAL(block[16], 0);
    CHECK_EQUAL(block[0x1007], 0xda);
    CHECK_EQUAL(block[0x103f], 0);
}

static void test_bad_elf_is_refused(void)
{
    struct kernel_plan plan;
    struct test_elf e = make_elf();
    CHECK(!kernel_file_plan(&e, 63, &plan));
    e.s[0].file = 17, e.s[0].memory = 16;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
    e = make_elf();
    e.s[1].offset = UINT64_MAX;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
    e = make_elf();
    e.s[1].pa = UINT64_MAX - 8;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
    e = make_elf();
    e.s[1].pa = 1ull << 40;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
    e = make_elf();
    e.entry = 0x1fffff;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
    e = make_elf();
    e.segment_count = 0xffff;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
    e = make_elf();
    e.machine = 3;
    CHECK(!kernel_file_plan(&e, sizeof e, &plan));
}

/* ---- the memory map ---- */

struct descriptor {
    uint32_t type, pad;
    uint64_t physical, virtual, pages, attributes, extra;
};

static void test_memory_map(void)
{
    struct descriptor d[] = {
        {7, 0, 0x100000, 0, 16, 0, 0}, {2, 0, 0x110000, 0, 1, 0, 0}, {4, 0, 0x0, 0, 0x9f, 0, 0},
        {3, 0, 0x111000, 0, 1, 0, 0},  {7, 0, 0x112000, 0, 2, 0, 0}, {9, 0, 0x200000, 0, 1, 0, 0},
        {5, 0, 0x201000, 0, 1, 0, 0},  {0, 0, 0x113000, 0, 2, 0, 0}, {11, 0, UINT64_MAX - 4095, 0, 8, 0, 0}};
    struct boot_memory map[16];
    uint32_t count = memory_map_convert(d, sizeof d, sizeof *d, map, 16);
    static const struct boot_memory expected[] = {
        {0x0, 0x9f000, BOOT_MEMORY_USABLE, 0},       {0x100000, 0x10000, BOOT_MEMORY_USABLE, 0},
        {0x110000, 0x1000, BOOT_MEMORY_LOADER, 0},   {0x111000, 0x3000, BOOT_MEMORY_USABLE, 0},
        {0x114000, 0x1000, BOOT_MEMORY_RESERVED, 0}, {0x200000, 0x1000, BOOT_MEMORY_ACPI, 0},
        {0x201000, 0x1000, BOOT_MEMORY_FIRMWARE, 0}};
    CHECK_EQUAL(count, 7);
    CHECK(memcmp(map, expected, sizeof expected) == 0);
    CHECK_EQUAL(memory_map_convert(d, sizeof d, 16, map, 16), 0);
}

static void test_memory_map_overflow_gives_up_small_usable_ranges(void)
{
    struct descriptor d[40];
    struct boot_memory map[30];
    for (uint32_t i = 0; i < 40; i++)
        d[i] = (struct descriptor){i % 2 ? 0 : 7, 0, i * 0x10000ull, 0, i % 2 ? 1 : 1 + i % 8, 0, 0};
    CHECK_EQUAL(memory_map_convert(d, sizeof d, sizeof *d, map, 30), 30);
    uint32_t reserved = 0;
    for (uint32_t i = 0; i < 30; i++)
        reserved += map[i].kind == BOOT_MEMORY_RESERVED;
    CHECK_EQUAL(reserved, 20);
}

/* ---- SMBIOS ---- */

static void test_smbios_uuid(void)
{
    uint8_t table[] = {0,  4,  0,  0,    'a',  'b',  0,    'c',  0,    0,    1,    27, 1, 0,  1,
                       2,  3,  4,  0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 8,  9, 10, 11,
                       12, 13, 14, 15,   0,    0,    0,    0,    0,    127,  4,    2,  0, 0,  0};
    static const uint8_t expected[16] = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t uuid[16];
    CHECK(smbios_uuid(table, sizeof table, uuid));
    CHECK(memcmp(uuid, expected, 16) == 0);
    memset(table + 18, 0xff, 16);
    CHECK(!smbios_uuid(table, sizeof table, uuid));
    for (size_t bytes = 0; bytes < 34; bytes++)
        CHECK(!smbios_uuid(table, bytes, uuid));
}

static void test_smbios_entry(void)
{
    uint8_t old[32] = "_SM_", new[32] = "_SM3_";
    uint64_t table, bytes;
    old[0x17] = 2, old[0x1a] = 0x0f;
    CHECK(smbios_entry(old, &table, &bytes));
    CHECK_EQUAL(bytes, 0x200);
    CHECK_EQUAL(table, 0x0f0000);
    new[0x0c] = 9, new[0x14] = 1;
    CHECK(smbios_entry(new, &table, &bytes));
    CHECK_EQUAL(bytes, 9);
    CHECK_EQUAL(table, 1ull << 32);
    CHECK(!smbios_entry("_SX_", &table, &bytes));
}

static void test_key_variable(void)
{
    CHECK(key_variable_fault(KEY_VARIABLE_ATTRIBUTES, 32) == NULL);
    static const struct {
        uint32_t attributes;
        uint64_t bytes;
        const char *says;
    } bad[] = {{3, 0, "32 bytes"},    {3, 31, "32 bytes"},   {3, 33, "32 bytes"},     {7, 32, "replaced by"},
               {2, 32, "attributes"}, {1, 32, "attributes"}, {0x23, 32, "attributes"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *fault = key_variable_fault(bad[i].attributes, bad[i].bytes);
        CHECK(fault != NULL && strstr(fault, bad[i].says) != NULL);
    }
}

static enum key_wish wish_of(const char *text)
{
    return key_wish(text, strlen(text));
}

static void test_key_wish(void)
{
    CHECK_EQUAL(wish_of("node = a\n"), KEY_AS_IT_IS);
    CHECK_EQUAL(wish_of("node = a\nkey_store = uefi\n"), KEY_STORE);
    CHECK_EQUAL(wish_of("key_store = uefi\nkey_store=forget"), KEY_FORGET);
    CHECK_EQUAL(wish_of("key_store = uefi\nkey_store = disk\n"), KEY_AS_IT_IS); /* nor what stood before the bad line */
    CHECK_EQUAL(wish_of("key_store = forget\ncolour = red\n"), KEY_AS_IT_IS);
    CHECK_EQUAL(key_wish("", 0), KEY_AS_IT_IS);
}

int main(void)
{
    RUN(test_sha256_vectors);
    RUN(test_sound_bundle);
    RUN(test_flipped_bytes);
    RUN(test_short_bundle);
    RUN(test_lying_numbers);
    RUN(test_elf_is_placed);
    RUN(test_bad_elf_is_refused);
    RUN(test_memory_map);
    RUN(test_memory_map_overflow_gives_up_small_usable_ranges);
    RUN(test_smbios_uuid);
    RUN(test_smbios_entry);
    RUN(test_key_variable);
    RUN(test_key_wish);
    return 0;
}
