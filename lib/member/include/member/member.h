/* Who of a cluster is alive, as far as one node can tell: SWIM with Lifeguard's ideas.
 *
 * Each node asks one member after another, in shuffled rounds, whether it is there; if no answer comes, it asks others
 * to ask. A member that nobody reaches is *suspected*, the suspicion is told to all, and the member, if it lives,
 * outbids it with a higher incarnation. A suspicion that lasts, and that this node's own last question did not clear,
 * makes the member *dead* here. What others say of a death is taken for a suspicion with all confirmations: no node
 * believes a death that it has not tried itself, so after a partition nobody is buried on the other side's word. The
 * observer may be the slow one: a node that was not run for a while gives everybody that while, and one that misses
 * answers asks more slowly.
 *
 * It only suggests: no member is forgotten until member_remove(), which is for who has decided so elsewhere.
 *
 * A pure machine in fixed memory: time and packets in, packets out. One round of the mount: member_receive() for what
 * has come, member_run(), member_next() until there is none, member_output() until it gives none, then sleep until
 * member_deadline(). Packets may be lost, doubled, reordered and late; they are to come from members only (sealed).
 */
#pragma once

#include <abi/types.h>

#define MEMBER_CAPACITY_MAX 32768u
#define MEMBER_PACKET_LEAST 640u /* the largest packet that is never split */
#define MEMBER_PACKET_MAX   1300u
#define MEMBER_CONFIRMS     3u /* other accusers with which a suspicion lasts shortest */

enum member_state {
    MEMBER_ALIVE = 1,
    MEMBER_SUSPECT = 2, /* somebody could not reach it */
    MEMBER_DEAD = 3,    /* neither could this node */
    MEMBER_LEFT = 4     /* it said good-bye */
};

struct member_config {
    uint64_t cluster[2]; /* in every packet; those of another are refused */
    uint64_t node, boot; /* who this is, not 0; boot: new at every start */
    uint64_t random;     /* seed */
    uint32_t capacity;   /* members, this one included */
    bool open;           /* members that others tell of are taken in; else only those of member_add() */

    uint64_t probe_ns;    /* between questions */
    uint64_t timeout_ns;  /* for an answer; three of them make a probe, so at most a third of probe_ns */
    uint64_t fresh_ns;    /* whoever was heard within needs no question */
    uint64_t gossip_ns;   /* between tellings, while there is news */
    uint64_t sync_ns;     /* between comparisons with somebody of all that is known */
    uint64_t retry_ns;    /* between questions to one that is dead */
    uint64_t least_ns;    /* a suspicion lasts at least so long */
    uint32_t suspicion;   /* and at least so many probe_ns, times log10 of the members */
    uint32_t unconfirmed; /* and so many times longer without other accusers */
    uint32_t resend;      /* news is told so many times log10 of the members */
    uint32_t fanout;      /* to so many at a time */

    uint32_t packet_bytes;     /* at most; MEMBER_PACKET_LEAST..MEMBER_PACKET_MAX */
    uint32_t overhead_bytes;   /* of what carries a packet, for the rate */
    uint32_t bytes_per_second; /* news and comparisons keep below it; questions and answers always go */
};

struct member_view {
    uint64_t node, boot; /* boot 0: not known */
    enum member_state state;
    uint32_t incarnation;
    uint64_t since_ns; /* ALIVE: last sign of life (0: none yet); else: so since */
    uint32_t accusers; /* of a suspect, this node included; more than MEMBER_CONFIRMS are not counted */
};

struct member_counters {
    uint64_t packets_out, bytes_out; /* overhead included */
    uint64_t packets_in, refused;
    uint64_t probes, probes_failed, verified; /* verified: suspects that answered this node's last question */
    uint64_t suspicions, deaths, refutations; /* as seen here; refutations: of claims about this node */
    uint64_t stalls;                          /* times that this node was not run when it wanted to be */
    uint64_t contested;                       /* claims that this node is another boot */
};

struct member;

/* Times for a probe period: the ones that docs/014 gives figures for. Identity and capacity are left 0. */
void member_config_default(struct member_config *config, uint64_t probe_ns);

/* Bytes that a member needs, whatever its identity; 0: the configuration makes no sense. */
size_t member_bytes(const struct member_config *config);
/* In memory of that size, aligned to 8. E_INVALID. */
err_t member_init(const struct member_config *config, void *memory, uint64_t now_ns, struct member **out);

/* `boot` 0: not known. Taken to be alive until tried. E_FULL; E_OK also if it is known. */
err_t member_add(struct member *m, uint64_t now_ns, uint64_t node, uint64_t boot);
void member_remove(struct member *m, uint64_t node); /* not this one itself */
/* Something authentic of that boot came, by another way, at heard_ns. */
void member_heard(struct member *m, uint64_t node, uint64_t boot, uint64_t heard_ns);
/* Says good-bye: to be carried on for a few gossip_ns. Whoever is told hears it as LEFT. */
void member_leave(struct member *m, uint64_t now_ns);

/* `from`: who the carrier says it is of. E_BAD_MESSAGE, and *why_out (may be NULL) names what is wrong. */
err_t member_receive(struct member *m, uint64_t now_ns, uint64_t from, const void *packet, size_t bytes,
                     const char **why_out);
void member_run(struct member *m, uint64_t now_ns);
/* The next packet, and to whom; 0: none now. `packet_out`: packet_bytes of room. */
size_t member_output(struct member *m, uint64_t now_ns, uint64_t *to_out, uint8_t *packet_out);
uint64_t member_deadline(struct member *m);

/* The next member whose state or boot is not as it was told before. */
bool member_next(struct member *m, struct member_view *view_out);
bool member_view(const struct member *m, uint64_t node, struct member_view *view_out);
/* All, this one first: *cursor begins as 0. */
bool member_each(const struct member *m, uint32_t *cursor, struct member_view *view_out);
uint32_t member_health(const struct member *m); /* 0: well; up to 8: this node is likely the slow one */
const struct member_counters *member_counters(const struct member *m);
/* Of all that is known, suspicions aside: equal where the same is known. */
uint64_t member_digest(const struct member *m);
