#include <seal/frame.h>

#include <string.h>

#include <base/assert.h>
#include <base/crc32c.h>
#include <wire/wire.h>

#define FRAME_VERSION 3u

void seal_cluster_begin(struct seal_cluster *c, const char *name)
{
    memset(c, 0, sizeof(*c));
    seal_sha256("shoal cluster ", 14, name, strlen(name), c->name_hash);
    struct wire_reader r = wire_reader(c->name_hash, 4);
    c->tag = wire_get_u32(&r);
}

/* ---- keys ---- */

static void derive(const struct seal_cluster *c, const uint8_t key[32], const char *purpose, void *out, size_t bytes)
{
    seal_hkdf(c->name_hash, 32, key, 32, purpose, strlen(purpose), out, bytes);
}

uint64_t seal_key_id(const struct seal_cluster *c, const uint8_t key[32])
{
    uint8_t bytes[8];
    derive(c, key, "shoal key id", bytes, sizeof(bytes));
    struct wire_reader r = wire_reader(bytes, sizeof(bytes));
    uint64_t id = wire_get_u64(&r);
    return id ? id : 1;
}

void seal_secret_add(struct seal_cluster *c, const uint8_t key[32])
{
    ASSERT(!c->secrets[SEAL_SECRETS_MAX - 1].id);
    memmove(&c->secrets[1], &c->secrets[0], (SEAL_SECRETS_MAX - 1) * sizeof(c->secrets[0]));
    struct seal_secret *s = &c->secrets[0];
    s->id = seal_key_id(c, key);
    memcpy(s->key, key, 32);
    derive(c, key, "shoal hello", s->hello_key, 32);
    seal_handshake_prepare(&s->prepared, c->name_hash, sizeof(c->name_hash), key);
}

void seal_secret_old(struct seal_cluster *c, const uint8_t key[32])
{
    c->old.id = seal_key_id(c, key);
    derive(c, key, "shoal hello", c->old.hello_key, 32);
}

struct seal_secret *seal_secret_find(struct seal_cluster *c, uint64_t id)
{
    for (uint32_t i = 0; id && i < SEAL_SECRETS_MAX; i++) {
        if (c->secrets[i].id == id)
            return &c->secrets[i];
    }
    return NULL;
}

void seal_secret_drop(struct seal_cluster *c, uint64_t id)
{
    struct seal_secret *s = seal_secret_find(c, id), *last = &c->secrets[SEAL_SECRETS_MAX - 1];
    if (!s)
        return;
    c->old.id = s->id;
    memcpy(c->old.hello_key, s->hello_key, 32);
    for (; s < last; s++)
        *s = s[1];
    seal_wipe(last, sizeof(*last));
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
    wire_put_u16(&w, header.key);
    wire_put_u32(&w, c->tag);
    wire_put_u32(&w, header.session);
    wire_put_u32(&w, checksum(frame, bytes));
}

bool seal_header_read(const struct seal_cluster *c, const uint8_t *frame, size_t bytes, struct seal_header *header,
                      struct seal_counters *counters)
{
    struct wire_reader r = wire_reader(frame, bytes);
    header->kind = wire_get_u8(&r);
    uint32_t version = wire_get_u8(&r);
    header->key = wire_get_u16(&r);
    uint32_t tag = wire_get_u32(&r);
    header->session = wire_get_u32(&r);
    uint32_t crc = wire_get_u32(&r);
    if (r.failed || bytes > SEAL_FRAME_MAX || crc != checksum(frame, bytes)) {
        counters->damaged++;
        return false;
    }
    if (tag != c->tag || version != FRAME_VERSION || (header->kind == SEAL_DATA && header->key)) {
        counters->foreign++;
        return false;
    }
    return true;
}

/* Every hello has a key of its own, so that no two nodes need to agree on counters. */
static void hello_key(const struct seal_secret *secret, const uint8_t random[32], uint8_t key_out[32])
{
    seal_hkdf(random, 32, secret->hello_key, 32, "", 0, key_out, 32);
}

void seal_hello_write(const struct seal_cluster *c, const struct seal_secret *secret,
                      const struct seal_identity *identity, const uint8_t random[32], uint8_t *frame)
{
    uint8_t key[32], *text = frame + SEAL_HEADER_BYTES + 32;
    hello_key(secret, random, key);
    memcpy(frame + SEAL_HEADER_BYTES, random, 32);
    seal_identity_encode(identity, text);
    seal_encrypt(key, 0, "", 0, text, SEAL_IDENTITY_BYTES);
    seal_wipe(key, sizeof(key));
    seal_header_write(c, (struct seal_header){SEAL_HELLO, 0, (uint16_t)secret->id}, frame, SEAL_HELLO_BYTES);
}

static bool open_hello(const struct seal_secret *secret, const uint8_t *frame, uint8_t text[SEAL_IDENTITY_BYTES])
{
    uint8_t key[32], open[SEAL_IDENTITY_BYTES + SEAL_TAG_BYTES];
    hello_key(secret, frame + SEAL_HEADER_BYTES, key);
    memcpy(open, frame + SEAL_HEADER_BYTES + 32, sizeof(open));
    bool good = seal_decrypt(key, 0, "", 0, open, SEAL_IDENTITY_BYTES);
    seal_wipe(key, sizeof(key));
    memcpy(text, open, SEAL_IDENTITY_BYTES);
    return good;
}

err_t seal_hello_read(const struct seal_cluster *c, const struct seal_header *header, const uint8_t *frame,
                      size_t bytes, const struct seal_secret **secret, struct seal_identity *identity)
{
    uint8_t text[SEAL_IDENTITY_BYTES];
    const struct seal_secret *candidates[] = {&c->secrets[0], &c->secrets[1], &c->old};
    if (bytes != SEAL_HELLO_BYTES)
        return E_BAD_MESSAGE;
    for (uint32_t i = 0; i < 3; i++) {
        *secret = candidates[i];
        if ((*secret)->id && (uint16_t)(*secret)->id == header->key && open_hello(*secret, frame, text))
            return seal_identity_decode(text, identity);
    }
    return E_ACCESS;
}
