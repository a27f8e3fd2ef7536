#include "serve.h"

#include <string.h>

static void answer(struct serve *s, const struct log_message *message, const void *data)
{
    err_t err;
    if (s->stopped)
        return;
    while ((err = ring_put(&s->answers, message, sizeof *message, data, message->bytes)) == E_FULL) {
        s->wake_kernel(s->context);
        if (ring_producer_may_sleep(&s->answers, (uint32_t)sizeof *message + message->bytes) &&
            s->wait_for_room(s->context) != E_OK)
            break;
    }
    s->stopped = err != E_OK;
}

static void answer_end(struct serve *s, const struct serve_answer *request, err_t err)
{
    struct log_message message = {.op = err == E_OK ? LOG_DONE : LOG_FAILED,
                                  .status = err,
                                  .serial = request->serial,
                                  .index = request->index,
                                  .term = request->term};
    answer(s, &message, NULL);
}

/* A request that met a failed disk is not answered: the kernel sends it again to the next incarnation. Other errors
 * leave the log as it was. */
static void answer_op(struct serve *s, const struct serve_answer *request, err_t err)
{
    s->stopped |= s->store->failed;
    answer_end(s, request, err);
}

static void commit_batch(struct serve *s)
{
    if (s->batch_count == 0)
        return;
    err_t err = store_commit(s->store);
    s->stopped |= err != E_OK;
    for (uint32_t i = 0; i < s->batch_count; i++)
        answer_end(s, &s->batch[i], err);
    s->batch_count = 0;
}

static err_t add(struct serve *s, const struct log_message *m)
{
    if (m->op == LOG_APPEND)
        return store_add_records(s->store, s->data, m->bytes);
    return store_add_truncate(s->store, m->index);
}

static void batch(struct serve *s, const struct log_message *m, const struct serve_answer *request)
{
    if (s->batch_count == SERVE_BATCH_MAX)
        commit_batch(s);
    err_t err = add(s, m);
    if (err == E_FULL && s->batch_count > 0) {
        commit_batch(s);
        err = add(s, m);
    }
    if (err != E_OK) { /* what came before is answered before */
        commit_batch(s);
        answer_op(s, request, err);
        return;
    }
    s->batch[s->batch_count++] = *request;
}

struct giving {
    struct serve *serve;
    uint64_t serial;
};

static err_t give_record(void *context, uint64_t index, uint64_t term, const void *record, uint32_t bytes)
{
    struct giving *giving = context;
    struct log_message message = {
        .op = LOG_RECORD, .serial = giving->serial, .index = index, .term = term, .bytes = bytes};
    answer(giving->serve, &message, record);
    return giving->serve->stopped ? E_IO : E_OK;
}

static void give_superblock(struct serve *s, uint64_t serial)
{
    const struct disk_superblock *disk = &s->store->super;
    struct log_superblock super = {.snapshot_index = disk->snapshot_current ? disk->snapshot.index : 0,
                                   .snapshot_term = disk->snapshot_current ? disk->snapshot.term : 0,
                                   .snapshot_bytes = disk->snapshot_current ? disk->snapshot.bytes : 0,
                                   .compacted = disk->compacted,
                                   .room_bytes = disk->records_bytes,
                                   .snapshot_room = disk->snapshot_bytes,
                                   .payload_bytes = disk->payload_bytes};
    memcpy(super.snapshot_sha256, disk->snapshot.sha256, sizeof super.snapshot_sha256);
    memcpy(s->out, &super, sizeof super);
    memcpy(s->out + sizeof super, disk->payload, disk->payload_bytes);
    struct log_message message = {
        .op = LOG_DATA, .serial = serial, .bytes = (uint32_t)sizeof super + disk->payload_bytes};
    answer(s, &message, s->out);
}

static void work_open(struct serve *s, struct serve_answer request)
{
    struct giving giving = {s, request.serial};
    err_t err = s->state == LOG_VALID ? store_open(s->store) : E_NOT_FOUND;
    if (err == E_OK) {
        give_superblock(s, request.serial);
        err = store_give_records(s->store, give_record, &giving);
    }
    if (err != E_OK) {
        answer_op(s, &request, err);
        return;
    }
    struct log_message done = {.op = LOG_DONE,
                               .status = s->store->damaged ? E_CORRUPT : E_OK,
                               .serial = request.serial,
                               .index = s->store->damaged ? s->store->damaged_index : s->store->last_index};
    answer(s, &done, NULL);
}

static err_t work_format(struct serve *s, const struct log_message *m)
{
    bool anew = s->state == LOG_DAMAGED && !s->store->foreign && m->index == LOG_FORMAT_ANEW;
    if (s->state != LOG_BLANK && s->state != LOG_VALID && !anew)
        return E_NOT_SUPPORTED;
    err_t err = store_format(s->store, s->new_epoch(s->context), s->data, m->bytes);
    if (err == E_OK)
        s->state = LOG_VALID;
    return err;
}

static void work_snapshot_read(struct serve *s, const struct log_message *m, const struct serve_answer *request)
{
    /* The request says how much in `index`: its own data is empty. */
    if (m->index > LOG_SNAPSHOT_PART_MAX) {
        answer_op(s, request, E_TOO_LONG);
        return;
    }
    uint32_t bytes = (uint32_t)m->index;
    err_t err = store_snapshot_read(s->store, m->offset, s->out, bytes);
    if (err != E_OK) {
        answer_op(s, request, err);
        return;
    }
    struct log_message data = {.op = LOG_DATA, .serial = m->serial, .offset = m->offset, .bytes = bytes};
    answer(s, &data, s->out);
}

static err_t work_other(struct serve *s, const struct log_message *m)
{
    switch (m->op) {
    case LOG_FORMAT:
        return work_format(s, m);
    case LOG_META:
        return store_set_payload(s->store, s->data, m->bytes, m->index == LOG_META_WHOLE);
    case LOG_COMPACT:
        return store_compact(s->store, m->index);
    case LOG_SNAPSHOT_BEGIN:
        return store_snapshot_begin(s->store, m->index, m->term, m->offset);
    case LOG_SNAPSHOT_DATA:
        return store_snapshot_data(s->store, m->offset, s->data, m->bytes);
    case LOG_ADOPT:
        return m->bytes >= 32 ? store_adopt(s->store, s->data, s->data + 32, m->bytes - 32) : E_INVALID;
    case LOG_SNAPSHOT_COMMIT:
        return m->bytes == 32 ? store_snapshot_commit(s->store, s->data) : E_INVALID;
    default:
        return E_BAD_MESSAGE;
    }
}

static void work_one(struct serve *s, const struct log_message *m)
{
    struct serve_answer request = {.op = m->op, .serial = m->serial, .index = m->index, .term = m->term};
    if (m->op == LOG_APPEND || m->op == LOG_TRUNCATE) {
        batch(s, m, &request);
        return;
    }
    commit_batch(s);
    if (m->op == LOG_OPEN)
        work_open(s, request);
    else if (m->op == LOG_SNAPSHOT_READ)
        work_snapshot_read(s, m, &request);
    else
        answer_op(s, &request, work_other(s, m));
}

/* The next request, its data in s->data. E_AGAIN: none. */
static err_t take_request(struct serve *s, struct log_message *m)
{
    uint32_t bytes;
    err_t err = ring_peek(&s->requests, &bytes);
    if (err != E_OK)
        return err;
    if (bytes < sizeof *m || bytes - sizeof *m > sizeof s->data)
        return E_BAD_MESSAGE;
    ring_copy(&s->requests, 0, m, sizeof *m);
    if (m->bytes != bytes - sizeof *m)
        return E_BAD_MESSAGE;
    ring_copy(&s->requests, sizeof *m, s->data, m->bytes);
    ring_drop(&s->requests, bytes);
    return E_OK;
}

void serve_work(struct serve *s)
{
    struct log_message m;
    err_t err = E_OK;
    while (!s->stopped && (err = take_request(s, &m)) == E_OK)
        work_one(s, &m);
    commit_batch(s);
    if (err == E_BAD_MESSAGE)
        s->stopped = true;
    s->wake_kernel(s->context);
}
