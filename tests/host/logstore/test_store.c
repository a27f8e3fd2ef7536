/* The log on a disk that loses power. A model keeps what was acknowledged; after every cut the store must hold exactly
 * that, or that and the whole of what was being written. Harm to acknowledged groups must be seen, never passed over.
 */
#include "mock_disk.h"

#include <base/logformat.h>
#include <store.h>
#include <test/check.h>

enum { RECORDS = 8192, SEEDS = 1000 };

/* What the log should hold. Records are told apart by their checksum. */
struct model {
    uint64_t compacted, last;
    uint32_t checksum[RECORDS];
    uint32_t payload; /* first word of the payload */
    uint64_t snapshot_index;
};

static struct mock_disk disk;
static struct store store;
static struct model acknowledged, attempted, found;
static uint8_t buffer[LOG_APPEND_MAX];

static uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(mock_random(&disk) % limit);
}

static err_t model_take(void *context, uint64_t index, uint64_t term, const void *record, uint32_t bytes)
{
    struct model *model = context;
    struct logformat_record parsed;
    uint32_t used;
    CHECK_EQUAL(logformat_check(record, bytes, &parsed, &used), E_OK);
    CHECK(used == bytes && parsed.index == index && parsed.term == term && index < RECORDS);
    CHECK(model->last == model->compacted || index == model->last + 1); /* oldest to newest, no gap */
    model->checksum[index] = parsed.checksum;
    model->last = index;
    return E_OK;
}

static void read_back(struct model *model)
{
    memset(model, 0, sizeof *model);
    model->compacted = model->last = store.super.compacted;
    CHECK_EQUAL(store_give_records(&store, model_take, model), E_OK);
    CHECK_EQUAL(model->last, store.last_index);
    memcpy(&model->payload, store.super.payload, 4);
    model->snapshot_index = store.super.snapshot_current ? store.super.snapshot.index : 0;
}

static bool same(const struct model *a, const struct model *b)
{
    if (a->compacted != b->compacted || a->last != b->last || a->payload != b->payload ||
        a->snapshot_index != b->snapshot_index)
        return false;
    for (uint64_t i = a->compacted + 1; i <= a->last; i++)
        if (a->checksum[i] != b->checksum[i])
            return false;
    return true;
}

static void start_of(uint64_t seed, uint32_t bytes)
{
    uint32_t payload = 1;
    mock_start_of(&disk, seed, bytes);
    struct disk interface = mock_interface(&disk);
    CHECK_EQUAL(store_probe(&store, &interface), LOG_BLANK);
    CHECK_EQUAL(store_format(&store, seed * 77 + 5, &payload, sizeof payload), E_OK);
    memset(&acknowledged, 0, sizeof acknowledged);
    acknowledged.payload = 1;
    attempted = acknowledged;
}

static void start(uint64_t seed)
{
    start_of(seed, MOCK_BYTES);
}

static void reopen(void)
{
    struct disk interface = mock_interface(&disk);
    CHECK_EQUAL(store_probe(&store, &interface), LOG_VALID);
    CHECK_EQUAL(store_open(&store), E_OK);
}

/* Encodes `count` records from `first` on as continuation of the model and enters them there. */
static uint32_t make_records(struct model *model, uint64_t first, uint32_t count, uint32_t most)
{
    static uint8_t payload[20016];
    uint32_t total = 0, used;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = mock_random(&disk);
        memcpy(payload, &word, sizeof word);
        struct logformat_record record = {
            .index = first + i, .term = 1, .bytes = 8 + random_below(most), .payload = payload};
        record.previous = first + i > model->compacted + 1 ? model->checksum[first + i - 1] : 0;
        CHECK_EQUAL(logformat_encode(&record, buffer + total, sizeof buffer - total, &used), E_OK);
        model->checksum[first + i] = record.checksum;
        total += used;
    }
    model->last = first + count - 1;
    return total;
}

static err_t add_records(struct model *model)
{
    struct model before = *model;
    uint64_t length = model->last - model->compacted;
    uint64_t first = model->last + 1 - (length > 0 && random_below(4) == 0 ? random_below((uint32_t)length) : 0);
    uint32_t bytes = make_records(model, first, 1 + random_below(5), random_below(8) ? 300 : 20000);
    err_t err = store_add_records(&store, buffer, bytes);
    if (err != E_OK)
        *model = before;
    return err;
}

static err_t set_payload(struct model *model)
{
    uint8_t payload[64] = {0};
    uint32_t word = model->payload + 1;
    memcpy(payload, &word, 4);
    err_t err = store_set_payload(&store, payload, 4 + random_below(60), true);
    if (err == E_OK || err == E_IO)
        model->payload = word;
    return err;
}

static err_t add_truncate(struct model *model)
{
    if (model->last == model->compacted)
        return E_OK;
    uint64_t from = model->last - random_below((uint32_t)(model->last - model->compacted));
    err_t err = store_add_truncate(&store, from);
    if (err == E_OK)
        model->last = from - 1;
    return err;
}

static err_t compact(struct model *model)
{
    uint64_t length = model->last - model->compacted;
    if (length == 0)
        return E_OK;
    model->compacted += 1 + random_below((uint32_t)length);
    return store_compact(&store, model->compacted);
}

static err_t snapshot(struct model *model)
{
    uint8_t hash[32] = {1}, data[5000];
    uint32_t bytes = random_below(sizeof data), first = bytes / 3;
    memset(data, (int)(model->last & 255), sizeof data);
    err_t err = store_snapshot_begin(&store, model->last, 1, bytes);
    if (err == E_OK)
        err = store_snapshot_data(&store, 0, data, first);
    if (err == E_OK)
        err = store_snapshot_data(&store, first, data + first, bytes - first);
    if (err == E_OK || err == E_IO)
        model->snapshot_index = model->last;
    return err == E_OK ? store_snapshot_commit(&store, hash) : err;
}

static err_t add_something(void)
{
    err_t err = random_below(8) < 7 ? add_records(&attempted) : add_truncate(&attempted);
    CHECK(err == E_OK || err == E_FULL || err == E_IO);
    return err;
}

/* What found no room is asked for again, first, as the kernel does it. */
static err_t make_room(struct model *model)
{
    uint64_t from = store.full_from;
    if (from == UINT64_MAX)
        return random_below(2) ? compact(model) : E_OK;
    CHECK_EQUAL(store_add_truncate(&store, from), E_FULL);
    CHECK_EQUAL(store_compact(&store, model->last + 1), E_FULL);
    model->compacted = from - 1;
    err_t err = store_compact(&store, model->compacted);
    struct model before = *model;
    if (err == E_OK)
        err = store_add_records(&store, buffer, make_records(model, from, 1, 300));
    if (err != E_OK)
        *model = before;
    return err == E_OK ? store_commit(&store) : err;
}

/* One acknowledged step, or E_IO when the power went. */
static err_t step(void)
{
    err_t err = E_OK, full = E_OK;
    uint32_t what = random_below(16);
    if (what == 0) {
        err = store_note(&store);
    } else if (what == 1) {
        err = snapshot(&attempted);
    } else if (what <= 3) {
        err = compact(&attempted);
    } else if (what <= 5) {
        err = set_payload(&attempted);
    } else {
        for (uint32_t n = 1 + random_below(4); n > 0 && full == E_OK; n--)
            full = add_something();
        err = full == E_IO ? E_IO : store_commit(&store);
    }
    if (err == E_OK && full == E_FULL) {
        acknowledged = attempted;
        err = make_room(&attempted);
    }
    CHECK(err == E_OK || err == E_IO);
    if (err == E_OK)
        acknowledged = attempted;
    return err;
}

static void check_after_cut(uint64_t seed)
{
    reopen();
    read_back(&found);
    if (store.damaged || !(same(&found, &acknowledged) || same(&found, &attempted))) {
        printf("seed %llu: damaged %d, found %llu..%llu payload %u snapshot %llu; acknowledged %llu..%llu %u %llu; "
               "attempted %llu..%llu %u %llu\n",
               (unsigned long long)seed, store.damaged, (unsigned long long)found.compacted,
               (unsigned long long)found.last, found.payload, (unsigned long long)found.snapshot_index,
               (unsigned long long)acknowledged.compacted, (unsigned long long)acknowledged.last, acknowledged.payload,
               (unsigned long long)acknowledged.snapshot_index, (unsigned long long)attempted.compacted,
               (unsigned long long)attempted.last, attempted.payload, (unsigned long long)attempted.snapshot_index);
        CHECK(!"what was acknowledged is there, and nothing else");
    }
    acknowledged = attempted = found;
}

static void test_power_cuts(void)
{
    uint64_t cuts = 0, wraps = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool patient = seed % 20 == 0; /* rare cuts in a log that goes round */
        start(seed);
        for (int i = 0; i < (patient ? 500 : 20) && acknowledged.last < RECORDS - 64; i++) {
            if (disk.power_until == 0)
                disk.power_until = disk.operations + 1 + random_below(patient ? 500 : 30);
            uint32_t before = store.next_block;
            if (step() == E_IO) {
                mock_power_cut(&disk);
                check_after_cut(seed);
                cuts++;
            }
            wraps += store.next_block < before;
        }
    }
    printf("%llu cuts, %llu wraps\n", (unsigned long long)cuts, (unsigned long long)wraps);
    CHECK(cuts > SEEDS && wraps > 50);
}

static void test_cuts_while_formatting(void)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct disk interface = mock_interface(&disk);
        uint32_t payload = 9;
        mock_start(&disk, seed, true);
        disk.power_until = 1 + seed % 6;
        CHECK_EQUAL(store_probe(&store, &interface), LOG_BLANK);
        CHECK_EQUAL(store_format(&store, seed, &payload, sizeof payload), E_IO);
        mock_power_cut(&disk);
        enum log_state state = store_probe(&store, &interface);
        CHECK(state == LOG_BLANK || state == LOG_VALID);
        if (state == LOG_VALID)
            CHECK(store_open(&store) == E_OK && store.super.payload_bytes == 4 && store.super.payload[0] == 9);
    }
}

/* Flips one byte of the n-th live group, within its header or items. */
static void harm_group(uint32_t n)
{
    const struct store_group *group = &store.groups[(store.group_first + n) % STORE_GROUPS_MAX];
    const struct disk_group *header;
    uint64_t at = store.super.records_start + (uint64_t)group->block * BLOCK_BYTES;
    header = (const void *)(disk.durable + at);
    at += random_below(header->bytes + 40);
    disk.durable[at] ^= (uint8_t)(1 + random_below(255));
    disk.cache[at] = disk.durable[at];
}

static void repair(uint64_t up_to)
{
    uint32_t payload = 4242;
    while (store.last_index < up_to) {
        attempted.last = store.last_index;
        attempted.compacted = store.super.compacted;
        uint32_t bytes = make_records(&attempted, store.last_index + 1, 1, 100);
        CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_OK);
        CHECK_EQUAL(store_commit(&store), E_OK);
        CHECK(store.damaged);
    }
    CHECK(store.damaged); /* until the kernel says, by its payload, that it holds the log for good */
    CHECK_EQUAL(store_set_payload(&store, &payload, sizeof payload, false), E_OK);
    CHECK(store.damaged);
    CHECK_EQUAL(store_set_payload(&store, &payload, sizeof payload, true), E_OK);
    CHECK(!store.damaged);
}

static void test_harm_to_acknowledged_groups_is_seen_and_mended(void)
{
    uint32_t rounds = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        start(seed);
        for (int i = 0; i < 30; i++)
            CHECK_EQUAL(step(), E_OK);
        if (store.group_count < 2)
            continue;
        bool noted = random_below(2) || store.super.known_sequence == store.sequence;
        if (noted)
            CHECK_EQUAL(store_note(&store), E_OK);
        read_back(&acknowledged);
        attempted = acknowledged;
        harm_group(random_below(store.group_count - (noted ? 0 : 1)));
        uint64_t before = store.last_index;
        reopen();
        CHECK(store.damaged);
        CHECK(store.damaged_index >= before);
        read_back(&found);
        CHECK_EQUAL(found.payload, acknowledged.payload); /* term and vote do not lie there */
        for (uint64_t i = found.compacted + 1; i <= found.last && i <= acknowledged.last; i++)
            if (found.checksum[i] != acknowledged.checksum[i])
                CHECK(found.last >= i); /* voided later by a group that is lost: told by `damaged` */
        reopen();                       /* looking changes nothing */
        CHECK(store.damaged);
        if (random_below(2)) { /* a cut in the midst of the repair forgets nothing */
            disk.power_until = disk.operations + 1 + random_below(6);
            uint32_t payload = 7;
            err_t err = store_set_payload(&store, &payload, 4, random_below(2));
            if (store.last_index < before)
                CHECK(err == E_IO || store.damaged);
            mock_power_cut(&disk);
            reopen();
            CHECK(store.damaged || err == E_OK || store.last_index >= before);
        }
        if (store.damaged) {
            read_back(&attempted);
            repair(store.damaged_index);
        }
        reopen();
        CHECK(!store.damaged);
        CHECK(store.last_index >= before);
        rounds++;
    }
    CHECK(rounds > 100);
}

/* How far a harmed log reached is told by its last group, however far behind the harm that stands. */
static void test_harm_at_the_head_of_a_long_log(void)
{
    start_of(5, MOCK_WIDE);
    while (store.next_block < SCAN_WINDOW / BLOCK_BYTES + 100) {
        uint32_t bytes = make_records(&attempted, attempted.last + 1, 2, 20000);
        CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_OK);
        CHECK_EQUAL(store_commit(&store), E_OK);
    }
    uint64_t last = store.last_index, sequence = store.sequence;
    CHECK(store.super.known_sequence < sequence); /* the superblock does not help */
    harm_group(1);
    reopen();
    CHECK(store.damaged && store.last_index < last);
    CHECK_EQUAL(store.damaged_index, last);
    CHECK_EQUAL(store.newest_sequence, sequence); /* what is written next cannot be taken for what was there */
    read_back(&attempted);
    repair(last);
    reopen();
    CHECK(!store.damaged && store.last_index == last);
}

static void test_one_superblock_copy_is_enough(void)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        start(seed);
        struct disk interface = mock_interface(&disk);
        for (int i = 0; i < 10; i++)
            CHECK_EQUAL(step(), E_OK);
        uint32_t at = (seed & 1 ? SUPERBLOCK_A : SUPERBLOCK_B) + random_below(2000);
        disk.durable[at] ^= 0x40;
        disk.cache[at] ^= 0x40;
        check_after_cut(seed);
        CHECK(!store.super_mend);
        disk.cache[(at + 65536) % 131072] ^= 0x40; /* the other one, now that the first is mended */
        check_after_cut(seed);
        disk.cache[SUPERBLOCK_A + 9] ^= 1;
        disk.cache[SUPERBLOCK_B + 9] ^= 1;
        CHECK_EQUAL(store_probe(&store, &interface), LOG_DAMAGED);
    }
}

static void test_states_are_told_apart(void)
{
    struct disk interface = mock_interface(&disk), small = interface;
    mock_start(&disk, 1, true);
    CHECK_EQUAL(store_probe(&store, &interface), LOG_BLANK);
    small.bytes = DISK_MIN - BLOCK_BYTES;
    CHECK_EQUAL(store_probe(&store, &small), LOG_ABSENT);
    const uint32_t places[] = {
        510, 512, 1080, 32768, 65536 + 64, 131072 + 4096, MOCK_BYTES - 512, MOCK_BYTES - 33 * 512};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        disk.cache[places[i]] = 0x55;
        enum log_state state = store_probe(&store, &interface);
        CHECK_EQUAL(state, LOG_DAMAGED);
        disk.cache[places[i]] = 0;
    }
    disk.off = true;
    CHECK_EQUAL(store_probe(&store, &interface), LOG_ABSENT);
}

static void test_what_cannot_be_is_refused(void)
{
    uint8_t junk[64] = {1};
    uint32_t bytes;
    start(3);
    CHECK_EQUAL(store_add_records(&store, junk, sizeof junk), E_CORRUPT);
    CHECK_EQUAL(store_add_records(&store, junk, 0), E_INVALID);
    bytes = make_records(&attempted, 1, 3, 50);
    CHECK_EQUAL(store_add_records(&store, buffer, bytes - 8), E_CORRUPT);
    CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_OK);
    bytes = make_records(&attempted, 5, 1, 50); /* a gap */
    CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_INVALID);
    attempted.checksum[3] ^= 1;
    bytes = make_records(&attempted, 4, 1, 50); /* another history */
    CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_CORRUPT);
    CHECK_EQUAL(store_commit(&store), E_OK);
    CHECK_EQUAL(store.last_index, 3);
    CHECK_EQUAL(store_set_payload(&store, junk, LOG_PAYLOAD_MAX + 1, true), E_TOO_LONG);
    CHECK_EQUAL(store_snapshot_begin(&store, 1, 1, store.super.snapshot_bytes + 1), E_FULL);
    CHECK_EQUAL(store_snapshot_data(&store, 0, junk, 1), E_INVALID);
    CHECK_EQUAL(store_snapshot_read(&store, 0, junk, 1), E_NOT_FOUND);
}

static void test_a_truncation_asked_again_after_its_compaction(void)
{
    start(4);
    uint32_t bytes = make_records(&attempted, 1, 5, 50);
    CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_OK);
    CHECK_EQUAL(store_commit(&store), E_OK);
    for (int time = 0; time < 2; time++) {
        CHECK_EQUAL(store_add_truncate(&store, 2), E_OK);
        CHECK_EQUAL(store_commit(&store), E_OK);
        CHECK_EQUAL(store_compact(&store, 9), E_OK);
        CHECK_EQUAL(store.last_index, 9);
    }
    bytes = make_records(&attempted, 10, 2, 50);
    CHECK_EQUAL(store_add_records(&store, buffer, bytes), E_OK);
    CHECK_EQUAL(store_commit(&store), E_OK);
    CHECK_EQUAL(store_add_truncate(&store, 2), E_OK);
    CHECK_EQUAL(store_commit(&store), E_OK);
    CHECK_EQUAL(store.last_index, 9);
}

static void test_a_full_log_says_so_takes_votes_and_recovers(void)
{
    uint32_t bytes, appended = 0;
    start(11);
    for (;;) {
        struct model before = attempted;
        bytes = make_records(&attempted, attempted.last + 1, 1, 15000);
        err_t err = store_add_records(&store, buffer, bytes);
        if (err == E_FULL) {
            attempted = before;
            break;
        }
        CHECK_EQUAL(err, E_OK);
        CHECK_EQUAL(store_commit(&store), E_OK);
        appended++;
    }
    CHECK(appended > 60);
    CHECK(store_room(&store) < 20000);
    for (int i = 0; i < 40; i++)
        CHECK_EQUAL(set_payload(&attempted), E_OK);
    acknowledged = attempted;
    check_after_cut(11);
    CHECK_EQUAL(compact(&attempted), E_OK);
    attempted.compacted = store.super.compacted;
    CHECK_EQUAL(store_compact(&store, attempted.last), E_OK);
    CHECK_EQUAL(store_room(&store), LOG_APPEND_MAX);
}

static void test_snapshots_read_back(void)
{
    static uint8_t data[70000], back[70000];
    uint8_t hash[32] = {7};
    start(5);
    for (uint32_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    for (uint32_t round = 1; round <= 3; round++) {
        uint32_t total = sizeof data - round * 1111, part;
        CHECK_EQUAL(store_snapshot_begin(&store, round, 1, total), E_OK);
        CHECK_EQUAL(store_snapshot_data(&store, 1, data, 1), E_INVALID);
        for (uint32_t at = 0; at < total; at += part) {
            part = 1 + random_below(9000);
            part = part < total - at ? part : total - at;
            CHECK_EQUAL(store_snapshot_data(&store, at, data + at, part), E_OK);
        }
        CHECK_EQUAL(store_snapshot_commit(&store, hash), E_OK);
        mock_power_cut(&disk);
        reopen();
        CHECK(store.super.snapshot.index == round && store.super.snapshot.bytes == total);
        for (uint32_t at = 0; at < total; at += part) {
            part = 1 + random_below(9000);
            part = part < total - at ? part : total - at;
            CHECK_EQUAL(store_snapshot_read(&store, at, back + at, part), E_OK);
        }
        CHECK(memcmp(data, back, total) == 0);
        CHECK_EQUAL(store_snapshot_read(&store, total, back, 1), E_RANGE);
    }
}

/* The old log is read as it was, by the superblock of then, and nothing is written by that. */
static void check_archive(const struct model *then)
{
    static struct store archive;
    static struct model read;
    uint64_t operations = disk.operations;
    uint8_t data[64];
    memset(&archive, 0, sizeof archive);
    archive.disk = mock_interface(&disk);
    memcpy(&archive.super, disk.durable + SUPERBLOCK_OLD, sizeof archive.super);
    CHECK_EQUAL(store_open(&archive), E_OK);
    CHECK(!archive.damaged && disk.operations == operations + 1); /* a flush */
    memset(&read, 0, sizeof read);
    read.compacted = read.last = archive.super.compacted;
    CHECK_EQUAL(store_give_records(&archive, model_take, &read), E_OK);
    memcpy(&read.payload, archive.super.payload, 4);
    read.snapshot_index = archive.super.snapshot_current ? archive.super.snapshot.index : 0;
    CHECK(same(&read, then));
    uint32_t bytes = archive.super.snapshot.bytes < 64 ? (uint32_t)archive.super.snapshot.bytes : 64;
    if (!archive.super.snapshot_current || !bytes)
        return;
    CHECK_EQUAL(store_snapshot_read(&archive, 0, data, bytes), E_OK);
    for (uint32_t i = 0; i < bytes; i++)
        CHECK(data[i] == (read.snapshot_index & 255)); /* as snapshot() makes them */
}

/* After a recovery by hand the old log stays where it is, whatever the new one writes, round and round. */
static void test_the_old_history_is_archived(void)
{
    uint8_t hash[32] = {3}, data[5000] = {9};
    uint32_t payload = 77777, wraps = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        start_of(seed, MOCK_MOST);
        for (int i = 0; i < 30; i++)
            CHECK_EQUAL(step(), E_OK);
        struct model then = acknowledged;
        CHECK_EQUAL(store_snapshot_begin(&store, acknowledged.last + 9, 1, sizeof data), E_OK);
        CHECK_EQUAL(store_snapshot_data(&store, 0, data, sizeof data), E_OK);
        CHECK_EQUAL(store_adopt(&store, hash, &payload, sizeof payload), E_OK);
        check_archive(&then);
        reopen();
        CHECK_EQUAL(store_snapshot_begin(&store, then.last + 9, 1, sizeof data), E_OK); /* asked again: it is so */
        CHECK_EQUAL(store_snapshot_data(&store, 0, data, sizeof data), E_OK);
        CHECK_EQUAL(store_adopt(&store, hash, &payload, sizeof payload), E_OK);
        read_back(&acknowledged);
        attempted = acknowledged;
        for (int i = 0; i < 600 && acknowledged.last < RECORDS - 64; i++) {
            uint32_t before = store.next_block;
            CHECK_EQUAL(step(), E_OK);
            wraps += store.next_block < before;
        }
        check_archive(&then);
        check_after_cut(seed);
    }
    CHECK(wraps > 12);
}

/* A new history begins with a snapshot: after a power cut all of it is so, or nothing. */
static void test_a_new_history_is_adopted_at_once(void)
{
    uint32_t before = 0, after = 0, payload = 77777;
    uint8_t hash[32] = {3}, data[5000] = {9};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        start(seed);
        for (int i = 0; i < 12; i++)
            CHECK_EQUAL(step(), E_OK);
        struct disk_superblock old = store.super;
        CHECK_EQUAL(store_snapshot_begin(&store, acknowledged.last + 9, 1, sizeof data), E_OK);
        CHECK_EQUAL(store_snapshot_data(&store, 0, data, sizeof data), E_OK);
        if (seed % 4 == 0) { /* one that does not fit is no part of it */
            CHECK_EQUAL(store_snapshot_begin(&store, 1, 1, MOCK_BYTES), E_FULL);
            CHECK_EQUAL(store_adopt(&store, hash, &payload, sizeof payload), E_INVALID);
            CHECK_EQUAL(store_snapshot_begin(&store, acknowledged.last + 9, 1, sizeof data), E_OK);
            CHECK_EQUAL(store_snapshot_data(&store, 0, data, sizeof data), E_OK);
        }
        disk.power_until = seed % 10 ? disk.operations + 1 + random_below(8) : 0;
        err_t err = store_adopt(&store, hash, &payload, sizeof payload);
        CHECK(err == E_OK || err == E_IO);
        mock_power_cut(&disk);
        reopen();
        read_back(&found);
        CHECK(!store.damaged);
        if (found.payload != payload) {
            CHECK(err == E_IO && same(&found, &acknowledged));
            before++;
            continue;
        }
        CHECK(found.last == acknowledged.last + 9 && found.compacted == found.last &&
              found.snapshot_index == found.last);
        CHECK(memcmp(disk.durable + SUPERBLOCK_OLD, &old, 64) == 0);
        acknowledged = attempted = found; /* and it goes on from there */
        CHECK_EQUAL(store_add_records(&store, buffer, make_records(&attempted, attempted.last + 1, 3, 100)), E_OK);
        CHECK_EQUAL(store_commit(&store), E_OK);
        acknowledged = attempted;
        check_after_cut(seed);
        after++;
    }
    CHECK(before > 30 && after > 30);
}

int main(void)
{
    RUN(test_states_are_told_apart);
    RUN(test_what_cannot_be_is_refused);
    RUN(test_cuts_while_formatting);
    RUN(test_power_cuts);
    RUN(test_harm_to_acknowledged_groups_is_seen_and_mended);
    RUN(test_harm_at_the_head_of_a_long_log);
    RUN(test_one_superblock_copy_is_enough);
    RUN(test_a_truncation_asked_again_after_its_compaction);
    RUN(test_a_full_log_says_so_takes_votes_and_recovers);
    RUN(test_snapshots_read_back);
    RUN(test_a_new_history_is_adopted_at_once);
    RUN(test_the_old_history_is_archived);
    return 0;
}
