/* Pipes: who waits for whom. Readers of an empty pipe and writers to a full one keep their Replies here, in order. */
#include "names.h"

#include <os/syscall.h>
#include <string.h>

/* Writes up to this size are never split (POSIX calls it PIPE_BUF). */
#define ATOMIC_BYTES 512u

static struct pipe_state *pipe_of(const struct open_file *file)
{
    return &names.pipes[file->index];
}

err_t pipes_make(handle_t *read_end_out, handle_t *write_end_out)
{
    uint32_t i = 0;
    while (i < NAMES_PIPES_MAX && names.pipes[i].used)
        i++;
    if (i == NAMES_PIPES_MAX)
        return E_FULL;
    err_t err = open_make(OPEN_PIPE_READ, i, OPEN_READ, read_end_out, NULL);
    if (err)
        return err;
    names.pipes[i] = (struct pipe_state){.used = true, .reader_open = true};
    err = open_make(OPEN_PIPE_WRITE, i, OPEN_WRITE, write_end_out, NULL);
    if (err) /* the read end's closing frees the pipe */
        os_handle_close(*read_end_out);
    names.pipes[i].writer_open = err == E_OK;
    return err;
}

/* ---- waiters ---- */

static bool is_reader(const struct waiter *w)
{
    return w->op == WAITER_READ || w->op == WAITER_READ_BULK;
}

/* The longest waiting reader or writer of a pipe. */
static struct waiter *waiter_first(uint32_t pipe, bool reader)
{
    struct waiter *first = NULL;
    for (uint32_t i = 0; i < NAMES_WAITERS_MAX; i++) {
        struct waiter *w = &names.waiters[i];
        if (w->op != WAITER_NONE && w->pipe == pipe && is_reader(w) == reader && (!first || w->order < first->order))
            first = w;
    }
    return first;
}

static void waiter_free(struct waiter *w)
{
    if (w->page != PAGE_REF_NONE)
        pages_give(&names.pages, w->page);
    w->op = WAITER_NONE;
}

static err_t waiter_add(enum waiter_op op, uint32_t pipe, uint32_t count, const void *data, struct request *r)
{
    uint32_t i = 0, page = PAGE_REF_NONE;
    while (i < NAMES_WAITERS_MAX && names.waiters[i].op != WAITER_NONE)
        i++;
    if (i == NAMES_WAITERS_MAX || (data && (page = pages_take(&names.pages)) == PAGE_REF_NONE))
        return E_FULL;
    if (data)
        memcpy(pages_at(&names.pages, page), data, count);
    names.waiters[i] = (struct waiter){(uint8_t)op, pipe, count, page, request_keep(r), ++names.order};
    return REPLY_LATER;
}

void pipes_drop_cancelled(void)
{
    for (uint32_t i = 0; i < NAMES_WAITERS_MAX; i++) {
        struct waiter *w = &names.waiters[i];
        if (w->op == WAITER_NONE || reply_wanted(w->reply))
            continue;
        os_handle_close(w->reply);
        waiter_free(w);
    }
}

/* ---- moving bytes ---- */

static bool can_read(const struct pipe_state *p)
{
    return pipe_filled(&p->pipe) > 0 || !p->writer_open;
}

static bool can_write(const struct pipe_state *p, uint32_t count)
{
    uint32_t needed = count <= ATOMIC_BYTES ? count : 1;
    return pipe_room(&p->pipe) >= needed || !p->reader_open;
}

static err_t put_bytes(struct pipe_state *p, const void *from, uint32_t count, uint32_t *written_out)
{
    if (!p->reader_open)
        return E_PIPE;
    *written_out = pipe_put(&p->pipe, &names.pages, from, count);
    return *written_out == 0 && count > 0 ? E_FULL : E_OK; /* there was room: the page pool is used up */
}

static err_t put_lent(struct pipe_state *p, handle_t reply, uint32_t count, uint32_t *written_out)
{
    uint32_t room = pipe_room(&p->pipe);
    count = count < room ? count : room;
    err_t err = p->reader_open ? lent_read(reply, 0, names_bulk, count) : E_PIPE;
    return err ? err : put_bytes(p, names_bulk, count, written_out);
}

static err_t take_lent(struct pipe_state *p, handle_t reply, uint32_t count, uint32_t *count_out)
{
    *count_out = pipe_take(&p->pipe, &names.pages, names_bulk, count);
    return lent_write(reply, 0, names_bulk, *count_out);
}

static void answer_reader(struct pipe_state *p, struct waiter *w)
{
    if (w->op == WAITER_READ) {
        struct file_read_out out = {.data = names_bulk};
        out.data_length = pipe_take(&p->pipe, &names.pages, names_bulk, w->count);
        file_read_reply(w->reply, E_OK, &out);
    } else {
        struct file_read_bulk_out out;
        err_t err = take_lent(p, w->reply, w->count, &out.count);
        file_read_bulk_reply(w->reply, err, &out);
    }
}

static void answer_writer(struct pipe_state *p, struct waiter *w)
{
    if (w->op == WAITER_WRITE) {
        struct file_write_out out = {0};
        err_t err = put_bytes(p, pages_at(&names.pages, w->page), w->count, &out.written);
        file_write_reply(w->reply, err, &out);
    } else {
        struct file_write_bulk_out out = {0};
        err_t err = put_lent(p, w->reply, w->count, &out.written);
        file_write_bulk_reply(w->reply, err, &out);
    }
}

/* Answers the first waiter of one side if its turn has come. Bytes are not spent on one that has given up. */
static bool advance_side(uint32_t pipe, bool reader)
{
    struct pipe_state *p = &names.pipes[pipe];
    struct waiter *w = waiter_first(pipe, reader);
    if (!w || !(reader ? can_read(p) : can_write(p, w->count)))
        return false;
    if (!reply_wanted(w->reply))
        os_handle_close(w->reply);
    else if (reader)
        answer_reader(p, w);
    else
        answer_writer(p, w);
    waiter_free(w);
    return true;
}

static void advance(uint32_t pipe)
{
    while (advance_side(pipe, true) || advance_side(pipe, false)) {
    }
    polls_check_pipe(pipe);
}

/* ---- the operations ---- */

err_t pipes_read(struct open_file *file, struct request *r, const struct file_read_in *in, struct file_read_out *out)
{
    struct pipe_state *p = pipe_of(file);
    uint32_t count = in->count < FILE_READ_DATA_MAX ? in->count : FILE_READ_DATA_MAX;
    if (in->offset != FILE_OFFSET_OWN)
        return E_INVALID;
    if (!can_read(p) || waiter_first(file->index, true))
        return waiter_add(WAITER_READ, file->index, count, NULL, r);
    static uint8_t data[FILE_READ_DATA_MAX]; /* not names_bulk: advance uses that */
    out->data = data;
    out->data_length = pipe_take(&p->pipe, &names.pages, data, count);
    advance(file->index);
    return E_OK;
}

err_t pipes_read_bulk(struct open_file *file, struct request *r, uint64_t length, uint32_t *count_out)
{
    struct pipe_state *p = pipe_of(file);
    if (!can_read(p) || waiter_first(file->index, true))
        return waiter_add(WAITER_READ_BULK, file->index, (uint32_t)length, NULL, r);
    err_t err = take_lent(p, r->reply, (uint32_t)length, count_out);
    advance(file->index);
    return err;
}

err_t pipes_write(struct open_file *file, struct request *r, const struct file_write_in *in, struct file_write_out *out)
{
    struct pipe_state *p = pipe_of(file);
    if (in->offset != FILE_OFFSET_OWN)
        return E_INVALID;
    if (!can_write(p, in->data_length) || waiter_first(file->index, false))
        return waiter_add(WAITER_WRITE, file->index, in->data_length, in->data, r);
    err_t err = put_bytes(p, in->data, in->data_length, &out->written);
    advance(file->index);
    return err;
}

err_t pipes_write_bulk(struct open_file *file, struct request *r, uint64_t length, uint32_t *written_out)
{
    struct pipe_state *p = pipe_of(file);
    if (!can_write(p, (uint32_t)length) || waiter_first(file->index, false))
        return waiter_add(WAITER_WRITE_BULK, file->index, (uint32_t)length, NULL, r);
    err_t err = put_lent(p, r->reply, (uint32_t)length, written_out);
    advance(file->index);
    return err;
}

uint32_t pipes_ready(const struct open_file *file)
{
    const struct pipe_state *p = pipe_of(file);
    if (file->kind == OPEN_PIPE_READ)
        return (can_read(p) ? POLL_READABLE : 0u) | (p->writer_open ? 0u : POLL_HANGUP);
    return (can_write(p, ATOMIC_BYTES) ? POLL_WRITABLE : 0u) | (p->reader_open ? 0u : POLL_HANGUP);
}

void pipes_end_closed(struct open_file *file)
{
    struct pipe_state *p = pipe_of(file);
    if (file->kind == OPEN_PIPE_READ)
        p->reader_open = false;
    else
        p->writer_open = false;
    advance(file->index);
    if (!p->reader_open && !p->writer_open) {
        pipe_clear(&p->pipe, &names.pages);
        p->used = false;
    }
}
