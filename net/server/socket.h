/* A socket: what the server keeps for a badge. */
#pragma once

#include "server.h"

#define SOCKETS_MAX       64u
#define SOCKET_READERS    4u
#define SOCKET_POLLS      4u
#define SOCKET_BACKLOG    16u
#define SOCKET_DATAGRAMS  16u
#define SOCKET_INLINE_MAX 4000u

enum socket_kind { SOCKET_TCP = 1, SOCKET_UDP = 2 };
enum socket_state { SOCKET_NEW, SOCKET_CONNECTING, SOCKET_CONNECTED, SOCKET_LISTENING, SOCKET_ENDED };
enum waiter_kind { WAIT_READ = 1, WAIT_READ_BULK, WAIT_RECEIVE_FROM, WAIT_ACCEPT };

/* A kept Reply of somebody who waits for something to come in. */
struct waiter {
    handle_t reply;
    enum waiter_kind kind;
    uint32_t room;
};

struct datagram {
    struct pbuf *p;
    uint32_t ipv4; /* host byte order */
    uint32_t port;
};

struct poller {
    handle_t notification;
    uint32_t events;
    uint64_t bits, serial;
};

struct sock {
    bool used, has_handle;
    uint16_t generation;
    enum socket_kind kind;
    enum socket_state state;
    err_t error; /* why it ended */
    union {
        struct tcp_pcb *tcp;
        struct udp_pcb *udp;
    };
    bool rx_end, tx_end;
    struct pbuf *rx; /* TCP: arrived, not read */
    struct datagram datagrams[SOCKET_DATAGRAMS];
    uint32_t datagram_first, datagram_count;
    uint64_t datagrams_lost;
    struct waiter readers[SOCKET_READERS]; /* oldest first */
    uint32_t reader_count;
    handle_t connector; /* who waits for the handshake */
    handle_t writer;    /* who waits for room to send; its data is in `pending`, or lent when pending_bulk */
    bool pending_bulk;
    uint32_t pending_bytes;
    uint8_t pending[SOCKET_INLINE_MAX];
    struct sock *listener;              /* TCP, not yet accepted: whose queue it is in */
    struct sock *queue[SOCKET_BACKLOG]; /* listening: oldest first */
    uint32_t queue_count, backlog;
    struct poller polls[SOCKET_POLLS];
};

/* sockets.c */
struct sock *sock_new(enum socket_kind kind); /* NULL: all in use */
void sock_free(struct sock *s);               /* its lwIP side must be gone */
err_t sock_handle(struct sock *s, handle_t *out);
void sock_answer_readers(struct sock *s); /* as far as there is something for them */
void sock_fail_waiters(struct sock *s, err_t err);
void sock_wake_polls(struct sock *s);
uint32_t sock_ready(const struct sock *s);

/* tcp.c */
err_t tcp_sock_open(struct sock *s);
void tcp_sock_close(struct sock *s);
err_t tcp_sock_connect(struct sock *s, const ip_addr_t *to, uint16_t port);
err_t tcp_sock_listen(struct sock *s, uint32_t backlog);
uint32_t tcp_sock_read(struct sock *s, void *to, uint32_t room);
/* Takes as much as there is room for; *taken_out may be 0. `from`: own bytes, or NULL: lent with `reply`. */
err_t tcp_sock_send(struct sock *s, handle_t reply, const void *from, uint32_t bytes, uint32_t *taken_out);
err_t tcp_sock_shutdown(struct sock *s, bool reading, bool writing);

/* udp.c */
err_t udp_sock_open(struct sock *s);
void udp_sock_close(struct sock *s);
err_t udp_sock_send(struct sock *s, const ip_addr_t *to, uint16_t port, const void *data, uint32_t bytes);
