/* Sealed packets of a session: any order, each at most once, keys changed by count. By bytes and time they are replaced
 * by fresh ones from another handshake, which is lib/link's to see to. */
#pragma once

#include <abi/types.h>
#include <seal/handshake.h>

#define SEAL_REKEY_PACKETS (1ull << 16) /* packets a key is used for */
#define SEAL_WINDOW        1024u        /* how far behind the newest a packet may come */

struct seal_session {
    uint8_t send_key[32];
    uint8_t receive_key[2][32]; /* of the newest key period seen, and the one before */
    uint64_t send_counter;
    uint64_t sent_bytes, received_bytes; /* sealed with the keys that it began with, and those that followed */
    uint64_t receive_newest;             /* highest counter seen + 1 */
    uint64_t receive_seen[SEAL_WINDOW / 64];
};

void seal_session_begin(struct seal_session *s, const struct seal_keys *keys);
void seal_session_end(struct seal_session *s); /* wipes it */

/* Seals in place (the tag goes behind the text) and returns the counter that must travel with it. */
uint64_t seal_send(struct seal_session *s, const void *bound, size_t bound_bytes, uint8_t *text, size_t text_bytes);
/* text_bytes without the tag. E_ACCESS: not sealed by the peer under this counter; E_EXISTS: seen before, or too old to
 * tell. */
err_t seal_receive(struct seal_session *s, uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                   size_t text_bytes);
