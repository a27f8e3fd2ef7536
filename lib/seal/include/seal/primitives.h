/* The primitives, from BearSSL's constant-time implementations: X25519, ChaCha20-Poly1305, SHA-256, HKDF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_BYTES 32u
#define SEAL_TAG_BYTES 16u

void seal_sha256(const void *a, size_t a_bytes, const void *b, size_t b_bytes, uint8_t hash_out[32]); /* of a then b */
/* The same in pieces. */
struct seal_sha256 {
    uint64_t private[16];
};
void seal_sha256_begin(struct seal_sha256 *s);
void seal_sha256_add(struct seal_sha256 *s, const void *bytes, size_t count);
void seal_sha256_end(const struct seal_sha256 *s, uint8_t hash_out[32]);
void seal_hkdf(const void *salt, size_t salt_bytes, const void *secret, size_t secret_bytes, const void *info,
               size_t info_bytes, void *out, size_t out_bytes);

void seal_x25519_public(const uint8_t secret[32], uint8_t public_out[32]);
/* False if the result is all zero: the other side sent a point of low order. */
bool seal_x25519(const uint8_t secret[32], const uint8_t public[32], uint8_t shared_out[32]);

/* Nonce: four zero bytes and the counter. In place; the tag goes behind the text, or is checked there. */
void seal_encrypt(const uint8_t key[32], uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                  size_t text_bytes);
/* text_bytes without the tag. False: not sealed with this key, counter and bound bytes; the text is then void. */
bool seal_decrypt(const uint8_t key[32], uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                  size_t text_bytes);

bool seal_equal(const void *a, const void *b, size_t bytes); /* in constant time */
void seal_wipe(void *secret, size_t bytes);
