/* Fragments back to messages, in order. */
#include "state.h"

static bool begin_message(struct link *l, struct receiving *q, uint32_t message_bytes)
{
    if (message_bytes > LINK_MESSAGE_MAX)
        return false;
    q->message = take(l, message_bytes);
    q->message_bytes = message_bytes;
    q->message_have = 0;
    return q->message != NULL;
}

static void deliver(struct link *l, struct peer *p, uint32_t channel, struct receiving *q)
{
    struct link_event event = {.kind = LINK_MESSAGE,
                               .peer = p->slot,
                               .session = p->session.id,
                               .channel = channel,
                               .bytes = q->message_bytes,
                               .data = q->message};
    q->message = NULL;
    event_put(l, &event);
}

/* Takes the fragment whose turn it is. False: no room now; it will come again. Fragments that contradict each other can
 * only come from a peer with the keys and a fault: the session ends. */
static bool accept(struct link *l, struct peer *p, uint32_t channel, uint32_t message_bytes, const uint8_t *data,
                   uint32_t bytes)
{
    struct receiving *q = &p->session.receiving[channel];
    if ((message_bytes != 0) == (q->message != NULL) || message_bytes > LINK_MESSAGE_MAX ||
        bytes > (q->message ? q->message_bytes - q->message_have : message_bytes)) {
        session_end(l, p);
        return false;
    }
    if (!event_room(l) || (!q->message && !begin_message(l, q, message_bytes))) /* it stays held until asked again */
        return false;
    memcpy(q->message + q->message_have, data, bytes);
    q->message_have += bytes;
    q->next_sequence++;
    if (q->message_have == q->message_bytes)
        deliver(l, p, channel, q);
    return true;
}

/* What was held back and is now in turn. */
static void release_held(struct link *l, struct peer *p, uint32_t channel)
{
    struct receiving *q = &p->session.receiving[channel];
    struct held *h;
    while ((h = q->held[q->next_sequence % WINDOW])) {
        uint32_t slot = q->next_sequence % WINDOW;
        if (!accept(l, p, channel, h->message_bytes, h->data, h->bytes))
            return;
        q->held[slot] = NULL;
        give(l, h, sizeof(*h) + h->bytes);
    }
}

static void hold(struct link *l, struct receiving *q, uint32_t sequence, uint32_t message_bytes, const uint8_t *data,
                 uint32_t bytes)
{
    struct held **at = &q->held[sequence % WINDOW];
    if (*at)
        return;
    struct held *h = take(l, sizeof(*h) + bytes);
    if (!h)
        return;
    h->message_bytes = message_bytes;
    h->bytes = bytes;
    memcpy(h->data, data, bytes);
    *at = h;
}

static void owe_ack(struct session *s, struct receiving *q)
{
    q->ack_owed = true;
    s->acks_owed++;
}

void receive_fragment(struct link *l, struct peer *p, uint32_t channel, struct wire_reader *r)
{
    uint32_t bytes = wire_get_u16(r), sequence = wire_get_u32(r), message_bytes = wire_get_u32(r);
    const uint8_t *data = wire_take(r, bytes);
    if (!data || !bytes || bytes > FRAGMENT_MAX || channel >= LINK_CHANNELS) {
        r->failed = true;
        return;
    }
    struct receiving *q = &p->session.receiving[channel];
    uint32_t ahead = sequence - q->next_sequence;
    owe_ack(&p->session, q);
    if (ahead == 0) {
        hold(l, q, sequence, message_bytes, data, bytes);
        release_held(l, p, channel);
    } else if (ahead < WINDOW) {
        hold(l, q, sequence, message_bytes, data, bytes);
        p->session.acks_owed = ACK_AFTER; /* a gap: tell at once */
    }
}

void receive_put_acks(struct session *s, struct wire_writer *w)
{
    for (uint32_t c = 0; c < LINK_CHANNELS; c++) {
        struct receiving *q = &s->receiving[c];
        uint64_t bits = 0;
        if (!q->ack_owed)
            continue;
        for (uint32_t i = 0; i < 64; i++)
            bits |= (uint64_t)(q->held[(q->next_sequence + 1 + i) % WINDOW] != NULL) << i;
        wire_put_u8(w, CHUNK_ACK);
        wire_put_u8(w, (uint8_t)c);
        wire_put_u32(w, q->next_sequence);
        wire_put_u64(w, bits);
        q->ack_owed = false;
    }
    s->acks_owed = 0;
    s->ack_due_ns = UINT64_MAX;
}

void receive_clear(struct link *l, struct session *s)
{
    for (uint32_t c = 0; c < LINK_CHANNELS; c++) {
        struct receiving *q = &s->receiving[c];
        if (q->message)
            give(l, q->message, q->message_bytes);
        for (uint32_t i = 0; i < WINDOW; i++) {
            if (q->held[i])
                give(l, q->held[i], sizeof(struct held) + q->held[i]->bytes);
        }
    }
}
