/* Two nodes prove the cluster key and the keys of their logs to each other and agree on fresh keys:
 * Noise_IXpsk0_25519_ChaChaPoly_SHA256.
 *
 * One message each way. What is bound in: the cluster's name (prologue) and key (psk), the key of each side's log (its
 * static key) and, as sealed payloads, the identity of both sides. A message is opened with the cluster key alone, so
 * strangers are refused cheaply. The beginner's log key is proven to the answerer by the first packet that comes under
 * the new keys, not by the first message: until then the answerer must change nothing. Keys of a session that ended
 * cannot be had from the cluster key and the logs' keys, since both ephemeral secrets are gone. Randomness is given by
 * the caller: 32 fresh bytes a side. */
#pragma once

#include <abi/types.h>
#include <seal/noise.h>

#define SEAL_PROTOCOL 4u /* version of everything on the wire above UDP */

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
#define SEAL_PAYLOAD_MAX    NOISE_PAYLOAD_MAX                         /* of a handshake message */
#define SEAL_MESSAGE_BYTES  (32u + NOISE_SEALED_KEY + SEAL_TAG_BYTES) /* of a handshake message, less its payload */

struct seal_keys {
    uint8_t send[32], receive[32];
};

/* What never changes from one handshake under a cluster key to the next: most of the beginning's work. */
void seal_handshake_prepare(struct noise *prepared_out, const void *prologue, size_t prologue_bytes,
                            const uint8_t cluster_key[32]);
/* log_key: this side's. */
void seal_handshake_begin(struct noise *h, const struct noise *prepared, const struct noise_pair *log_key, bool begins);
/* message_out: SEAL_MESSAGE_BYTES + payload_bytes. */
void seal_first_write(struct noise *h, const uint8_t random[32], const void *payload, size_t payload_bytes,
                      uint8_t *message_out);
/* E_ACCESS: not from a holder of the cluster key. payload_out: bytes - SEAL_MESSAGE_BYTES. h->peer: the log key that
 * the beginner names, not yet proven. */
err_t seal_first_read(struct noise *h, const uint8_t *message, size_t bytes, uint8_t *payload_out);
/* The answering side, after seal_first_read. The keys are ready then, and *h is wiped. */
err_t seal_second_write(struct noise *h, const uint8_t random[32], const void *payload, size_t payload_bytes,
                        uint8_t *message_out, struct seal_keys *keys_out);
/* The beginning side. On error *h is as before, so a forged answer does not end the attempt; on success it is wiped.
 * peer_out: the log key that the answerer has proven. */
err_t seal_second_read(struct noise *h, const uint8_t *message, size_t bytes, uint8_t *payload_out,
                       uint8_t peer_out[32], struct seal_keys *keys_out);

void seal_identity_encode(const struct seal_identity *identity, uint8_t out[SEAL_IDENTITY_BYTES]);
/* E_BAD_MESSAGE: another protocol version, or a name that is not ended. */
err_t seal_identity_decode(const uint8_t from[SEAL_IDENTITY_BYTES], struct seal_identity *identity_out);
