/* Bundles: any image is refused in words or is whole. With the first byte odd the two hashes of the head are mended, so
 * that places, names and kinds in the table are reached. */
#include <base/bundle.h>
#include <base/sha256.h>

#include "fuzz.h"

static void hash(const void *data, size_t bytes, uint8_t out[SHA256_BYTES])
{
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, data, bytes);
    sha256_end(&s, out);
}

static void mend(uint8_t *image, size_t bytes)
{
    struct bundle_header header;
    if (bytes < sizeof(header))
        return;
    memcpy(&header, image, sizeof(header));
    uint64_t table = (uint64_t)header.part_count * sizeof(struct bundle_part);
    if (header.part_count <= BUNDLE_PARTS_MAX && header.table_offset <= bytes && table <= bytes - header.table_offset)
        hash(image + header.table_offset, table, header.table_sha256);
    memset(header.header_sha256, 0, sizeof(header.header_sha256));
    hash(&header, sizeof(header), header.header_sha256);
    memcpy(image, &header, sizeof(header));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    uint8_t how = input_byte(&in);
    uint8_t *image = aligned_alloc(4096, (in.left + 4096) / 4096 * 4096);
    char what[128] = "";
    memcpy(image, in.at, in.left);
    if (how & 1)
        mend(image, in.left);
    if (bundle_check(image, in.left, what, sizeof(what)) != E_OK)
        MUST(what[0] != 0);
    else
        for (uint32_t i = 0; i < bundle_count(image); i++) {
            const struct bundle_part *part = bundle_part_at(image, i);
            MUST(memchr(part->name, 0, sizeof(part->name)) != NULL && part->offset <= in.left &&
                 part->bytes <= in.left - part->offset);
        }
    free(image);
    return 0;
}
