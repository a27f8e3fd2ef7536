/* TCP sockets on lwIP's raw interface. lwIP frees a pcb by itself before it calls `failed`. */
#include "socket.h"

#include <idl/file.h>
#include <idl/socket.h>
#include <os/syscall.h>

#include <string.h>

static void forget_pcb(struct sock *s)
{
    tcp_arg(s->tcp, NULL);
    if (s->state == SOCKET_LISTENING) {
        tcp_accept(s->tcp, NULL);
        return;
    }
    tcp_recv(s->tcp, NULL);
    tcp_sent(s->tcp, NULL);
    tcp_err(s->tcp, NULL);
}

static void leave_queue(struct sock *s)
{
    struct sock *listener = s->listener;
    for (uint32_t n = 0; listener && n < listener->queue_count; n++) {
        if (listener->queue[n] != s)
            continue;
        listener->queue_count--;
        memmove(&listener->queue[n], &listener->queue[n + 1], (listener->queue_count - n) * sizeof listener->queue[0]);
        break;
    }
    s->listener = NULL;
}

static void failed(void *context, lwip_err_t err)
{
    struct sock *s = context;
    if (!s)
        return;
    s->tcp = NULL;
    s->error = s->state == SOCKET_CONNECTING && err == ERR_RST    ? E_CONN_REFUSED
               : s->state == SOCKET_CONNECTING && err == ERR_ABRT ? E_TIMED_OUT
                                                                  : port_error(err);
    s->state = SOCKET_ENDED;
    if (!s->has_handle) { /* nobody accepted it yet */
        leave_queue(s);
        sock_free(s);
        return;
    }
    sock_answer_readers(s);
    sock_fail_waiters(s, s->error);
    sock_wake_polls(s);
}

static lwip_err_t received(void *context, struct tcp_pcb *pcb, struct pbuf *p, lwip_err_t err)
{
    struct sock *s = context;
    if (!s) {
        if (p)
            pbuf_free(p);
        return ERR_OK;
    }
    if (!p)
        s->rx_end = true;
    else if (!s->rx)
        s->rx = p;
    else if (s->rx->tot_len + p->tot_len > UINT16_MAX)
        return ERR_MEM; /* cannot be: the window is smaller. lwIP offers it again */
    else
        pbuf_cat(s->rx, p);
    sock_answer_readers(s);
    sock_wake_polls(s);
    return ERR_OK;
}

static void answer_writer(struct sock *s)
{
    uint32_t taken = 0;
    if (!s->writer)
        return;
    err_t err = tcp_sock_send(s, s->writer, s->pending_bulk ? NULL : s->pending, s->pending_bytes, &taken);
    if (err == E_OK && taken == 0)
        return;
    if (s->pending_bulk)
        file_write_bulk_reply(s->writer, err, &(struct file_write_bulk_out){taken});
    else
        file_write_reply(s->writer, err, &(struct file_write_out){taken});
    s->writer = HANDLE_NONE;
}

static lwip_err_t sent(void *context, struct tcp_pcb *pcb, u16_t bytes)
{
    struct sock *s = context;
    if (!s)
        return ERR_OK;
    answer_writer(s);
    sock_wake_polls(s);
    return ERR_OK;
}

static void listen_to(struct sock *s)
{
    tcp_arg(s->tcp, s);
    tcp_recv(s->tcp, received);
    tcp_sent(s->tcp, sent);
    tcp_err(s->tcp, failed);
}

err_t tcp_sock_open(struct sock *s)
{
    s->tcp = tcp_new();
    if (!s->tcp)
        return E_FULL;
    listen_to(s);
    return E_OK;
}

static void close_queue(struct sock *s)
{
    while (s->queue_count > 0) {
        struct sock *waiting = s->queue[--s->queue_count];
        waiting->listener = NULL;
        tcp_sock_close(waiting);
        sock_free(waiting);
    }
}

void tcp_sock_close(struct sock *s)
{
    leave_queue(s);
    close_queue(s);
    if (!s->tcp)
        return;
    forget_pcb(s);
    if (tcp_close(s->tcp) != ERR_OK)
        tcp_abort(s->tcp);
    s->tcp = NULL;
    s->state = SOCKET_ENDED;
}

static lwip_err_t connected(void *context, struct tcp_pcb *pcb, lwip_err_t err)
{
    struct sock *s = context;
    if (!s)
        return ERR_OK;
    s->state = SOCKET_CONNECTED;
    if (s->connector)
        socket_connect_reply(s->connector, E_OK, NULL);
    s->connector = HANDLE_NONE;
    sock_wake_polls(s);
    return ERR_OK;
}

err_t tcp_sock_connect(struct sock *s, const ip_addr_t *to, uint16_t port)
{
    err_t err = port_error(tcp_connect(s->tcp, to, port, connected));
    if (err == E_OK)
        s->state = SOCKET_CONNECTING;
    return err;
}

static lwip_err_t accepted(void *context, struct tcp_pcb *pcb, lwip_err_t err)
{
    struct sock *listener = context, *s;
    if (!listener || !pcb || err != ERR_OK)
        return ERR_VAL;
    if (listener->queue_count >= listener->backlog || !(s = sock_new(SOCKET_TCP)))
        return ERR_MEM; /* lwIP resets the connection */
    s->tcp = pcb;
    s->state = SOCKET_CONNECTED;
    s->listener = listener;
    listen_to(s);
    tcp_backlog_delayed(pcb);
    listener->queue[listener->queue_count++] = s;
    sock_answer_readers(listener);
    sock_wake_polls(listener);
    return ERR_OK;
}

err_t tcp_sock_listen(struct sock *s, uint32_t backlog)
{
    lwip_err_t err;
    backlog = backlog < 1 ? 1 : backlog > SOCKET_BACKLOG ? SOCKET_BACKLOG : backlog;
    if (s->tcp->local_port == 0 && tcp_bind(s->tcp, IP_ANY_TYPE, 0) != ERR_OK)
        return E_ADDR_IN_USE;
    struct tcp_pcb *listening = tcp_listen_with_backlog_and_err(s->tcp, (u8_t)backlog, &err);
    if (!listening)
        return port_error(err);
    s->tcp = listening;
    s->state = SOCKET_LISTENING;
    s->backlog = backlog;
    tcp_arg(listening, s);
    tcp_accept(listening, accepted);
    return E_OK;
}

uint32_t tcp_sock_read(struct sock *s, void *to, uint32_t room)
{
    u16_t bytes = pbuf_copy_partial(s->rx, to, (u16_t)(room < s->rx->tot_len ? room : s->rx->tot_len), 0);
    s->rx = pbuf_free_header(s->rx, bytes);
    if (s->tcp)
        tcp_recved(s->tcp, bytes);
    return bytes;
}

/* One piece, at most what lwIP has room for. *taken_out is 0 when there is none. */
static err_t send_piece(struct sock *s, handle_t reply, const uint8_t *from, uint32_t offset, uint32_t bytes,
                        uint32_t *taken_out)
{
    static uint8_t piece[4 * TCP_MSS];
    uint32_t room = tcp_sndbuf(s->tcp);
    bytes = bytes < sizeof piece ? bytes : sizeof piece;
    bytes = bytes < room ? bytes : room;
    *taken_out = 0;
    if (bytes == 0 || tcp_sndqueuelen(s->tcp) + 8 > TCP_SND_QUEUELEN)
        return E_OK;
    err_t err = from ? E_OK : lent_read(reply, offset, piece, bytes);
    if (err != E_OK)
        return err;
    lwip_err_t written = tcp_write(s->tcp, from ? from + offset : piece, (u16_t)bytes, TCP_WRITE_FLAG_COPY);
    if (written == ERR_OK)
        *taken_out = bytes;
    return written == ERR_MEM ? E_OK : port_error(written);
}

err_t tcp_sock_send(struct sock *s, handle_t reply, const void *from, uint32_t bytes, uint32_t *taken_out)
{
    uint32_t done = 0, taken = 0;
    err_t err = E_OK;
    do {
        err = send_piece(s, reply, from, done, bytes - done, &taken);
        done += taken;
    } while (err == E_OK && taken > 0 && done < bytes);
    if (done > 0)
        tcp_output(s->tcp);
    *taken_out = done;
    return done > 0 ? E_OK : err;
}

err_t tcp_sock_shutdown(struct sock *s, bool reading, bool writing)
{
    if (reading) {
        s->rx_end = true;
        while (s->rx) {
            static uint8_t dropped[4096];
            tcp_sock_read(s, dropped, sizeof dropped);
        }
        sock_answer_readers(s);
    }
    if (writing && !s->tx_end) {
        err_t err = port_error(tcp_shutdown(s->tcp, 0, 1));
        if (err != E_OK)
            return err;
        s->tx_end = true;
        if (s->writer)
            answer_writer(s);
    }
    return E_OK;
}
