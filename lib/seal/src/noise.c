/* Names in comments are the specification's. */
#include <seal/noise.h>

#include <string.h>

/* MixHash */
static void mix_hash(struct noise *n, const void *data, size_t bytes)
{
    seal_sha256(n->hash, sizeof(n->hash), data, bytes, n->hash);
}

/* MixKey */
static void mix_key(struct noise *n, const uint8_t input[32])
{
    uint8_t out[64];
    seal_hkdf(n->chain, 32, input, 32, "", 0, out, sizeof(out));
    memcpy(n->chain, out, 32);
    memcpy(n->key, out + 32, 32);
    n->counter = 0;
    seal_wipe(out, sizeof(out));
}

/* MixKeyAndHash: token psk */
static void mix_psk(struct noise *n)
{
    uint8_t out[96];
    seal_hkdf(n->chain, 32, n->psk, 32, "", 0, out, sizeof(out));
    memcpy(n->chain, out, 32);
    mix_hash(n, out + 32, 32);
    memcpy(n->key, out + 64, 32);
    n->counter = 0;
    seal_wipe(out, sizeof(out));
}

/* EncryptAndHash, in place */
static void seal_in_place(struct noise *n, uint8_t *text, size_t bytes)
{
    seal_encrypt(n->key, n->counter++, n->hash, 32, text, bytes);
    mix_hash(n, text, bytes + SEAL_TAG_BYTES);
}

/* DecryptAndHash. Opens a copy: `to` has no room for the tag, and gets nothing unless it is genuine. */
static bool open_into(struct noise *n, const uint8_t *sealed, size_t bytes, uint8_t *to)
{
    uint8_t open[NOISE_PAYLOAD_MAX + SEAL_TAG_BYTES];
    memcpy(open, sealed, bytes);
    bool good = seal_decrypt(n->key, n->counter++, n->hash, 32, open, bytes - SEAL_TAG_BYTES);
    mix_hash(n, sealed, bytes);
    if (good)
        memcpy(to, open, bytes - SEAL_TAG_BYTES);
    seal_wipe(open, sizeof(open));
    return good;
}

/* Token e: with a psk the ephemeral goes into the key as well. */
static void mix_ephemeral(struct noise *n, const uint8_t public[32])
{
    mix_hash(n, public, 32);
    mix_key(n, public);
}

static bool mix_shared(struct noise *n, const uint8_t secret[32], const uint8_t public[32])
{
    uint8_t shared[32];
    bool good = seal_x25519(secret, public, shared);
    mix_key(n, shared);
    seal_wipe(shared, sizeof(shared));
    return good;
}

/* Tokens ee, es and se: the beginner's key is named first. */
static bool mix_token(struct noise *n, uint8_t token)
{
    bool own_static = token == (n->begins ? NOISE_SE : NOISE_ES),
         their_static = token == (n->begins ? NOISE_ES : NOISE_SE);
    return mix_shared(n, own_static ? n->own.secret : n->ephemeral.secret, their_static ? n->peer : n->peer_ephemeral);
}

struct noise_pair noise_pair_of(const uint8_t secret[32])
{
    struct noise_pair p;
    memcpy(p.secret, secret, 32);
    seal_x25519_public(secret, p.public);
    return p;
}

void noise_begin(struct noise *n, const struct noise_pattern *p, const void *prologue, size_t prologue_bytes,
                 const uint8_t psk[32], const struct noise_pair *own, bool begins)
{
    memset(n, 0, sizeof(*n));
    size_t bytes = strlen(p->name);
    if (bytes <= sizeof(n->hash)) /* InitializeSymmetric: a short name stands for itself */
        memcpy(n->hash, p->name, bytes);
    else
        seal_sha256(p->name, bytes, "", 0, n->hash);
    memcpy(n->chain, n->hash, 32);
    memcpy(n->psk, psk, 32);
    if (own)
        n->own = *own;
    n->begins = begins;
    mix_hash(n, prologue, prologue_bytes);
    if (p->psk0) {
        mix_psk(n);
        seal_wipe(n->psk, sizeof(n->psk));
    }
}

/* What a token puts into the message goes to *at, which moves on. */
static bool write_token(struct noise *n, uint8_t token, uint8_t **at)
{
    switch (token) {
    case NOISE_E:
        memcpy(*at, n->ephemeral.public, 32);
        mix_ephemeral(n, *at);
        *at += 32;
        return true;
    case NOISE_S:
        memcpy(*at, n->own.public, 32);
        seal_in_place(n, *at, 32);
        *at += NOISE_SEALED_KEY;
        return true;
    case NOISE_PSK:
        mix_psk(n);
        return true;
    default:
        return mix_token(n, token);
    }
}

bool noise_write(struct noise *n, const uint8_t tokens[NOISE_TOKENS], const uint8_t ephemeral[32], const void *payload,
                 size_t payload_bytes, uint8_t *message_out)
{
    bool good = true;
    n->ephemeral = noise_pair_of(ephemeral);
    for (uint32_t i = 0; i < NOISE_TOKENS && tokens[i]; i++)
        good = write_token(n, tokens[i], &message_out) && good;
    memcpy(message_out, payload, payload_bytes);
    seal_in_place(n, message_out, payload_bytes);
    return good;
}

static bool read_token(struct noise *n, uint8_t token, const uint8_t **at)
{
    const uint8_t *from = *at;
    switch (token) {
    case NOISE_E:
        memcpy(n->peer_ephemeral, from, 32);
        mix_ephemeral(n, from);
        *at += 32;
        return true;
    case NOISE_S:
        *at += NOISE_SEALED_KEY;
        return open_into(n, from, NOISE_SEALED_KEY, n->peer);
    case NOISE_PSK:
        mix_psk(n);
        return true;
    default:
        return mix_token(n, token);
    }
}

static size_t least_bytes(const uint8_t tokens[NOISE_TOKENS])
{
    size_t bytes = SEAL_TAG_BYTES;
    for (uint32_t i = 0; i < NOISE_TOKENS && tokens[i]; i++)
        bytes += tokens[i] == NOISE_E ? 32 : tokens[i] == NOISE_S ? NOISE_SEALED_KEY : 0;
    return bytes;
}

err_t noise_read(struct noise *n, const uint8_t tokens[NOISE_TOKENS], const uint8_t *message, size_t bytes,
                 uint8_t *payload_out)
{
    const uint8_t *at = message;
    size_t least = least_bytes(tokens);
    if (bytes < least || bytes > least + NOISE_PAYLOAD_MAX)
        return E_BAD_MESSAGE;
    for (uint32_t i = 0; i < NOISE_TOKENS && tokens[i]; i++) {
        if (!read_token(n, tokens[i], &at))
            return E_ACCESS;
    }
    return open_into(n, at, bytes - (size_t)(at - message), payload_out) ? E_OK : E_ACCESS;
}

void noise_split(const struct noise *n, uint8_t first[32], uint8_t second[32])
{
    uint8_t out[64];
    seal_hkdf(n->chain, 32, "", 0, "", 0, out, sizeof(out));
    memcpy(first, out, 32);
    memcpy(second, out + 32, 32);
    seal_wipe(out, sizeof(out));
}
