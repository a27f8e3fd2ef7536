/* The network card as lwIP's netif: the rings of abi/netdev.h with the driver. When the driver ends, its successor is
 * attached to with fresh rings; what was in the old ones is lost, as on any wire. */
#include "server.h"

#include "../peer/peer.h"

#include <abi/netdev.h>
#include <base/ring.h>
#include <idl/netdev.h>
#include <idl/supervisor.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <string.h>

enum { SHARED_BYTES = sizeof(struct netdev_shared) + 2 * NETDEV_RING_BYTES, INPUT_AT_ONCE = 64 };
enum { CALL_MS = 2000, SEARCH_MS = 200 };

static struct {
    handle_t driver, to_driver;
    struct os_memory memory;
    struct netdev_shared *shared;
    struct ring_end rx, tx;
    uint64_t lost;
    bool none; /* this machine has no card that a driver knows */
    bool added;
} card;

static void detach(void)
{
    net.card = false;
    netif_set_link_down(&net.netif);
    if (card.memory.at) {
        card.lost += card.shared->rx_dropped + card.shared->tx_dropped;
        os_memory_destroy(&card.memory);
    }
    if (card.to_driver)
        os_handle_close(card.to_driver);
    if (card.driver)
        os_handle_close(card.driver);
    card.driver = card.to_driver = HANDLE_NONE;
    card.memory.at = NULL;
}

static err_t make_rings(void)
{
    err_t err = os_memory_create(SHARED_BYTES, 0, &card.memory);
    if (err != E_OK)
        return err;
    card.shared = card.memory.at;
    uint8_t *bytes = (uint8_t *)(card.shared + 1);
    card.shared->version = 1;
    ring_create(&card.shared->rx, NETDEV_RING_BYTES);
    ring_create(&card.shared->tx, NETDEV_RING_BYTES);
    ring_attach(&card.rx, &card.shared->rx, bytes, NETDEV_RING_BYTES, true);
    ring_attach(&card.tx, &card.shared->tx, bytes + NETDEV_RING_BYTES, NETDEV_RING_BYTES, false);
    return E_OK;
}

static lwip_err_t output(struct netif *netif, struct pbuf *p)
{
    static uint8_t frame[NETDEV_FRAME_MAX];
    if (!net.card || p->tot_len > sizeof frame)
        return ERR_IF;
    pbuf_copy_partial(p, frame, p->tot_len, 0);
    err_t err = ring_put(&card.tx, frame, p->tot_len, NULL, 0);
    if (err == E_FULL) {
        card.lost++;
        ring_producer_may_sleep(&card.tx, NETDEV_FRAME_MAX);
        return ERR_MEM;
    }
    return err == E_OK ? ERR_OK : ERR_IF;
}

static lwip_err_t init(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = etharp_output;
    netif->linkoutput = output;
    netif->hwaddr_len = ETH_HWADDR_LEN;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    return ERR_OK;
}

/* Is this a datagram of the cluster? Those come in through a buffer of their own, whatever else fills the pool. */
static bool is_peer_frame(const uint8_t *frame, uint32_t bytes)
{
    uint32_t ip_header = (uint32_t)(frame[14] & 0x0f) * 4;
    return bytes >= 42 && frame[12] == 0x08 && frame[13] == 0x00 && frame[14] >> 4 == 4 && frame[23] == IP_PROTO_UDP &&
           14 + ip_header + 4 <= bytes && frame[14 + ip_header + 2] == PEER_PORT >> 8 &&
           frame[14 + ip_header + 3] == (PEER_PORT & 0xff);
}

static struct pbuf *buffer_for(const uint8_t *frame, uint32_t bytes)
{
    if (is_peer_frame(frame, bytes))
        return peer_receive_buffer(frame, bytes);
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_POOL);
    if (p)
        pbuf_take(p, frame, (u16_t)bytes);
    return p;
}

static bool input_one(void)
{
    static uint8_t frame[NETDEV_FRAME_MAX];
    uint32_t bytes;
    err_t err = ring_take(&card.rx, frame, sizeof frame, &bytes);
    if (err == E_TOO_LONG && ring_peek(&card.rx, &bytes) == E_OK) {
        ring_drop(&card.rx, bytes);
        return true;
    }
    if (err != E_OK)
        return false;
    struct pbuf *p = bytes >= SIZEOF_ETH_HDR ? buffer_for(frame, bytes) : NULL;
    if (!p)
        card.lost++;
    else if (net.netif.input(p, &net.netif) != ERR_OK)
        pbuf_free(p);
    return true;
}

/* A bounded number at once, then the cluster's own frames out, then the next. */
void card_input(void)
{
    while (net.card) {
        for (uint32_t n = 0; n < INPUT_AT_ONCE && input_one(); n++)
            ;
        peer_output();
        card_flush();
        if (ring_consumer_may_sleep(&card.rx))
            break;
    }
}

static void bring_up(uint64_t mac, uint32_t mtu)
{
    if (!card.added) {
        netif_add_noaddr(&net.netif, NULL, init, ethernet_input);
        netif_set_default(&net.netif);
        card.added = true;
    }
    memcpy(net.netif.hwaddr, &mac, ETH_HWADDR_LEN);
    net.netif.mtu = (u16_t)(mtu < 1500 ? mtu : 1500);
    net.card = true;
    netif_set_up(&net.netif);
    card_link();
    address_start();
    peer_state_changed();
    card_input(); /* from now on the driver wakes us */
}

static err_t attach(handle_t driver)
{
    uint64_t mac;
    uint32_t mtu;
    handle_t to_client;
    card.driver = driver;
    err_t err = make_rings();
    if (err == E_OK)
        err = os_handle_dup(net.notification, RIGHT_SIGNAL | RIGHT_TRANSFER, &to_client);
    if (err == E_OK) {
        err =
            netdev_attach(driver, os_deadline_ms(CALL_MS), card.memory.handle, to_client, &card.to_driver, &mac, &mtu);
        os_handle_close(to_client);
    }
    if (err == E_OK)
        bring_up(mac, mtu);
    else
        detach();
    return err;
}

/* Looks without waiting long: sockets to this machine itself go on meanwhile. */
static void search(void)
{
    handle_t driver;
    err_t err =
        supervisor_lookup(os_startup_handle(STARTUP_SUPERVISOR), os_deadline_ms(SEARCH_MS), "virtio_net", &driver);
    card.none = err == E_NOT_FOUND;
    if (err == E_OK)
        err = attach(driver);
    if (err != E_OK && err != E_NOT_FOUND && err != E_TIMED_OUT)
        os_log("net: the network card: %s", os_error_text(err));
}

void card_check(void)
{
    uint32_t up;
    if (net.card && netdev_link(card.driver, os_deadline_ms(CALL_MS), &up) == E_OK && !card.rx.broken &&
        !card.tx.broken)
        return;
    if (net.card)
        os_log("net: the card's driver is gone; attaching to its successor");
    detach();
    peer_state_changed();
    search();
}

void card_link(void)
{
    if (!net.card)
        return;
    if (card.shared->link_up)
        netif_set_link_up(&net.netif);
    else
        netif_set_link_down(&net.netif);
}

void card_flush(void)
{
    if (!net.card)
        return;
    bool tx = ring_must_wake_consumer(&card.tx), rx = ring_must_wake_producer(&card.rx);
    if ((tx || rx) && os_signal(card.to_driver, NETDEV_BIT_DATA) != E_OK)
        card_check();
}

const char *card_state(void)
{
    if (net.card)
        return card.shared->link_up ? "link up" : "no carrier";
    return card.none ? "no network card" : "waiting for the card's driver";
}

uint64_t card_lost(void)
{
    return card.lost + (net.card ? card.shared->rx_dropped + card.shared->tx_dropped : 0);
}
