/* A driver to copy: random bytes from a virtio entropy device, as a file that is read. It is small because the library
 * has the loop (driver_run), the PCI and virtio parts (driver/virtio.h) and the waiting callers' messages (idl/file.h).
 */
#include <driver/virtio.h>
#include <idl/file.h>
#include <os/log.h>
#include <os/syscall.h>

enum { QUEUE = 0, VECTOR = 0, BUFFER_BYTES = 4000, WAITERS_MAX = 16 };

struct waiter {
    handle_t reply;
    uint32_t room;
};

static struct virtio virtio;
static struct os_memory buffer; /* the device writes here, one request at a time */
static uint64_t buffer_bus;
static struct waiter waiters[WAITERS_MAX]; /* oldest first */
static uint32_t waiter_count;

/* Asks the device for what the oldest waiter wants. */
static void ask(void)
{
    struct virtqueue_piece piece = {buffer_bus, waiters[0].room, true};
    virtqueue_add(&virtio.queues[QUEUE], &piece, 1, &buffer);
    virtio_notify(&virtio, QUEUE);
}

/* A handler answers at once by filling in `out`, or keeps the Reply and answers later: drivers never wait in a handler.
 */
static err_t handle_read(struct request *r, const struct file_read_in *in, struct file_read_out *out)
{
    if (waiter_count == WAITERS_MAX)
        return E_FULL;
    if (in->count == 0)
        return E_OK;
    waiters[waiter_count++] = (struct waiter){request_keep(r), in->count < BUFFER_BYTES ? in->count : BUFFER_BYTES};
    if (waiter_count == 1)
        ask();
    return REPLY_LATER;
}

static void answer_oldest(uint32_t bytes)
{
    file_read_reply(waiters[0].reply, E_OK, &(struct file_read_out){.data = buffer.at, .data_length = bytes});
    waiter_count--;
    __builtin_memmove(&waiters[0], &waiters[1], waiter_count * sizeof waiters[0]);
    if (waiter_count > 0)
        ask();
}

/* Interrupts are let in again before their causes are looked at, so that none is lost. */
static void notified(void *context, uint64_t bits)
{
    uint32_t bytes;
    void *cookie;
    driver_irq_again(context, bits);
    while (virtqueue_take(&virtio.queues[QUEUE], &cookie, &bytes) == E_OK)
        answer_oldest(bytes);
}

const char driver_name[] = "example";

err_t driver_main(struct driver *driver)
{
    static const struct file_server handlers = {.read = handle_read};
    static const struct service service = FILE_SERVED_BY(&handlers);
    err_t err = driver_dma(driver, 4096, &buffer, &buffer_bus);
    if (err == E_OK)
        err = virtio_open(&virtio, driver, 0, 0);
    if (err == E_OK)
        err = virtio_queue(&virtio, QUEUE, 8, VECTOR);
    if (err == E_OK)
        err = virtio_start(&virtio);
    return err == E_OK ? driver_run(driver, &service, notified, NULL, driver) : err;
}
