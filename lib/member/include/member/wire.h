/* Packets of lib/member as bytes: little-endian, one form each. Integrity and secrecy are the carrier's. */
#pragma once

#include <abi/types.h>
#include <wire/wire.h>

#define MEMBER_VERSION         1u
#define MEMBER_BUCKETS         64u
#define MEMBER_INCARNATION_MAX 0x7fffffffu
#define MEMBER_HEADER_BYTES    61u
#define MEMBER_DIGEST_BYTES    (8u * MEMBER_BUCKETS)
#define MEMBER_UPDATE_MAX      21u

enum member_kind {
    MEMBER_PING = 1,
    MEMBER_ACK = 2,    /* target: who answered */
    MEMBER_REQ = 3,    /* ask target, and tell me */
    MEMBER_NACK = 4,   /* target did not answer me in time */
    MEMBER_GOSSIP = 5, /* news alone */
    MEMBER_ROWS = 6,   /* what I know, of the parts where we differ */
    MEMBER_COMPARE = 7 /* digests of all that I know; sequence 1: tell me where we differ */
};

struct member_packet {
    uint32_t kind;
    uint64_t cluster[2], from, boot, to, target; /* target 0: the kind has none */
    uint32_t incarnation, sequence;              /* incarnation: the sender's own */
    const uint8_t *digests;                      /* COMPARE: MEMBER_DIGEST_BYTES */
    const uint8_t *updates;
    uint32_t update_count, update_bytes;
};

struct member_update {
    uint32_t state; /* enum member_state */
    uint64_t node;
    uint32_t incarnation;
    uint64_t boot;    /* ALIVE */
    uint16_t accuser; /* SUSPECT: tells accusers apart, mostly */
};

/* The header (and digests); updates follow, then member_encode_end(). */
void member_encode_begin(struct wire_writer *w, const struct member_packet *packet, const uint64_t *digests);
bool member_encode_update(struct wire_writer *w, const struct member_update *update); /* false: no room; nothing put */
void member_encode_end(struct wire_writer *w, uint32_t update_count);

/* Checks everything; the packet points into `from`. E_BAD_MESSAGE, and *why_out (may be NULL) names what is wrong. */
err_t member_decode(const void *from, size_t bytes, struct member_packet *packet_out, const char **why_out);
/* Walks the updates of a decoded packet; *at begins as 0. False at the end. */
bool member_update_at(const struct member_packet *packet, uint32_t *at, struct member_update *update_out);
