/* Two nodes prove the cluster key to each other and agree on fresh keys: Noise_NNpsk0_25519_ChaChaPoly_SHA256.
 *
 * One message each way. What is bound in: the cluster's name (prologue) and key (psk), and as sealed payloads the
 * identity of both sides. Keys of a session that ended cannot be had from the cluster key, since both ephemeral secrets
 * are gone. Randomness is given by the caller: 32 fresh bytes a side. */
#pragma once

#include <abi/types.h>
#include <seal/primitives.h>

#define SEAL_PROTOCOL 3u /* version of everything on the wire above UDP */

/* What a node says of itself. All of it is authenticated; ids are compared, not interpreted. */
struct seal_identity {
    uint64_t cluster_id[2]; /* 0: in no cluster yet */
    uint64_t node_id[2], log_id[2], boot_id[2];
    uint64_t attempt; /* rises with every handshake that a boot begins: an old one played again is known by it */
    uint32_t protocol;
    uint32_t flags; /* the user's */
    char name[32];
};

#define SEAL_IDENTITY_BYTES 112u
#define SEAL_PAYLOAD_MAX    256u /* of a handshake message */

struct seal_handshake { /* private */
    uint8_t chain[32], hash[32], key[32];
    uint8_t secret[32], peer[32];
    uint64_t counter;
};

struct seal_keys {
    uint8_t send[32], receive[32];
};

/* The handshake proper, on payloads of any kind. Both sides begin with seal_handshake_begin, same prologue and key. */
void seal_handshake_begin(struct seal_handshake *h, const void *prologue, size_t prologue_bytes,
                          const uint8_t cluster_key[32], const uint8_t random[32]);
/* The same from one that was begun with any randomness and is kept: most of the work is in what never changes. */
void seal_handshake_again(struct seal_handshake *h, const struct seal_handshake *begun, const uint8_t random[32]);
/* message_out: 32 + payload_bytes + SEAL_TAG_BYTES bytes. */
void seal_first_write(struct seal_handshake *h, const void *payload, size_t payload_bytes, uint8_t *message_out);
/* E_ACCESS: not from a holder of the key. payload_out: bytes - 32 - SEAL_TAG_BYTES bytes. */
err_t seal_first_read(struct seal_handshake *h, const uint8_t *message, size_t bytes, uint8_t *payload_out);
/* The answering side, after seal_first_read. The keys are ready then, and *h is wiped. */
err_t seal_second_write(struct seal_handshake *h, const void *payload, size_t payload_bytes, uint8_t *message_out,
                        struct seal_keys *keys_out);
/* The beginning side. On error *h is as before, so a forged answer does not end the attempt; on success it is wiped. */
err_t seal_second_read(struct seal_handshake *h, const uint8_t *message, size_t bytes, uint8_t *payload_out,
                       struct seal_keys *keys_out);

void seal_identity_encode(const struct seal_identity *identity, uint8_t out[SEAL_IDENTITY_BYTES]);
/* E_BAD_MESSAGE: another protocol version, or a name that is not ended. */
err_t seal_identity_decode(const uint8_t from[SEAL_IDENTITY_BYTES], struct seal_identity *identity_out);
