/* The two threads between a serial driver and its terminal. A driver that ends is looked up again. */
#include "console.h"

#include <base/format.h>
#include <idl/serial.h>
#include <os/service.h>
#include <os/syscall.h>
#include <os/thread.h>

#define THREAD_STACK_BYTES 16384u
#define THREAD_PRIORITY    20u

/* Waits for the driver; false if there can be none. */
static bool find_driver(const struct line *line, handle_t *serial)
{
    char name[16];
    if (*serial)
        os_handle_close(*serial);
    *serial = HANDLE_NONE;
    base_format(name, sizeof name, "serial%u", line->number);
    return os_lookup(name, DEADLINE_NEVER, serial) == E_OK;
}

static void take_typed(struct line *line, const uint8_t *bytes, uint32_t count)
{
    uint32_t events, done = 0;
    os_mutex_lock(&line->lock);
    for (;;) {
        done += tty_type(&line->tty, bytes + done, count - done, &events);
        line->events |= events;
        os_cond_signal(&line->written); /* echo */
        os_signal(console.notification, BIT_LINE(line->number));
        if (done == count)
            break;
        os_cond_wait(&line->typed_taken, &line->lock, DEADLINE_NEVER);
    }
    os_mutex_unlock(&line->lock);
}

static void reader_thread(void *argument)
{
    struct line *line = argument;
    handle_t serial = HANDLE_NONE;
    uint8_t bytes[SERIAL_READ_DATA_MAX];
    uint32_t count;
    while (find_driver(line, &serial))
        while (serial_read(serial, DEADLINE_NEVER, bytes, sizeof bytes, &count) == E_OK)
            take_typed(line, bytes, count);
}

static uint32_t take_written(struct line *line, uint8_t *bytes, uint32_t room)
{
    uint32_t count;
    os_mutex_lock(&line->lock);
    while ((count = tty_send(&line->tty, bytes, room)) == 0)
        os_cond_wait(&line->written, &line->lock, DEADLINE_NEVER);
    os_mutex_unlock(&line->lock);
    os_signal(console.notification, BIT_LINE(line->number));
    return count;
}

static void writer_thread(void *argument)
{
    struct line *line = argument;
    handle_t serial = HANDLE_NONE;
    uint8_t bytes[SERIAL_WRITE_DATA_MAX];
    uint32_t count = 0;
    bool there = find_driver(line, &serial);
    for (;;) {
        count = take_written(line, bytes, sizeof bytes);
        /* After any failure the bytes are sent again: shown twice is better than lost. */
        while (there && serial_write(serial, DEADLINE_NEVER, bytes, count) != E_OK)
            there = find_driver(line, &serial);
    }
}

err_t line_start(struct line *line, uint32_t number)
{
    struct os_thread *thread;
    line->number = number;
    err_t err = os_thread_create(reader_thread, line, THREAD_STACK_BYTES, THREAD_PRIORITY, &thread);
    return err ? err : os_thread_create(writer_thread, line, THREAD_STACK_BYTES, THREAD_PRIORITY, &thread);
}
