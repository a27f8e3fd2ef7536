/* A disk that holds a log: records of lib/base/logformat in one long area, and two superblocks written by turns. Writes
 * are worked in order, each in up to three steps with a flush after each. A crash loses what was not flushed, sector by
 * sector. */
#include <base/assert.h>
#include <base/crc32c.h>

#include "sim.h"

#define SECTOR 512u

/* ---- superblocks ---- */

static uint32_t block_checksum(const struct superblock *block)
{
    return crc32c(0, block, offsetof(struct superblock, checksum));
}

static bool block_valid(const struct superblock *block)
{
    return block->sequence > 0 && block->checksum == block_checksum(block);
}

static const struct superblock *newest_block(const struct disk *d)
{
    const struct superblock *a = &d->blocks[0], *b = &d->blocks[1];
    if (!block_valid(a))
        return block_valid(b) ? b : NULL;
    return block_valid(b) && b->sequence > a->sequence ? b : a;
}

static void block_land(struct disk *d, const struct superblock *block)
{
    d->blocks[block->sequence & 1] = *block;
}

/* The next superblock: what the newest says, changed by the caller since. */
static struct superblock next_block(struct disk *d)
{
    d->newest.sequence++;
    d->newest.checksum = block_checksum(&d->newest);
    return d->newest;
}

/* ---- the area ---- */

static void area_write(struct disk *d, uint64_t offset, const uint8_t *data, size_t bytes)
{
    if (offset + bytes > d->log_room) {
        size_t room = 2 * (offset + bytes) + 65536;
        d->log = realloc(d->log, room);
        memset(d->log + d->log_room, 0, room - d->log_room);
        d->log_room = room;
    }
    memcpy(d->log + offset, data, bytes);
}

static uint64_t place_end(const struct disk *d)
{
    return d->places_count == 0 ? d->newest.log_offset : d->places[d->places_count].offset;
}

/* places[i] is where record base+1+i begins; places[count] is where the next one will. */
static void places_set(struct disk *d, uint64_t count, uint64_t offset)
{
    if (count + 2 > d->places_room) {
        d->places_room = 2 * (count + 2);
        d->places = realloc(d->places, d->places_room * sizeof(d->places[0]));
    }
    d->places[count].offset = offset;
}

static uint32_t checksum_before(const struct disk *d)
{
    return d->places_count == 0 ? d->newest.base_checksum : d->places[d->places_count - 1].checksum;
}

static void drop_places_from(struct disk *d, uint64_t index)
{
    ASSERT(index > d->places_base);
    if (index - d->places_base - 1 < d->places_count)
        d->places_count = index - d->places_base - 1;
}

/* ---- writing ---- */

static struct disk_write *queue_add(struct node *n)
{
    struct disk *d = &n->disk;
    if (d->queue_count == DISK_QUEUE)
        violation(EXIT_CRASH, "more disk writes under way than the core promises");
    struct disk_write *write = &d->queue[(d->queue_head + d->queue_count++) % DISK_QUEUE];
    *write = (struct disk_write){.id = 0};
    return write;
}

static void begin_step(struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t takes = rng_between(w.p.flush_low_ns, w.p.flush_high_ns);
    if (d->stalled_until_ns > w.now_ns)
        takes += d->stalled_until_ns - w.now_ns;
    event_add(takes, EVENT_DISK, n->number, n->life, NULL, 0);
}

static void encode_records(struct node *n, struct disk_write *write, uint64_t first, uint64_t last)
{
    struct disk *d = &n->disk;
    size_t room = 0;
    struct raft_entry entry;
    ASSERT(first == d->places_base + d->places_count + 1);
    for (uint64_t i = first; i <= last; i++) {
        ASSERT(raft_entry_at(n->raft, i, &entry));
        room += logformat_record_bytes(entry.length);
    }
    write->data = malloc(room);
    for (uint64_t i = first; i <= last; i++) {
        raft_entry_at(n->raft, i, &entry);
        struct logformat_record record = {.index = i,
                                          .term = entry.term,
                                          .type = entry.type,
                                          .bytes = entry.length,
                                          .previous = checksum_before(d),
                                          .payload = entry.data};
        uint32_t bytes;
        err_t err = logformat_encode(&record, write->data + write->bytes, room - write->bytes, &bytes);
        ASSERT(err == E_OK);
        write->bytes += bytes;
        places_set(d, d->places_count, write->offset + write->bytes - bytes);
        d->places[d->places_count].checksum = record.checksum;
        d->places[d->places_count].term = entry.term;
        d->places_count++;
        places_set(d, d->places_count, write->offset + write->bytes);
    }
}

/* After an installed snapshot the log begins anew, behind all that was ever written. */
static void begin_anew(struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t end = place_end(d);
    d->newest.log_offset = (end + 2 * SECTOR) / SECTOR * SECTOR;
    d->newest.base_index = d->places_base = d->snapshot.index;
    d->newest.base_checksum = 0;
    d->places_count = 0;
    places_set(d, 0, d->newest.log_offset);
}

void disk_write_persist(struct node *n, const struct raft_persist *persist)
{
    static const uint8_t nothing[sizeof(struct logformat_header)];
    struct disk *d = &n->disk;
    struct disk_write *write = queue_add(n);
    write->id = persist->id;
    if (persist->reset) {
        begin_anew(n);
        write->first_block = true;
        write->before = next_block(d);
    }
    if (persist->truncate_from != 0) {
        w.s.truncations++;
        drop_places_from(d, persist->truncate_from);
    }
    write->offset = place_end(d);
    if (persist->first != 0) {
        encode_records(n, write, persist->first, persist->last);
    } else if (persist->truncate_from != 0) { /* an end that no old record continues */
        write->data = malloc(sizeof(nothing));
        memcpy(write->data, nothing, sizeof(nothing));
        write->bytes = sizeof(nothing);
    }
    write->last_index = d->places_base + d->places_count;
    if (persist->hard_state_required) {
        d->newest.hard_state = persist->hard_state;
        write->last_block = true;
        write->after = next_block(d);
    }
    if (d->queue_count == 1)
        begin_step(n);
}

void disk_compact(struct node *n, uint64_t index)
{
    struct disk *d = &n->disk;
    if (index <= d->places_base || index > d->places_base + d->places_count)
        return;
    uint64_t gone = index - d->places_base;
    d->newest.base_checksum = d->places[gone - 1].checksum;
    d->newest.log_offset = d->places[gone].offset;
    d->newest.base_index = index;
    memmove(d->places, d->places + gone, (d->places_count - gone + 1) * sizeof(d->places[0]));
    d->places_base = index;
    d->places_count -= gone;
    struct disk_write *write = queue_add(n);
    write->first_block = true;
    write->before = next_block(d);
    write->last_index = d->places_base + d->places_count;
    if (d->queue_count == 1)
        begin_step(n);
}

/* ---- what is durable ---- */

/* Ghost: reads the log as a restart would. */
static void look_at_durable(struct disk *d)
{
    const struct superblock *block = newest_block(d);
    d->durable_term = block == NULL ? 0 : block->hard_state.term;
}

static void land_records(struct disk *d, struct disk_write *write)
{
    if (write->bytes > 0)
        area_write(d, write->offset, write->data, write->bytes);
    free(write->data);
    write->data = NULL;
    d->durable_last = write->last_index;
}

/* One step of the first write is done. */
void disk_done(struct node *n)
{
    struct disk *d = &n->disk;
    ASSERT(d->queue_count > 0);
    struct disk_write *write = &d->queue[d->queue_head];
    if (write->phase == 0) {
        if (write->first_block)
            block_land(d, &write->before);
        write->phase = 1;
    }
    if (write->phase == 1 && (write->bytes == 0 || !write->first_block)) {
        land_records(d, write);
        write->phase = 2;
    } else if (write->phase == 1) { /* the superblock was this step; the records are the next */
        write->first_block = false;
        begin_step(n);
        return;
    }
    if (write->last_block) {
        if (write->phase == 2) {
            write->phase = 3;
            begin_step(n);
            return;
        }
        block_land(d, &write->after);
    }
    look_at_durable(d);
    uint64_t id = write->id;
    d->queue_head = (d->queue_head + 1) % DISK_QUEUE;
    d->queue_count--;
    if (d->queue_count > 0)
        begin_step(n);
    if (id != 0)
        raft_persisted(n->raft, id);
}

bool disk_has(const struct node *n, uint64_t index)
{
    return index <= n->disk.durable_last || (n->disk.has_snapshot && index <= n->disk.snapshot.index);
}

/* ---- crash ---- */

/* Each sector of an unflushed write may be there or not, and one is cut in the middle. */
static void land_some_sectors(struct disk *d, const struct disk_write *write, uint32_t keep)
{
    for (size_t at = 0; at < write->bytes;) {
        size_t length = SECTOR - (write->offset + at) % SECTOR;
        if (length > write->bytes - at)
            length = write->bytes - at;
        if (rng_chance(keep))
            area_write(d, write->offset + at, write->data + at, rng_chance(w.p.torn) ? rng_below(length + 1) : length);
        at += length;
    }
}

static void land_torn_block(struct disk *d, const struct superblock *block)
{
    struct superblock torn = d->blocks[block->sequence & 1];
    memcpy(&torn, block, rng_below(sizeof(torn) + 1));
    d->blocks[block->sequence & 1] = torn;
}

void disk_crash(struct disk *d)
{
    uint32_t keep = rng_chance(w.p.keep_all) ? 1000000 : (uint32_t)rng_below(1000000);
    if (d->queue_count > 0) {
        struct disk_write *write = &d->queue[d->queue_head];
        w.s.torn_writes++;
        if (write->phase == 0 && write->first_block)
            land_torn_block(d, &write->before);
        else if (write->phase <= 1)
            land_some_sectors(d, write, keep);
        else if (write->last_block)
            land_torn_block(d, &write->after);
    }
    for (uint32_t i = 0; i < d->queue_count; i++)
        free(d->queue[(d->queue_head + i) % DISK_QUEUE].data);
    d->queue_count = d->queue_head = 0;
}

void disk_wipe(struct disk *d)
{
    free(d->log);
    free(d->snapshot_data);
    free(d->places);
    *d = (struct disk){.log = NULL};
}

/* ---- restart ---- */

static void remember_place(struct disk *d, const struct logformat_record *record, uint64_t offset, uint32_t bytes)
{
    places_set(d, d->places_count, offset);
    d->places[d->places_count].checksum = record->checksum;
    d->places[d->places_count].term = record->term;
    d->places_count++;
    places_set(d, d->places_count, offset + bytes);
}

/* Reads the superblock (feed false), or feeds the records to the core (feed true). */
err_t disk_recover(struct disk *d, struct raft *r, struct raft_hard_state *hard_state_out, bool feed)
{
    const struct superblock *block = newest_block(d);
    if (!feed) {
        *hard_state_out = block == NULL ? (struct raft_hard_state){.term = 0} : block->hard_state;
        d->newest = block == NULL ? (struct superblock){.sequence = 0} : *block;
        d->places_base = d->newest.base_index;
        d->places_count = 0;
        places_set(d, 0, d->newest.log_offset);
        return E_OK;
    }
    uint64_t offset = d->newest.log_offset;
    uint32_t previous = d->newest.base_checksum, bytes;
    uint64_t index = d->newest.base_index + 1, term = 0;
    struct logformat_record record;
    while (offset < d->log_room && logformat_check(d->log + offset, d->log_room - offset, &record, &bytes) == E_OK &&
           record.index == index && record.previous == previous && record.term >= term) {
        struct raft_entry entry = {.index = record.index,
                                   .term = record.term,
                                   .type = record.type,
                                   .length = record.bytes,
                                   .data = record.payload};
        err_t err = raft_restore(r, &entry);
        if (err != E_OK)
            return err;
        remember_place(d, &record, offset, bytes);
        previous = record.checksum;
        term = record.term;
        offset += bytes;
        index++;
    }
    d->durable_last = d->places_base + d->places_count;
    look_at_durable(d);
    return E_OK;
}
