/* A log disk: the store of logstore, with its groups, superblocks and scan, on sectors that a crash may lose or tear
 * and that may go bad. The store writes at once; that it takes time is in when it is asked to: writes wait in a queue,
 * and those of a batch become durable together, as in logstore. */
#include <base/assert.h>
#include <base/logformat.h>

#include "sim.h"

/* ---- sectors ---- */

static err_t platter_read(void *context, uint64_t offset, void *to, uint32_t bytes)
{
    const struct platter *d = context;
    ASSERT(offset + bytes <= PLATTER_BYTES);
    if (d->off)
        return E_IO;
    memcpy(to, d->image + offset, bytes);
    return E_OK;
}

/* Cut in the middle, by some disks with rubbish from there on. */
static void tear_sector(uint8_t *to, const uint8_t *from)
{
    uint64_t whole = rng_below(SECTOR_BYTES + 1);
    memcpy(to, from, whole);
    if (!rng_chance(300000))
        return;
    for (uint64_t i = whole; i < SECTOR_BYTES; i++)
        to[i] = (uint8_t)rng();
}

/* Each sector may be there or not, or be torn. */
static void land_some_sectors(struct platter *d, const struct volatile_write *write, uint32_t keep)
{
    for (uint32_t at = 0; at < write->bytes; at += SECTOR_BYTES) {
        uint8_t *to = d->image + write->offset + at;
        if (!rng_chance(keep))
            continue;
        if (rng_chance(w.p.torn))
            tear_sector(to, write->data + at);
        else
            memcpy(to, write->data + at, SECTOR_BYTES);
    }
}

static bool power_fails(struct platter *d)
{
    if (d->power_left > 0 && --d->power_left == 0)
        d->off = true;
    return d->off;
}

static err_t platter_write(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    struct platter *d = context;
    ASSERT(offset + bytes <= PLATTER_BYTES);
    if (d->off)
        return E_IO;
    d->dirty = true;
    if (d->power_left == 0) { /* what is flushed before anybody looks may as well be there */
        memcpy(d->image + offset, from, bytes);
        return E_OK;
    }
    ASSERT(d->unflushed_count < sizeof(d->unflushed) / sizeof(d->unflushed[0]));
    struct volatile_write *write = &d->unflushed[d->unflushed_count++];
    *write = (struct volatile_write){.offset = offset, .bytes = bytes, .data = malloc(bytes)};
    memcpy(write->data, from, bytes);
    return power_fails(d) ? E_IO : E_OK;
}

static void settle(struct platter *d, uint32_t keep)
{
    for (uint32_t i = 0; i < d->unflushed_count; i++) {
        if (keep == UINT32_MAX)
            memcpy(d->image + d->unflushed[i].offset, d->unflushed[i].data, d->unflushed[i].bytes);
        else
            land_some_sectors(d, &d->unflushed[i], keep);
        free(d->unflushed[i].data);
    }
    d->unflushed_count = 0;
}

static err_t platter_flush(void *context)
{
    struct platter *d = context;
    if (d->off || power_fails(d))
        return E_IO;
    settle(d, UINT32_MAX);
    d->dirty = false;
    return E_OK;
}

static err_t platter_commit(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    err_t err = platter_write(context, offset, from, bytes);
    return err == E_OK ? platter_flush(context) : err;
}

static struct disk interface(struct platter *d)
{
    return (struct disk){d, PLATTER_BYTES, platter_read, platter_write, platter_flush, platter_commit};
}

void disk_format(struct platter *d)
{
    const struct raft_hard_state nothing = {.term = 0};
    struct disk disk;
    if (d->image == NULL)
        d->image = calloc(1, PLATTER_BYTES);
    if (d->store == NULL)
        d->store = malloc(sizeof(*d->store));
    disk = interface(d);
    enum log_state state = store_probe(d->store, &disk);
    ASSERT(state == LOG_BLANK);
    err_t err = store_format(d->store, rng(), &nothing, sizeof(nothing));
    ASSERT(err == E_OK);
}

/* ---- asking ---- */

static struct disk_write *queue_at(struct platter *d, uint32_t n)
{
    return &d->queue[(d->queue_head + n) % DISK_QUEUE];
}

static struct disk_write *queue_add(struct node *n)
{
    struct platter *d = &n->disk;
    if (d->queue_count == DISK_QUEUE)
        violation(EXIT_CRASH, "more disk writes under way than the core promises");
    struct disk_write *write = queue_at(d, d->queue_count++);
    *write = (struct disk_write){.id = 0};
    return write;
}

/* Writes that wait become durable together, some or all of them. */
static void begin_batch(struct node *n)
{
    struct platter *d = &n->disk;
    uint64_t takes = rng_between(w.p.flush_low_ns, w.p.flush_high_ns);
    d->batch = (uint32_t)rng_between(1, d->queue_count);
    if (d->stalled_until_ns > w.now_ns)
        takes += d->stalled_until_ns - w.now_ns;
    event_add(takes, EVENT_DISK, n->number, n->life, NULL, 0);
}

static uint32_t checksum_before(const struct platter *d, uint64_t index)
{
    uint64_t before = index - 1;
    bool known = before > d->floor && before <= d->checksum_index && d->checksum_index - before < CHECKSUMS_KEPT;
    return known ? d->checksums[before % CHECKSUMS_KEPT] : 0;
}

static void encode_records(struct node *n, struct disk_write *write)
{
    struct platter *d = &n->disk;
    size_t room = 0;
    struct raft_entry entry;
    for (uint64_t i = write->first; i <= write->last; i++) {
        bool known = raft_entry_at(n->raft, i, &entry);
        ASSERT(known);
        room += logformat_record_bytes(entry.length);
    }
    write->records = malloc(room);
    for (uint64_t i = write->first; i <= write->last; i++) {
        raft_entry_at(n->raft, i, &entry);
        struct logformat_record record = {.index = i,
                                          .term = entry.term,
                                          .type = entry.type,
                                          .bytes = entry.length,
                                          .previous = checksum_before(d, i),
                                          .payload = entry.data};
        uint32_t bytes;
        err_t err = logformat_encode(&record, write->records + write->bytes, room - write->bytes, &bytes);
        ASSERT(err == E_OK);
        write->bytes += bytes;
        d->checksums[i % CHECKSUMS_KEPT] = record.checksum;
        d->checksum_index = i;
    }
}

void disk_write_persist(struct node *n, const struct raft_persist *persist)
{
    struct platter *d = &n->disk;
    struct disk_write *write = queue_add(n);
    write->id = persist->id;
    write->reset = persist->reset;
    if (persist->reset) {
        write->compact_to = d->floor = d->snapshot.index;
        d->checksum_index = 0;
    }
    if (persist->truncate_from != 0) {
        w.s.truncations++;
        write->truncate_from = persist->truncate_from;
        if (d->checksum_index >= persist->truncate_from)
            d->checksum_index = persist->truncate_from - 1;
    }
    if (persist->first != 0) {
        write->first = persist->first;
        write->last = persist->last;
        encode_records(n, write);
    }
    write->hard_state = persist->hard_state;
    write->hard_state_required = persist->hard_state_required;
    write->whole = n->raft->repair_index == 0;
    if (d->queue_count == 1)
        begin_batch(n);
}

void disk_compact(struct node *n, uint64_t index)
{
    struct platter *d = &n->disk;
    if (index <= d->floor)
        return;
    d->floor = index;
    queue_add(n)->compact_to = index;
    if (d->queue_count == 1)
        begin_batch(n);
}

/* ---- working ---- */

static err_t add_records(struct store *s, const struct disk_write *write)
{
    err_t err = store_add_records(s, write->records, write->bytes);
    if (err == E_FULL && s->pending_items > 0 && (err = store_commit(s)) == E_OK)
        err = store_add_records(s, write->records, write->bytes);
    return err;
}

static err_t cut_below(struct store *s, const struct disk_write *write)
{
    err_t err = E_OK;
    if (write->reset)
        err = store_add_truncate(s, s->super.compacted + 1);
    if (err == E_OK)
        err = store_commit(s);
    return err == E_OK ? store_compact(s, write->compact_to) : err;
}

/* In the order of the kernel's mount (kernel/cluster/node_log.c). */
static err_t work(struct platter *d, const struct disk_write *write)
{
    struct store *s = d->store;
    err_t err = write->compact_to != 0 ? cut_below(s, write) : E_OK;
    if (err == E_OK && write->truncate_from != 0 && write->first == 0)
        err = store_add_truncate(s, write->truncate_from);
    if (err == E_OK && write->first != 0)
        err = add_records(s, write);
    if (err != E_OK || !write->hard_state_required)
        return err;
    err = store_commit(s); /* the hard state never becomes durable before the entries */
    return err == E_OK ? store_set_payload(s, &write->hard_state, sizeof(write->hard_state), write->whole) : err;
}

/* What a crash may or may not leave of a write that is under way can no longer be promised. */
static void unpromise(struct platter *d, const struct disk_write *write)
{
    uint64_t keeps = write->first != 0           ? write->first - 1
                     : write->truncate_from != 0 ? write->truncate_from - 1
                                                 : UINT64_MAX;
    if (write->reset)
        keeps = 0;
    if (d->promised_last > keeps)
        d->promised_last = keeps;
}

static void landed(struct platter *d, const struct disk_write *write)
{
    unpromise(d, write);
    d->durable_last = d->promised_last;
    if (write->compact_to > d->durable_last)
        d->durable_last = write->compact_to;
    if (write->last > d->durable_last)
        d->durable_last = write->last;
    d->promised_last = d->durable_last;
    if (!write->hard_state_required)
        return;
    d->durable_term = d->promised_term = write->hard_state.term;
    if (d->repairing && write->whole && !d->store->damaged) {
        w.s.repaired++;
        d->hurt = d->repairing = false;
    }
}

static void drop_first(struct platter *d)
{
    free(queue_at(d, 0)->records);
    d->queue_head = (d->queue_head + 1) % DISK_QUEUE;
    d->queue_count--;
}

void disk_done(struct node *n)
{
    struct platter *d = &n->disk;
    uint64_t id = 0;
    ASSERT(d->batch > 0 && d->batch <= d->queue_count);
    for (uint32_t i = 0; i < d->batch; i++) {
        err_t err = work(d, queue_at(d, i));
        if (err != E_OK)
            violation(EXIT_CORRECTNESS, "node %u: its log store refuses with error %u", n->number, err);
    }
    err_t err = store_commit(d->store);
    ASSERT(err == E_OK);
    if (d->dirty)
        violation(EXIT_CORRECTNESS, "node %u: its log store answers before it has flushed", n->number);
    w.s.groups++;
    for (; d->batch > 0; d->batch--) {
        if (queue_at(d, 0)->id != 0)
            id = queue_at(d, 0)->id;
        landed(d, queue_at(d, 0));
        drop_first(d);
    }
    if (d->queue_count > 0)
        begin_batch(n);
    if (id != 0)
        raft_persisted(n->raft, id);
}

bool disk_has(const struct node *n, uint64_t index)
{
    return index <= n->disk.durable_last || (n->disk.has_snapshot && index <= n->disk.snapshot.index);
}

/* ---- crash ---- */

/* The power goes somewhere in what the store does for the batch under way, or right after it. */
void disk_crash(struct platter *d)
{
    err_t err = E_OK;
    if (d->batch > 0) {
        w.s.torn_writes++;
        d->power_left = rng_between(1, 8);
        for (uint32_t i = 0; i < d->batch; i++) {
            unpromise(d, queue_at(d, i));
            d->perhaps_whole |= queue_at(d, i)->whole;
        }
        for (uint32_t i = 0; i < d->batch && err == E_OK; i++)
            err = work(d, queue_at(d, i));
        if (err == E_OK)
            store_commit(d->store);
        settle(d, rng_chance(w.p.keep_all) ? 1000000 : (uint32_t)rng_below(1000000));
    }
    while (d->queue_count > 0)
        drop_first(d);
    d->queue_head = d->batch = 0;
    d->power_left = 0;
    d->off = d->dirty = false;
}

void disk_wipe(struct platter *d)
{
    uint64_t formats = d->formats;
    free(d->image);
    free(d->store);
    free(d->snapshot_data);
    *d = (struct platter){.formats = formats + 1};
}

/* ---- damage at rest ---- */

static uint64_t group_offset(const struct store *s, uint32_t block)
{
    return s->super.records_start + (uint64_t)block * BLOCK_BYTES;
}

/* One of two superblocks: the other is there. */
static void hurt_superblock(struct platter *d)
{
    uint8_t *at = d->image + (rng_chance(500000) ? SUPERBLOCK_A : SUPERBLOCK_B) + rng_below(256);
    *at ^= (uint8_t)rng_between(1, 255);
    w.s.bad_superblocks++;
}

/* A group landed where an older one stood, and its own place has what was there before. */
static void misdirect(struct platter *d, const struct store_group *group, const struct store_group *other)
{
    uint8_t *from = d->image + group_offset(d->store, group->block);
    uint32_t bytes = group->blocks * BLOCK_BYTES;
    if (group->blocks > other->blocks)
        bytes = other->blocks * BLOCK_BYTES;
    memcpy(d->image + group_offset(d->store, other->block), from, bytes);
    memset(from, 0, (size_t)group->blocks * BLOCK_BYTES);
    w.s.misdirected++;
}

static void spoil(struct platter *d, const struct store_group *group)
{
    uint8_t *at = d->image + group_offset(d->store, group->block);
    uint64_t used = sizeof(struct disk_group), sectors = rng_between(1, 3);
    struct disk_group header;
    memcpy(&header, at, sizeof(header));
    used += header.bytes;
    for (; sectors > 0; sectors--)
        at[rng_below(used)] ^= (uint8_t)rng_between(1, 255);
    w.s.damages++;
}

/* Never the newest group: that its loss looks like a torn write is known, and said in docs/004-log.md. */
bool disk_hurt(struct platter *d)
{
    const struct store *s = d->store;
    if (d->hurt || s == NULL || s->group_count < 3)
        return false;
    d->hurt = d->hurt_once = true;
    if (rng_chance(200000)) {
        hurt_superblock(d);
        return true;
    }
    uint32_t n = (uint32_t)rng_below(s->group_count - 1), m = (uint32_t)rng_below(s->group_count - 1);
    const struct store_group *group = &s->groups[(s->group_first + n) % STORE_GROUPS_MAX];
    const struct store_group *other = &s->groups[(s->group_first + m) % STORE_GROUPS_MAX];
    if (n != m && rng_chance(400000))
        misdirect(d, group, other);
    else
        spoil(d, group);
    return true;
}

/* ---- restart ---- */

static void start_checksums(struct platter *d)
{
    d->floor = d->store->super.compacted;
    d->checksum_index = 0;
}

static void must_be_found(struct platter *d, const struct raft_hard_state *hard_state)
{
    const struct store *s = d->store;
    if (!s->damaged && s->last_index < d->promised_last)
        violation(EXIT_CORRECTNESS, "a log ends at %llu, and %llu had been flushed", (unsigned long long)s->last_index,
                  (unsigned long long)d->promised_last);
    if (s->damaged && s->damaged_index < d->promised_last)
        violation(EXIT_CORRECTNESS, "a damaged log is said to have reached %llu, and %llu had been flushed",
                  (unsigned long long)s->damaged_index, (unsigned long long)d->promised_last);
    if (d->repairing && !d->perhaps_whole && (!s->damaged || s->damaged_index < d->once_durable))
        violation(EXIT_CORRECTNESS, "a log under repair up to %llu is taken for whole, or for one that reached %llu",
                  (unsigned long long)d->once_durable, (unsigned long long)(s->damaged ? s->damaged_index : 0));
    if (hard_state->term < d->promised_term)
        violation(EXIT_CORRECTNESS, "a log has term %llu, and %llu had been flushed",
                  (unsigned long long)hard_state->term, (unsigned long long)d->promised_term);
}

enum disk_verdict disk_open(struct platter *d, struct raft_hard_state *hard_state_out, uint64_t *repair_out)
{
    struct disk disk = interface(d);
    const struct store *s = d->store;
    enum log_state state = store_probe(d->store, &disk);
    bool hurt = d->hurt;
    d->hurt = false;
    if (state == LOG_VALID && store_open(d->store) != E_OK)
        violation(EXIT_CORRECTNESS, "a log cannot be opened");
    if ((state != LOG_VALID || s->damaged) && !hurt && !d->hurt_once)
        violation(EXIT_CORRECTNESS, "a log that nothing happened to is taken for damaged");
    if (state != LOG_VALID)
        return DISK_LOST;
    ASSERT(s->super.payload_bytes == sizeof(*hard_state_out));
    memcpy(hard_state_out, s->super.payload, sizeof(*hard_state_out));
    must_be_found(d, hard_state_out);
    if (!d->repairing || d->once_durable < d->promised_last) /* not less by a crash on the way back to it */
        d->once_durable = d->promised_last;
    d->durable_last = d->promised_last = s->last_index;
    d->durable_term = d->promised_term = hard_state_out->term;
    d->hurt = d->repairing = s->damaged; /* until it is whole again */
    d->perhaps_whole = false;
    *repair_out = s->damaged ? s->damaged_index : 0;
    w.s.damage_found += s->damaged;
    start_checksums(d);
    return s->damaged ? DISK_DAMAGED : DISK_WHOLE;
}

struct feed {
    struct platter *disk;
    struct raft *raft;
};

static err_t feed_record(void *context, uint64_t index, uint64_t term, const void *bytes, uint32_t count)
{
    struct feed *feed = context;
    struct logformat_record record;
    uint32_t used;
    err_t err = logformat_check(bytes, count, &record, &used);
    ASSERT(err == E_OK && record.index == index && record.term == term);
    ghost_restored(&record);
    feed->disk->checksums[index % CHECKSUMS_KEPT] = record.checksum;
    feed->disk->checksum_index = index;
    struct raft_entry entry = {.index = record.index,
                               .term = record.term,
                               .type = record.type,
                               .length = record.bytes,
                               .data = record.payload};
    return raft_restore(feed->raft, &entry);
}

err_t disk_feed(struct platter *d, struct raft *r)
{
    struct feed feed = {d, r};
    return store_give_records(d->store, feed_record, &feed);
}
