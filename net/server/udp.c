/* UDP sockets. */
#include "socket.h"

static void received(void *context, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    struct sock *s = context;
    if (s->datagram_count == SOCKET_DATAGRAMS) {
        s->datagrams_lost++;
        pbuf_free(p);
        return;
    }
    s->datagrams[(s->datagram_first + s->datagram_count++) % SOCKET_DATAGRAMS] =
        (struct datagram){p, lwip_ntohl(ip_addr_get_ip4_u32(from)), port};
    sock_answer_readers(s);
    sock_wake_polls(s);
}

err_t udp_sock_open(struct sock *s)
{
    s->udp = udp_new();
    if (!s->udp)
        return E_FULL;
    udp_recv(s->udp, received, s);
    return E_OK;
}

void udp_sock_close(struct sock *s)
{
    udp_remove(s->udp);
    s->udp = NULL;
}

err_t udp_sock_send(struct sock *s, const ip_addr_t *to, uint16_t port, const void *data, uint32_t bytes)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)bytes, PBUF_RAM);
    if (!p)
        return E_FULL;
    pbuf_take(p, data, (u16_t)bytes);
    err_t err = port_error(udp_sendto(s->udp, p, to, port));
    pbuf_free(p);
    return err;
}
