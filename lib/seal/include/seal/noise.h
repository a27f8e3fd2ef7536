/* The Noise protocol framework, revision 34, as far as it is needed here: handshakes of two messages with a pre-shared
 * key, over X25519, ChaCha20-Poly1305 and SHA-256. A pattern is a list of tokens, walked by one piece of code, so what
 * the published vectors of other patterns show is true of ours.
 *
 * Not here: patterns that seal nothing before the first Diffie-Hellman (without a psk), and pre-messages. */
#pragma once

#include <abi/types.h>
#include <seal/primitives.h>

#define NOISE_TOKENS      7u
#define NOISE_PAYLOAD_MAX 256u /* of a message */
#define NOISE_SEALED_KEY  (SEAL_KEY_BYTES + SEAL_TAG_BYTES)

enum noise_token { NOISE_END = 0, NOISE_E, NOISE_S, NOISE_EE, NOISE_ES, NOISE_SE, NOISE_PSK };

struct noise_pattern {
    const char *name; /* the whole protocol name */
    bool psk0;        /* the first token of all is psk: it is mixed in when the handshake begins */
    uint8_t messages[2][NOISE_TOKENS];
};

/* A Diffie-Hellman key pair. */
struct noise_pair {
    uint8_t secret[32], public[32];
};

struct noise { /* private but for `peer` */
    uint8_t chain[32], hash[32], key[32], psk[32];
    uint64_t counter;
    struct noise_pair ephemeral, own; /* own: static */
    uint8_t peer_ephemeral[32];
    uint8_t peer[32]; /* the other side's static public key, once its token was read */
    bool begins;      /* this is the beginner's side */
};

struct noise_pair noise_pair_of(const uint8_t secret[32]);

/* `own`: the static pair; NULL if the pattern has none. */
void noise_begin(struct noise *n, const struct noise_pattern *p, const void *prologue, size_t prologue_bytes,
                 const uint8_t psk[32], const struct noise_pair *own, bool begins);
/* One message, by its tokens. What it has is 32 bytes for e, NOISE_SEALED_KEY for s, the payload and a tag. False: the
 * other side sent a point of low order. ephemeral: 32 fresh bytes. */
bool noise_write(struct noise *n, const uint8_t tokens[NOISE_TOKENS], const uint8_t ephemeral[32], const void *payload,
                 size_t payload_bytes, uint8_t *message_out);
/* payload_out gets nothing unless all of it is genuine. E_BAD_MESSAGE: too short or too long; E_ACCESS: not made by who
 * has the keys. The state is void after an error. */
err_t noise_read(struct noise *n, const uint8_t tokens[NOISE_TOKENS], const uint8_t *message, size_t bytes,
                 uint8_t *payload_out);
/* After the last message: the keys of the beginner's packets and of the other's. */
void noise_split(const struct noise *n, uint8_t first[32], uint8_t second[32]);
