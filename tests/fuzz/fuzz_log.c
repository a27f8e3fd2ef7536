/* A log disk with any content: opening it ends in good, damaged or nothing, and gives only records that are whole and
 * follow one another. The input is a list of pieces for blocks of the record area; some are made groups with the right
 * checksum and chain, so that the search comes behind that door. */
#include <base/crc32c.h>
#include <base/logformat.h>
#include <store.h>

#include "fuzz.h"

#define DISK_BYTES DISK_MIN
static uint8_t image[DISK_BYTES];
static struct store store;

static err_t disk_read(void *context, uint64_t offset, void *to, uint32_t bytes)
{
    MUST(offset <= DISK_BYTES && bytes <= DISK_BYTES - offset);
    memcpy(to, image + offset, bytes);
    return E_OK;
}
static err_t disk_write(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    MUST(offset <= DISK_BYTES && bytes <= DISK_BYTES - offset);
    memcpy(image + offset, from, bytes);
    return E_OK;
}
static err_t disk_flush(void *context)
{
    return E_OK;
}
static const struct disk disk = {NULL, DISK_BYTES, disk_read, disk_write, disk_flush, disk_write};

/* As long as the input says, at the block that it says; 1: with a header and records that fit. */
static void put_group(struct input *in, uint32_t *chain, uint64_t *sequence, uint8_t how, uint64_t epoch)
{
    static uint8_t bytes[65536 + sizeof(struct disk_group)];
    size_t length;
    uint32_t block = input_byte(in);
    uint8_t *piece = input_piece(in, &length);
    uint64_t at = RECORDS_START + (uint64_t)block * BLOCK_BYTES;
    struct disk_group group = {
        .magic = GROUP_MAGIC, .epoch = epoch, .sequence = ++*sequence, .chain = *chain, .bytes = (uint32_t)length};
    memcpy(bytes, &group, sizeof(group));
    memcpy(bytes + sizeof(group), piece, length);
    if (how & 1)
        group.checksum = crc32c(0, bytes, sizeof(group) + length);
    *chain = group.checksum;
    memcpy(bytes, &group, sizeof(group));
    memcpy(image + at, bytes, sizeof(group) + length);
    free(piece);
}

static err_t give(void *context, uint64_t index, uint64_t term, const void *record, uint32_t bytes)
{
    struct logformat_record r;
    uint32_t used;
    MUST(logformat_check(record, bytes, &r, &used) == E_OK && used == bytes && r.index == index && r.term == term);
    return E_OK;
}

static void check_record(const uint8_t *data, size_t bytes)
{
    struct logformat_record record;
    uint32_t used, again;
    uint8_t *exact = malloc(bytes + 1), *copy = malloc(bytes + 64);
    memcpy(exact, data, bytes);
    if (logformat_check(exact, bytes, &record, &used) == E_OK) {
        MUST(used <= bytes);
        MUST(logformat_encode(&record, copy, bytes + 64, &again) == E_OK && again == used);
    }
    free(exact);
    free(copy);
}

/* A fresh format, made once: only superblocks and the record area are ever written. */
static void begin(void)
{
    static uint8_t a[BLOCK_BYTES], b[BLOCK_BYTES];
    static bool made;
    if (!made) {
        MUST(store_probe(&store, &disk) == LOG_BLANK && store_format(&store, 5, "payload", 7) == E_OK);
        memcpy(a, image + SUPERBLOCK_A, sizeof(a));
        memcpy(b, image + SUPERBLOCK_B, sizeof(b));
        made = true;
    }
    memcpy(image + SUPERBLOCK_A, a, sizeof(a));
    memcpy(image + SUPERBLOCK_B, b, sizeof(b));
    memset(image + RECORDS_START, 0, RECORDS_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    uint32_t chain = 0;
    uint64_t sequence = 0;
    check_record(data, bytes);
    begin();
    while (in.left > 0)
        put_group(&in, &chain, &sequence, input_byte(&in), 5);
    MUST(store_probe(&store, &disk) == LOG_VALID);
    if (store_open(&store) != E_OK)
        return 0;
    uint64_t last = store.last_index;
    err_t err = store_give_records(&store, give, NULL);
    MUST(err == E_OK || err == E_CORRUPT);
    MUST(last <= store.damaged_index || !store.damaged);
    return 0;
}
