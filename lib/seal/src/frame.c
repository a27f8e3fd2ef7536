#include <seal/frame.h>

#include <string.h>

#include <base/crc32c.h>
#include <wire/wire.h>

#define FRAME_VERSION 1u

void seal_cluster_begin(struct seal_cluster *c, const char *name, const uint8_t key[32])
{
    static const char purpose[] = "shoal hello";
    seal_sha256("shoal cluster ", 14, name, strlen(name), c->name_hash);
    memcpy(c->key, key, 32);
    seal_hkdf(c->name_hash, 32, key, 32, purpose, sizeof(purpose) - 1, c->hello_key, 32);
    struct wire_reader r = wire_reader(c->name_hash, 4);
    c->tag = wire_get_u32(&r);
}

static uint32_t checksum(const uint8_t *frame, size_t bytes)
{
    static const uint8_t zero[4];
    uint32_t crc = crc32c(0, frame, 12);
    crc = crc32c(crc, zero, 4);
    return crc32c(crc, frame + SEAL_HEADER_BYTES, bytes - SEAL_HEADER_BYTES);
}

void seal_header_write(const struct seal_cluster *c, struct seal_header header, uint8_t *frame, size_t bytes)
{
    struct wire_writer w = wire_writer(frame, SEAL_HEADER_BYTES);
    wire_put_u8(&w, (uint8_t)header.kind);
    wire_put_u8(&w, FRAME_VERSION);
    wire_put_u16(&w, 0);
    wire_put_u32(&w, c->tag);
    wire_put_u32(&w, header.session);
    wire_put_u32(&w, checksum(frame, bytes));
}

bool seal_header_read(const struct seal_cluster *c, const uint8_t *frame, size_t bytes, struct seal_header *header,
                      struct seal_counters *counters)
{
    struct wire_reader r = wire_reader(frame, bytes);
    header->kind = wire_get_u8(&r);
    uint32_t version = wire_get_u8(&r), zero = wire_get_u16(&r), tag = wire_get_u32(&r);
    header->session = wire_get_u32(&r);
    uint32_t crc = wire_get_u32(&r);
    if (r.failed || bytes > SEAL_FRAME_MAX || crc != checksum(frame, bytes)) {
        counters->damaged++;
        return false;
    }
    if (tag != c->tag || version != FRAME_VERSION || zero) {
        counters->foreign++;
        return false;
    }
    return true;
}

/* Every hello has a key of its own, so that no two nodes need to agree on counters. */
static void hello_key(const struct seal_cluster *c, const uint8_t random[32], uint8_t key_out[32])
{
    seal_hkdf(random, 32, c->hello_key, 32, "", 0, key_out, 32);
}

void seal_hello_write(const struct seal_cluster *c, const struct seal_identity *identity, const uint8_t random[32],
                      uint8_t *frame)
{
    uint8_t key[32], *text = frame + SEAL_HEADER_BYTES + 32;
    hello_key(c, random, key);
    memcpy(frame + SEAL_HEADER_BYTES, random, 32);
    seal_identity_encode(identity, text);
    seal_encrypt(key, 0, "", 0, text, SEAL_IDENTITY_BYTES);
    seal_wipe(key, sizeof(key));
    seal_header_write(c, (struct seal_header){SEAL_HELLO, 0}, frame, SEAL_HELLO_BYTES);
}

err_t seal_hello_read(const struct seal_cluster *c, const uint8_t *frame, size_t bytes, struct seal_identity *identity)
{
    uint8_t key[32], text[SEAL_IDENTITY_BYTES + SEAL_TAG_BYTES];
    if (bytes != SEAL_HELLO_BYTES)
        return E_BAD_MESSAGE;
    hello_key(c, frame + SEAL_HEADER_BYTES, key);
    memcpy(text, frame + SEAL_HEADER_BYTES + 32, sizeof(text));
    bool good = seal_decrypt(key, 0, "", 0, text, SEAL_IDENTITY_BYTES);
    seal_wipe(key, sizeof(key));
    return good ? seal_identity_decode(text, identity) : E_ACCESS;
}
