/* The log on a disk: superblock, groups of records, snapshots. One writer, strict order; a call that returns E_OK has
 * been flushed. No clock, no allocation, no system calls: the disk is given, and all room is in struct store.
 *
 * After E_IO nothing is known about what the disk holds: the store refuses every further change (E_IO) and must be
 * opened anew. Errors that leave the log as it was: E_FULL, E_INVALID, E_CORRUPT (what was given is no record),
 * E_RANGE.
 */
#pragma once

#include "disk.h"
#include "layout.h"

struct store_group { /* an entry of the table of live groups, oldest first */
    uint32_t block, blocks;
    uint32_t chain, reserved;
    uint64_t sequence;
    uint64_t last_index; /* highest index in it that is not void; 0 none */
};

#define STORE_GROUPS_MAX (RECORDS_MAX / BLOCK_BYTES)

struct store {
    struct disk disk;
    bool failed; /* the disk refused; nothing more is written */
    bool open;
    bool foreign;      /* neither copy begins as one of ours */
    bool super_mend;   /* one copy is bad or old */
    bool damaged;      /* as disk_superblock.damaged */
    bool first_damage; /* found in this opening: the superblock does not say so yet */
    uint64_t damaged_index;
    uint64_t newest_sequence;     /* highest ever seen on the disk, damaged or void ones included */
    struct disk_superblock super; /* as on disk, but for what changes with it next time */

    /* The end of the log. */
    uint64_t sequence; /* of the last good group */
    uint32_t chain;
    uint32_t next_block;
    uint64_t last_index;    /* 0: empty */
    uint32_t last_checksum; /* of the last record */
    bool last_checksum_known;
    uint64_t full_from; /* an append from it on found no room. Until it has some, nothing that was asked after it may
                           change the log, or the log would hold what it never was. All ones: none */

    struct store_group groups[STORE_GROUPS_MAX]; /* a ring */
    uint32_t group_first, group_count;

    /* The group being built. */
    uint32_t pending_items, pending_bytes; /* header included */
    uint64_t pending_last_index;
    uint32_t pending_checksum;
    bool pending_checksum_known;
    uint64_t pending_void_from; /* older groups' records from here on are void; all ones: none */
    uint8_t group[GROUP_BYTES_MAX] __attribute__((aligned(16)));
    uint8_t scan[GROUP_BYTES_MAX] __attribute__((aligned(16)));

    /* The snapshot being written. */
    uint32_t snapshot_area; /* 0: none, 1 or 2 */
    uint64_t snapshot_index, snapshot_term, snapshot_bytes, snapshot_received;
    uint32_t snapshot_partial; /* bytes of the last, not yet written block */
    uint8_t snapshot_block[BLOCK_BYTES];
};

/* What the disk holds. LOG_VALID: the store is ready for store_open. LOG_BLANK: store_format may be called.
 * LOG_DAMAGED, LOG_ABSENT (it cannot be read, or is too small): neither. Writes nothing. */
enum log_state store_probe(struct store *store, const struct disk *disk);

/* Writes a fresh log whose payload is `payload`. epoch: random, never the same twice. The log is open then. */
err_t store_format(struct store *store, uint64_t epoch, const void *payload, uint32_t bytes);

/* Reads the log and finds its end, payload (in store->super) and damage (store->damaged). Mends what can be mended
 * without writing over anything: a superblock copy that is bad or old. */
err_t store_open(struct store *store);

/* Gives each record that counts, encoded, oldest to newest; an error of `give` ends it. */
typedef err_t (*store_give)(void *context, uint64_t index, uint64_t term, const void *record, uint32_t bytes);
err_t store_give_records(struct store *store, store_give give, void *context);

/* Adds to the group being built; nothing is written yet. E_FULL: no room in the group (commit first) when
 * store->pending_items is not 0, else none on the disk. */
err_t store_add_records(struct store *store, const void *records, uint32_t bytes);
err_t store_add_truncate(struct store *store, uint64_t from_index);
/* Writes and flushes what was added; with nothing added it does nothing. */
err_t store_commit(struct store *store);

/* Replaces the payload, in both superblock copies; nothing may wait to be committed. whole: what was lost of a damaged
 * log is there again, says who knows. */
err_t store_set_payload(struct store *store, const void *payload, uint32_t bytes, bool whole);

/* Records up to `index` are no longer needed. */
err_t store_compact(struct store *store, uint64_t index);

/* Writes down how far the log is known to be good, so that later damage to its very end is told from a torn write. */
err_t store_note(struct store *store);

err_t store_snapshot_begin(struct store *store, uint64_t index, uint64_t term, uint64_t bytes);
err_t store_snapshot_data(struct store *store, uint64_t offset, const void *data, uint32_t bytes); /* in order */
err_t store_snapshot_commit(struct store *store, const uint8_t sha256[32]);
/* Instead of the commit: the snapshot begins a new history. It and the payload become current and all records void in
 * one write. Asked again, it changes nothing. What there was before is archived: its superblock at SUPERBLOCK_OLD, its
 * records and snapshot where they are, kept out of what is written over from now on as long as that leaves room. */
err_t store_adopt(struct store *store, const uint8_t sha256[32], const void *payload, uint32_t bytes);
err_t store_snapshot_read(struct store *store, uint64_t offset, void *to, uint32_t bytes);

/* Bytes that one more append may have now. */
uint64_t store_room(const struct store *store);

/* ---- between the store's own files ---- */

err_t store_read(struct store *store, uint64_t offset, void *to, uint32_t bytes);
err_t store_write(struct store *store, uint64_t offset, const void *from, uint32_t bytes);
err_t store_flush(struct store *store);
err_t store_write_durable(struct store *store, uint64_t offset, const void *from,
                          uint32_t bytes); /* and all before it */

/* All of the snapshot is on the disk, and store->super, not yet written, says that it is current. */
err_t store_snapshot_complete(struct store *store, const uint8_t sha256[32]);

/* Writes store->super with the next sequence: both copies in turn, each flushed. */
err_t store_write_superblock(struct store *store);

/* Reads the group at a block of the record area into store->scan. E_CORRUPT: there is none of this format. */
err_t store_read_group(struct store *store, uint32_t block, struct disk_group *group_out);

/* The items of a group, one after the other. *at starts as 0. E_NOT_FOUND after the last, E_CORRUPT for nonsense. */
err_t store_next_item(const uint8_t *items, uint32_t bytes, uint32_t *at, struct disk_item *item_out,
                      const uint8_t **data_out);

void store_push_group(struct store *store, const struct store_group *group);
/* Records from the index on do not count any more. */
void store_void_records(struct store *store, uint64_t from_index);

/* Checks encoded records: whole, contiguous, chained. */
struct store_run {
    uint64_t first_index, last_index;
    uint32_t first_previous, last_checksum;
};
err_t store_check_records(const void *records, uint32_t bytes, struct store_run *run_out);
