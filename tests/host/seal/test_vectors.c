/* Published vectors for each primitive. */
#include <bearssl.h>
#include <seal/primitives.h>
#include <seal/random.h>
#include <test/check.h>

#include "hex.h"

/* FIPS 180-4: the message in two parts, no message, one of two blocks in pieces of every size, and the million. */
static void test_sha256(void)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    uint8_t hash[32];
    struct seal_sha256 s;
    seal_sha256("a", 1, "bc", 2, hash);
    check_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    seal_sha256("", 0, "", 0, hash);
    check_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t piece = 1; piece <= 56; piece++) {
        seal_sha256_begin(&s);
        for (size_t at = 0; at < 56; at += piece)
            seal_sha256_add(&s, two_blocks + at, at + piece < 56 ? piece : 56 - at);
        seal_sha256_end(&s, hash);
        check_hex(hash, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    }
    seal_sha256_begin(&s);
    for (int i = 0; i < 1000000; i++)
        seal_sha256_add(&s, "a", 1);
    seal_sha256_end(&s, hash);
    check_hex(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 5869, A.1 to A.3; HMAC is inside: what is extracted and expanded is nothing else. */
static void test_hkdf(void)
{
    uint8_t secret[80], salt[80], info[80], out[82];
    memset(secret, 0x0b, 22);
    unhex("000102030405060708090a0b0c", salt);
    unhex("f0f1f2f3f4f5f6f7f8f9", info);
    seal_hkdf(salt, 13, secret, 22, info, 10, out, 42);
    check_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    seal_hkdf("", 0, secret, 22, "", 0, out, 42);
    check_hex(out, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    for (int i = 0; i < 80; i++) {
        secret[i] = (uint8_t)i;
        salt[i] = (uint8_t)(0x60 + i);
        info[i] = (uint8_t)(0xb0 + i);
    }
    seal_hkdf(salt, 80, secret, 80, info, 80, out, 82);
    check_hex(
        out,
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f"
        "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

/* RFC 4231, cases 1, 2 and 6: through HKDF's first step, whose result keys the second, T(1) = HMAC(HMAC(salt, secret),
 * info | 1). */
static void hmac(const uint8_t *key, size_t key_bytes, const void *data, size_t bytes, uint8_t out[32])
{
    br_hmac_key_context prepared;
    br_hmac_context context;
    br_hmac_key_init(&prepared, &br_sha256_vtable, key, key_bytes);
    br_hmac_init(&context, &prepared, 0);
    br_hmac_update(&context, data, bytes);
    br_hmac_out(&context, out);
}

static void test_hmac(void)
{
    uint8_t key[131], out[32], extracted[32], expected[32];
    memset(key, 0x0b, 20);
    hmac(key, 20, "Hi There", 8, out);
    check_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac((const uint8_t *)"Jefe", 4, "what do ya want for nothing?", 28, out);
    check_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, 131);
    hmac(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
    check_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hmac((const uint8_t *)"salt", 4, "secret", 6, extracted);
    hmac(extracted, 32, "info\1", 5, expected);
    seal_hkdf("salt", 4, "secret", 6, "info", 4, out, 32);
    CHECK(!memcmp(out, expected, 32));
}

/* RFC 7748, 5.2 and 6.1 */
static void test_x25519(void)
{
    uint8_t a[32], b[32], public_a[32], public_b[32], shared[32];
    unhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", a);
    unhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", b);
    CHECK(seal_x25519(a, b, shared));
    check_hex(shared, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    unhex("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099c170b6a7fc2a9c5a6e", a);
    unhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
    seal_x25519_public(b, public_b);
    check_hex(public_b, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    seal_x25519_public(a, public_a);
    uint8_t other[32];
    CHECK(seal_x25519(a, public_b, shared) && seal_x25519(b, public_a, other));
    CHECK(!memcmp(shared, other, 32));
    memset(public_b, 0, 32);
    CHECK(!seal_x25519(a, public_b, shared)); /* low order */
}

/* RFC 7748, 5.2: each result is the next secret, and the secret before it the next point. */
static void test_x25519_again_and_again(void)
{
    uint8_t k[32] = {9}, u[32] = {9}, next[32];
    for (int i = 1; i <= 1000; i++) {
        CHECK(seal_x25519(k, u, next));
        memcpy(u, k, 32);
        memcpy(k, next, 32);
        if (i == 1)
            check_hex(k, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    check_hex(k, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

/* RFC 8439, A.1, second vector: the key stream of a key of zeroes. The generator's first half is its next key, the
 * other what it gives. */
static void test_generator(void)
{
    static const uint8_t seed[32];
    uint8_t out[32];
    struct seal_random r;
    seal_random_begin(&r, seed);
    seal_random_bytes(&r, out, 32);
    check_hex(out, "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
    check_hex(r.key, "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed");
}

/* RFC 8439, A.5 */
static const char *const sealed_hex =
    "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100"
    "d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b350638"
    "3606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523eaf4534d7f83fa115"
    "5b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
    "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f"
    "38";

static void test_aead(void)
{
    uint8_t key[32], bound[12], text[512], again[512];
    unhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", key);
    unhex("f33388860000000000004e91", bound);
    size_t bytes = unhex(sealed_hex, text) - SEAL_TAG_BYTES;
    CHECK(seal_decrypt(key, 0x0807060504030201, bound, 12, text, bytes));
    CHECK(!memcmp(text, "Internet-Drafts are draft documents valid", 41));
    seal_encrypt(key, 0x0807060504030201, bound, 12, text, bytes);
    check_hex(text, sealed_hex);
    for (size_t i = 0; i < bytes + SEAL_TAG_BYTES; i++) { /* no byte may change, of text, tag or what is bound */
        memcpy(again, text, sizeof(text));
        again[i] ^= 1;
        CHECK(!seal_decrypt(key, 0x0807060504030201, bound, 12, again, bytes));
    }
    memcpy(again, text, sizeof(text));
    CHECK(!seal_decrypt(key, 0x0807060504030202, bound, 12, again, bytes));
    bound[3] ^= 0x80;
    CHECK(!seal_decrypt(key, 0x0807060504030201, bound, 12, text, bytes));
}

int main(void)
{
    RUN(test_sha256);
    RUN(test_hkdf);
    RUN(test_hmac);
    RUN(test_x25519);
    RUN(test_x25519_again_and_again);
    RUN(test_generator);
    RUN(test_aead);
    return 0;
}
