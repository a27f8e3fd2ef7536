/* The two superblock copies: probing, formatting, replacing. */
#include "store.h"

#include <base/crc32c.h>
#include <string.h>

err_t store_read(struct store *store, uint64_t offset, void *to, uint32_t bytes)
{
    if (store->failed)
        return E_IO;
    err_t err = store->disk.read(store->disk.context, offset, to, bytes);
    store->failed = err != E_OK;
    return store->failed ? E_IO : E_OK;
}

err_t store_write(struct store *store, uint64_t offset, const void *from, uint32_t bytes)
{
    if (store->failed)
        return E_IO;
    err_t err = store->disk.write(store->disk.context, offset, from, bytes);
    store->failed = err != E_OK;
    return store->failed ? E_IO : E_OK;
}

err_t store_flush(struct store *store)
{
    if (store->failed)
        return E_IO;
    err_t err = store->disk.flush(store->disk.context);
    store->failed = err != E_OK; /* a disk that failed a flush may have dropped what it held: never asked again */
    return store->failed ? E_IO : E_OK;
}

err_t store_write_durable(struct store *store, uint64_t offset, const void *from, uint32_t bytes)
{
    if (store->failed)
        return E_IO;
    err_t err = store->disk.commit(store->disk.context, offset, from, bytes);
    store->failed = err != E_OK;
    return store->failed ? E_IO : E_OK;
}

static uint32_t superblock_checksum(const struct disk_superblock *super)
{
    static const uint32_t zero;
    size_t at = offsetof(struct disk_superblock, checksum);
    uint32_t crc = crc32c(0, super, at);
    crc = crc32c(crc, &zero, sizeof zero);
    return crc32c(crc, (const uint8_t *)super + at + sizeof zero, sizeof *super - at - sizeof zero);
}

static bool area_fits(uint64_t start, uint64_t bytes, uint64_t disk_bytes)
{
    return start % BLOCK_BYTES == 0 && bytes % BLOCK_BYTES == 0 && start >= RECORDS_START && start <= disk_bytes &&
           bytes <= disk_bytes - start;
}

static bool superblock_good(const struct disk_superblock *s, uint64_t disk_bytes)
{
    if (s->magic != SUPERBLOCK_MAGIC || s->version != SUPERBLOCK_VERSION || s->checksum != superblock_checksum(s))
        return false;
    return area_fits(s->records_start, s->records_bytes, disk_bytes) && s->records_bytes >= RECORDS_MIN &&
           s->records_bytes <= RECORDS_MAX && area_fits(s->snapshot_start[0], s->snapshot_bytes, disk_bytes) &&
           area_fits(s->snapshot_start[1], s->snapshot_bytes, disk_bytes) && s->snapshot_current <= 2 &&
           s->snapshot.bytes <= s->snapshot_bytes && s->payload_bytes <= LOG_PAYLOAD_MAX &&
           s->head_block < s->records_bytes / BLOCK_BYTES;
}

static bool all_zero(const void *data, size_t bytes)
{
    const uint8_t *p = data;
    while (bytes-- > 0)
        if (*p++ != 0)
            return false;
    return true;
}

/* Is everything zero from `from` to `to`, superblock copies left out? */
static err_t range_zero(struct store *store, uint64_t from, uint64_t to, bool *zero_out)
{
    *zero_out = true;
    for (uint64_t at = from; at < to && *zero_out; at += BLOCK_BYTES) {
        if (at == SUPERBLOCK_A || at == SUPERBLOCK_B)
            continue;
        err_t err = store_read(store, at, store->scan, BLOCK_BYTES);
        if (err != E_OK)
            return err;
        *zero_out = all_zero(store->scan, BLOCK_BYTES);
    }
    return E_OK;
}

/* Is this first block zero, or one that the very first format was writing? That begins with the mark of mark_first. */
static bool first_block_ours(const struct disk_superblock *a)
{
    static const uint64_t magic = SUPERBLOCK_MAGIC;
    const uint8_t *is = (const uint8_t *)a, *should = (const uint8_t *)&magic;
    uint32_t n = 0;
    while (n < sizeof magic && is[n] == should[n])
        n++;
    return n > 0 ? all_zero(is + n, sizeof magic - n) : all_zero(a, sizeof *a);
}

/* Neither copy is good. A disk on which the very first format was interrupted still counts as blank: its second copy
 * and all else are zero. Anything else found there belongs to somebody. */
static enum log_state state_without_superblock(struct store *store, bool copies_blank)
{
    bool front, back;
    uint64_t end = store->disk.bytes / BLOCK_BYTES * BLOCK_BYTES;
    if (range_zero(store, 0, RECORDS_START + RECORDS_MIN / 4, &front) != E_OK ||
        range_zero(store, end - 65536, end, &back) != E_OK)
        return LOG_ABSENT;
    return copies_blank && front && back ? LOG_BLANK : LOG_DAMAGED;
}

enum log_state store_probe(struct store *store, const struct disk *disk)
{
    static struct disk_superblock a, b;
    memset(store, 0, sizeof *store);
    store->disk = *disk;
    if (disk->bytes < DISK_MIN)
        return LOG_ABSENT;
    if (store_read(store, SUPERBLOCK_A, &a, sizeof a) != E_OK || store_read(store, SUPERBLOCK_B, &b, sizeof b) != E_OK)
        return LOG_ABSENT;
    bool a_good = superblock_good(&a, disk->bytes), b_good = superblock_good(&b, disk->bytes);
    store->foreign = a.magic != SUPERBLOCK_MAGIC && b.magic != SUPERBLOCK_MAGIC;
    if (!a_good && !b_good)
        return state_without_superblock(store, first_block_ours(&a) && all_zero(&b, sizeof b));
    store->super = a_good && (!b_good || a.sequence >= b.sequence) ? a : b;
    store->super_mend = !a_good || !b_good || a.sequence != b.sequence;
    return LOG_VALID;
}

err_t store_write_superblock(struct store *store)
{
    store->super.sequence++;
    store->super.checksum = superblock_checksum(&store->super);
    /* One copy is always whole: the second is not touched before the first is durable. */
    err_t err = store_write(store, SUPERBLOCK_A, &store->super, sizeof store->super);
    if (err == E_OK)
        err = store_flush(store);
    if (err == E_OK)
        err = store_write(store, SUPERBLOCK_B, &store->super, sizeof store->super);
    if (err == E_OK)
        err = store_flush(store);
    if (err == E_OK)
        store->super_mend = false;
    return err;
}

static void lay_out(struct disk_superblock *super, uint64_t disk_bytes)
{
    uint64_t records = disk_bytes / 4 / BLOCK_BYTES * BLOCK_BYTES;
    records = records < RECORDS_MIN ? RECORDS_MIN : records > RECORDS_MAX ? RECORDS_MAX : records;
    uint64_t snapshot = (disk_bytes - RECORDS_START - records) / 2 / BLOCK_BYTES * BLOCK_BYTES;
    snapshot = snapshot > SNAPSHOT_MAX ? SNAPSHOT_MAX : snapshot;
    super->disk_bytes = disk_bytes;
    super->records_start = RECORDS_START;
    super->records_bytes = records;
    super->snapshot_start[0] = RECORDS_START + records;
    super->snapshot_start[1] = RECORDS_START + records + snapshot;
    super->snapshot_bytes = snapshot;
}

/* The first sector alone, so that whatever a cut leaves of the first superblock is known for what it is. */
static err_t mark_first(struct store *store)
{
    static const uint64_t mark[SECTOR_BYTES / sizeof(uint64_t)] = {SUPERBLOCK_MAGIC};
    return store_write_durable(store, SUPERBLOCK_A, mark, sizeof mark);
}

err_t store_format(struct store *store, uint64_t epoch, const void *payload, uint32_t bytes)
{
    if (bytes > LOG_PAYLOAD_MAX || store->disk.bytes < DISK_MIN)
        return E_INVALID;
    uint64_t sequence = store->super.sequence; /* of the format before, so that the new copies win */
    struct disk disk = store->disk;
    memset(store, 0, sizeof *store);
    store->disk = disk;
    store->super.magic = SUPERBLOCK_MAGIC;
    store->super.version = SUPERBLOCK_VERSION;
    store->super.sequence = sequence;
    store->super.epoch = epoch;
    store->full_from = UINT64_MAX;
    lay_out(&store->super, disk.bytes);
    store->super.payload_bytes = bytes;
    memcpy(store->super.payload, payload, bytes);
    err_t err = mark_first(store);
    if (err == E_OK)
        err = store_write_superblock(store);
    store->open = err == E_OK;
    return err;
}

err_t store_note(struct store *store)
{
    if (!store->open)
        return E_INVALID;
    if (store->super.known_sequence == store->sequence)
        return E_OK;
    store->super.known_sequence = store->sequence;
    store->super.known_index = store->last_index;
    return store_write_superblock(store);
}
