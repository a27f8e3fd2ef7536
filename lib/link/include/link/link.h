/* Sealed sessions between the nodes of a cluster, over datagrams that may be lost, doubled, reordered, altered or
 * forged.
 *
 * A pure machine: time and datagrams in, datagrams and events out. One struct link a node; it finds peers (hellos to
 * the broadcast address and to configured addresses), makes sessions with them, and carries on each session
 *   - channels of ordered messages, each delivered once or never; channels do not wait for each other,
 *   - datagrams, which may be lost.
 * A session ends when the peer falls silent, restarts, or begins another one. What was not delivered by then never will
 * be. While it stands, its keys are replaced now and then by fresh ones, unseen by who uses it.
 *
 * Up to two cluster keys are valid at once, so that one can take another's place: either is good for a handshake; when
 * one is dropped, sessions that were begun with it prove the other, or end. All memory comes from the caller's
 * allocator and is bounded by the limit given.
 *
 * One round of the mount: link_input() for every datagram, link_send() ..., then link_next_event() until there is none,
 * then link_output() until it gives none, then sleep until link_deadline().
 */
#pragma once

#include <abi/ids.h>
#include <seal/frame.h>

#define LINK_PEERS_MAX     NODES_MAX
#define LINK_CHANNELS      3u
#define LINK_MESSAGE_MAX   (128u * 1024u)
#define LINK_DATAGRAM_MAX  1300u
#define LINK_ADDRESSES_MAX 16u

enum link_channel { LINK_RAFT = 0, LINK_CALLS = 1, LINK_BULK = 2 };

struct link;

struct link_address {
    uint32_t ipv4; /* network byte order */
    uint16_t port; /* host byte order */
};
#define LINK_BROADCAST 0xffffffffu

enum link_refusal {
    LINK_SAME_NODE = 1,     /* another machine uses our node id */
    LINK_OTHER_CLUSTER = 2, /* it belongs to a cluster of the same name and key, but another id */
    LINK_OLD_KEY = 3, /* it has only the key that was dropped. Its word for who it is: the key may be known to many */
    LINK_KEY_DROPPED = 4, /* it says that the key we have was dropped; likewise */
    LINK_FALSE_LOG = 5    /* it has not the key that is pinned to the log it names */
};

/* Asked of who holds the cluster key and names `log_key` (of the log in `identity`), before anything is changed for it:
 * 0, or why it is turned away. NULL: all are welcome. */
struct link_vet {
    uint32_t (*ask)(void *context, const struct seal_identity *identity, const uint8_t log_key[32]);
    void *context;
};

struct link_memory {
    void *(*take)(void *context, size_t bytes); /* NULL: none; at most LINK_MESSAGE_MAX at once */
    void (*give)(void *context, void *block, size_t bytes);
    void *context;
    size_t limit; /* bytes taken at any time */
};

struct link_config {
    const char *cluster_name;
    uint8_t random[32];        /* fresh entropy */
    struct seal_identity self; /* attempt and protocol are filled in here */
    struct noise_pair log_key; /* of the log in it */
    struct link_vet vet;
    struct link_memory memory;
    struct { /* fresh entropy at each call, mixed into every secret that is drawn: so a machine that was saved and goes
                on twice never seals two things with one key. NULL or false: none */
        bool (*take)(void *context, uint8_t bytes_out[32]);
        void *context;
    } entropy;
    uint16_t port;         /* where hellos are broadcast to */
    uint64_t silence_ns;   /* nothing heard for so long: the session ends */
    uint64_t keepalive_ns; /* nothing sent for so long: send something */
    uint64_t hello_ns;     /* between hellos while peers are sought */
    uint64_t renew_ns;     /* so old, or after so many bytes, the keys of a session are replaced */
    uint64_t renew_bytes;
};

enum link_event_kind {
    LINK_UP = 1,       /* session `session` with `peer` began */
    LINK_DOWN = 2,     /* it ended; unsent_from says what certainly did not arrive */
    LINK_MESSAGE = 3,  /* bytes, channel; give it back with link_event_done() */
    LINK_DATAGRAM = 4, /* likewise */
    LINK_REFUSED = 5   /* a holder of a key was turned away, or turned us away: reason */
};

struct link_event {
    enum link_event_kind kind;
    uint32_t peer;    /* slot, 0..LINK_PEERS_MAX-1; stays with a node id while it has a session */
    uint32_t session; /* never repeats within a peer's slot, in practice */
    uint32_t channel;
    uint32_t reason;                    /* enum link_refusal */
    uint64_t node_id[2], cluster_id[2]; /* LINK_REFUSED: of whom, and in which cluster that is; 0: in none */
    uint32_t bytes;
    const uint8_t *data;
    uint32_t unsent_from[LINK_CHANNELS]; /* message numbers from it on were not sent in full */
};

struct link_peer_view {
    struct seal_identity identity; /* as its session proved, or, without one, as its last hello says */
    struct link_address address;
    uint32_t session;  /* 0: none */
    uint64_t heard_ns; /* when something authentic last came */
    uint64_t rtt_ns;
    uint64_t key_id;     /* of the cluster key that the session's keys were proven with */
    uint8_t log_key[32]; /* public; proven by the session that stands */
    uint32_t queued_bytes[LINK_CHANNELS];
};

struct link_statistics {
    struct seal_counters rejected;
    struct link_address rejected_from[SEAL_COUNTERS]; /* the last sender, for each of them */
    uint64_t frames_in, frames_out, bytes_in, bytes_out, resent, sessions;
    uint64_t renewals; /* of the keys of a session that went on */
    size_t memory_bytes;
};

err_t link_open(const struct link_config *config, uint64_t now_ns, struct link **link_out);
void link_close(struct link *l);
/* ---- cluster keys ---- */
/* Its id in this cluster, by which it is named; tells nothing of the key. */
uint64_t link_key_id(const struct link *l, const uint8_t key[32]);
/* Valid from now on, beside the one that is. E_FULL: two are; E_EXISTS: it is already. Without any there are no peers.
 */
err_t link_key_add(struct link *l, const uint8_t key[32]);
/* Not valid, but it was: who still has it is told so. */
void link_key_old(struct link *l, const uint8_t key[32]);
/* No longer valid, and wiped; sessions begun with it are given a few seconds to prove the other. */
void link_key_drop(struct link *l, uint64_t now_ns, uint64_t id);

/* For handshakes and hellos from now on. Sessions that stand are not touched, unless the log's key is another: then
 * they end, since they were begun as another log. */
void link_identify(struct link *l, const struct seal_identity *self, const struct noise_pair *log_key);
/* Asks link_vet of all sessions that stand, and ends those that are turned away: it knows more than when they began. */
void link_vet_again(struct link *l);
/* Hellos at a quick pace while peers are missing; else slowly. */
void link_seek(struct link *l, bool quickly);
void link_greet(struct link *l); /* begins a round of hellos now: the network has just come */
/* Also say hello to this address. E_FULL. */
err_t link_add_address(struct link *l, struct link_address address);

void link_input(struct link *l, uint64_t now_ns, struct link_address from, const void *datagram, size_t bytes);
/* The next datagram to be sent; 0: none now. frame_out: SEAL_FRAME_MAX bytes. */
size_t link_output(struct link *l, uint64_t now_ns, struct link_address *to_out, uint8_t *frame_out);
/* When link_output() is to be called at the latest if nothing else happens. UINT64_MAX: never. */
uint64_t link_deadline(struct link *l);

bool link_next_event(struct link *l, struct link_event *event_out);
void link_event_done(struct link *l, const struct link_event *event);

/* Queues a message made of two parts (the second may be empty) on that session. *number_out counts the channel's
 * messages from 0. E_NOT_CONNECTED: that session is over; E_FULL: too much is queued or no memory; E_TOO_LONG. */
err_t link_send(struct link *l, uint32_t peer, uint32_t session, uint32_t channel, const void *first,
                size_t first_bytes, const void *second, size_t second_bytes, uint32_t *number_out);
err_t link_send_datagram(struct link *l, uint32_t peer, uint32_t session, const void *data, size_t bytes);
/* Ends a session from this side; LINK_DOWN follows. */
void link_drop(struct link *l, uint32_t peer, uint32_t session);

bool link_peer(const struct link *l, uint32_t peer, struct link_peer_view *view_out);
void link_statistics(const struct link *l, struct link_statistics *statistics_out);
