/* The file service of the terminals. */
#include "console.h"

#include <os/syscall.h>
#include <string.h>

#define COLUMNS 80u
#define ROWS    24u

static struct terminal *terminal_of(const struct request *r)
{
    return r->badge >= 1 && r->badge <= LINES ? &console.terminals[r->badge - 1] : NULL;
}

/* ---- the line, locked ---- */

static bool line_readable(struct terminal *t)
{
    os_mutex_lock(&t->line.lock);
    bool readable = tty_readable(&t->line.tty);
    os_mutex_unlock(&t->line.lock);
    return readable;
}

static bool line_writable(struct terminal *t)
{
    os_mutex_lock(&t->line.lock);
    bool writable = tty_output_room(&t->line.tty) >= 2;
    os_mutex_unlock(&t->line.lock);
    return writable;
}

static uint32_t line_read(struct terminal *t, uint8_t *to, uint32_t count)
{
    os_mutex_lock(&t->line.lock);
    uint32_t done = tty_read(&t->line.tty, to, count);
    os_cond_signal(&t->line.typed_taken);
    os_mutex_unlock(&t->line.lock);
    return done;
}

static uint32_t line_write(struct terminal *t, const uint8_t *from, uint32_t count)
{
    os_mutex_lock(&t->line.lock);
    uint32_t done = tty_write(&t->line.tty, from, count);
    os_cond_signal(&t->line.written);
    os_mutex_unlock(&t->line.lock);
    return done;
}

/* ---- waiting callers ---- */

static bool is_reader(const struct waiter *w)
{
    return w->op == WAITER_READ || w->op == WAITER_READ_BULK;
}

static struct waiter *waiter_first(struct terminal *t, bool reader)
{
    struct waiter *first = NULL;
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        struct waiter *w = &t->waiters[i];
        if (w->op != WAITER_NONE && is_reader(w) == reader && (!first || w->order < first->order))
            first = w;
    }
    return first;
}

static err_t waiter_add(struct terminal *t, enum waiter_op op, uint32_t count, const void *data, struct request *r)
{
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        struct waiter *w = &t->waiters[i];
        if (w->op != WAITER_NONE)
            continue;
        w->op = (uint8_t)op;
        w->count = count;
        w->reply = request_keep(r);
        w->order = ++console.order;
        if (data)
            memcpy(w->data, data, count);
        return REPLY_LATER;
    }
    return E_FULL;
}

static uint8_t bulk[IPC_LENT_MAX];

static err_t read_lent(struct terminal *t, handle_t reply, uint32_t count, uint32_t *count_out)
{
    *count_out = line_read(t, bulk, count);
    return lent_write(reply, 0, bulk, *count_out);
}

static err_t write_lent(struct terminal *t, handle_t reply, uint32_t count, uint32_t *written_out)
{
    err_t err = lent_read(reply, 0, bulk, count);
    if (!err)
        *written_out = line_write(t, bulk, count);
    return err;
}

static void answer(struct terminal *t, struct waiter *w)
{
    if (w->op == WAITER_READ) {
        struct file_read_out out = {.data = bulk, .data_length = line_read(t, bulk, w->count)};
        file_read_reply(w->reply, E_OK, &out);
    } else if (w->op == WAITER_READ_BULK) {
        struct file_read_bulk_out out;
        err_t err = read_lent(t, w->reply, w->count, &out.count);
        file_read_bulk_reply(w->reply, err, &out);
    } else if (w->op == WAITER_WRITE) {
        struct file_write_out out = {.written = line_write(t, w->data, w->count)};
        file_write_reply(w->reply, E_OK, &out);
    } else {
        struct file_write_bulk_out out = {0};
        err_t err = write_lent(t, w->reply, w->count, &out.written);
        file_write_bulk_reply(w->reply, err, &out);
    }
}

static bool advance_side(struct terminal *t, bool reader)
{
    struct waiter *w = waiter_first(t, reader);
    if (!w || !(reader ? line_readable(t) : line_writable(t)))
        return false;
    if (reply_wanted(w->reply))
        answer(t, w);
    else
        os_handle_close(w->reply); /* what was typed is for the next reader */
    w->op = WAITER_NONE;
    return true;
}

static uint32_t ready_events(struct terminal *t)
{
    return (line_readable(t) ? POLL_READABLE : 0u) | (line_writable(t) ? POLL_WRITABLE : 0u);
}

static void polls_check(struct terminal *t)
{
    uint32_t ready = ready_events(t);
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        struct poll *p = &t->polls[i];
        if (!p->notification || !(ready & p->events))
            continue;
        os_signal(p->notification, p->bits);
        os_handle_close(p->notification);
        p->notification = HANDLE_NONE;
    }
}

void terminal_advance(struct terminal *t)
{
    os_mutex_lock(&t->line.lock);
    uint32_t events = t->line.events;
    t->line.events = 0;
    os_mutex_unlock(&t->line.lock);
    if (events & TTY_INTERRUPT && t->owner)
        os_signal(t->owner, 1);
    while (advance_side(t, true) || advance_side(t, false)) {
    }
    polls_check(t);
}

void terminals_drop_cancelled(void)
{
    for (uint32_t i = 0; i < LINES * WAITERS_MAX; i++) {
        struct waiter *w = &console.terminals[i / WAITERS_MAX].waiters[i % WAITERS_MAX];
        if (w->op == WAITER_NONE || reply_wanted(w->reply))
            continue;
        os_handle_close(w->reply);
        w->op = WAITER_NONE;
    }
}

/* ---- operations ---- */

static err_t handle_read(struct request *r, const struct file_read_in *in, struct file_read_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t || in->offset != FILE_OFFSET_OWN)
        return t ? E_INVALID : E_BAD_HANDLE;
    uint32_t count = in->count < FILE_READ_DATA_MAX ? in->count : FILE_READ_DATA_MAX;
    t->in_use = true;
    if (!line_readable(t) || waiter_first(t, true))
        return waiter_add(t, WAITER_READ, count, NULL, r);
    out->data = bulk;
    out->data_length = line_read(t, bulk, count);
    return E_OK;
}

static err_t handle_read_bulk(struct request *r, const struct file_read_bulk_in *in, struct file_read_bulk_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t || in->offset != FILE_OFFSET_OWN)
        return t ? E_INVALID : E_BAD_HANDLE;
    t->in_use = true;
    if (!line_readable(t) || waiter_first(t, true))
        return waiter_add(t, WAITER_READ_BULK, (uint32_t)in->data_length, NULL, r);
    return read_lent(t, r->reply, (uint32_t)in->data_length, &out->count);
}

static err_t handle_write(struct request *r, const struct file_write_in *in, struct file_write_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t || in->offset != FILE_OFFSET_OWN)
        return t ? E_INVALID : E_BAD_HANDLE;
    if (!line_writable(t) || waiter_first(t, false))
        return waiter_add(t, WAITER_WRITE, in->data_length, in->data, r);
    out->written = line_write(t, in->data, in->data_length);
    return E_OK;
}

static err_t handle_write_bulk(struct request *r, const struct file_write_bulk_in *in, struct file_write_bulk_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t || in->offset != FILE_OFFSET_OWN)
        return t ? E_INVALID : E_BAD_HANDLE;
    if (!line_writable(t) || waiter_first(t, false))
        return waiter_add(t, WAITER_WRITE_BULK, (uint32_t)in->data_length, NULL, r);
    return write_lent(t, r->reply, (uint32_t)in->data_length, &out->written);
}

static err_t handle_stat(struct request *r, const struct file_stat_in *in, struct file_stat_out *out)
{
    *out = (struct file_stat_out){.kind = FILE_TERMINAL, .mode = 0666, .inode = r->badge};
    return terminal_of(r) ? E_OK : E_BAD_HANDLE;
}

static err_t handle_seek(struct request *r, const struct file_seek_in *in, struct file_seek_out *out)
{
    return E_PIPE;
}

static err_t handle_truncate(struct request *r, const struct file_truncate_in *in, struct file_truncate_out *out)
{
    return E_INVALID;
}

static err_t handle_readdir(struct request *r, const struct file_readdir_in *in, struct file_readdir_out *out)
{
    return E_NOT_DIRECTORY;
}

static err_t handle_get(struct request *r, const struct file_terminal_get_in *in, struct file_terminal_get_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t)
        return E_BAD_HANDLE;
    os_mutex_lock(&t->line.lock);
    *out = (struct file_terminal_get_out){t->line.tty.mode, COLUMNS, ROWS};
    os_mutex_unlock(&t->line.lock);
    return E_OK;
}

static err_t handle_set(struct request *r, const struct file_terminal_set_in *in, struct file_terminal_set_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t || in->mode & ~(uint32_t)(TERMINAL_RAW | TERMINAL_NO_ECHO | TERMINAL_BINARY))
        return t ? E_INVALID : E_BAD_HANDLE;
    uint32_t events;
    os_mutex_lock(&t->line.lock);
    tty_set_mode(&t->line.tty, in->mode, &events);
    t->line.events |= events;
    os_cond_signal(&t->line.written); /* echo */
    os_mutex_unlock(&t->line.lock);
    terminal_advance(t);
    return E_OK;
}

static err_t handle_owner(struct request *r, const struct file_terminal_owner_in *in,
                          struct file_terminal_owner_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t)
        return E_BAD_HANDLE;
    if (t->owner)
        os_handle_close(t->owner);
    t->owner = in->interrupt ? request_take(r, in->interrupt) : HANDLE_NONE;
    t->in_use = true;
    return E_OK;
}

static err_t poll_add(struct terminal *t, struct request *r, const struct file_poll_in *in)
{
    struct handle_info info;
    struct poll *place = NULL;
    err_t err = os_handle_info(in->notification, &info);
    if (err || info.type != OBJECT_NOTIFICATION)
        return err ? err : E_WRONG_TYPE;
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        struct poll *p = &t->polls[i];
        if (p->notification ? p->serial == info.serial : !place)
            place = p;
        if (place && place->notification)
            break;
    }
    if (!place)
        return E_FULL;
    if (place->notification)
        os_handle_close(place->notification);
    *place = (struct poll){request_take(r, in->notification), in->events, in->bits, info.serial};
    return E_OK;
}

static err_t handle_poll(struct request *r, const struct file_poll_in *in, struct file_poll_out *out)
{
    struct terminal *t = terminal_of(r);
    if (!t)
        return E_BAD_HANDLE;
    out->ready = ready_events(t) & in->events;
    return out->ready || !in->notification ? E_OK : poll_add(t, r, in);
}

const struct file_server terminal_handlers = {.read = handle_read,
                                              .write = handle_write,
                                              .read_bulk = handle_read_bulk,
                                              .write_bulk = handle_write_bulk,
                                              .stat = handle_stat,
                                              .seek = handle_seek,
                                              .truncate = handle_truncate,
                                              .readdir = handle_readdir,
                                              .terminal_get = handle_get,
                                              .terminal_set = handle_set,
                                              .terminal_owner = handle_owner,
                                              .poll = handle_poll};
