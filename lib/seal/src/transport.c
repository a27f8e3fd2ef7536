#include <seal/transport.h>

#include <string.h>

#define PERIOD(counter) ((counter) / SEAL_REKEY_PACKETS)

/* Noise's REKEY: the new key is the old one's sealing of zeroes, with the counter that no packet uses. */
static void next_key(const uint8_t key[32], uint8_t next_out[32])
{
    uint8_t text[32 + SEAL_TAG_BYTES] = {0};
    seal_encrypt(key, UINT64_MAX, "", 0, text, 32);
    memcpy(next_out, text, 32);
    seal_wipe(text, sizeof(text));
}

void seal_session_begin(struct seal_session *s, const struct seal_keys *keys)
{
    memset(s, 0, sizeof(*s));
    memcpy(s->send_key, keys->send, 32);
    memcpy(s->receive_key[0], keys->receive, 32);
}

void seal_session_end(struct seal_session *s)
{
    seal_wipe(s, sizeof(*s));
}

uint64_t seal_send(struct seal_session *s, const void *bound, size_t bound_bytes, uint8_t *text, size_t text_bytes)
{
    uint64_t counter = s->send_counter++;
    if (counter && counter % SEAL_REKEY_PACKETS == 0)
        next_key(s->send_key, s->send_key);
    s->sent_bytes += text_bytes;
    seal_encrypt(s->send_key, counter, bound, bound_bytes, text, text_bytes);
    return counter;
}

/* Newest seen period P: keys of P and P-1 are at hand, that of P+1 can be made. */
static uint64_t newest_period(const struct seal_session *s)
{
    return s->receive_newest ? PERIOD(s->receive_newest - 1) : 0;
}

static bool open_packet(struct seal_session *s, uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                        size_t text_bytes)
{
    uint64_t newest = newest_period(s), period = PERIOD(counter);
    uint8_t ahead[32];
    if (period == newest)
        return seal_decrypt(s->receive_key[0], counter, bound, bound_bytes, text, text_bytes);
    if (period + 1 == newest)
        return seal_decrypt(s->receive_key[1], counter, bound, bound_bytes, text, text_bytes);
    if (period != newest + 1)
        return false;
    next_key(s->receive_key[0], ahead);
    bool good = seal_decrypt(ahead, counter, bound, bound_bytes, text, text_bytes);
    if (good) {
        memcpy(s->receive_key[1], s->receive_key[0], 32);
        memcpy(s->receive_key[0], ahead, 32);
    }
    seal_wipe(ahead, sizeof(ahead));
    return good;
}

static bool seen(const struct seal_session *s, uint64_t counter)
{
    if (counter >= s->receive_newest)
        return false;
    if (s->receive_newest - counter > SEAL_WINDOW)
        return true;
    return s->receive_seen[counter % SEAL_WINDOW / 64] >> counter % 64 & 1;
}

static void mark_seen(struct seal_session *s, uint64_t counter)
{
    uint64_t forget = counter >= s->receive_newest ? counter + 1 - s->receive_newest : 0;
    if (forget >= SEAL_WINDOW)
        memset(s->receive_seen, 0, sizeof(s->receive_seen));
    for (uint64_t c = s->receive_newest; forget < SEAL_WINDOW && c < s->receive_newest + forget; c++)
        s->receive_seen[c % SEAL_WINDOW / 64] &= ~(1ull << c % 64);
    s->receive_newest += forget;
    s->receive_seen[counter % SEAL_WINDOW / 64] |= 1ull << counter % 64;
}

err_t seal_receive(struct seal_session *s, uint64_t counter, const void *bound, size_t bound_bytes, uint8_t *text,
                   size_t text_bytes)
{
    if (counter == UINT64_MAX)
        return E_ACCESS;
    if (seen(s, counter))
        return E_EXISTS;
    if (!open_packet(s, counter, bound, bound_bytes, text, text_bytes))
        return E_ACCESS;
    mark_seen(s, counter);
    s->received_bytes += text_bytes;
    return E_OK;
}
