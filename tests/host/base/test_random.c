/* SHA-256 and ChaCha20 against their standards' vectors; the generator's own promises. */
#include <base/drbg.h>
#include <base/sha256.h>
#include <test/check.h>

static void check_hex(const uint8_t *bytes, size_t n, const char *expected)
{
    char text[200];
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    CHECK_STRING(text, expected);
}

static void check_sha256(const char *text, size_t step, const char *expected)
{
    struct sha256 s;
    uint8_t out[32];
    size_t n = strlen(text);
    sha256_begin(&s);
    for (size_t at = 0; at < n; at += step)
        sha256_add(&s, text + at, n - at < step ? n - at : step);
    sha256_end(&s, out);
    check_hex(out, 32, expected);
}

static void test_sha256(void) /* FIPS 180-2, appendix B, and the empty message */
{
    const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    check_sha256("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    for (size_t step = 1; step < 60; step += 7)
        check_sha256(two_blocks, step, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_chacha20(void) /* RFC 8439, section 2.3.2 */
{
    uint8_t key_bytes[32], nonce_bytes[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a}, out[64];
    uint32_t key[8], nonce[3];
    for (int i = 0; i < 32; i++)
        key_bytes[i] = (uint8_t)i;
    memcpy(key, key_bytes, 32);
    memcpy(nonce, nonce_bytes, 12);
    chacha20_block(key, 1, nonce, out);
    check_hex(out, 64,
              "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
              "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e");
}

/* RFC 8439, A.1, first and second vector: the key stream of a key of zeroes is the generator's next key, and what it
 * gives. */
static void test_generator_vector(void)
{
    static const uint8_t zero[32];
    uint8_t out[64];
    struct drbg g;
    drbg_init(&g, zero);
    drbg_bytes(&g, out, sizeof out);
    check_hex(out, 64,
              "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
              "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f");
    check_hex((const uint8_t *)g.key, 32, "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
}

static void test_generator(void)
{
    uint8_t key[32] = {1}, a[200], b[200];
    struct drbg g, same;
    drbg_init(&g, key);
    drbg_init(&same, key);
    drbg_bytes(&g, a, sizeof a);
    drbg_bytes(&same, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK(memcmp(&g, &same, sizeof g) == 0);
    drbg_bytes(&g, b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    for (size_t i = 0; i + sizeof g.key <= sizeof a; i++)
        CHECK(memcmp(a + i, same.key, sizeof same.key) != 0); /* it does not give its next key away */
}

int main(void)
{
    RUN(test_sha256);
    RUN(test_chacha20);
    RUN(test_generator_vector);
    RUN(test_generator);
    return 0;
}
