/* Noise, revision 34, for the one pattern NNpsk0: names in comments are the specification's. */
#include <seal/handshake.h>

#include <string.h>

#include <base/assert.h>
#include <wire/wire.h>

static const char protocol_name[] = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";

static void mix_hash(struct seal_handshake *h, const void *data, size_t bytes)
{
    seal_sha256(h->hash, sizeof(h->hash), data, bytes, h->hash);
}

static void mix_key(struct seal_handshake *h, const uint8_t input[32])
{
    uint8_t out[64];
    seal_hkdf(h->chain, 32, input, 32, "", 0, out, sizeof(out));
    memcpy(h->chain, out, 32);
    memcpy(h->key, out + 32, 32);
    h->counter = 0;
    seal_wipe(out, sizeof(out));
}

static void mix_key_and_hash(struct seal_handshake *h, const uint8_t input[32])
{
    uint8_t out[96];
    seal_hkdf(h->chain, 32, input, 32, "", 0, out, sizeof(out));
    memcpy(h->chain, out, 32);
    mix_hash(h, out + 32, 32);
    memcpy(h->key, out + 64, 32);
    h->counter = 0;
    seal_wipe(out, sizeof(out));
}

static void encrypt_and_hash(struct seal_handshake *h, const void *payload, size_t bytes, uint8_t *out)
{
    memcpy(out, payload, bytes);
    seal_encrypt(h->key, h->counter++, h->hash, 32, out, bytes);
    mix_hash(h, out, bytes + SEAL_TAG_BYTES);
}

/* Opens a copy: payload_out has no room for the tag, and gets nothing unless it is genuine. */
static bool decrypt_and_hash(struct seal_handshake *h, const uint8_t *sealed, size_t bytes, uint8_t *payload_out)
{
    uint8_t open[SEAL_PAYLOAD_MAX + SEAL_TAG_BYTES];
    ASSERT(bytes >= SEAL_TAG_BYTES);
    if (bytes > sizeof(open))
        return false;
    memcpy(open, sealed, bytes);
    bool good = seal_decrypt(h->key, h->counter++, h->hash, 32, open, bytes - SEAL_TAG_BYTES);
    mix_hash(h, sealed, bytes);
    if (good)
        memcpy(payload_out, open, bytes - SEAL_TAG_BYTES);
    seal_wipe(open, sizeof(open));
    return good;
}

/* Token e: with a psk the ephemeral goes into the key as well. */
static void mix_ephemeral(struct seal_handshake *h, const uint8_t public[32])
{
    mix_hash(h, public, 32);
    mix_key(h, public);
}

void seal_handshake_begin(struct seal_handshake *h, const void *prologue, size_t prologue_bytes,
                          const uint8_t cluster_key[32], const uint8_t random[32])
{
    memset(h, 0, sizeof(*h));
    seal_sha256(protocol_name, sizeof(protocol_name) - 1, "", 0, h->hash);
    memcpy(h->chain, h->hash, 32);
    mix_hash(h, prologue, prologue_bytes);
    mix_key_and_hash(h, cluster_key);
    memcpy(h->secret, random, 32);
}

void seal_handshake_again(struct seal_handshake *h, const struct seal_handshake *begun, const uint8_t random[32])
{
    *h = *begun;
    memcpy(h->secret, random, 32);
}

void seal_first_write(struct seal_handshake *h, const void *payload, size_t payload_bytes, uint8_t *message_out)
{
    seal_x25519_public(h->secret, message_out);
    mix_ephemeral(h, message_out);
    encrypt_and_hash(h, payload, payload_bytes, message_out + 32);
}

err_t seal_first_read(struct seal_handshake *h, const uint8_t *message, size_t bytes, uint8_t *payload_out)
{
    if (bytes < 32 + SEAL_TAG_BYTES)
        return E_BAD_MESSAGE;
    mix_ephemeral(h, message);
    memcpy(h->peer, message, 32);
    return decrypt_and_hash(h, message + 32, bytes - 32, payload_out) ? E_OK : E_ACCESS;
}

/* Token ee, and from then on the keys are fresh. */
static bool mix_shared(struct seal_handshake *h, const uint8_t peer[32])
{
    uint8_t shared[32];
    bool good = seal_x25519(h->secret, peer, shared);
    mix_key(h, shared);
    seal_wipe(shared, sizeof(shared));
    return good;
}

static void split(const struct seal_handshake *h, uint8_t first[32], uint8_t second[32])
{
    uint8_t out[64];
    seal_hkdf(h->chain, 32, "", 0, "", 0, out, sizeof(out));
    memcpy(first, out, 32);
    memcpy(second, out + 32, 32);
    seal_wipe(out, sizeof(out));
}

err_t seal_second_write(struct seal_handshake *h, const void *payload, size_t payload_bytes, uint8_t *message_out,
                        struct seal_keys *keys)
{
    seal_x25519_public(h->secret, message_out);
    mix_ephemeral(h, message_out);
    bool good = mix_shared(h, h->peer);
    if (good) {
        encrypt_and_hash(h, payload, payload_bytes, message_out + 32);
        split(h, keys->receive, keys->send);
    }
    seal_wipe(h, sizeof(*h));
    return good ? E_OK : E_ACCESS;
}

err_t seal_second_read(struct seal_handshake *h, const uint8_t *message, size_t bytes, uint8_t *payload_out,
                       struct seal_keys *keys)
{
    struct seal_handshake attempt = *h;
    if (bytes < 32 + SEAL_TAG_BYTES)
        return E_BAD_MESSAGE;
    mix_ephemeral(&attempt, message);
    bool good = mix_shared(&attempt, message) && decrypt_and_hash(&attempt, message + 32, bytes - 32, payload_out);
    if (good) {
        split(&attempt, keys->send, keys->receive);
        seal_wipe(h, sizeof(*h));
    }
    seal_wipe(&attempt, sizeof(attempt));
    return good ? E_OK : E_ACCESS;
}

static void put_id(struct wire_writer *w, const uint64_t id[2])
{
    wire_put_u64(w, id[0]);
    wire_put_u64(w, id[1]);
}

static void get_id(struct wire_reader *r, uint64_t id[2])
{
    id[0] = wire_get_u64(r);
    id[1] = wire_get_u64(r);
}

void seal_identity_encode(const struct seal_identity *identity, uint8_t out[SEAL_IDENTITY_BYTES])
{
    struct wire_writer w = wire_writer(out, SEAL_IDENTITY_BYTES);
    wire_put_u32(&w, identity->protocol);
    wire_put_u32(&w, identity->flags);
    put_id(&w, identity->cluster_id);
    put_id(&w, identity->node_id);
    put_id(&w, identity->log_id);
    put_id(&w, identity->boot_id);
    wire_put_u64(&w, identity->attempt);
    wire_put_bytes(&w, identity->name, sizeof(identity->name));
}

err_t seal_identity_decode(const uint8_t from[SEAL_IDENTITY_BYTES], struct seal_identity *identity)
{
    struct wire_reader r = wire_reader(from, SEAL_IDENTITY_BYTES);
    identity->protocol = wire_get_u32(&r);
    identity->flags = wire_get_u32(&r);
    get_id(&r, identity->cluster_id);
    get_id(&r, identity->node_id);
    get_id(&r, identity->log_id);
    get_id(&r, identity->boot_id);
    identity->attempt = wire_get_u64(&r);
    wire_get_bytes(&r, identity->name, sizeof(identity->name));
    bool named = identity->name[sizeof(identity->name) - 1] == 0;
    ASSERT(wire_done(&r));
    return identity->protocol == SEAL_PROTOCOL && named ? E_OK : E_BAD_MESSAGE;
}
