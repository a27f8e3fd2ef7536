/* The Noise machine against published vectors, byte for byte: those of the file cacophony.txt (the Haskell library
 * cacophony's, which other implementations carry as well). Ours is IXpsk0, for which none are published: NNpsk0 shows
 * the key that comes first, IXpsk2 all other tokens, and the same code walks all three. (The file's field
 * handshake_hash is not compared: with a psk it is not the hash at the end.) */
#include <seal/noise.h>
#include <seal/transport.h>
#include <test/check.h>

#include "hex.h"

#define MESSAGES 6

struct vector {
    struct noise_pattern pattern;
    bool statics;
    const char *ciphertexts[MESSAGES];
};

/* The same in all of that file. */
static const char prologue[] = "4a6f686e2047616c74",
                  psk[] = "54686973206973206d7920417573747269616e20706572737065637469766521",
                  first_static[] = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
                  first_ephemeral[] = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
                  second_static[] = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
                  second_ephemeral[] = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
static const char *const payloads[MESSAGES] = {"4c756477696720766f6e204d69736573",
                                               "4d757272617920526f746862617264",
                                               "462e20412e20486179656b",
                                               "4361726c204d656e676572",
                                               "4a65616e2d426170746973746520536179",
                                               "457567656e2042f6686d20766f6e2042617765726b"};

static const struct vector vectors[] = {
    {{"Noise_NNpsk0_25519_ChaChaPoly_SHA256", true, {{NOISE_E}, {NOISE_E, NOISE_EE}}},
     false,
     {"ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c794479b962b8aff8485742ac32f905ba4536"
      "9e2465fb59e138a93d67a0d1266b6a54",
      "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843d6062704d5a9c422a8e834423f8c1fea"
      "da7e8d0d910a1a2cd030fb584221e3",
      "e632c3763d7669067383433197a3baddf146e9e70ad4b4e9e59e0f",
      "64c6bee32ea91c8474bb4c21d7a700109ad45af77b29764ba5eb1e",
      "e2fa0bed0603b62d3ccac2ecabbf3fe33f3e86514909b323361626266cb2471cc8",
      "0c01dc9cec1fe4ddd692e8dd32188aa351088dc91183639a53b57aa4692b5ebdef8b8ca111"}},
    {{"Noise_IXpsk2_25519_ChaChaPoly_SHA256",
      false,
      {{NOISE_E, NOISE_S}, {NOISE_E, NOISE_EE, NOISE_SE, NOISE_S, NOISE_ES, NOISE_PSK}}},
     true,
     {"ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79441f5e7765c87ace8e3e408eb3cf0eb2fd"
      "8fe8fef320d74709ac2144d4928e3997caaafd89c8d1bf97f5c8853081d41af00563b2e3a88df0cee64f7d56d8a24f0c"
      "60f6c9f420dd1750922414f96d73ebe4",
      "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843ec9687d83c88833a95e2957ff59e2e1d"
      "f84c371586107413966a41f4f8329d643bc5c6512ba657a0208e43069a6eb4ef41523c7d6f1825c9f7f739e709472451"
      "3dc602bd17a6d7b0923c19253baa77",
      "4a8805b86409bd0ee270e2af1f51a00a511715db63029f0ad83c8a",
      "011564d8382ab8cd2a497ec9c7fe278b32d7c3d45dbfe9fe5d9486",
      "5af44f82521305190715288ff0412379d8cb0230e2f259e329ef6ad6fdcf2e0240",
      "26b4c1c52fd4ab7329f4b48366cfeabeff1fdc32f756a2c00f3748675786974f155ae08c2d"}}};

static void begin(const struct vector *v, const char *static_hex, bool begins, struct noise *n)
{
    uint8_t name[16], key[32], secret[32];
    struct noise_pair own;
    size_t bytes = unhex(prologue, name);
    unhex(psk, key);
    unhex(static_hex, secret);
    own = noise_pair_of(secret);
    noise_begin(n, &v->pattern, name, bytes, key, v->statics ? &own : NULL, begins);
}

/* Writes it, reads it on the other side, and both are as published. */
static void exchange(const struct vector *v, uint32_t which, struct noise *writer, struct noise *reader)
{
    uint8_t ephemeral[32], payload[64], message[256], back[64];
    size_t bytes = unhex(payloads[which], payload), message_bytes = strlen(v->ciphertexts[which]) / 2;
    unhex(which ? second_ephemeral : first_ephemeral, ephemeral);
    CHECK(noise_write(writer, v->pattern.messages[which], ephemeral, payload, bytes, message));
    check_hex(message, v->ciphertexts[which]);
    CHECK_EQUAL(noise_read(reader, v->pattern.messages[which], message, message_bytes, back), E_OK);
    CHECK(!memcmp(back, payload, bytes));
}

static void packet(const struct vector *v, uint32_t which, struct seal_session *from, struct seal_session *to)
{
    uint8_t text[64 + SEAL_TAG_BYTES], payload[64];
    size_t bytes = unhex(payloads[which], payload);
    memcpy(text, payload, bytes);
    uint64_t counter = seal_send(from, "", 0, text, bytes);
    check_hex(text, v->ciphertexts[which]);
    CHECK_EQUAL(seal_receive(to, counter, "", 0, text, bytes), E_OK);
    CHECK(!memcmp(text, payload, bytes));
}

static void check_vector(const struct vector *v)
{
    struct noise first, second;
    struct seal_keys a, b;
    struct seal_session of_first, of_second;
    begin(v, first_static, true, &first);
    begin(v, second_static, false, &second);
    exchange(v, 0, &first, &second);
    exchange(v, 1, &second, &first);
    CHECK(!memcmp(first.hash, second.hash, 32));
    if (v->statics)
        CHECK(!memcmp(first.peer, second.own.public, 32) && !memcmp(second.peer, first.own.public, 32));
    noise_split(&first, a.send, a.receive);
    noise_split(&second, b.receive, b.send);
    seal_session_begin(&of_first, &a);
    seal_session_begin(&of_second, &b);
    for (uint32_t i = 2; i < MESSAGES; i++) /* they take turns */
        packet(v, i, i % 2 ? &of_second : &of_first, i % 2 ? &of_first : &of_second);
}

static void test_vectors(void)
{
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        check_vector(&vectors[i]);
}

static err_t read_changed(const struct vector *v, uint32_t which, size_t at, uint8_t change)
{
    static const uint8_t nothing[64];
    uint8_t message[256], ephemeral[32], text[64], payload[64] = {0};
    struct noise first, second;
    size_t bytes = unhex(payloads[0], text);
    begin(v, first_static, true, &first);
    begin(v, second_static, false, &second);
    unhex(first_ephemeral, ephemeral);
    CHECK(noise_write(&first, v->pattern.messages[0], ephemeral, text, bytes, message));
    bytes = unhex(v->ciphertexts[which], message);
    message[at] ^= change;
    err_t err = noise_read(which ? &first : &second, v->pattern.messages[which], message, bytes, payload);
    CHECK(!err || !memcmp(payload, nothing, sizeof(payload)));
    return err;
}

/* No byte of either message may change, and nothing of the payload comes out if one does. */
static void test_any_change_is_seen(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        const struct vector *v = &vectors[i / 2];
        CHECK_EQUAL(read_changed(v, i % 2, 0, 0), E_OK);
        for (size_t at = 0; at < strlen(v->ciphertexts[i % 2]) / 2; at++)
            CHECK_EQUAL(read_changed(v, i % 2, at, (uint8_t)(1u << at % 8)), E_ACCESS);
    }
}

static void test_lengths(void)
{
    static uint8_t much[32 + NOISE_SEALED_KEY + SEAL_TAG_BYTES + NOISE_PAYLOAD_MAX + 1], payload[NOISE_PAYLOAD_MAX];
    const struct vector *v = &vectors[1];
    const size_t least = 32 + NOISE_SEALED_KEY + SEAL_TAG_BYTES;
    for (size_t bytes = least - 2; bytes <= sizeof(much); bytes++) {
        struct noise n;
        begin(v, second_static, false, &n);
        err_t expected = bytes < least || bytes > least + NOISE_PAYLOAD_MAX ? E_BAD_MESSAGE : E_ACCESS;
        CHECK_EQUAL(noise_read(&n, v->pattern.messages[0], much, bytes, payload), expected);
    }
}

int main(void)
{
    RUN(test_vectors);
    RUN(test_any_change_is_seen);
    RUN(test_lengths);
    return 0;
}
