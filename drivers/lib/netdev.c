/* The netdev kind. */
#include <base/ring.h>
#include <driver/netdev.h>
#include <idl/netdev.h>
#include <os/syscall.h>

enum { MIN_FRAME = 14, SHARED_BYTES = sizeof(struct netdev_shared) + 2 * NETDEV_RING_BYTES };

struct card {
    struct driver *driver;
    struct netdev_hardware *hardware;
    struct os_memory memory; /* the client's; at NULL: no client */
    handle_t to_client;
    struct netdev_shared *shared;
    struct ring_end rx, tx;
};

static struct card card;

static void detach(void)
{
    if (!card.memory.at)
        return;
    os_memory_destroy(&card.memory);
    os_handle_close(card.to_client);
    card.memory.at = NULL;
}

static void signal_client(uint64_t bits)
{
    if (os_signal(card.to_client, bits) != E_OK)
        detach();
}

bool netdev_received(const void *frame, uint32_t bytes)
{
    if (!card.memory.at)
        return false;
    if (bytes < MIN_FRAME || bytes > NETDEV_FRAME_MAX || ring_put(&card.rx, frame, bytes, NULL, 0) != E_OK) {
        card.shared->rx_dropped++;
        return false;
    }
    return true;
}

/* From the client's ring to the card, until one is empty or the other full. Lengths the card cannot send are dropped.
 */
static void pump(void)
{
    uint32_t bytes = 0;
    bool sent = false;
    void *room;
    while (ring_peek(&card.tx, &bytes) == E_OK && (room = card.hardware->send_room(card.hardware->context)) != NULL) {
        if (bytes >= MIN_FRAME && bytes <= NETDEV_FRAME_MAX) {
            ring_copy(&card.tx, 0, room, bytes);
            card.hardware->send(card.hardware->context, bytes);
            sent = true;
        } else {
            card.shared->tx_dropped++;
        }
        ring_drop(&card.tx, bytes);
    }
    if (sent)
        card.hardware->send_end(card.hardware->context);
}

/* The client must wake us again when the ring was found empty; a full card wakes us by itself. */
static void pump_until_quiet(void)
{
    do
        pump();
    while (!ring_consumer_may_sleep(&card.tx) && card.hardware->send_room(card.hardware->context) != NULL);
}

static void wake_client(void)
{
    bool rx = ring_must_wake_consumer(&card.rx), tx = ring_must_wake_producer(&card.tx);
    if (rx || tx)
        signal_client(NETDEV_BIT_DATA);
}

static void notified(void *context, uint64_t bits)
{
    driver_irq_again(card.driver, bits);
    if (bits >> 32)
        card.hardware->interrupt(card.hardware->context, bits);
    if (!card.memory.at)
        return;
    pump_until_quiet();
    wake_client();
}

void netdev_carrier(bool up)
{
    card.hardware->link_up = up;
    if (!card.memory.at)
        return;
    card.shared->link_up = up;
    signal_client(NETDEV_BIT_LINK);
}

static err_t take_client(struct os_memory *memory, handle_t to_client)
{
    struct netdev_shared *shared = memory->at;
    uint8_t *rings = (uint8_t *)(shared + 1);
    struct ring_end rx, tx;
    if (memory->bytes < SHARED_BYTES || shared->version != 1 ||
        ring_attach(&rx, &shared->rx, rings, NETDEV_RING_BYTES, false) != E_OK ||
        ring_attach(&tx, &shared->tx, rings + NETDEV_RING_BYTES, NETDEV_RING_BYTES, true) != E_OK)
        return E_INVALID;
    detach();
    card.memory = *memory;
    card.shared = shared;
    card.rx = rx;
    card.tx = tx;
    card.to_client = to_client;
    shared->link_up = card.hardware->link_up;
    pump_until_quiet();
    return E_OK;
}

static err_t handle_attach(struct request *r, const struct netdev_attach_in *in, struct netdev_attach_out *out)
{
    struct os_memory memory;
    handle_t to_driver;
    err_t err = os_handle_dup(card.driver->notification, RIGHT_SIGNAL | RIGHT_TRANSFER | RIGHT_DUP, &to_driver);
    if (err != E_OK)
        return err;
    err = os_memory_attach(in->memory, VM_READ | VM_WRITE, &memory);
    if (err == E_OK) {
        request_take(r, in->memory);
        err = take_client(&memory, in->to_client);
        if (err != E_OK)
            os_memory_destroy(&memory);
    }
    if (err != E_OK) {
        os_handle_close(to_driver);
        return err;
    }
    request_take(r, in->to_client);
    out->to_driver = to_driver;
    out->to_driver_give = true;
    out->mac = card.hardware->mac;
    out->mtu = card.hardware->mtu;
    return E_OK;
}

static err_t handle_link(struct request *r, const struct netdev_link_in *in, struct netdev_link_out *out)
{
    out->up = card.hardware->link_up;
    return E_OK;
}

err_t netdev_run(struct driver *driver, struct netdev_hardware *hardware)
{
    static const struct netdev_server handlers = {.attach = handle_attach, .link = handle_link};
    static const struct service service = NETDEV_SERVED_BY(&handlers);
    card.driver = driver;
    card.hardware = hardware;
    return driver_run(driver, &service, notified, NULL, NULL);
}
