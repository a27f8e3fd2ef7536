#include <seal/handshake.h>

#include <string.h>

#include <base/assert.h>
#include <wire/wire.h>

static const struct noise_pattern pattern = {
    .name = "Noise_IXpsk0_25519_ChaChaPoly_SHA256",
    .psk0 = true,
    .messages = {{NOISE_E, NOISE_S}, {NOISE_E, NOISE_EE, NOISE_SE, NOISE_S, NOISE_ES}}};

void seal_handshake_prepare(struct noise *prepared, const void *prologue, size_t prologue_bytes,
                            const uint8_t cluster_key[32])
{
    noise_begin(prepared, &pattern, prologue, prologue_bytes, cluster_key, NULL, false);
}

void seal_handshake_begin(struct noise *h, const struct noise *prepared, const struct noise_pair *log_key, bool begins)
{
    *h = *prepared;
    h->own = *log_key;
    h->begins = begins;
}

void seal_first_write(struct noise *h, const uint8_t random[32], const void *payload, size_t payload_bytes,
                      uint8_t *message_out)
{
    (void)noise_write(h, pattern.messages[0], random, payload, payload_bytes,
                      message_out); /* no key of theirs is in it */
}

err_t seal_first_read(struct noise *h, const uint8_t *message, size_t bytes, uint8_t *payload_out)
{
    return noise_read(h, pattern.messages[0], message, bytes, payload_out);
}

err_t seal_second_write(struct noise *h, const uint8_t random[32], const void *payload, size_t payload_bytes,
                        uint8_t *message_out, struct seal_keys *keys)
{
    bool good = noise_write(h, pattern.messages[1], random, payload, payload_bytes, message_out);
    if (good)
        noise_split(h, keys->receive, keys->send);
    seal_wipe(h, sizeof(*h));
    return good ? E_OK : E_ACCESS;
}

err_t seal_second_read(struct noise *h, const uint8_t *message, size_t bytes, uint8_t *payload_out,
                       uint8_t peer_out[32], struct seal_keys *keys)
{
    struct noise attempt = *h;
    err_t err = noise_read(&attempt, pattern.messages[1], message, bytes, payload_out);
    if (!err) {
        noise_split(&attempt, keys->send, keys->receive);
        memcpy(peer_out, attempt.peer, 32);
        seal_wipe(h, sizeof(*h));
    }
    seal_wipe(&attempt, sizeof(attempt));
    return err;
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
