/* The loop: messages, rings and lwIP's timers. */
#include "server.h"

#include "../peer/peer.h"

#include <base/format.h>
#include <idl/file.h>
#include <idl/net.h>
#include <idl/socket.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <string.h>

enum { CHECK_CARD_MS = 1000, NO_CARD_MS = 10000 };

struct node_net net;
static uint64_t armed_ns = UINT64_MAX; /* when the Notification's timer will fire */

/* ---- the net service ---- */

static err_t handle_socket(struct request *r, const struct net_socket_in *in, struct net_socket_out *out)
{
    out->socket_give = true;
    return sockets_create(in->kind, &out->socket);
}

static err_t handle_status(struct request *r, const struct net_status_in *in, struct net_status_out *out)
{
    static char text[400];
    out->ipv4 = lwip_ntohl(netif_ip4_addr(&net.netif)->addr);
    out->netmask = lwip_ntohl(netif_ip4_netmask(&net.netif)->addr);
    out->gateway = lwip_ntohl(netif_ip4_gw(&net.netif)->addr);
    memcpy(&out->mac, net.netif.hwaddr, ETH_HWADDR_LEN);
    base_format(text, sizeof text, "%s; %u of 64 sockets; %llu frames lost", address_state(), (unsigned)sockets_used(),
                (unsigned long long)card_lost());
    out->text = text;
    out->text_length = (uint32_t)strlen(text);
    return E_OK;
}

static err_t handle_ping(struct request *r, const struct net_ping_in *in, struct net_ping_out *out)
{
    return ping_request(r, in->ipv4, in->bytes, in->timeout_ms);
}

static err_t handle_resolve(struct request *r, const struct net_resolve_in *in, struct net_resolve_out *out)
{
    return resolve_request(r, in->name, &out->ipv4);
}

static const struct net_server net_handlers = {
    .socket = handle_socket, .status = handle_status, .ping = handle_ping, .resolve = handle_resolve};

/* ---- the loop ---- */

static void watch_card(void *context)
{
    card_check();
    address_tell();
    sys_timeout(net.card ? CHECK_CARD_MS : NO_CARD_MS, watch_card, NULL);
}

static void arm_timer(void)
{
    uint32_t sleep_ms = sys_timeouts_sleeptime();
    uint64_t now = os_clock(CLOCK_ID_MONOTONIC_NS);
    uint64_t at = sleep_ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE ? UINT64_MAX : now + (uint64_t)sleep_ms * 1000000;
    if (at >= armed_ns && armed_ns > now)
        return; /* it fires early enough, and is then set anew */
    armed_ns = at;
    os_control(net.notification, OP_NOTIFICATION_TIMER, at, BIT_TIMER, 0, 0);
}

/* After every message: time passes, frames leave, the others are woken. */
static void after(struct server *server)
{
    sys_check_timeouts();
    netif_poll_all();
    peer_output();
    card_flush();
    peer_flush();
    arm_timer();
}

static void notified(struct server *server, uint64_t bits)
{
    if (bits & NOTIFY_REPLY_CANCELLED) {
        sockets_cancelled();
        ping_cancelled();
        resolve_cancelled();
    }
    if (bits & BIT_TIMER)
        armed_ns = UINT64_MAX;
    if (bits & BIT_LINK)
        card_link();
    if (bits & BIT_RINGS)
        card_input();
}

static void closed(struct server *server, uint64_t badge)
{
    sockets_closed(badge);
}

_Noreturn void os_main(const struct startup *startup)
{
    static const struct service services[] = {NET_SERVED_BY(&net_handlers), SOCKET_SERVED_BY(&socket_handlers),
                                              FILE_SERVED_BY(&file_handlers)};
    static struct server server = {
        .services = services, .service_count = 3, .notified = notified, .closed = closed, .after = after};
    if (os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &net.endpoint) != E_OK ||
        os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &net.notification) != E_OK)
        os_panic("net: no endpoint");
    lwip_init();
    peer_start(net.notification);
    server.endpoint = net.endpoint;
    err_t err = os_server_bind(&server, net.notification);
    if (err == E_OK)
        err = os_publish("net", net.endpoint);
    watch_card(NULL);
    after(&server);
    if (err == E_OK)
        err = os_serve(&server);
    os_panic("net: %s", os_error_text(err));
}
