/* ICMP echo of our own. lwIP answers those of others. */
#include "server.h"

#include <idl/net.h>
#include <os/syscall.h>

#include <string.h>

enum { PINGS_MAX = 16, BYTES_MAX = 1400, IDENTITY = 0x5348 };

struct ping {
    handle_t reply;
    uint32_t ipv4; /* network byte order */
    uint16_t sequence;
    uint64_t sent_ns;
};

static struct ping pings[PINGS_MAX];
static struct raw_pcb *raw;
static uint16_t last_sequence;

static void finish(struct ping *p, err_t err, uint64_t round_trip_ns)
{
    net_ping_reply(p->reply, err, &(struct net_ping_out){round_trip_ns});
    p->reply = HANDLE_NONE;
}

static void timed_out(void *context)
{
    finish(context, E_TIMED_OUT, 0);
}

static u8_t received(void *context, struct raw_pcb *pcb, struct pbuf *packet, const ip_addr_t *from)
{
    struct icmp_echo_hdr echo;
    const struct ip_hdr *ip = packet->payload;
    if (pbuf_copy_partial(packet, &echo, sizeof echo, IPH_HL_BYTES(ip)) != sizeof echo ||
        ICMPH_TYPE(&echo) != ICMP_ER || echo.id != PP_HTONS(IDENTITY))
        return 0;
    for (uint32_t i = 0; i < PINGS_MAX; i++) {
        struct ping *p = &pings[i];
        if (!p->reply || p->sequence != lwip_ntohs(echo.seqno) || p->ipv4 != ip_addr_get_ip4_u32(from))
            continue;
        sys_untimeout(timed_out, p);
        finish(p, E_OK, os_clock(CLOCK_ID_MONOTONIC_NS) - p->sent_ns);
        pbuf_free(packet);
        return 1;
    }
    return 0;
}

static err_t send(const struct ping *p, uint32_t bytes)
{
    ip_addr_t to = IPADDR4_INIT(p->ipv4);
    uint32_t total = (uint32_t)sizeof(struct icmp_echo_hdr) + bytes;
    struct pbuf *packet = pbuf_alloc(PBUF_IP, (u16_t)total, PBUF_RAM);
    if (!packet)
        return E_FULL;
    struct icmp_echo_hdr *echo = packet->payload;
    memset(echo, 0, total);
    ICMPH_TYPE_SET(echo, ICMP_ECHO);
    echo->id = PP_HTONS(IDENTITY);
    echo->seqno = lwip_htons(p->sequence);
    for (uint32_t i = 0; i < bytes; i++)
        ((uint8_t *)(echo + 1))[i] = (uint8_t)i;
    echo->chksum = inet_chksum(echo, (u16_t)total);
    err_t err = port_error(raw_sendto(raw, packet, &to));
    pbuf_free(packet);
    return err;
}

static bool ready(void)
{
    if (raw)
        return true;
    raw = raw_new(IP_PROTO_ICMP);
    if (raw)
        raw_recv(raw, received, NULL);
    return raw != NULL;
}

err_t ping_request(struct request *r, uint32_t ipv4, uint32_t bytes, uint32_t timeout_ms)
{
    struct ping *p = pings;
    while (p < pings + PINGS_MAX && p->reply)
        p++;
    if (bytes > BYTES_MAX)
        return E_TOO_LONG;
    if (p == pings + PINGS_MAX || !ready())
        return E_FULL;
    p->ipv4 = lwip_htonl(ipv4);
    p->sequence = ++last_sequence;
    p->sent_ns = os_clock(CLOCK_ID_MONOTONIC_NS);
    p->reply = request_keep(r); /* an answer over the loopback may come at once */
    sys_timeout(timeout_ms < 60000 ? timeout_ms : 60000, timed_out, p);
    err_t err = send(p, bytes);
    if (err != E_OK) {
        sys_untimeout(timed_out, p);
        finish(p, err, 0);
    }
    return REPLY_LATER;
}

void ping_cancelled(void)
{
    for (uint32_t i = 0; i < PINGS_MAX; i++) {
        if (!pings[i].reply || reply_wanted(pings[i].reply))
            continue;
        sys_untimeout(timed_out, &pings[i]);
        os_handle_close(pings[i].reply);
        pings[i].reply = HANDLE_NONE;
    }
}
