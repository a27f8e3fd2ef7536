/* A new history begins with a snapshot; the old one is archived where it stands. */
#include "store.h"

#include <string.h>

static uint64_t blocks_up(uint64_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

/* New groups go to the longer of the stretches that hold none of the old log, if it is long enough for a log. */
static void part_records(struct store *store)
{
    struct disk_superblock *super = &store->super;
    uint64_t total = super->records_bytes / BLOCK_BYTES, next = store->next_block;
    uint64_t head = store->group_count > 0 ? store->groups[store->group_first].block : next;
    uint64_t from = next, to = head > next ? head : total;
    if (head == next && store->group_count > 0)
        return; /* the old log takes it all */
    if (head <= next && head > to - from) {
        from = 0;
        to = head;
    }
    if ((to - from) * BLOCK_BYTES < RECORDS_MIN)
        return;
    super->records_start += from * BLOCK_BYTES;
    super->records_bytes = (to - from) * BLOCK_BYTES;
    store->next_block = 0;
}

/* The area of the old snapshot begins behind it, and both are as long as what is left of that one. */
static void part_snapshots(struct disk_superblock *super, const struct disk_superblock *old)
{
    uint64_t kept = old->snapshot_current > 0 ? blocks_up(old->snapshot.bytes) : 0;
    uint64_t left = super->snapshot_bytes - kept;
    if (!kept || left < SNAPSHOT_MIN || left < 2 * blocks_up(super->snapshot.bytes))
        return; /* the next one is written over the old */
    super->snapshot_start[old->snapshot_current - 1] += kept;
    super->snapshot_bytes = left;
}

/* Groups of the new history are of another format, so that neither is ever read as going on in the other. */
static uint64_t next_epoch(const struct disk_superblock *old, const uint8_t sha256[32])
{
    uint64_t mixed;
    memcpy(&mixed, sha256, sizeof mixed);
    mixed ^= old->epoch * 0x9e3779b97f4a7c15ull;
    return mixed != old->epoch ? mixed : ~mixed;
}

static void begin_history(struct store *store)
{
    struct disk_superblock *super = &store->super;
    store->group_count = 0;
    store->sequence = store->newest_sequence;
    store->last_index = super->compacted = super->known_index = super->snapshot.index;
    store->last_checksum_known = store->damaged = store->first_damage = false;
    store->full_from = UINT64_MAX;
    super->head_block = store->next_block;
    super->head_sequence = super->known_sequence = store->sequence;
    super->head_chain = store->chain;
    super->damaged = 0;
    super->damaged_index = 0;
}

static bool adopted(const struct store *store, const uint8_t sha256[32], const void *payload, uint32_t bytes)
{
    const struct disk_superblock *super = &store->super;
    return super->snapshot_current > 0 && super->compacted == super->snapshot.index &&
           super->snapshot.index == store->snapshot_index && !memcmp(super->snapshot.sha256, sha256, 32) &&
           super->payload_bytes == bytes && !memcmp(super->payload, payload, bytes);
}

err_t store_adopt(struct store *store, const uint8_t sha256[32], const void *payload, uint32_t bytes)
{
    struct disk_superblock *super = &store->super;
    if (bytes > LOG_PAYLOAD_MAX || store->pending_items > 0 || store->snapshot_area == 0)
        return store->failed ? E_IO : E_INVALID;
    if (adopted(store, sha256, payload, bytes)) { /* by a predecessor, who did not come to say so */
        store->snapshot_area = 0;
        return E_OK;
    }
    struct disk_superblock old = *super;
    err_t err = store_write(store, SUPERBLOCK_OLD, &old, sizeof old);
    if (err == E_OK)
        err = store_snapshot_complete(store, sha256); /* which flushes */
    if (err != E_OK)
        return err;
    part_records(store);
    part_snapshots(super, &old);
    super->epoch = next_epoch(&old, sha256);
    begin_history(store);
    super->payload_bytes = bytes;
    memcpy(super->payload, payload, bytes);
    return store_write_superblock(store);
}
