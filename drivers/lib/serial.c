/* The serial kind: callers wait with kept Replies, in order. */
#include <driver/serial.h>
#include <idl/serial.h>
#include <os/syscall.h>

#include <string.h>

enum { WAITERS_MAX = 16 };

struct waiting_write {
    handle_t reply;
    uint32_t bytes, done;
    uint8_t data[1024];
};

struct line {
    struct driver *driver;
    const struct serial_hardware *hardware;
    struct serial_queues queues;
    handle_t readers[WAITERS_MAX]; /* oldest first */
    uint32_t reader_count;
    struct waiting_write writers[WAITERS_MAX]; /* oldest first */
    uint32_t writer_count;
};

static struct line line;

static void take_bytes(struct line *l, struct serial_read_out *out, uint8_t *buffer)
{
    out->data = buffer;
    out->data_length = byte_queue_take(&l->queues.rx, buffer, 1024);
    l->hardware->kick(l->hardware->context, &l->queues);
}

static void drop_reader(struct line *l, uint32_t n)
{
    l->reader_count--;
    memmove(&l->readers[n], &l->readers[n + 1], (l->reader_count - n) * sizeof l->readers[0]);
}

static void drop_writer(struct line *l, uint32_t n)
{
    l->writer_count--;
    memmove(&l->writers[n], &l->writers[n + 1], (l->writer_count - n) * sizeof l->writers[0]);
}

/* A reader that gave up must not be given bytes: they would be lost. */
static void answer_readers(struct line *l)
{
    uint8_t buffer[1024];
    struct serial_read_out out = {0};
    while (l->reader_count > 0 && byte_queue_used(&l->queues.rx) > 0) {
        if (reply_wanted(l->readers[0])) {
            take_bytes(l, &out, buffer);
            serial_read_reply(l->readers[0], E_OK, &out);
        } else {
            os_handle_close(l->readers[0]);
        }
        drop_reader(l, 0);
    }
}

static void answer_writers(struct line *l)
{
    while (l->writer_count > 0) {
        struct waiting_write *w = &l->writers[0];
        w->done += byte_queue_put(&l->queues.tx, w->data + w->done, w->bytes - w->done);
        if (w->done < w->bytes)
            break;
        serial_write_reply(w->reply, E_OK, NULL);
        drop_writer(l, 0);
    }
    if (byte_queue_used(&l->queues.tx) > 0)
        l->hardware->kick(l->hardware->context, &l->queues);
}

static void forget_cancelled(struct line *l)
{
    for (uint32_t n = l->reader_count; n > 0; n--)
        if (!reply_wanted(l->readers[n - 1])) {
            os_handle_close(l->readers[n - 1]);
            drop_reader(l, n - 1);
        }
    for (uint32_t n = l->writer_count; n > 0; n--)
        if (!reply_wanted(l->writers[n - 1].reply)) {
            os_handle_close(l->writers[n - 1].reply);
            drop_writer(l, n - 1);
        }
}

static err_t handle_read(struct request *r, const struct serial_read_in *in, struct serial_read_out *out)
{
    static uint8_t buffer[1024];
    struct line *l = &line;
    if (l->reader_count == 0 && byte_queue_used(&l->queues.rx) > 0) {
        take_bytes(l, out, buffer);
        return E_OK;
    }
    if (l->reader_count == WAITERS_MAX)
        return E_FULL;
    l->readers[l->reader_count++] = request_keep(r);
    return REPLY_LATER;
}

static err_t handle_write(struct request *r, const struct serial_write_in *in, struct serial_write_out *out)
{
    struct line *l = &line;
    if (l->writer_count == 0 && byte_queue_room(&l->queues.tx) >= in->data_length) {
        byte_queue_put(&l->queues.tx, in->data, in->data_length);
        l->hardware->kick(l->hardware->context, &l->queues);
        return E_OK;
    }
    if (l->writer_count == WAITERS_MAX)
        return E_FULL;
    struct waiting_write *w = &l->writers[l->writer_count++];
    w->bytes = in->data_length;
    w->done = 0;
    memcpy(w->data, in->data, in->data_length);
    w->reply = request_keep(r);
    answer_writers(l);
    return REPLY_LATER;
}

static void notified(void *context, uint64_t bits)
{
    struct line *l = context;
    if (bits & NOTIFY_REPLY_CANCELLED)
        forget_cancelled(l);
    driver_irq_again(l->driver, bits);
    l->hardware->interrupt(l->hardware->context, &l->queues, bits);
    answer_readers(l);
    answer_writers(l);
}

err_t serial_run(struct driver *driver, const struct serial_hardware *hardware)
{
    static const struct serial_server handlers = {.read = handle_read, .write = handle_write};
    static const struct service service = SERIAL_SERVED_BY(&handlers);
    line.driver = driver;
    line.hardware = hardware;
    return driver_run(driver, &service, notified, NULL, &line);
}
