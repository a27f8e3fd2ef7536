/* Messages to fragments, fragments to frames, again and again until they are acknowledged. */
#include "state.h"

#define REORDER 3u /* acknowledged this far beyond a fragment, it counts as lost */

static size_t fragment_size(uint32_t bytes)
{
    return sizeof(struct fragment) + bytes;
}

static void free_fragment(struct link *l, struct fragment *f)
{
    give(l, f, fragment_size(f->bytes));
}

static void copy_part(uint8_t *to, size_t offset, size_t bytes, const uint8_t *first, size_t first_bytes,
                      const uint8_t *second)
{
    size_t from_first = offset < first_bytes ? first_bytes - offset : 0;
    from_first = from_first < bytes ? from_first : bytes;
    if (from_first)
        memcpy(to, first + offset, from_first);
    if (bytes > from_first)
        memcpy(to + from_first, second + offset + from_first - first_bytes, bytes - from_first);
}

static void free_chain(struct link *l, struct fragment *f)
{
    while (f) {
        struct fragment *next = f->next;
        free_fragment(l, f);
        f = next;
    }
}

/* All fragments of a message, or none. */
static struct fragment *cut(struct link *l, const uint8_t *first, size_t first_bytes, const uint8_t *second,
                            size_t total, struct fragment **last_out)
{
    struct fragment *chain = NULL, **end = &chain;
    for (size_t offset = 0; offset < total; offset += FRAGMENT_MAX) {
        size_t bytes = total - offset < FRAGMENT_MAX ? total - offset : FRAGMENT_MAX;
        struct fragment *f = take(l, fragment_size((uint32_t)bytes));
        if (!f) {
            free_chain(l, chain);
            return NULL;
        }
        f->bytes = (uint16_t)bytes;
        f->message_bytes = offset ? 0 : (uint32_t)total;
        copy_part(f->data, offset, bytes, first, first_bytes, second);
        *end = *last_out = f;
        end = &f->next;
    }
    return chain;
}

static void enqueue(struct sending *q, struct fragment *chain, struct fragment *last)
{
    for (struct fragment *f = chain; f; f = f->next) {
        f->sequence = q->next_sequence++;
        f->number = q->next_number;
        q->queued_bytes += f->bytes;
    }
    q->next_number++;
    if (q->last)
        q->last->next = chain;
    else
        q->first = chain;
    q->last = last;
    if (!q->fresh)
        q->fresh = chain;
}

err_t link_send(struct link *l, uint32_t peer, uint32_t session, uint32_t channel, const void *first,
                size_t first_bytes, const void *second, size_t second_bytes, uint32_t *number_out)
{
    struct peer *p = peer_at(l, peer, session);
    size_t total = first_bytes + second_bytes;
    ASSERT(channel < LINK_CHANNELS && total > 0);
    if (!p)
        return E_NOT_CONNECTED;
    if (first_bytes > LINK_MESSAGE_MAX || total > LINK_MESSAGE_MAX)
        return E_TOO_LONG;
    struct sending *q = &p->session.sending[channel];
    if (q->queued_bytes + total > QUEUE_MAX)
        return E_FULL;
    struct fragment *last, *chain = cut(l, first, first_bytes, second, total, &last);
    if (!chain)
        return E_FULL;
    *number_out = q->next_number;
    enqueue(q, chain, last);
    return E_OK;
}

err_t link_send_datagram(struct link *l, uint32_t peer, uint32_t session, const void *data, size_t bytes)
{
    struct peer *p = peer_at(l, peer, session);
    if (!p)
        return E_NOT_CONNECTED;
    if (bytes > LINK_DATAGRAM_MAX)
        return E_TOO_LONG;
    struct datagram *d = p->session.datagram_count < DATAGRAMS_MAX ? take(l, sizeof(*d) + bytes) : NULL;
    if (!d)
        return E_FULL;
    d->bytes = (uint32_t)bytes;
    memcpy(d->data, data, bytes);
    struct datagram **end = &p->session.datagrams;
    while (*end)
        end = &(*end)->next;
    *end = d;
    p->session.datagram_count++;
    return E_OK;
}

static void arrived(struct session *s, struct fragment *f)
{
    if (!f->lost)
        s->under_way--;
    f->arrived = true;
    f->lost = false;
    pace_arrived(s);
}

static void mark_lost(struct session *s, struct fragment *f)
{
    f->lost = true;
    s->under_way--;
}

/* What the peer says it has. Claims about what was never sent are void. The newest of what is acknowledged at once says
 * how long the way is; if any was sent again, nothing does: the acknowledgement before may have been lost. */
static uint32_t note_arrivals(struct session *s, struct sending *q, uint64_t now_ns, uint32_t next, uint64_t bits)
{
    uint32_t highest = next;
    uint64_t newest_ns = 0;
    bool again = false;
    for (struct fragment *f = q->first; f && f != q->fresh; f = f->next) {
        uint32_t ahead = f->sequence - next;
        bool here = (int32_t)ahead < 0 || (ahead >= 1 && ahead <= 64 && bits >> (ahead - 1) & 1);
        if (here && !f->arrived) {
            again = again || f->times > 1;
            newest_ns = f->sent_ns > newest_ns ? f->sent_ns : newest_ns;
            arrived(s, f);
        }
        if (here && (int32_t)(f->sequence - highest) > 0)
            highest = f->sequence;
    }
    if (newest_ns && !again)
        pace_measured(s, now_ns - newest_ns);
    return highest;
}

static void note_losses(struct session *s, struct sending *q, uint64_t now_ns, uint32_t highest)
{
    bool any = false;
    for (struct fragment *f = q->first; f && f != q->fresh; f = f->next) {
        bool passed = (int32_t)(highest - f->sequence) >= (int32_t)REORDER;
        if (!f->arrived && !f->lost && passed && now_ns - f->sent_ns >= s->rtt_ns) {
            mark_lost(s, f);
            any = true;
        }
    }
    if (any)
        pace_lost(s, now_ns, false);
}

void send_acknowledged(struct link *l, struct session *s, uint64_t now_ns, uint32_t channel, uint32_t next,
                       uint64_t bits)
{
    struct sending *q = &s->sending[channel];
    note_losses(s, q, now_ns, note_arrivals(s, q, now_ns, next, bits));
    while (q->first && q->first != q->fresh && q->first->arrived) {
        struct fragment *f = q->first;
        q->first = f->next;
        if (!q->first)
            q->last = NULL;
        q->queued_bytes -= f->bytes;
        free_fragment(l, f);
    }
}

static bool in_window(const struct sending *q)
{
    return q->fresh && q->fresh->sequence - q->first->sequence < WINDOW;
}

static struct fragment *next_lost(const struct sending *q)
{
    for (struct fragment *f = q->first; f && f != q->fresh; f = f->next) {
        if (f->lost)
            return f;
    }
    return NULL;
}

static struct fragment *next_to_send(const struct session *s, struct sending *q)
{
    if (s->under_way >= s->window)
        return NULL;
    struct fragment *f = next_lost(q);
    return f ? f : in_window(q) ? q->fresh : NULL;
}

bool send_ready(const struct session *s)
{
    if (s->datagrams)
        return true;
    for (uint32_t c = 0; c < LINK_CHANNELS; c++) {
        if (next_to_send(s, (struct sending *)(uintptr_t)&s->sending[c]))
            return true;
    }
    return false;
}

static void put_fragment(struct session *s, struct sending *q, struct fragment *f, uint32_t channel, uint64_t now_ns,
                         struct wire_writer *w)
{
    wire_put_u8(w, CHUNK_FRAGMENT);
    wire_put_u8(w, (uint8_t)channel);
    wire_put_u16(w, f->bytes);
    wire_put_u32(w, f->sequence);
    wire_put_u32(w, f->message_bytes);
    wire_put_bytes(w, f->data, f->bytes);
    if (f == q->fresh)
        q->fresh = f->next;
    f->lost = false;
    f->sent_ns = now_ns;
    f->times += f->times < 255;
    s->under_way++;
}

/* As many fragments as fit and may be under way; the channels in order of their urgency. */
void send_fill(struct session *s, uint64_t now_ns, struct link_statistics *statistics, struct wire_writer *w)
{
    for (uint32_t c = 0; c < LINK_CHANNELS; c++) {
        struct sending *q = &s->sending[c];
        struct fragment *f;
        while ((f = next_to_send(s, q)) && w->room - w->used >= CHUNK_FRAGMENT_BYTES + f->bytes) {
            statistics->resent += f->times > 0;
            put_fragment(s, q, f, c, now_ns, w);
        }
    }
}

static uint64_t oldest_sent(const struct session *s)
{
    uint64_t oldest = UINT64_MAX;
    for (uint32_t c = 0; c < LINK_CHANNELS; c++) {
        const struct sending *q = &s->sending[c];
        for (const struct fragment *f = q->first; f && f != q->fresh; f = f->next) {
            if (!f->arrived && !f->lost && f->sent_ns < oldest)
                oldest = f->sent_ns;
        }
    }
    return oldest;
}

uint64_t send_deadline(const struct session *s)
{
    uint64_t oldest = oldest_sent(s);
    return oldest == UINT64_MAX ? UINT64_MAX : oldest + s->timeout_ns;
}

void send_check_timeout(struct session *s, uint64_t now_ns)
{
    if (send_deadline(s) > now_ns)
        return;
    uint64_t late = now_ns - s->timeout_ns;
    for (uint32_t c = 0; c < LINK_CHANNELS; c++) {
        struct sending *q = &s->sending[c];
        for (struct fragment *f = q->first; f && f != q->fresh; f = f->next) {
            if (!f->arrived && !f->lost && f->sent_ns <= late)
                mark_lost(s, f);
        }
    }
    pace_lost(s, now_ns, true);
}

void send_clear(struct link *l, struct session *s)
{
    for (uint32_t c = 0; c < LINK_CHANNELS; c++)
        free_chain(l, s->sending[c].first);
    while (s->datagrams) {
        struct datagram *d = s->datagrams;
        s->datagrams = d->next;
        give(l, d, sizeof(*d) + d->bytes);
    }
}
