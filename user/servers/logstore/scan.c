/* Reading the log: where it ends, whether its end was torn or harmed, and which records count. */
#include "store.h"

#include <base/crc32c.h>
#include <base/logformat.h>
#include <string.h>

enum { ALIGN = 8, CHUNK_BLOCKS = 16 };

static uint32_t area_blocks(const struct store *store)
{
    return (uint32_t)(store->super.records_bytes / BLOCK_BYTES);
}

static uint32_t group_span(const struct disk_group *group)
{
    return ((uint32_t)sizeof *group + group->bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

static bool header_plausible(const struct store *store, const struct disk_group *group, uint32_t block)
{
    return group->magic == GROUP_MAGIC && group->epoch == store->super.epoch &&
           group->bytes <= GROUP_BYTES_MAX - sizeof *group && block + group_span(group) <= area_blocks(store);
}

err_t store_read_group(struct store *store, uint32_t block, struct disk_group *group_out)
{
    uint64_t at = store->super.records_start + (uint64_t)block * BLOCK_BYTES;
    struct disk_group *group = (struct disk_group *)(void *)store->scan;
    err_t err = store_read(store, at, store->scan, BLOCK_BYTES);
    if (err != E_OK)
        return err;
    if (!header_plausible(store, group, block))
        return E_CORRUPT;
    uint32_t more = (group_span(group) - 1) * BLOCK_BYTES;
    err = more > 0 ? store_read(store, at + BLOCK_BYTES, store->scan + BLOCK_BYTES, more) : E_OK;
    if (err != E_OK)
        return err;
    *group_out = *group;
    group->checksum = 0;
    return crc32c(0, store->scan, sizeof *group + group_out->bytes) == group_out->checksum ? E_OK : E_CORRUPT;
}

err_t store_next_item(const uint8_t *items, uint32_t bytes, uint32_t *at, struct disk_item *item_out,
                      const uint8_t **data_out)
{
    if (*at == bytes)
        return E_NOT_FOUND;
    if (bytes - *at < sizeof *item_out)
        return E_CORRUPT;
    memcpy(item_out, items + *at, sizeof *item_out);
    uint32_t left = bytes - *at - (uint32_t)sizeof *item_out;
    uint32_t span = (item_out->bytes + ALIGN - 1) & ~(uint32_t)(ALIGN - 1);
    if (item_out->bytes > left || span > left || item_out->kind < ITEM_APPEND || item_out->kind > ITEM_TRUNCATE)
        return E_CORRUPT;
    *data_out = items + *at + sizeof *item_out;
    *at += (uint32_t)sizeof *item_out + span;
    return E_OK;
}

static err_t replay_item(struct store *store, const struct disk_item *item, const uint8_t *data)
{
    struct store_run run;
    if (item->kind == ITEM_TRUNCATE) {
        store_void_records(store, item->index);
        return E_OK;
    }
    if (store_check_records(data, item->bytes, &run) != E_OK || run.first_index != item->index)
        return E_CORRUPT;
    store_void_records(store, run.first_index);
    store->last_index = run.last_index;
    store->last_checksum = run.last_checksum;
    store->last_checksum_known = true;
    return E_OK;
}

/* Takes the group in store->scan as the next of the log. */
static err_t replay_group(struct store *store, const struct disk_group *group, uint32_t block)
{
    struct disk_item item;
    const uint8_t *data;
    uint32_t at = 0;
    err_t err;
    while ((err = store_next_item(store->scan + sizeof *group, group->bytes, &at, &item, &data)) == E_OK)
        if ((err = replay_item(store, &item, data)) != E_OK)
            return err;
    if (err != E_NOT_FOUND)
        return err;
    store->sequence = group->sequence;
    store->chain = group->checksum;
    store->next_block = (block + group_span(group)) % area_blocks(store);
    store_push_group(
        store, &(struct store_group){block, group_span(group), group->checksum, 0, group->sequence, store->last_index});
    return E_OK;
}

static err_t try_group(struct store *store, uint32_t block, struct disk_group *group_out)
{
    err_t err = store_read_group(store, block, group_out);
    if (err == E_OK && (group_out->chain != store->chain || group_out->sequence <= store->sequence))
        return E_CORRUPT;
    return err;
}

/* The next group stands where the last one ended or, when it did not fit there, at the start of the area. */
static err_t next_group(struct store *store, struct disk_group *group_out, uint32_t *block_out)
{
    *block_out = store->next_block;
    err_t err = try_group(store, *block_out, group_out);
    bool could_wrap = store->next_block + GROUP_BYTES_MAX / BLOCK_BYTES > area_blocks(store);
    if (err == E_CORRUPT && could_wrap && store->next_block != 0) {
        *block_out = 0;
        err = try_group(store, 0, group_out);
    }
    return err;
}

static err_t replay(struct store *store)
{
    struct disk_group group;
    uint32_t block;
    err_t err = E_OK;
    while (store->group_count < area_blocks(store) && (err = next_group(store, &group, &block)) == E_OK)
        if (replay_group(store, &group, block) != E_OK) {
            store->damaged = true; /* whole and yet nonsense: it was acknowledged and is not what was written */
            return E_OK;
        }
    return err == E_CORRUPT ? E_OK : err;
}

/* The header of a harmed group may be harmed itself. Numbers that this area can never have come to are not believed:
 * who waited for such an entry would wait for ever. */
static bool header_credible(const struct store *store, const struct disk_group *header)
{
    uint64_t records = store->super.records_bytes / sizeof(struct logformat_header);
    return header->sequence - store->sequence <= area_blocks(store) &&
           header->last_index <= store->last_index + records;
}

/* A group beyond the end. It proves that what is missing before it had been acknowledged: groups are written one at a
 * time, each after the flush of the one before. */
static err_t weigh_evidence(struct store *store, const struct disk_group *header, uint32_t block)
{
    struct disk_group group;
    err_t err = store_read_group(store, block, &group);
    if (err != E_OK && err != E_CORRUPT)
        return err;
    if (err == E_CORRUPT && header->sequence < store->sequence + 2)
        return E_OK; /* may be the torn group itself, written where it fitted */
    store->damaged = true;
    if (err == E_CORRUPT && !header_credible(store, header))
        return E_OK;
    if (header->sequence > store->newest_sequence)
        store->newest_sequence = header->sequence;
    if (header->last_index > store->damaged_index)
        store->damaged_index = header->last_index;
    return E_OK;
}

static err_t weigh_chunk(struct store *store, uint32_t first_block, uint32_t blocks)
{
    for (uint32_t i = 0; i < blocks; i++) {
        struct disk_group header;
        memcpy(&header, store->group + (size_t)i * BLOCK_BYTES, sizeof header);
        if (!header_plausible(store, &header, first_block + i) || header.sequence <= store->sequence)
            continue;
        err_t err = weigh_evidence(store, &header, first_block + i);
        if (err != E_OK)
            return err;
    }
    return E_OK;
}

/* Looks behind the end of the log for groups that can only be there if the end was acknowledged and then harmed. Where
 * there is harm, groups follow it at once, so a window is enough to see it; how far the log reached is told by the last
 * of them, wherever it stands. */
static err_t search_beyond(struct store *store)
{
    uint32_t total = area_blocks(store), window = SCAN_WINDOW / BLOCK_BYTES, block = store->next_block, seen = 0;
    while (seen < total && (seen < window || store->damaged)) {
        uint32_t blocks = total - seen < CHUNK_BLOCKS ? total - seen : CHUNK_BLOCKS;
        if (block + blocks > total)
            blocks = total - block;
        err_t err = store_read(store, store->super.records_start + (uint64_t)block * BLOCK_BYTES, store->group,
                               blocks * BLOCK_BYTES);
        if (err == E_OK)
            err = weigh_chunk(store, block, blocks);
        if (err != E_OK)
            return err;
        seen += blocks;
        block = (block + blocks) % total;
    }
    return E_OK;
}

static void begin_replay(struct store *store)
{
    store->open = store->damaged = store->first_damage = false;
    store->damaged_index = 0;
    store->pending_items = 0;
    store->snapshot_area = 0;
    store->group_first = store->group_count = 0;
    store->sequence = store->super.head_sequence;
    store->chain = store->super.head_chain;
    store->next_block = (uint32_t)store->super.head_block;
    store->last_index = store->super.compacted;
    store->last_checksum_known = false;
    store->full_from = UINT64_MAX;
}

/* The superblock may know of groups that are not there. */
static void ask_superblock(struct store *store)
{
    const struct disk_superblock *super = &store->super;
    store->newest_sequence = store->sequence;
    if (super->known_sequence <= store->sequence)
        return;
    store->damaged = true;
    store->newest_sequence = super->known_sequence;
    store->damaged_index = super->known_index;
}

static void judge_damage(struct store *store)
{
    const struct disk_superblock *super = &store->super;
    store->first_damage = store->damaged && (!super->damaged || store->damaged_index > super->damaged_index);
    if (super->damaged) {
        store->damaged = true;
        if (super->damaged_index > store->damaged_index)
            store->damaged_index = super->damaged_index;
    }
    if (store->damaged && store->last_index > store->damaged_index)
        store->damaged_index = store->last_index;
}

err_t store_open(struct store *store)
{
    /* What a predecessor wrote may stand in the disk's cache only; it counts once it is durable. */
    err_t err = store_flush(store);
    begin_replay(store);
    if (err == E_OK)
        err = replay(store);
    if (store->last_index < store->super.compacted)
        store->last_index = store->super.compacted;
    ask_superblock(store);
    if (err == E_OK)
        err = search_beyond(store);
    if (err != E_OK)
        return err;
    judge_damage(store);
    if (store->super_mend && (err = store_write_superblock(store)) != E_OK)
        return err;
    store->open = true;
    return E_OK;
}

/* The lowest index that items from `at` on make void; all ones: none. */
static uint64_t voided_later(const uint8_t *items, uint32_t bytes, uint32_t at)
{
    struct disk_item item;
    const uint8_t *data;
    uint64_t lowest = UINT64_MAX;
    while (store_next_item(items, bytes, &at, &item, &data) == E_OK)
        if (item.index < lowest)
            lowest = item.index;
    return lowest;
}

static err_t give_item(const struct store *store, const struct disk_item *item, const uint8_t *data, uint64_t limit,
                       store_give give, void *context)
{
    struct logformat_record record;
    uint32_t at = 0, used;
    while (at < item->bytes) {
        if (logformat_check(data + at, item->bytes - at, &record, &used) != E_OK)
            return E_CORRUPT;
        if (record.index > store->super.compacted && record.index < limit) {
            err_t err = give(context, record.index, record.term, data + at, used);
            if (err != E_OK)
                return err;
        }
        at += used;
    }
    return E_OK;
}

static err_t give_group(struct store *store, const struct store_group *entry, store_give give, void *context)
{
    struct disk_group group;
    struct disk_item item;
    const uint8_t *data, *items = store->scan + sizeof group;
    uint32_t at = 0;
    err_t err = store_read_group(store, entry->block, &group);
    if (err != E_OK || group.sequence != entry->sequence)
        return err != E_OK ? err : E_CORRUPT;
    while (store_next_item(items, group.bytes, &at, &item, &data) == E_OK) {
        uint64_t limit = voided_later(items, group.bytes, at);
        if (limit > entry->last_index + 1)
            limit = entry->last_index + 1;
        if (item.kind == ITEM_APPEND && (err = give_item(store, &item, data, limit, give, context)) != E_OK)
            return err;
    }
    return E_OK;
}

err_t store_give_records(struct store *store, store_give give, void *context)
{
    if (!store->open || store->pending_items > 0)
        return E_INVALID;
    for (uint32_t n = 0; n < store->group_count; n++) {
        err_t err = give_group(store, &store->groups[(store->group_first + n) % STORE_GROUPS_MAX], give, context);
        if (err != E_OK)
            return err;
    }
    return E_OK;
}
