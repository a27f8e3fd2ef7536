#include "peer.h"

#include "../server/server.h"

#include <abi/netdev.h>
#include <base/ring.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <string.h>

enum { SHARED_BYTES = sizeof(struct peer_shared) + 2 * PEER_RING_BYTES, OUTPUT_AT_ONCE = 64 };
enum { BUFFERS = 32, BUFFER_BYTES = 1600 };

/* A buffer that lwIP holds as a pbuf until it frees it; when sending, ARP may keep it for a while. */
struct buffer {
    struct pbuf_custom pbuf; /* first: lwIP gives it back */
    struct buffer *next;
    _Alignas(8) uint8_t bytes[BUFFER_BYTES];
};

static struct {
    bool attached;
    struct peer_shared *shared;
    struct ring_end out, in;
    handle_t to_kernel;
    struct udp_pcb *udp;
    struct buffer buffers[2][BUFFERS]; /* received, sent */
    struct buffer *free[2];
    uint64_t lost;
} peer;

static void give_back(struct pbuf *p)
{
    struct buffer *b = (struct buffer *)(void *)p;
    uint32_t side = b >= peer.buffers[1] ? 1 : 0;
    b->next = peer.free[side];
    peer.free[side] = b;
}

static struct buffer *take(uint32_t side)
{
    struct buffer *b = peer.free[side];
    if (b)
        peer.free[side] = b->next;
    else
        peer.lost++;
    return b;
}

struct pbuf *peer_receive_buffer(const void *frame, uint32_t bytes)
{
    struct buffer *b = bytes <= BUFFER_BYTES ? take(0) : NULL;
    if (!b)
        return NULL;
    b->pbuf.custom_free_function = give_back;
    struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, (u16_t)bytes, PBUF_RAM, &b->pbuf, b->bytes, BUFFER_BYTES);
    memcpy(p->payload, frame, bytes);
    return p;
}

static void received(void *context, struct udp_pcb *udp, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    static uint8_t data[PEER_DATAGRAM_MAX];
    struct peer_record record = {ip_addr_get_ip4_u32(from), port, p->tot_len};
    if (p->tot_len <= sizeof data) {
        pbuf_copy_partial(p, data, p->tot_len, 0);
        if (ring_put(&peer.in, &record, sizeof record, data, p->tot_len) != E_OK)
            peer.lost++;
    }
    pbuf_free(p);
}

static void send(const struct peer_record *record, const uint8_t *data)
{
    ip_addr_t to = IPADDR4_INIT(record->ipv4);
    struct buffer *b = take(1);
    if (!b)
        return;
    b->pbuf.custom_free_function = give_back;
    struct pbuf *p = pbuf_alloced_custom(PBUF_TRANSPORT, record->bytes, PBUF_RAM, &b->pbuf, b->bytes, BUFFER_BYTES);
    memcpy(p->payload, data, record->bytes);
    if (udp_sendto_if(peer.udp, p, &to, record->port, &net.netif) != ERR_OK)
        peer.lost++;
    pbuf_free(p);
}

static bool output_one(void)
{
    static _Alignas(8) uint8_t bytes[sizeof(struct peer_record) + PEER_DATAGRAM_MAX];
    const struct peer_record *record = (const void *)bytes;
    uint32_t length;
    err_t err = ring_take(&peer.out, bytes, sizeof bytes, &length);
    if (err == E_TOO_LONG && ring_peek(&peer.out, &length) == E_OK) {
        ring_drop(&peer.out, length);
        return true;
    }
    if (err != E_OK)
        return false;
    if (length >= sizeof *record && record->bytes == length - sizeof *record && address_ready())
        send(record, bytes + sizeof *record);
    return true;
}

void peer_output(void)
{
    if (!peer.attached)
        return;
    do
        for (uint32_t n = 0; n < OUTPUT_AT_ONCE && output_one(); n++)
            ;
    while (!ring_consumer_may_sleep(&peer.out));
}

void peer_flush(void)
{
    if (!peer.attached)
        return;
    bool in = ring_must_wake_consumer(&peer.in), out = ring_must_wake_producer(&peer.out);
    if (in || out)
        os_signal(peer.to_kernel, PEER_BIT_DATA);
}

void peer_state_changed(void)
{
    if (!peer.attached)
        return;
    peer.shared->ipv4 = netif_ip4_addr(&net.netif)->addr;
    peer.shared->netmask = netif_ip4_netmask(&net.netif)->addr;
    peer.shared->gateway = netif_ip4_gw(&net.netif)->addr;
    memcpy(peer.shared->mac, net.netif.hwaddr, sizeof peer.shared->mac);
    __atomic_store_n(&peer.shared->state, !net.card ? 1 : !address_ready() ? 2 : 3, __ATOMIC_RELEASE);
    os_signal(peer.to_kernel, PEER_BIT_STATE);
}

static err_t make_rings(handle_t notification)
{
    struct os_memory memory;
    err_t err = os_memory_create(SHARED_BYTES, MEMORY_DMA, &memory);
    if (err != E_OK)
        return err;
    peer.shared = memory.at;
    uint8_t *bytes = (uint8_t *)(peer.shared + 1);
    peer.shared->version = 1;
    ring_create(&peer.shared->out, PEER_RING_BYTES);
    ring_create(&peer.shared->in, PEER_RING_BYTES);
    ring_attach(&peer.out, &peer.shared->out, bytes, PEER_RING_BYTES, true);
    ring_attach(&peer.in, &peer.shared->in, bytes + PEER_RING_BYTES, PEER_RING_BYTES, false);
    err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &peer.to_kernel);
    return err != E_OK ? err
                       : os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_ATTACH_PEER, memory.handle,
                                    notification, peer.to_kernel, 0)
                             .err;
}

void peer_start(handle_t notification)
{
    for (uint32_t i = 0; i < BUFFERS; i++) {
        give_back((struct pbuf *)&peer.buffers[0][i].pbuf);
        give_back((struct pbuf *)&peer.buffers[1][i].pbuf);
    }
    err_t err = make_rings(notification);
    peer.udp = udp_new();
    if (err == E_OK)
        err = peer.udp ? port_error(udp_bind(peer.udp, IP_ANY_TYPE, PEER_PORT)) : E_FULL;
    if (err != E_OK) {
        os_log("net: no cluster traffic: %s", os_error_text(err));
        return;
    }
    ip_set_option(peer.udp, SOF_BROADCAST);
    udp_recv(peer.udp, received, NULL);
    peer.attached = true;
    peer_state_changed();
}
