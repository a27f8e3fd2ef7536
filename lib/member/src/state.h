/* What a member is made of; for lib/member alone. */
#pragma once

#include <base/assert.h>
#include <base/mem.h>
#include <member/member.h>
#include <member/wire.h>

#define NONE        UINT16_MAX /* no row */
#define SELF        0u         /* the own row */
#define NOT_QUEUED  UINT8_MAX
#define SENT_MAX    32u
#define BEING_ASKED UINT64_MAX /* due_ns, while its last question is under way */
#define PROBES_MAX  16u
#define RELAYS_MAX  16u
#define PENDING_MAX 128u
#define SYNCS_MAX   4u
#define HELPERS     3u
#define STEPS       3u /* of a question; see probe.c */
#define HEALTH_MAX  8u
#define FAR_APART   8u /* so many buckets differ: more than news under way explains */

/* An entry of a doubly linked list of rows. */
struct near {
    uint16_t next, previous;
};

struct list {
    uint16_t first, last;
};

struct row {
    uint64_t node, boot; /* node 0: free */
    uint64_t at_ns;      /* as member_view's since_ns */
    uint64_t due_ns;     /* SUSPECT: when this node begins its own last question */
    uint32_t incarnation;
    uint8_t state, sent; /* sent: so often it was told as news */
    uint8_t confirms;    /* accusers beyond the first */
    bool changed;
    uint16_t accusers[MEMBER_CONFIRMS + 1];
    struct near news, watch; /* watch: among the suspects; a free row: its next */
    uint16_t changed_next;
};

struct probe {
    uint64_t next_ns;
    uint32_t sequence; /* 0: free */
    uint32_t incarnation;
    uint16_t row;
    uint8_t step;
    bool last; /* of a suspect whose time is over */
    uint8_t asked, nacks;
};

/* Asked by `origin` to ask `target`. */
struct relay {
    uint64_t origin, target, nack_ns, end_ns; /* nack_ns UINT64_MAX: said */
    uint32_t origin_sequence, sequence;       /* sequence 0: free */
};

struct pending {
    uint64_t to, target;
    uint32_t sequence;
    uint8_t kind;
    bool tell; /* what is known of the receiver */
};

/* Rows of the buckets of `mask` on their way to `to`. */
struct sync {
    uint64_t to, mask; /* to 0: free; mask: what is still to be sent */
    uint16_t next;     /* row to look at, of the bucket being sent */
    uint8_t bucket;
    bool answer; /* then the own digests */
};

struct rate {
    uint64_t refilled_ns;
    int64_t bytes; /* may be sent now; less than 0: too much was */
    uint32_t per_second, most;
};

struct member {
    struct member_config config;
    struct member_counters counters;
    uint64_t now_ns, random;
    uint64_t asleep_ns; /* to be run at the latest; UINT64_MAX: not known */
    uint64_t probe_due_ns, gossip_due_ns, sync_due_ns, retry_due_ns;
    uint32_t sequence, health;
    uint32_t dead;                     /* rows that are DEAD or LEFT */
    uint32_t count, order_count, turn; /* count: rows in use */
    uint32_t index_size;
    bool leaving, apart; /* apart: the last comparison found much, or there was none yet */
    uint16_t free_row, changed_first;
    struct list news[SENT_MAX];
    uint32_t news_count;
    struct list watch;
    uint64_t watch_due_ns; /* no suspect's due_ns is before */
    uint64_t digests[MEMBER_BUCKETS];
    struct probe probes[PROBES_MAX];
    struct relay relays[RELAYS_MAX];
    struct pending pending[PENDING_MAX];
    uint32_t pending_first, pending_count;
    struct sync syncs[SYNCS_MAX];
    struct rate rate, sync_rate;
    struct row *rows;
    uint16_t *order, *index; /* order: rows but the own, shuffled; index: by hash of the id */
};

static inline bool alive_or_suspect(const struct row *r)
{
    return r->state == MEMBER_ALIVE || r->state == MEMBER_SUSPECT;
}

/* member.c */
uint64_t draw(struct member *m);
uint32_t live_members(const struct member *m); /* this one included, dead ones not */
uint32_t log10_thousandths(uint32_t n);

/* rows.c */
uint64_t mixed(uint64_t x);
uint16_t row_find(const struct member *m, uint64_t node); /* NONE */
uint16_t row_make(struct member *m, uint64_t node);       /* NONE: full */
void row_drop(struct member *m, uint16_t row);
/* Changes what the digests are of; everything that changes state, boot or incarnation goes through it. */
void row_become(struct member *m, uint16_t row, enum member_state state, uint32_t incarnation, uint64_t boot);
uint32_t bucket_of(uint64_t node);
void rows_shuffle(struct member *m);
/* Some row for which `good` holds and that is none of `but`; NONE. */
uint16_t row_some(struct member *m, bool (*good)(const struct row *r), const uint16_t *but, uint32_t but_count);

/* lists.c */
void watch_add(struct member *m, uint16_t row);
void watch_drop(struct member *m, uint16_t row);
void watch_at(struct member *m, uint16_t row, uint64_t due_ns); /* when its last question begins */
void news_add(struct member *m, uint16_t row, uint32_t sent);   /* anew, as told `sent` times */
void news_drop(struct member *m, uint16_t row);

/* judge.c: what is believed of whom */
void judge_claim(struct member *m, const struct member_update *u, bool compared); /* compared: not as news */
void judge_sender(struct member *m, const struct member_packet *p);
void judge_suspect(struct member *m, uint16_t row, uint16_t accuser);
void judge_dead(struct member *m, uint16_t row);
void judge_heard(struct member *m, uint16_t row, uint64_t heard_ns);
uint16_t tag_of(uint64_t node);
uint64_t verify_ns(const struct member *m); /* how long the last question takes */

/* probe.c: questions */
void probe_run(struct member *m);
void probe_take(struct member *m, const struct member_packet *p); /* PING, ACK, REQ, NACK */
void probe_restart(struct member *m);
void probe_forget(struct member *m, uint16_t row);
uint64_t probe_deadline(const struct member *m);

/* gossip.c: news, and all that goes out */
void gossip_run(struct member *m);
void gossip_stale(struct member *m, uint16_t row); /* somebody does not know it yet */
uint32_t gossip_limit(const struct member *m);
void out_put(struct member *m, uint32_t kind, uint64_t to, uint64_t target, uint32_t sequence, bool tell);
struct member_update update_of(const struct row *r);
void rate_refill(struct member *m, struct rate *r);

/* sync.c: comparing all that is known */
void sync_run(struct member *m);
void sync_take(struct member *m, const struct member_packet *p);
bool sync_ready(const struct member *m);
size_t sync_output(struct member *m, uint64_t *to, uint8_t *packet);
uint64_t sync_deadline(const struct member *m);

/* packet.c: making one */
struct making {
    struct wire_writer w;
    uint32_t count;
};
struct making packet_begin(const struct member *m, uint8_t *to, uint32_t kind, uint64_t receiver, uint64_t target,
                           uint32_t sequence);
bool packet_add(struct making *p, const struct row *r); /* false: full */
size_t packet_end(struct member *m, struct making *p);
