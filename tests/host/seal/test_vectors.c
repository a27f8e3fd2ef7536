/* Published vectors for each primitive. */
#include <seal/primitives.h>
#include <test/check.h>

static size_t unhex(const char *hex, uint8_t *to)
{
    size_t bytes = 0;
    for (; *hex; hex += 2, bytes++)
        CHECK_EQUAL(sscanf(hex, "%2hhx", &to[bytes]), 1);
    return bytes;
}

static void check_hex(const uint8_t *bytes, const char *hex)
{
    uint8_t expected[512];
    size_t count = unhex(hex, expected);
    CHECK(!memcmp(bytes, expected, count));
}

/* FIPS 180-4, with the message in two parts. */
static void test_sha256(void)
{
    uint8_t hash[32];
    seal_sha256("a", 1, "bc", 2, hash);
    check_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 5869, A.1 */
static void test_hkdf(void)
{
    uint8_t secret[22], salt[13], info[10], out[42];
    memset(secret, 0x0b, sizeof(secret));
    unhex("000102030405060708090a0b0c", salt);
    unhex("f0f1f2f3f4f5f6f7f8f9", info);
    seal_hkdf(salt, 13, secret, 22, info, 10, out, 42);
    check_hex(out, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
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
    RUN(test_x25519);
    RUN(test_aead);
    return 0;
}
