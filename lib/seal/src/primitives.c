#include <seal/primitives.h>

#include <string.h>

#include <bearssl.h>

void seal_sha256(const void *a, size_t a_bytes, const void *b, size_t b_bytes, uint8_t hash_out[32])
{
    br_sha256_context context;
    br_sha256_init(&context);
    br_sha256_update(&context, a, a_bytes);
    br_sha256_update(&context, b, b_bytes);
    br_sha256_out(&context, hash_out);
}

_Static_assert(sizeof(br_sha256_context) <= sizeof(struct seal_sha256), "the context fits");

void seal_sha256_begin(struct seal_sha256 *s)
{
    br_sha256_init((br_sha256_context *)(void *)s);
}

void seal_sha256_add(struct seal_sha256 *s, const void *bytes, size_t count)
{
    br_sha256_update((br_sha256_context *)(void *)s, bytes, count);
}

void seal_sha256_end(const struct seal_sha256 *s, uint8_t hash_out[32])
{
    br_sha256_out((const br_sha256_context *)(const void *)s, hash_out);
}

void seal_hkdf(const void *salt, size_t salt_bytes, const void *secret, size_t secret_bytes, const void *info,
               size_t info_bytes, void *out, size_t out_bytes)
{
    br_hkdf_context context;
    br_hkdf_init(&context, &br_sha256_vtable, salt, salt_bytes);
    br_hkdf_inject(&context, secret, secret_bytes);
    br_hkdf_flip(&context);
    br_hkdf_produce(&context, info, info_bytes, out, out_bytes);
    seal_wipe(&context, sizeof(context));
}

void seal_x25519_public(const uint8_t secret[32], uint8_t public_out[32])
{
    static const uint8_t base[32] = {9};
    memcpy(public_out, base, 32);
    br_ec_c25519_m31.mul(public_out, 32, secret, 32, BR_EC_curve25519);
}

bool seal_x25519(const uint8_t secret[32], const uint8_t public[32], uint8_t shared_out[32])
{
    static const uint8_t zero[32];
    memcpy(shared_out, public, 32);
    br_ec_c25519_m31.mul(shared_out, 32, secret, 32, BR_EC_curve25519);
    return !seal_equal(shared_out, zero, 32);
}

static void make_nonce(uint64_t counter, uint8_t nonce[12])
{
    memset(nonce, 0, 4);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = (uint8_t)(counter >> 8 * i);
}

void seal_encrypt(const uint8_t key[32], uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                  size_t text_bytes)
{
    uint8_t nonce[12];
    make_nonce(counter, nonce);
    br_poly1305_ctmulq_run(key, nonce, text, text_bytes, bound, bound_bytes, text + text_bytes, br_chacha20_ct_run, 1);
}

bool seal_decrypt(const uint8_t key[32], uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                  size_t text_bytes)
{
    uint8_t nonce[12], tag[SEAL_TAG_BYTES];
    make_nonce(counter, nonce);
    br_poly1305_ctmulq_run(key, nonce, text, text_bytes, bound, bound_bytes, tag, br_chacha20_ct_run, 0);
    return seal_equal(tag, text + text_bytes, SEAL_TAG_BYTES);
}

bool seal_equal(const void *a, const void *b, size_t bytes)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < bytes; i++)
        difference |= ((const uint8_t *)a)[i] ^ ((const uint8_t *)b)[i];
    return difference == 0;
}

void seal_wipe(void *secret, size_t bytes)
{
    volatile uint8_t *at = secret;
    for (size_t i = 0; i < bytes; i++)
        at[i] = 0;
}
