/* The frames that travel in UDP datagrams, and telling strangers, damage and old frames apart.
 *
 * A frame is a clear header of 16 bytes and sealed bytes:
 *
 *     u8 kind, u8 version, u16 key, u32 cluster tag, u32 session, u32 CRC-32C of the frame with this field zero
 *
 * The tag is a hash of the cluster's name: other clusters on the same wire are foreign, not damaged. The checksum tells
 * a frame hurt on the way from one that somebody with a wrong key made. The key is the low bits of the id of the
 * cluster key that a hello or handshake was made with; 0 in data. None of them protects anything: the seal does. */
#pragma once

#include <abi/types.h>
#include <seal/handshake.h>

#define SEAL_HEADER_BYTES  16u
#define SEAL_FRAME_MAX     1432u
#define SEAL_HELLO_BYTES   (SEAL_HEADER_BYTES + 32u + SEAL_IDENTITY_BYTES + SEAL_TAG_BYTES)
#define SEAL_DATA_OVERHEAD (SEAL_HEADER_BYTES + 8u + SEAL_TAG_BYTES)
#define SEAL_DATA_MAX      (SEAL_FRAME_MAX - SEAL_DATA_OVERHEAD) /* bytes in one data frame */

enum seal_frame_kind {
    SEAL_HELLO =
        1, /* I am here: an identity, under a key that all members can derive. Can be replayed; proves nothing */
    SEAL_FIRST = 2,  /* session: the beginner's number */
    SEAL_SECOND = 3, /* session: the beginner's number; the payload's own number comes first */
    SEAL_DATA = 4    /* session: the receiver's number; u64 counter, sealed bytes */
};

/* A cluster key and what is made of it once. */
struct seal_secret {
    uint64_t id; /* names the key and tells nothing of it; 0: no key */
    uint8_t key[32], hello_key[32];
    struct noise prepared; /* every handshake begins alike */
};

#define SEAL_SECRETS_MAX 2u /* valid at once: the cluster's key and, during a change, the one that takes its place */

/* What all frames of a cluster share. */
struct seal_cluster {
    uint8_t name_hash[32]; /* the prologue */
    uint32_t tag;
    struct seal_secret secrets[SEAL_SECRETS_MAX]; /* the newest first */
    /* The last one that was valid and is not any more: only what opens hellos, so that it can be told who has missed
     * the change. */
    struct seal_secret old;
};

/* Frames that were refused, by the reason. */
struct seal_counters {
    uint64_t wrong_key, replayed, damaged, foreign;
    uint64_t old_key;   /* the key was valid once */
    uint64_t excess;    /* more hellos and handshakes from one address than are looked at */
    uint64_t false_log; /* by a holder of the cluster key that has not the key which is pinned to the log it names */
};
#define SEAL_COUNTERS (sizeof(struct seal_counters) / sizeof(uint64_t))

struct seal_header {
    uint32_t kind, session;
    uint16_t key;
};

void seal_cluster_begin(struct seal_cluster *c, const char *name);
uint64_t seal_key_id(const struct seal_cluster *c, const uint8_t key[32]);
/* From now on valid, and the newest. There must be room. */
void seal_secret_add(struct seal_cluster *c, const uint8_t key[32]);
/* Counts as the one that was valid last. */
void seal_secret_old(struct seal_cluster *c, const uint8_t key[32]);
/* No longer; the key is wiped. */
void seal_secret_drop(struct seal_cluster *c, uint64_t id);
struct seal_secret *seal_secret_find(struct seal_cluster *c, uint64_t id); /* NULL: not valid */

/* Fills in the header of a finished frame. */
void seal_header_write(const struct seal_cluster *c, struct seal_header header, uint8_t *frame, size_t bytes);
/* False: not a frame of ours; counted as damaged or foreign. */
bool seal_header_read(const struct seal_cluster *c, const uint8_t *frame, size_t bytes, struct seal_header *header_out,
                      struct seal_counters *counters);

/* frame_out: SEAL_HELLO_BYTES, header included. random: 32 fresh bytes. */
void seal_hello_write(const struct seal_cluster *c, const struct seal_secret *secret,
                      const struct seal_identity *identity, const uint8_t random[32], uint8_t *frame_out);
/* After seal_header_read. E_BAD_MESSAGE: not a hello by its form; E_ACCESS: another key. *secret_out may be the old
 * one.
 */
err_t seal_hello_read(const struct seal_cluster *c, const struct seal_header *header, const uint8_t *frame,
                      size_t bytes, const struct seal_secret **secret_out, struct seal_identity *identity_out);
