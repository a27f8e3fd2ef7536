/* Snapshots: the area not in use is filled in order; the superblock makes it the current one. */
#include "store.h"

#include <string.h>

static uint64_t area_start(const struct store *store, uint32_t area)
{
    return store->super.snapshot_start[area - 1];
}

err_t store_snapshot_begin(struct store *store, uint64_t index, uint64_t term, uint64_t bytes)
{
    if (!store->open || store->failed)
        return store->failed ? E_IO : E_INVALID;
    store->snapshot_area = 0; /* what there is of another is given up, also if this one does not fit */
    if (bytes > store->super.snapshot_bytes)
        return E_FULL;
    store->snapshot_area = store->super.snapshot_current == 1 ? 2 : 1;
    store->snapshot_index = index;
    store->snapshot_term = term;
    store->snapshot_bytes = bytes;
    store->snapshot_received = 0;
    store->snapshot_partial = 0;
    return E_OK;
}

static err_t write_partial(struct store *store)
{
    uint64_t whole = store->snapshot_received - store->snapshot_partial;
    memset(store->snapshot_block + store->snapshot_partial, 0, BLOCK_BYTES - store->snapshot_partial);
    store->snapshot_partial = 0;
    return store_write(store, area_start(store, store->snapshot_area) + whole, store->snapshot_block, BLOCK_BYTES);
}

err_t store_snapshot_data(struct store *store, uint64_t offset, const void *data, uint32_t bytes)
{
    const uint8_t *from = data;
    if (store->snapshot_area == 0 || offset != store->snapshot_received)
        return store->failed ? E_IO : E_INVALID;
    if (bytes > store->snapshot_bytes - offset)
        return E_RANGE;
    while (bytes > 0) {
        uint32_t part = BLOCK_BYTES - store->snapshot_partial;
        part = part < bytes ? part : bytes;
        memcpy(store->snapshot_block + store->snapshot_partial, from, part);
        store->snapshot_partial += part;
        store->snapshot_received += part;
        from += part;
        bytes -= part;
        err_t err = store->snapshot_partial == BLOCK_BYTES ? write_partial(store) : E_OK;
        if (err != E_OK)
            return err;
    }
    return E_OK;
}

err_t store_snapshot_complete(struct store *store, const uint8_t sha256[32])
{
    if (store->snapshot_area == 0 || store->snapshot_received != store->snapshot_bytes)
        return store->failed ? E_IO : E_INVALID;
    err_t err = store->snapshot_partial > 0 ? write_partial(store) : E_OK;
    if (err == E_OK)
        err = store_flush(store); /* the contents before the superblock that names them */
    if (err != E_OK)
        return err;
    struct disk_superblock *super = &store->super;
    super->snapshot_current = store->snapshot_area;
    super->snapshot.index = store->snapshot_index;
    super->snapshot.term = store->snapshot_term;
    super->snapshot.bytes = store->snapshot_bytes;
    memcpy(super->snapshot.sha256, sha256, 32);
    store->snapshot_area = 0;
    return E_OK;
}

err_t store_snapshot_commit(struct store *store, const uint8_t sha256[32])
{
    err_t err = store_snapshot_complete(store, sha256);
    return err == E_OK ? store_write_superblock(store) : err;
}

err_t store_snapshot_read(struct store *store, uint64_t offset, void *to, uint32_t bytes)
{
    const struct disk_superblock *super = &store->super;
    uint8_t *out = to;
    if (super->snapshot_current == 0)
        return E_NOT_FOUND;
    if (offset > super->snapshot.bytes || bytes > super->snapshot.bytes - offset)
        return E_RANGE;
    while (bytes > 0) {
        uint32_t skip = (uint32_t)(offset % BLOCK_BYTES), part = BLOCK_BYTES - skip;
        part = part < bytes ? part : bytes;
        err_t err =
            store_read(store, area_start(store, super->snapshot_current) + offset - skip, store->scan, BLOCK_BYTES);
        if (err != E_OK)
            return err;
        memcpy(out, store->scan + skip, part);
        offset += part;
        out += part;
        bytes -= part;
    }
    return E_OK;
}
