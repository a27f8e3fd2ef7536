/* The table of sockets and the services on them. */
#include "socket.h"

#include "../peer/peer.h"

#include <abi/file.h>
#include <idl/file.h>
#include <idl/socket.h>
#include <os/syscall.h>

#include <string.h>

static struct sock sockets[SOCKETS_MAX];

/* ---- the table ---- */

static uint64_t badge_of(const struct sock *s)
{
    return (uint64_t)s->generation << 16 | (uint64_t)(s - sockets + 1);
}

static struct sock *sock_of(uint64_t badge)
{
    uint64_t index = (badge & 0xffff) - 1;
    if (index >= SOCKETS_MAX || !sockets[index].used || badge_of(&sockets[index]) != badge)
        return NULL;
    return &sockets[index];
}

struct sock *sock_new(enum socket_kind kind)
{
    for (uint32_t i = 0; i < SOCKETS_MAX; i++) {
        struct sock *s = &sockets[i];
        if (s->used)
            continue;
        uint16_t generation = (uint16_t)(s->generation + 1);
        memset(s, 0, offsetof(struct sock, pending));
        memset(s->queue, 0, sizeof *s - offsetof(struct sock, queue));
        s->used = true;
        s->generation = generation ? generation : 1;
        s->kind = kind;
        return s;
    }
    return NULL;
}

uint32_t sockets_used(void)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < SOCKETS_MAX; i++)
        used += sockets[i].used;
    return used;
}

void sock_free(struct sock *s)
{
    sock_fail_waiters(s, E_GONE);
    for (uint32_t i = 0; i < SOCKET_POLLS; i++)
        if (s->polls[i].notification)
            os_handle_close(s->polls[i].notification);
    if (s->rx)
        pbuf_free(s->rx);
    for (uint32_t n = 0; n < s->datagram_count; n++)
        pbuf_free(s->datagrams[(s->datagram_first + n) % SOCKET_DATAGRAMS].p);
    s->used = false;
}

err_t sock_handle(struct sock *s, handle_t *out)
{
    err_t err = os_handle_mint(net.endpoint, badge_of(s), RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, out);
    s->has_handle = err == E_OK;
    return err;
}

err_t sockets_create(uint32_t kind, handle_t *handle_out)
{
    if (kind != SOCKET_TCP && kind != SOCKET_UDP)
        return E_NOT_SUPPORTED;
    struct sock *s = sock_new(kind);
    if (!s)
        return E_FULL;
    err_t err = kind == SOCKET_TCP ? tcp_sock_open(s) : udp_sock_open(s);
    if (err == E_OK && (err = sock_handle(s, handle_out)) != E_OK) {
        if (kind == SOCKET_TCP)
            tcp_sock_close(s);
        else
            udp_sock_close(s);
    }
    if (err != E_OK)
        sock_free(s);
    return err;
}

void sockets_closed(uint64_t badge)
{
    struct sock *s = sock_of(badge);
    if (!s)
        return;
    if (s->kind == SOCKET_TCP)
        tcp_sock_close(s);
    else
        udp_sock_close(s);
    sock_free(s);
}

/* ---- who waits ---- */

static void drop_reader(struct sock *s, uint32_t n)
{
    s->reader_count--;
    memmove(&s->readers[n], &s->readers[n + 1], (s->reader_count - n) * sizeof s->readers[0]);
}

static void fail_reader(const struct waiter *w, err_t err)
{
    if (w->kind == WAIT_READ)
        file_read_reply(w->reply, err, NULL);
    else if (w->kind == WAIT_READ_BULK)
        file_read_bulk_reply(w->reply, err, NULL);
    else if (w->kind == WAIT_RECEIVE_FROM)
        socket_receive_from_reply(w->reply, err, NULL);
    else
        socket_accept_reply(w->reply, err, NULL);
}

void sock_fail_waiters(struct sock *s, err_t err)
{
    while (s->reader_count > 0) {
        fail_reader(&s->readers[0], err);
        drop_reader(s, 0);
    }
    if (s->writer && s->pending_bulk)
        file_write_bulk_reply(s->writer, err, NULL);
    else if (s->writer)
        file_write_reply(s->writer, err, NULL);
    if (s->connector)
        socket_connect_reply(s->connector, err, NULL);
    s->writer = s->connector = HANDLE_NONE;
}

static void cancelled(struct sock *s)
{
    for (uint32_t n = s->reader_count; n > 0; n--)
        if (!reply_wanted(s->readers[n - 1].reply)) {
            os_handle_close(s->readers[n - 1].reply);
            drop_reader(s, n - 1);
        }
    if (s->writer && !reply_wanted(s->writer)) {
        os_handle_close(s->writer);
        s->writer = HANDLE_NONE;
    }
    if (s->connector && !reply_wanted(s->connector)) {
        os_handle_close(s->connector);
        s->connector = HANDLE_NONE;
    }
}

void sockets_cancelled(void)
{
    for (uint32_t i = 0; i < SOCKETS_MAX; i++)
        if (sockets[i].used)
            cancelled(&sockets[i]);
}

static bool has_input(const struct sock *s)
{
    return s->rx || s->datagram_count > 0 || s->queue_count > 0 || s->rx_end || s->state == SOCKET_ENDED;
}

uint32_t sock_ready(const struct sock *s)
{
    uint32_t ready = has_input(s) ? POLL_READABLE : 0;
    if (s->kind == SOCKET_UDP)
        ready |= POLL_WRITABLE;
    else if (s->state == SOCKET_CONNECTED && !s->tx_end && tcp_sndbuf(s->tcp) >= TCP_SNDLOWAT)
        ready |= POLL_WRITABLE;
    if (s->state == SOCKET_ENDED)
        ready |= POLL_HANGUP | POLL_WRITABLE; /* a write would not wait: it fails */
    return ready;
}

void sock_wake_polls(struct sock *s)
{
    uint32_t ready = sock_ready(s);
    for (uint32_t i = 0; i < SOCKET_POLLS; i++) {
        struct poller *p = &s->polls[i];
        if (!p->notification || !(ready & (p->events | POLL_HANGUP)))
            continue;
        os_signal(p->notification, p->bits);
        os_handle_close(p->notification);
        p->notification = HANDLE_NONE;
    }
}

/* ---- input for those who wait ---- */

/* Moves arrived bytes into lent memory. */
static err_t read_lent(struct sock *s, handle_t reply, uint32_t room, uint32_t *count_out)
{
    static uint8_t part[8192];
    uint32_t done = 0;
    while (done < room && s->rx) {
        uint32_t bytes = tcp_sock_read(s, part, room - done < sizeof part ? room - done : sizeof part);
        err_t err = lent_write(reply, done, part, bytes);
        if (err != E_OK)
            return err;
        done += bytes;
    }
    *count_out = done;
    return E_OK;
}

/* What ends reading: 0 bytes after the other side's end, else why the connection ended. */
static err_t end_of_input(const struct sock *s)
{
    return s->rx_end || s->error == E_OK ? E_OK : s->error;
}

static err_t take_stream(struct sock *s, struct file_read_out *out, uint32_t room, uint8_t *buffer)
{
    out->data = buffer;
    out->data_length = s->rx ? tcp_sock_read(s, buffer, room) : 0;
    return out->data_length > 0 || room == 0 ? E_OK : end_of_input(s);
}

static uint32_t take_datagram(struct sock *s, void *to, uint32_t room, struct datagram *from_out)
{
    struct datagram *d = &s->datagrams[s->datagram_first];
    uint32_t bytes = pbuf_copy_partial(d->p, to, (u16_t)(room < d->p->tot_len ? room : d->p->tot_len), 0);
    *from_out = *d;
    pbuf_free(d->p);
    s->datagram_first = (s->datagram_first + 1) % SOCKET_DATAGRAMS;
    s->datagram_count--;
    return bytes;
}

static err_t take_connection(struct sock *s, struct socket_accept_out *out)
{
    while (s->queue_count > 0) {
        struct sock *next = s->queue[0];
        s->queue_count--;
        memmove(&s->queue[0], &s->queue[1], s->queue_count * sizeof s->queue[0]);
        next->listener = NULL;
        err_t err = sock_handle(next, &out->connection);
        if (err != E_OK) {
            tcp_sock_close(next);
            sock_free(next);
            return err;
        }
        out->connection_give = true;
        if (next->tcp) {
            tcp_backlog_accepted(next->tcp);
            out->ipv4 = lwip_ntohl(ip_addr_get_ip4_u32(&next->tcp->remote_ip));
            out->port = next->tcp->remote_port;
        }
        return E_OK;
    }
    return E_CONN_RESET;
}

static void answer_stream_reader(struct sock *s, const struct waiter *w)
{
    static uint8_t buffer[SOCKET_INLINE_MAX];
    struct file_read_out out = {0};
    struct file_read_bulk_out bulk = {0};
    err_t err;
    if (w->kind == WAIT_READ) {
        err = take_stream(s, &out, w->room, buffer);
        file_read_reply(w->reply, err, &out);
    } else {
        err = s->rx ? read_lent(s, w->reply, w->room, &bulk.count) : end_of_input(s);
        file_read_bulk_reply(w->reply, err, &bulk);
    }
}

static void answer_datagram_reader(struct sock *s, const struct waiter *w)
{
    static uint8_t buffer[SOCKET_INLINE_MAX];
    struct datagram from;
    uint32_t bytes = take_datagram(s, buffer, w->room, &from);
    if (w->kind == WAIT_RECEIVE_FROM)
        socket_receive_from_reply(w->reply, E_OK,
                                  &(struct socket_receive_from_out){
                                      .ipv4 = from.ipv4, .port = from.port, .data = buffer, .data_length = bytes});
    else if (w->kind == WAIT_READ)
        file_read_reply(w->reply, E_OK, &(struct file_read_out){.data = buffer, .data_length = bytes});
    else
        file_read_bulk_reply(w->reply, lent_write(w->reply, 0, buffer, bytes), &(struct file_read_bulk_out){bytes});
}

static void answer_reader(struct sock *s, const struct waiter *w)
{
    if (w->kind == WAIT_ACCEPT) {
        struct socket_accept_out out = {0};
        err_t err = s->queue_count > 0 ? take_connection(s, &out) : E_INVALID;
        socket_accept_reply(w->reply, err, err == E_OK ? &out : NULL);
    } else if (s->kind == SOCKET_UDP) {
        if (s->datagram_count > 0)
            answer_datagram_reader(s, w);
        else
            fail_reader(w, E_INVALID);
    } else {
        answer_stream_reader(s, w);
    }
}

/* A Reply whose caller gave up takes nothing: what it would have got stays for the next. */
void sock_answer_readers(struct sock *s)
{
    while (s->reader_count > 0 && has_input(s)) {
        struct waiter w = s->readers[0];
        drop_reader(s, 0);
        if (reply_wanted(w.reply))
            answer_reader(s, &w);
        else
            os_handle_close(w.reply);
    }
}

static err_t wait_in_line(struct sock *s, struct request *r, enum waiter_kind kind, uint32_t room)
{
    if (s->reader_count == SOCKET_READERS)
        return E_BUSY;
    s->readers[s->reader_count++] = (struct waiter){request_keep(r), kind, room};
    sock_answer_readers(s);
    return REPLY_LATER;
}

/* ---- the file service on a socket ---- */

static err_t may_read(const struct sock *s)
{
    if (!s)
        return E_INVALID;
    return s->kind == SOCKET_TCP && s->state != SOCKET_CONNECTED && s->state != SOCKET_ENDED ? E_NOT_CONNECTED : E_OK;
}

static err_t handle_read(struct request *r, const struct file_read_in *in, struct file_read_out *out)
{
    struct sock *s = sock_of(r->badge);
    err_t err = may_read(s);
    uint32_t room = in->count < SOCKET_INLINE_MAX ? in->count : SOCKET_INLINE_MAX;
    return err == E_OK ? wait_in_line(s, r, WAIT_READ, room) : err;
}

static err_t handle_read_bulk(struct request *r, const struct file_read_bulk_in *in, struct file_read_bulk_out *out)
{
    struct sock *s = sock_of(r->badge);
    err_t err = may_read(s);
    return err == E_OK ? wait_in_line(s, r, WAIT_READ_BULK, (uint32_t)in->data_length) : err;
}

static err_t may_write(const struct sock *s)
{
    if (!s)
        return E_INVALID;
    if (s->kind == SOCKET_UDP)
        return s->state == SOCKET_CONNECTED ? E_OK : E_NOT_CONNECTED;
    if (s->tx_end)
        return E_PIPE;
    if (s->state == SOCKET_ENDED)
        return s->error != E_OK ? s->error : E_PIPE;
    return s->state == SOCKET_CONNECTED ? E_OK : E_NOT_CONNECTED;
}

static err_t handle_write(struct request *r, const struct file_write_in *in, struct file_write_out *out)
{
    struct sock *s = sock_of(r->badge);
    err_t err = may_write(s);
    if (err == E_OK && s->writer)
        err = E_BUSY;
    if (err != E_OK)
        return err;
    if (s->kind == SOCKET_UDP) {
        out->written = in->data_length;
        return udp_sock_send(s, &s->udp->remote_ip, s->udp->remote_port, in->data, in->data_length);
    }
    err = tcp_sock_send(s, HANDLE_NONE, in->data, in->data_length, &out->written);
    if (err != E_OK || out->written > 0 || in->data_length == 0)
        return err;
    s->pending_bytes = in->data_length;
    s->pending_bulk = false;
    memcpy(s->pending, in->data, in->data_length);
    s->writer = request_keep(r);
    return REPLY_LATER;
}

static err_t write_datagram(struct sock *s, struct request *r, uint32_t bytes)
{
    static uint8_t data[1472];
    if (bytes > sizeof data)
        return E_TOO_LONG;
    err_t err = lent_read(r->reply, 0, data, bytes);
    return err == E_OK ? udp_sock_send(s, &s->udp->remote_ip, s->udp->remote_port, data, bytes) : err;
}

static err_t handle_write_bulk(struct request *r, const struct file_write_bulk_in *in, struct file_write_bulk_out *out)
{
    struct sock *s = sock_of(r->badge);
    uint32_t bytes = (uint32_t)in->data_length;
    err_t err = may_write(s);
    if (err == E_OK && s->writer)
        err = E_BUSY;
    if (err != E_OK)
        return err;
    if (s->kind == SOCKET_UDP) {
        out->written = bytes;
        return write_datagram(s, r, bytes);
    }
    err = tcp_sock_send(s, r->reply, NULL, bytes, &out->written);
    if (err != E_OK || out->written > 0 || bytes == 0)
        return err;
    s->pending_bytes = bytes;
    s->pending_bulk = true;
    s->writer = request_keep(r);
    return REPLY_LATER;
}

static err_t handle_stat(struct request *r, const struct file_stat_in *in, struct file_stat_out *out)
{
    const struct sock *s = sock_of(r->badge);
    if (!s)
        return E_INVALID;
    out->kind = FILE_SOCKET;
    out->mode = 0600;
    out->bytes = s->rx ? s->rx->tot_len : 0;
    out->inode = r->badge;
    return E_OK;
}

/* The same Notification polled again replaces its earlier entry. */
static err_t add_poll(struct sock *s, struct request *r, const struct file_poll_in *in)
{
    struct handle_info info;
    struct poller *place = NULL;
    err_t err = os_handle_info(in->notification, &info);
    if (err != E_OK || info.type != OBJECT_NOTIFICATION)
        return err != E_OK ? err : E_WRONG_TYPE;
    for (uint32_t i = 0; i < SOCKET_POLLS; i++) {
        struct poller *p = &s->polls[i];
        if (p->notification && p->serial == info.serial) {
            os_handle_close(p->notification);
            place = p;
            break;
        }
        if (!p->notification && !place)
            place = p;
    }
    if (!place)
        return E_FULL;
    *place = (struct poller){request_take(r, in->notification), in->events, in->bits, info.serial};
    return E_OK;
}

static err_t handle_poll(struct request *r, const struct file_poll_in *in, struct file_poll_out *out)
{
    struct sock *s = sock_of(r->badge);
    if (!s)
        return E_INVALID;
    out->ready = sock_ready(s);
    if (!in->notification || (out->ready & (in->events | POLL_HANGUP)))
        return E_OK;
    return add_poll(s, r, in);
}

const struct file_server file_handlers = {.read = handle_read,
                                          .write = handle_write,
                                          .read_bulk = handle_read_bulk,
                                          .write_bulk = handle_write_bulk,
                                          .stat = handle_stat,
                                          .poll = handle_poll};

/* ---- the socket service ---- */

static bool address_of(uint32_t ipv4, uint32_t port, ip_addr_t *out)
{
    ip_addr_set_ip4_u32(out, lwip_htonl(ipv4));
    return port <= UINT16_MAX;
}

static err_t handle_bind(struct request *r, const struct socket_bind_in *in, struct socket_bind_out *out)
{
    struct sock *s = sock_of(r->badge);
    ip_addr_t address;
    if (!s || !address_of(in->ipv4, in->port, &address) || s->state != SOCKET_NEW || in->port == PEER_PORT)
        return E_INVALID;
    return port_error(s->kind == SOCKET_TCP ? tcp_bind(s->tcp, &address, (u16_t)in->port)
                                            : udp_bind(s->udp, &address, (u16_t)in->port));
}

static err_t handle_listen(struct request *r, const struct socket_listen_in *in, struct socket_listen_out *out)
{
    struct sock *s = sock_of(r->badge);
    if (!s || s->kind != SOCKET_TCP || s->state != SOCKET_NEW)
        return E_INVALID;
    return tcp_sock_listen(s, in->backlog);
}

static err_t handle_accept(struct request *r, const struct socket_accept_in *in, struct socket_accept_out *out)
{
    struct sock *s = sock_of(r->badge);
    if (!s || s->state != SOCKET_LISTENING)
        return E_INVALID;
    return wait_in_line(s, r, WAIT_ACCEPT, 0);
}

static err_t connect_datagrams(struct sock *s, const ip_addr_t *to, uint32_t port)
{
    err_t err = port_error(udp_connect(s->udp, to, (u16_t)port));
    if (err == E_OK)
        s->state = SOCKET_CONNECTED;
    return err;
}

static err_t handle_connect(struct request *r, const struct socket_connect_in *in, struct socket_connect_out *out)
{
    struct sock *s = sock_of(r->badge);
    ip_addr_t to;
    if (!s || !address_of(in->ipv4, in->port, &to) || in->port == 0 || in->ipv4 == 0)
        return E_INVALID;
    if (s->kind == SOCKET_UDP)
        return connect_datagrams(s, &to, in->port);
    if (s->state != SOCKET_NEW)
        return s->state == SOCKET_CONNECTING ? E_BUSY : E_INVALID;
    err_t err = tcp_sock_connect(s, &to, (uint16_t)in->port);
    if (err != E_OK)
        return err;
    s->connector = request_keep(r);
    return REPLY_LATER;
}

static err_t handle_send_to(struct request *r, const struct socket_send_to_in *in, struct socket_send_to_out *out)
{
    struct sock *s = sock_of(r->badge);
    ip_addr_t to;
    if (!s || s->kind != SOCKET_UDP || !address_of(in->ipv4, in->port, &to))
        return E_NOT_CONNECTED;
    if (in->port == PEER_PORT)
        return E_UNREACHABLE; /* the cluster's own; programs have no business there */
    return udp_sock_send(s, &to, (uint16_t)in->port, in->data, in->data_length);
}

static err_t handle_receive_from(struct request *r, const struct socket_receive_from_in *in,
                                 struct socket_receive_from_out *out)
{
    struct sock *s = sock_of(r->badge);
    if (!s || s->kind != SOCKET_UDP)
        return E_INVALID;
    return wait_in_line(s, r, WAIT_RECEIVE_FROM, 1472);
}

static err_t handle_shutdown(struct request *r, const struct socket_shutdown_in *in, struct socket_shutdown_out *out)
{
    struct sock *s = sock_of(r->badge);
    if (!s || s->kind != SOCKET_TCP || s->state != SOCKET_CONNECTED)
        return E_NOT_CONNECTED;
    return tcp_sock_shutdown(s, in->how != 1, in->how != 0);
}

static err_t handle_names(struct request *r, const struct socket_names_in *in, struct socket_names_out *out)
{
    const struct sock *s = sock_of(r->badge);
    if (!s || (s->kind == SOCKET_TCP && !s->tcp))
        return E_NOT_CONNECTED;
    if (s->kind == SOCKET_UDP) {
        out->local_ipv4 = lwip_ntohl(ip_addr_get_ip4_u32(&s->udp->local_ip));
        out->local_port = s->udp->local_port;
        out->peer_ipv4 = lwip_ntohl(ip_addr_get_ip4_u32(&s->udp->remote_ip));
        out->peer_port = s->udp->remote_port;
        return E_OK;
    }
    out->local_ipv4 = lwip_ntohl(ip_addr_get_ip4_u32(&s->tcp->local_ip));
    out->local_port = s->tcp->local_port;
    if (s->state == SOCKET_CONNECTED) { /* a listening pcb is shorter and has no other side */
        out->peer_ipv4 = lwip_ntohl(ip_addr_get_ip4_u32(&s->tcp->remote_ip));
        out->peer_port = s->tcp->remote_port;
    }
    return E_OK;
}

static err_t set_tcp_option(struct sock *s, uint32_t which, uint32_t value)
{
    if (!s->tcp)
        return E_NOT_SUPPORTED;
    if (which == 1 && s->state != SOCKET_LISTENING) {
        if (value)
            tcp_nagle_disable(s->tcp);
        else
            tcp_nagle_enable(s->tcp);
        return E_OK;
    }
    if (which != 2 && which != 3)
        return E_NOT_SUPPORTED;
    uint8_t option = which == 2 ? SOF_KEEPALIVE : SOF_REUSEADDR;
    if (value)
        ip_set_option(s->tcp, option);
    else
        ip_reset_option(s->tcp, option);
    return E_OK;
}

static err_t handle_option(struct request *r, const struct socket_option_in *in, struct socket_option_out *out)
{
    struct sock *s = sock_of(r->badge);
    if (!s)
        return E_NOT_SUPPORTED;
    if (s->kind == SOCKET_TCP)
        return set_tcp_option(s, in->which, in->value);
    if (in->which != 3 && in->which != 4)
        return E_NOT_SUPPORTED;
    if (in->value)
        ip_set_option(s->udp, in->which == 3 ? SOF_REUSEADDR : SOF_BROADCAST);
    else
        ip_reset_option(s->udp, in->which == 3 ? SOF_REUSEADDR : SOF_BROADCAST);
    return E_OK;
}

const struct socket_server socket_handlers = {.bind = handle_bind,
                                              .listen = handle_listen,
                                              .accept = handle_accept,
                                              .connect = handle_connect,
                                              .send_to = handle_send_to,
                                              .receive_from = handle_receive_from,
                                              .shutdown = handle_shutdown,
                                              .names = handle_names,
                                              .option = handle_option};
