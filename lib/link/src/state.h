/* What a link is made of; for lib/link alone. */
#pragma once

#include <string.h>

#include <base/assert.h>
#include <link/link.h>
#include <seal/random.h>
#include <seal/transport.h>
#include <wire/wire.h>

#define WINDOW       128u /* fragments of a channel under way, at most */
#define WINDOW_LEAST 4u
#define ACK_AFTER                                                                                                      \
    WINDOW_LEAST /* fragments are acknowledged at once; later, and who has that window would stand still */
#define FRAGMENT_MAX  1336u
#define QUEUE_MAX     (512u * 1024u) /* bytes queued on one channel of one session */
#define EVENTS_MAX    256u
#define DATAGRAMS_MAX 16u

#define CHUNK_ACK_BYTES      14u
#define CHUNK_FRAGMENT_BYTES 12u
#define CHUNK_DATAGRAM_BYTES 3u

/* A data frame is a row of these. */
enum chunk {
    CHUNK_ACK = 1,      /* u8 channel, u32 next expected, u64 which of the 64 after it are here */
    CHUNK_FRAGMENT = 2, /* u8 channel, u16 bytes, u32 sequence, u32 message bytes (0: not the first of it), bytes */
    CHUNK_DATAGRAM = 3, /* u16 bytes, bytes */
    CHUNK_PROBE = 4     /* nothing was heard for a while: please answer */
};

struct fragment {
    struct fragment *next;
    uint64_t sent_ns;
    uint32_t sequence, number; /* number: of its message */
    uint32_t message_bytes;    /* 0: not the first of its message */
    uint16_t bytes;
    uint8_t times; /* it was sent */
    bool arrived, lost;
    uint8_t data[];
};

struct sending {
    struct fragment *first, *last; /* from the oldest not acknowledged */
    struct fragment *fresh;        /* first that was never sent */
    uint32_t next_sequence, next_number;
    uint32_t queued_bytes;
};

struct held { /* a fragment that came before its turn */
    uint32_t message_bytes, bytes;
    uint8_t data[];
};

struct receiving {
    struct held *held[WINDOW]; /* by sequence */
    uint32_t next_sequence;
    uint8_t *message; /* being put together; NULL: none */
    uint32_t message_bytes, message_have;
    bool ack_owed;
};

struct datagram {
    struct datagram *next;
    uint32_t bytes;
    uint8_t data[];
};

struct session {
    struct seal_session seal;
    uint32_t own, theirs; /* numbers; own 0: no session */
    uint32_t id;          /* what it is known by: its first `own` */
    uint64_t keyed_ns;    /* when its keys were agreed on */
    uint64_t key_id;      /* and the cluster key that was proven then */
    uint64_t end_ns;      /* its keys must have been replaced by then; UINT64_MAX: by their age alone */
    struct {              /* the keys before these, for what is still on its way; own 0: none */
        struct seal_session seal;
        uint32_t own;
        uint64_t until_ns;
    } before;
    uint64_t heard_ns, sent_ns;
    uint64_t ack_due_ns; /* UINT64_MAX: nothing to acknowledge */
    uint32_t acks_owed;
    struct sending sending[LINK_CHANNELS];
    struct receiving receiving[LINK_CHANNELS];
    struct datagram *datagrams;
    uint32_t datagram_count;
    /* pace */
    uint64_t rtt_ns, rtt_spread_ns, timeout_ns;
    uint32_t window, threshold, under_way, credit;
    uint64_t shrunk_ns;
};

/* A session that stands, by the numbers of both ends. A handshake that names one replaces its keys; own 0: it begins
 * another. */
struct standing {
    uint32_t own, theirs;
};

#define HANDSHAKE_PAYLOAD (SEAL_IDENTITY_BYTES + 28u) /* identity, own session number, struct standing, for whom */
#define HANDSHAKE_FRAME   (SEAL_HEADER_BYTES + SEAL_MESSAGE_BYTES + HANDSHAKE_PAYLOAD)

/* A handshake that we answered, until the peer shows that it has the keys; own 0: none. */
struct pending {
    struct seal_session seal;
    struct seal_identity identity;
    uint8_t log_key[32]; /* that it named */
    uint32_t own, theirs;
    uint64_t key_id, end_ns;
    struct standing renews;
    bool answer_owed;
    struct link_address to;
    uint8_t answer[HANDSHAKE_FRAME];
};

/* Handshakes of the boot that a session last proved, and of any other: what was kept from an earlier boot and is played
 * again does not stand in the way of those. */
enum boots { BOOT_PROVEN = 0, BOOT_OTHER = 1, BOOTS = 2 };

/* Hellos and handshakes that were looked at lately. */
struct rate {
    uint64_t since_ns;
    uint32_t spent;
};

struct peer {
    uint32_t slot;
    struct seal_identity identity;
    uint8_t log_key[32]; /* proven by the session */
    struct link_address address;
    struct session session;
    struct pending pending[BOOTS];
    struct { /* of the peer's handshakes: those that are old now, and those that are so for ever */
        uint64_t boot[2], highest, proven;
    } attempts[BOOTS];
    struct { /* a handshake that we began; own 0: none */
        struct noise state;
        uint32_t own, times;
        uint64_t key_id;
        struct standing renews;
        uint64_t next_ns;
        uint8_t frame[HANDSHAKE_FRAME];
    } attempt;
    struct rate rate;    /* of its address */
    struct rate answers; /* that give the number of our attempt */
    uint64_t key_id;     /* the newest of our keys that it was heard with; 0: not known */
    uint64_t heard_ns;   /* when something authentic last came from it, hellos included */
    uint64_t greeted_ns; /* when it last got a hello of its own */
    bool hello_owed;
};

#define RATES           64u
#define RATE_PER_SECOND 20u /* of an address */
#define RATE_BURST      60u
#define RATE_SPARE      200u /* a second, of all that are beyond that together */

struct link {
    struct link_config config;
    struct seal_cluster cluster;
    struct seal_random random;
    struct link_statistics statistics;
    struct peer *peers[LINK_PEERS_MAX];
    struct link_address addresses[LINK_ADDRESSES_MAX];
    uint32_t address_count, address_next; /* next: whom the present round of hellos has reached */
    bool seeking;
    uint32_t hello_secret; /* next: of the round */
    uint64_t hello_due_ns, attempts;
    struct link_address old_at; /* who came with the key that was dropped and is to be told; port 0: nobody */
    struct rate rates[RATES];   /* of addresses that are no peer's */
    uint32_t rate_secret;       /* so that nobody can choose whose it shares */
    struct lottery {            /* of what came beyond the rates: in this second, and in the one before */
        uint64_t since_ns, seen, before, state;
    } spare;
    uint32_t turn; /* peer that link_output() looks at first */
    struct link_event events[EVENTS_MAX];
    uint32_t event_first, event_count;
    uint8_t scratch[SEAL_FRAME_MAX];
};

/* memory.c */
void *take(struct link *l, size_t bytes); /* zeroed; NULL: none, or beyond the limit */
void give(struct link *l, void *block, size_t bytes);

/* link.c */
void draw_secret(struct link *l, uint8_t secret_out[32]);

/* events.c */
bool event_room(const struct link *l);
void event_put(struct link *l, const struct link_event *event); /* dropped without room; only LINK_REFUSED may be */

/* peers.c */
struct peer *peer_find(struct link *l, const uint64_t node_id[2]);
struct peer *peer_make(struct link *l, const struct seal_identity *identity); /* found or new; NULL: no room */
struct peer *peer_at(const struct link *l, uint32_t slot, uint32_t session);  /* NULL unless that session stands */
bool peer_acceptable(struct link *l, const struct seal_identity *identity);
bool peer_vetted(struct link *l, const struct seal_identity *identity, const uint8_t log_key[32]); /* and acceptable */
void peer_refuse(struct link *l, const struct seal_identity *identity, enum link_refusal reason);  /* an event */
uint32_t peer_new_number(struct link *l, const struct peer *p); /* of a session; says which slot it belongs to */
static inline struct peer *peer_by_number(const struct link *l, uint32_t number)
{
    return l->peers[number % LINK_PEERS_MAX];
}
static inline bool id_equal(const uint64_t a[2], const uint64_t b[2])
{
    return a[0] == b[0] && a[1] == b[1];
}

/* greet.c: hellos and handshakes */
void greet_take_hello(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_header *header,
                      const uint8_t *frame, size_t bytes);
void greet_take_first(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_header *header,
                      const uint8_t *frame, size_t bytes);
bool greet_awaits(const struct link *l, uint32_t session); /* an answer to an attempt of that number */
void greet_take_second(struct link *l, uint64_t now_ns, struct link_address from, uint32_t session,
                       const uint8_t *frame, size_t bytes);
size_t greet_output(struct link *l, uint64_t now_ns, struct link_address *to, uint8_t *frame); /* the round of hellos */
size_t greet_output_peer(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame);
uint64_t greet_deadline(const struct peer *p);
void greet_renew(struct link *l, struct peer *p, uint64_t now_ns); /* fresh keys for the session that stands */
void greet_abandon(struct peer *p, uint64_t key_id);               /* handshakes under that key are over */
void greet_abandon_all(struct peer *p);
void greet_proven_attempt(struct peer *p, const struct seal_identity *identity); /* it was the peer's own */
void greet_check(struct peer *p, uint64_t now_ns);            /* and answers that nobody came back to */
void greet_proven(struct peer *p, const uint64_t boot_id[2]); /* a session with that boot begins */

/* session.c */
void session_start(struct link *l, struct peer *p, uint64_t now_ns, const struct seal_keys *keys, uint32_t own,
                   uint32_t theirs, const struct seal_identity *identity, const uint8_t log_key[32]);
void session_renew(struct link *l, struct peer *p, uint64_t now_ns, const struct seal_session *seal, uint32_t own,
                   uint32_t theirs);
/* Takes the handshake that was answered for proven: its session is the session. False: what it renews is over. */
bool session_confirm(struct link *l, struct peer *p, uint64_t now_ns, struct pending *answered);
bool session_stands(const struct peer *p, struct standing standing);
void session_key_dropped(struct link *l, struct peer *p, uint64_t now_ns, uint64_t key_id);
void session_end(struct link *l, struct peer *p);
void session_take_frame(struct link *l, uint64_t now_ns, struct link_address from, uint32_t number, uint8_t *frame,
                        size_t bytes);
size_t session_output(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame);
uint64_t session_deadline(const struct link *l, const struct peer *p);
void session_check(struct link *l, struct peer *p, uint64_t now_ns); /* silence, and what took too long */

/* send.c */
void send_acknowledged(struct link *l, struct session *s, uint64_t now_ns, uint32_t channel, uint32_t next,
                       uint64_t bits);
void send_fill(struct session *s, uint64_t now_ns, struct link_statistics *statistics, struct wire_writer *w);
bool send_ready(const struct session *s);
void send_check_timeout(struct session *s, uint64_t now_ns);
uint64_t send_deadline(const struct session *s);
void send_clear(struct link *l, struct session *s);

/* receive.c */
void receive_fragment(struct link *l, struct peer *p, uint32_t channel, struct wire_reader *r);
void receive_put_acks(struct session *s, struct wire_writer *w);
void receive_clear(struct link *l, struct session *s);

/* pace.c: how much may be under way, and when what is lost is known to be */
void pace_start(struct session *s);
void pace_measured(struct session *s, uint64_t rtt_ns);
void pace_arrived(struct session *s);
void pace_lost(struct session *s, uint64_t now_ns, bool timed_out);
