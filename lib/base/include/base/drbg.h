/* A random generator over ChaCha20 that forgets: after each request its key is replaced, so a later leak of its state
 * tells nothing of what it gave before. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct drbg {
    uint32_t key[8];
};

void drbg_init(struct drbg *g, const uint8_t key[32]);
void drbg_bytes(struct drbg *g, void *to, size_t bytes);
/* One block of ChaCha20 (RFC 8439: 32-bit counter, 96-bit nonce), as the generator uses it. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint8_t out[64]);
