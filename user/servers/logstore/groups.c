/* Groups: what is added is gathered into one, written and flushed at once. */
#include "store.h"

#include <base/crc32c.h>
#include <base/logformat.h>
#include <string.h>

enum { ALIGN = 8, RESERVE_BLOCKS = 8 /* kept from records for truncations */ };

static uint32_t area_blocks(const struct store *store)
{
    return (uint32_t)(store->super.records_bytes / BLOCK_BYTES);
}

static uint32_t padded(uint32_t bytes)
{
    return (bytes + ALIGN - 1) & ~(uint32_t)(ALIGN - 1);
}

static struct store_group *group_at(struct store *store, uint32_t n)
{
    return &store->groups[(store->group_first + n) % STORE_GROUPS_MAX];
}

void store_push_group(struct store *store, const struct store_group *group)
{
    *group_at(store, store->group_count++) = *group;
}

void store_void_records(struct store *store, uint64_t from_index)
{
    if (from_index == 0)
        from_index = 1;
    for (uint32_t n = store->group_count; n > 0; n--) {
        struct store_group *group = group_at(store, n - 1);
        if (group->last_index >= from_index)
            group->last_index = from_index - 1;
    }
    if (store->last_index >= from_index) {
        store->last_index = from_index - 1;
        store->last_checksum_known = false;
    }
}

err_t store_check_records(const void *records, uint32_t bytes, struct store_run *run_out)
{
    struct logformat_record before, record;
    uint32_t at = 0, used;
    while (at < bytes) {
        if (logformat_check((const uint8_t *)records + at, bytes - at, &record, &used) != E_OK)
            return E_CORRUPT;
        if (at == 0) {
            run_out->first_index = record.index;
            run_out->first_previous = record.previous;
        } else if (!logformat_follows(&before, &record)) {
            return E_CORRUPT;
        }
        before = record;
        at += used;
    }
    if (bytes == 0 || run_out->first_index == 0)
        return E_INVALID;
    run_out->last_index = record.index;
    run_out->last_checksum = record.checksum;
    return E_OK;
}

/* Where a group of so many blocks would start, and how many blocks it takes with what is left over at the area's end.
 */
static err_t place(const struct store *store, uint32_t blocks, uint32_t keep, uint32_t *block_out)
{
    uint32_t total = area_blocks(store), free_blocks, start = store->next_block;
    if (store->group_count == STORE_GROUPS_MAX)
        return E_FULL;
    if (store->group_count == 0) {
        free_blocks = total;
    } else {
        uint32_t head = store->groups[store->group_first].block;
        free_blocks = (head + total - start) % total; /* 0: the head was reached, all is in use */
    }
    uint32_t skipped = start + blocks > total ? total - start : 0;
    if (blocks + skipped + keep > free_blocks || blocks > total)
        return E_FULL;
    *block_out = skipped > 0 ? 0 : start;
    return E_OK;
}

static uint32_t blocks_of(uint32_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

uint64_t store_room(const struct store *store)
{
    uint32_t most = blocks_of(sizeof(struct disk_group) + sizeof(struct disk_item) + LOG_APPEND_MAX), block;
    while (most > 1 && place(store, most, RESERVE_BLOCKS, &block) != E_OK)
        most /= 2;
    if (place(store, most, RESERVE_BLOCKS, &block) != E_OK)
        return 0;
    uint64_t room = (uint64_t)most * BLOCK_BYTES - sizeof(struct disk_group) - sizeof(struct disk_item);
    return room > LOG_APPEND_MAX ? LOG_APPEND_MAX : room;
}

static void begin_group(struct store *store)
{
    if (store->pending_items > 0)
        return;
    store->pending_bytes = sizeof(struct disk_group);
    store->pending_last_index = store->last_index;
    store->pending_checksum = store->last_checksum;
    store->pending_checksum_known = store->last_checksum_known;
    store->pending_void_from = UINT64_MAX;
}

static err_t add_item(struct store *store, struct disk_item item, const void *data, uint32_t keep)
{
    uint32_t block, bytes = store->pending_bytes + (uint32_t)sizeof item + padded(item.bytes);
    if (bytes > GROUP_BYTES_MAX || place(store, blocks_of(bytes), keep, &block) != E_OK)
        return E_FULL;
    uint8_t *to = store->group + store->pending_bytes;
    memcpy(to, &item, sizeof item);
    memcpy(to + sizeof item, data, item.bytes);
    memset(to + sizeof item + item.bytes, 0, padded(item.bytes) - item.bytes);
    store->pending_bytes = bytes;
    store->pending_items++;
    return E_OK;
}

static void pending_void(struct store *store, uint64_t from_index)
{
    if (from_index < store->pending_void_from)
        store->pending_void_from = from_index;
    if (store->pending_last_index >= from_index) {
        store->pending_last_index = from_index - 1;
        store->pending_checksum_known = false;
    }
}

static bool may_change(const struct store *store)
{
    return store->open && !store->failed;
}

/* The first record must continue the log, or replace its end; in an empty log any may come first. */
static err_t check_joins(const struct store *store, const struct store_run *run)
{
    uint64_t last = store->pending_last_index;
    if (last > store->super.compacted && run->first_index > last + 1)
        return E_INVALID;
    if (run->first_index <= store->super.compacted)
        return E_INVALID;
    if (run->first_index == last + 1 && store->pending_checksum_known && run->first_previous != store->pending_checksum)
        return E_CORRUPT;
    return E_OK;
}

err_t store_add_records(struct store *store, const void *records, uint32_t bytes)
{
    struct store_run run;
    if (!may_change(store))
        return store->failed ? E_IO : E_INVALID;
    if (bytes > LOG_APPEND_MAX)
        return E_TOO_LONG;
    err_t err = store_check_records(records, bytes, &run);
    if (err != E_OK)
        return err;
    if (store->full_from != UINT64_MAX && run.first_index != store->full_from)
        return E_FULL;
    begin_group(store);
    err = check_joins(store, &run);
    if (err == E_OK)
        err = add_item(store, (struct disk_item){ITEM_APPEND, bytes, run.first_index}, records, RESERVE_BLOCKS);
    if (err == E_FULL && store->pending_items == 0)
        store->full_from = run.first_index;
    if (err != E_OK)
        return err;
    store->full_from = UINT64_MAX;
    pending_void(store, run.first_index);
    store->pending_last_index = run.last_index;
    store->pending_checksum = run.last_checksum;
    store->pending_checksum_known = true;
    return E_OK;
}

err_t store_add_truncate(struct store *store, uint64_t from_index)
{
    if (!may_change(store))
        return store->failed ? E_IO : E_INVALID;
    if (from_index == 0)
        return E_INVALID;
    if (store->full_from != UINT64_MAX)
        return E_FULL;
    if (from_index <= store->super.compacted) /* asked again: the compaction that came after it is done already */
        from_index = store->super.compacted + 1;
    begin_group(store);
    err_t err = add_item(store, (struct disk_item){ITEM_TRUNCATE, 0, from_index}, "", 0);
    if (err == E_OK)
        pending_void(store, from_index);
    return err;
}

/* Damage found when opening is written down before anything is written over its traces. */
static err_t remember_damage(struct store *store)
{
    if (!store->first_damage)
        return E_OK;
    store->super.damaged = 1;
    store->super.damaged_index = store->damaged_index;
    err_t err = store_write_superblock(store);
    store->first_damage = err != E_OK;
    return err;
}

static uint32_t seal_group(struct store *store, struct disk_group *group)
{
    uint32_t blocks = blocks_of(store->pending_bytes);
    *group = (struct disk_group){.magic = GROUP_MAGIC,
                                 .epoch = store->super.epoch,
                                 .sequence = store->newest_sequence + 1,
                                 .chain = store->chain,
                                 .bytes = store->pending_bytes - (uint32_t)sizeof *group,
                                 .last_index = store->pending_last_index};
    memcpy(store->group, group, sizeof *group);
    group->checksum = crc32c(0, store->group, store->pending_bytes);
    memcpy(store->group, group, sizeof *group);
    memset(store->group + store->pending_bytes, 0, (size_t)blocks * BLOCK_BYTES - store->pending_bytes);
    return blocks;
}

static void apply_group(struct store *store, const struct disk_group *group, uint32_t block, uint32_t blocks)
{
    if (store->pending_void_from != UINT64_MAX)
        store_void_records(store, store->pending_void_from);
    store->sequence = store->newest_sequence = group->sequence;
    store->chain = group->checksum;
    store->next_block = (block + blocks) % area_blocks(store);
    store->last_index = store->pending_last_index;
    store->last_checksum = store->pending_checksum;
    store->last_checksum_known = store->pending_checksum_known;
    store_push_group(store,
                     &(struct store_group){block, blocks, group->checksum, 0, group->sequence, store->last_index});
}

static err_t write_group(struct store *store)
{
    struct disk_group group;
    uint32_t block;
    err_t err = remember_damage(store);
    uint32_t blocks = seal_group(store, &group);
    store->pending_items = 0;
    if (err == E_OK)
        err = place(store, blocks, 0, &block);
    if (err == E_OK)
        err = store_write_durable(store, store->super.records_start + (uint64_t)block * BLOCK_BYTES, store->group,
                                  blocks * BLOCK_BYTES);
    if (err != E_OK)
        return err;
    apply_group(store, &group, block, blocks);
    return E_OK;
}

err_t store_commit(struct store *store)
{
    if (!may_change(store))
        return store->failed ? E_IO : E_INVALID;
    return store->pending_items > 0 ? write_group(store) : E_OK;
}

/* The damage is mended when the log reaches again what it had and the kernel says that it is whole. A group, be it
 * empty, must stand where the harmed one was: what lies behind that would be found again as proof of it. */
static err_t mend(struct store *store)
{
    if (!store->damaged || store->last_index < store->damaged_index)
        return E_OK;
    begin_group(store);
    err_t err = store->sequence < store->newest_sequence ? write_group(store) : E_OK;
    if (err != E_OK)
        return err;
    store->damaged = store->first_damage = false;
    store->super.damaged = 0;
    store->super.damaged_index = 0;
    return E_OK;
}

err_t store_set_payload(struct store *store, const void *payload, uint32_t bytes, bool whole)
{
    if (!may_change(store) || store->pending_items > 0)
        return store->failed ? E_IO : E_INVALID;
    if (bytes > LOG_PAYLOAD_MAX)
        return E_TOO_LONG;
    err_t err = remember_damage(store);
    if (err == E_OK && whole)
        err = mend(store);
    if (err != E_OK && err != E_FULL) /* E_FULL: term and vote find room here all the same */
        return err;
    store->super.payload_bytes = bytes;
    memcpy(store->super.payload, payload, bytes);
    store->super.known_sequence = store->sequence;
    store->super.known_index = store->last_index;
    return store_write_superblock(store);
}

err_t store_compact(struct store *store, uint64_t index)
{
    if (!may_change(store) || store->pending_items > 0)
        return store->failed ? E_IO : E_INVALID;
    if (index <= store->super.compacted)
        return E_OK;
    if (store->full_from != UINT64_MAX && index > store->last_index)
        return E_FULL;
    err_t err = remember_damage(store);
    if (err != E_OK)
        return err;
    while (store->group_count > 0 && store->groups[store->group_first].last_index <= index) {
        const struct store_group *oldest = &store->groups[store->group_first];
        store->super.head_sequence = oldest->sequence;
        store->super.head_chain = oldest->chain;
        store->group_first = (store->group_first + 1) % STORE_GROUPS_MAX;
        store->group_count--;
    }
    store->super.head_block = store->group_count > 0 ? store->groups[store->group_first].block : store->next_block;
    store->super.compacted = index;
    store->super.known_sequence = store->sequence;
    store->super.known_index = store->last_index;
    if (store->last_index <= index) { /* the log is empty; what comes next may have any index above */
        store->last_index = index;
        store->last_checksum_known = false;
    }
    return store_write_superblock(store);
}
