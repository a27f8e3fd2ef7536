/* The driver of a virtio network card: one receive and one transmit queue, a vector each. */
#include <driver/netdev.h>
#include <driver/virtio.h>
#include <os/log.h>

#include <string.h>

#define F_MAC    (1ull << 5)
#define F_STATUS (1ull << 16)

enum { RX = 0, TX = 1, CONFIG_VECTOR = 2 };
enum { ENTRIES = 128, BUFFER_BYTES = 2048, HEADER_BYTES = 12 /* struct virtio_net_hdr with num_buffers */ };
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, STATUS_LINK_UP = 1 };

struct buffers {
    struct os_memory memory;
    uint64_t bus;
};

static struct virtio virtio;
static struct buffers rx, tx;
static uint8_t *tx_free[ENTRIES]; /* a stack */
static uint32_t tx_free_count;

static uint64_t bus_of(const struct buffers *b, const void *at)
{
    return b->bus + (uint64_t)((const uint8_t *)at - (const uint8_t *)b->memory.at);
}

static void post_receive(uint8_t *buffer)
{
    struct virtqueue_piece piece = {bus_of(&rx, buffer), BUFFER_BYTES, true};
    virtqueue_add(&virtio.queues[RX], &piece, 1, buffer);
}

static bool broken(err_t err)
{
    if (err == E_BAD_MESSAGE)
        os_log("virtio_net: the device broke its queue");
    return err == E_BAD_MESSAGE;
}

static void receive(void)
{
    uint32_t length;
    void *cookie;
    err_t err;
    bool any = false;
    while ((err = virtqueue_take(&virtio.queues[RX], &cookie, &length)) == E_OK) {
        if (length > HEADER_BYTES)
            netdev_received((uint8_t *)cookie + HEADER_BYTES, length - HEADER_BYTES);
        post_receive(cookie);
        any = true;
    }
    if (any)
        virtio_notify(&virtio, RX);
    if (broken(err))
        netdev_carrier(false);
}

/* Sent buffers are taken back when room is wanted, so a sent frame needs no interrupt unless the sender waits. */
static void reclaim(void)
{
    uint32_t length;
    void *cookie;
    while (virtqueue_take(&virtio.queues[TX], &cookie, &length) == E_OK)
        tx_free[tx_free_count++] = cookie;
}

static void *send_room(void *context)
{
    if (tx_free_count == 0)
        reclaim();
    if (tx_free_count == 0) {
        virtqueue_interrupts(&virtio.queues[TX], true);
        reclaim();
    }
    return tx_free_count > 0 ? tx_free[tx_free_count - 1] + HEADER_BYTES : NULL;
}

static void send(void *context, uint32_t bytes)
{
    uint8_t *buffer = tx_free[--tx_free_count];
    struct virtqueue_piece piece = {bus_of(&tx, buffer), HEADER_BYTES + bytes, false};
    memset(buffer, 0, HEADER_BYTES);
    virtqueue_add(&virtio.queues[TX], &piece, 1, buffer);
}

static void send_end(void *context)
{
    virtio_notify(&virtio, TX);
}

static bool link_state(void)
{
    uint16_t status = STATUS_LINK_UP;
    if (virtio.features & F_STATUS)
        virtio_config(&virtio, CONFIG_STATUS, &status, sizeof status);
    return status & STATUS_LINK_UP;
}

static void interrupt(void *context, uint64_t bits)
{
    if (bits & DRIVER_IRQ_BIT(RX))
        receive();
    if (bits & DRIVER_IRQ_BIT(TX)) {
        virtqueue_interrupts(&virtio.queues[TX], false);
        reclaim();
    }
    if (bits & DRIVER_IRQ_BIT(CONFIG_VECTOR))
        netdev_carrier(link_state());
}

static err_t start_queues(struct driver *driver)
{
    err_t err = virtio_queue(&virtio, RX, ENTRIES, RX);
    if (err == E_OK)
        err = virtio_queue(&virtio, TX, ENTRIES, TX);
    if (err == E_OK)
        err = virtio_config_interrupt(&virtio, CONFIG_VECTOR);
    if (err == E_OK)
        err = driver_dma(driver, ENTRIES * BUFFER_BYTES, &rx.memory, &rx.bus);
    if (err == E_OK)
        err = driver_dma(driver, ENTRIES * BUFFER_BYTES, &tx.memory, &tx.bus);
    return err;
}

static err_t start(struct driver *driver, struct netdev_hardware *hardware)
{
    err_t err = virtio_open(&virtio, driver, F_MAC | F_STATUS, F_MAC);
    if (err == E_OK)
        err = start_queues(driver);
    if (err != E_OK)
        return err;
    for (uint32_t i = 0; i < virtio.queues[RX].size; i++)
        post_receive((uint8_t *)rx.memory.at + i * BUFFER_BYTES);
    for (uint32_t i = 0; i < virtio.queues[TX].size; i++)
        tx_free[tx_free_count++] = (uint8_t *)tx.memory.at + i * BUFFER_BYTES;
    virtqueue_interrupts(&virtio.queues[TX], false);
    err = virtio_start(&virtio);
    if (err != E_OK)
        return err;
    virtio_notify(&virtio, RX);
    virtio_config(&virtio, CONFIG_MAC, &hardware->mac, 6);
    hardware->link_up = link_state();
    return E_OK;
}

const char driver_name[] = "virtio_net";

err_t driver_main(struct driver *driver)
{
    static struct netdev_hardware hardware = {
        .mtu = 1500, .send_room = send_room, .send = send, .send_end = send_end, .interrupt = interrupt};
    err_t err = start(driver, &hardware);
    return err == E_OK ? netdev_run(driver, &hardware) : err;
}
