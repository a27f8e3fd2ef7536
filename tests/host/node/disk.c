#include "disk.h"

static void drop_queue(struct disk *d)
{
    for (uint32_t i = 0; i < d->queue_count; i++)
        free(d->queue[i].data);
    d->queue_count = 0;
}

void disk_open(struct disk *d)
{
    drop_queue(d);
    free(d->part);
    d->part = NULL;
}

static void void_from(struct disk *d, uint64_t index)
{
    while (d->record_count && d->records[d->record_count - 1].index >= index)
        free(d->records[--d->record_count].bytes);
}

void disk_blank(struct disk *d)
{
    disk_open(d);
    void_from(d, 0);
    free(d->snapshot);
    memset(d, 0, sizeof(*d));
    d->state = LOG_BLANK;
}

void disk_harm(struct disk *d, uint64_t last)
{
    d->damaged_index = d->record_count ? d->records[d->record_count - 1].index : d->compacted;
    CHECK(last < d->damaged_index);
    void_from(d, last + 1);
}

void disk_copy(struct disk *to, const struct disk *from)
{
    disk_blank(to);
    *to = *from;
    to->part = NULL;
    to->queue_count = 0;
    if (from->snapshot)
        to->snapshot = memcpy(malloc(from->snapshot_bytes + 1), from->snapshot, from->snapshot_bytes);
    for (uint32_t i = 0; i < to->record_count; i++)
        to->records[i].bytes = memcpy(malloc(to->records[i].count), from->records[i].bytes, to->records[i].count);
}

bool disk_put(struct disk *d, const struct log_message *request, const void *data)
{
    if (d->queue_count == 256)
        return false;
    struct disk_request *q = &d->queue[d->queue_count++];
    q->head = *request;
    q->data = malloc(request->bytes + 1);
    if (request->bytes)
        memcpy(q->data, data, request->bytes);
    return true;
}

static uint64_t last_index(const struct disk *d)
{
    return d->record_count ? d->records[d->record_count - 1].index : d->compacted;
}

/* As the real one: E_FULL, and then nothing that changes records before that one has found room. */
static err_t may_append(struct disk *d, const struct disk_request *q)
{
    struct logformat_record record;
    uint32_t used, count = 0;
    uint64_t first = 0, kept = 0;
    for (uint32_t at = 0; at < q->head.bytes; at += used, count++) {
        CHECK_EQUAL(logformat_check(q->data + at, q->head.bytes - at, &record, &used), E_OK);
        first = count ? first : record.index;
    }
    CHECK(q->head.offset == first && q->head.index == record.index);
    while (kept < d->record_count && d->records[kept].index < first)
        kept++;
    if (d->full_from && d->full_from != first)
        return E_FULL;
    d->full_from = d->records_room && kept + count > d->records_room ? first : 0;
    return d->full_from ? E_FULL : E_OK;
}

static void append(struct disk *d, const struct disk_request *q)
{
    struct logformat_record record, before;
    uint32_t used, ignored;
    for (uint32_t at = 0; at < q->head.bytes; at += used) {
        CHECK_EQUAL(logformat_check(q->data + at, q->head.bytes - at, &record, &used), E_OK);
        void_from(d, record.index);
        CHECK(!last_index(d) || record.index == last_index(d) + 1); /* an empty log takes any */
        if (d->record_count) {
            struct disk_record *last = &d->records[d->record_count - 1];
            CHECK_EQUAL(logformat_check(last->bytes, last->count, &before, &ignored), E_OK);
            CHECK(logformat_follows(&before, &record));
        }
        CHECK(d->record_count < RECORDS_MAX);
        struct disk_record *r = &d->records[d->record_count++];
        *r = (struct disk_record){record.index, record.term, malloc(used), used};
        memcpy(r->bytes, q->data + at, used);
    }
}

static void compact(struct disk *d, uint64_t index)
{
    uint32_t gone = 0;
    if (index <= d->compacted)
        return;
    while (gone < d->record_count && d->records[gone].index <= index)
        free(d->records[gone++].bytes);
    memmove(d->records, d->records + gone, (d->record_count - gone) * sizeof(d->records[0]));
    d->record_count -= gone;
    d->compacted = index;
}

static void give_log(struct disk *d, uint64_t serial, disk_answer *answer, void *context)
{
    uint8_t bytes[sizeof(struct log_superblock) + LOG_PAYLOAD_MAX];
    struct log_superblock super = {.snapshot_index = d->snapshot_index,
                                   .snapshot_term = d->snapshot_term,
                                   .snapshot_bytes = d->snapshot_bytes,
                                   .compacted = d->compacted,
                                   .payload_bytes = d->payload_bytes};
    memcpy(super.snapshot_sha256, d->snapshot_sha256, 32);
    memcpy(bytes, &super, sizeof(super));
    memcpy(bytes + sizeof(super), d->payload, d->payload_bytes);
    struct log_message m = {.op = LOG_DATA, .serial = serial, .bytes = (uint32_t)sizeof(super) + d->payload_bytes};
    answer(context, &m, bytes);
    for (uint32_t i = 0; i < d->record_count; i++) {
        struct log_message r = {.op = LOG_RECORD,
                                .serial = serial,
                                .index = d->records[i].index,
                                .term = d->records[i].term,
                                .bytes = d->records[i].count};
        answer(context, &r, d->records[i].bytes);
    }
}

static void work_snapshot(struct disk *d, const struct disk_request *q)
{
    if (q->head.op == LOG_SNAPSHOT_BEGIN) {
        d->part = malloc(q->head.offset + 1);
        d->part_index = q->head.index;
        d->part_term = q->head.term;
        d->part_bytes = q->head.offset;
    } else if (q->head.op == LOG_SNAPSHOT_DATA) {
        CHECK(d->part && q->head.offset + q->head.bytes <= d->part_bytes);
        memcpy(d->part + q->head.offset, q->data, q->head.bytes);
    } else {
        CHECK(d->part && (q->head.bytes == 32 || q->head.op == LOG_ADOPT));
        free(d->snapshot);
        d->snapshot = d->part;
        d->part = NULL;
        d->snapshot_index = d->part_index;
        d->snapshot_term = d->part_term;
        d->snapshot_bytes = d->part_bytes;
        memcpy(d->snapshot_sha256, q->data, 32);
    }
    if (q->head.op != LOG_ADOPT)
        return;
    void_from(d, 0);
    d->compacted = d->snapshot_index;
    d->damaged_index = d->full_from = 0;
    d->payload_bytes = q->head.bytes - 32;
    memcpy(d->payload, q->data + 32, d->payload_bytes);
}

static void set_payload(struct disk *d, const struct disk_request *q)
{
    CHECK(q->head.bytes <= LOG_PAYLOAD_MAX);
    if (q->head.op == LOG_META && q->head.index == LOG_META_WHOLE && last_index(d) >= d->damaged_index)
        d->damaged_index = 0;
    memcpy(d->payload, q->data, q->head.bytes);
    d->payload_bytes = q->head.bytes;
    d->state = LOG_VALID;
}

static err_t refusal(struct disk *d, const struct disk_request *q)
{
    if (q->head.op == LOG_APPEND)
        return may_append(d, q);
    if (q->head.op == LOG_TRUNCATE || (q->head.op == LOG_COMPACT && q->head.index > last_index(d)))
        return d->full_from ? E_FULL : E_OK;
    bool part = q->head.op == LOG_SNAPSHOT_DATA || q->head.op == LOG_SNAPSHOT_COMMIT || q->head.op == LOG_ADOPT;
    if (q->head.op == LOG_SNAPSHOT_BEGIN) {
        free(d->part);
        d->part = NULL;
        return d->snapshot_room && q->head.offset > d->snapshot_room ? E_FULL : E_OK;
    }
    return part && !d->part ? E_INVALID : E_OK;
}

static void work(struct disk *d, const struct disk_request *q, disk_answer *answer, void *context)
{
    struct log_message done = {.op = LOG_DONE, .serial = q->head.serial};
    CHECK(d->state == LOG_VALID || q->head.op == LOG_FORMAT);
    err_t err = refusal(d, q);
    if (err) {
        done.op = LOG_FAILED;
        done.status = err;
        d->full_answers += err == E_FULL;
        answer(context, &done, NULL);
        return;
    }
    switch (q->head.op) {
    case LOG_OPEN:
        d->full_from = 0;
        give_log(d, q->head.serial, answer, context);
        done.status = d->damaged_index ? E_CORRUPT : E_OK;
        done.index = d->damaged_index ? d->damaged_index : last_index(d);
        break;
    case LOG_FORMAT:
    case LOG_META:
        set_payload(d, q);
        break;
    case LOG_APPEND:
        append(d, q);
        break;
    case LOG_TRUNCATE:
        void_from(d, q->head.index);
        break;
    case LOG_COMPACT:
        compact(d, q->head.index);
        break;
    case LOG_SNAPSHOT_READ:
        done = (struct log_message){
            .op = LOG_DATA, .serial = q->head.serial, .offset = q->head.offset, .bytes = (uint32_t)q->head.index};
        CHECK(q->head.offset + q->head.index <= d->snapshot_bytes);
        answer(context, &done, d->snapshot + q->head.offset);
        return;
    default:
        work_snapshot(d, q);
    }
    answer(context, &done, NULL);
}

bool disk_work(struct disk *d, disk_answer *answer, void *context)
{
    if (!d->queue_count)
        return false;
    struct disk_request q = d->queue[0];
    memmove(d->queue, d->queue + 1, --d->queue_count * sizeof(q));
    work(d, &q, answer, context);
    free(q.data);
    return true;
}
