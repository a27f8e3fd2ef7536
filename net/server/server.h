/* The network server: one thread, one lwIP. Sockets are objects behind badges; callers wait with kept Replies. */
#pragma once

#include <os/serve.h>
#include <port/lwip.h>

/* Bits of the server's Notification. Cards and the kernel both say "look at your rings". */
#define BIT_RINGS 1ull /* NETDEV_BIT_DATA, PEER_BIT_DATA */
#define BIT_LINK  2ull /* NETDEV_BIT_LINK */
#define BIT_TIMER 16ull

struct node_net {
    handle_t endpoint, notification;
    struct netif netif;
    bool card; /* a driver is attached */
};

extern struct node_net net;

/* ---- card.c: the driver's client ---- */
void card_input(void); /* works off frames that arrived */
void card_check(void); /* attaches to the driver, or to its successor; called from time to time */
void card_flush(void); /* wakes the driver if it sleeps on what was sent */
void card_link(void);  /* the carrier changed */
const char *card_state(void);
uint64_t card_lost(void); /* frames dropped on either side of the rings */

/* ---- address.c ---- */
void address_start(void); /* after the card is there for the first time */
bool address_ready(void);
const char *address_state(void);
void address_tell(void); /* the supervisor, if it is news */

/* ---- ping.c, resolve.c ---- */
err_t ping_request(struct request *r, uint32_t ipv4, uint32_t bytes, uint32_t timeout_ms);
void ping_cancelled(void);
err_t resolve_request(struct request *r, const char *name, uint32_t *ipv4_out);
void resolve_cancelled(void);

/* ---- sockets ---- */
err_t sockets_create(uint32_t kind, handle_t *handle_out);
void sockets_closed(uint64_t badge);
void sockets_cancelled(void);
uint32_t sockets_used(void);
extern const struct socket_server socket_handlers;
extern const struct file_server file_handlers;
