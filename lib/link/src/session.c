/* One sealed session with a peer: its beginning and end, frames in and frames out. */
#include "state.h"

/* Most of what comes is answered within this time, and the answer carries the acknowledgement; a frame of its own costs
 * both sides as much as any other. Well below the least time after which a fragment counts as lost. */
#define ACK_DELAY_NS 10000000ull
#define BOUND_BYTES  12u /* of the header: all but the checksum */

#define RENEW_TIMES      4u /* keys are never used for longer than so many times what they should be */
#define DROPPED_SILENCES 2u

void session_start(struct link *l, struct peer *p, uint64_t now_ns, const struct seal_keys *keys, uint32_t own,
                   uint32_t theirs, const struct seal_identity *identity, const uint8_t log_key[32])
{
    session_end(l, p);
    greet_proven(p, identity->boot_id);
    struct session *s = &p->session;
    seal_session_begin(&s->seal, keys);
    s->own = s->id = own;
    s->theirs = theirs;
    s->keyed_ns = now_ns;
    s->end_ns = UINT64_MAX;
    s->heard_ns = p->heard_ns = now_ns;
    s->sent_ns = 0; /* something goes out at once, which shows that we have the keys */
    s->ack_due_ns = UINT64_MAX;
    p->identity = *identity;
    memcpy(p->log_key, log_key, sizeof(p->log_key));
    pace_start(s);
    l->statistics.sessions++;
    event_put(l, &(struct link_event){.kind = LINK_UP, .peer = p->slot, .session = own});
}

/* ---- fresh keys ---- */

bool session_stands(const struct peer *p, struct standing standing)
{
    return standing.own && p->session.own == standing.own && p->session.theirs == standing.theirs;
}

void session_renew(struct link *l, struct peer *p, uint64_t now_ns, const struct seal_session *seal, uint32_t own,
                   uint32_t theirs)
{
    struct session *s = &p->session;
    s->before.seal = s->seal;
    s->before.own = s->own;
    s->before.until_ns = now_ns + l->config.silence_ns;
    s->seal = *seal;
    s->own = own;
    s->theirs = theirs;
    s->keyed_ns = now_ns;
    s->end_ns = UINT64_MAX;
    s->sent_ns = 0;
    l->statistics.renewals++;
}

void session_key_dropped(struct link *l, struct peer *p, uint64_t now_ns, uint64_t key_id)
{
    struct session *s = &p->session;
    greet_abandon(p, key_id);
    if (!s->own || s->key_id != key_id)
        return;
    s->end_ns = now_ns + DROPPED_SILENCES * l->config.silence_ns;
    greet_renew(l, p, now_ns);
}

static uint64_t end_of_keys(const struct link *l, const struct session *s)
{
    uint64_t by_age = s->keyed_ns + RENEW_TIMES * l->config.renew_ns;
    return by_age < s->end_ns ? by_age : s->end_ns;
}

static bool keys_are_old(const struct link *l, const struct session *s, uint64_t now_ns)
{
    return now_ns - s->keyed_ns >= l->config.renew_ns || s->seal.sent_bytes >= l->config.renew_bytes ||
           s->seal.received_bytes >= l->config.renew_bytes || s->end_ns != UINT64_MAX;
}

static void check_keys(struct link *l, struct peer *p, uint64_t now_ns)
{
    struct session *s = &p->session;
    if (s->before.own && now_ns >= s->before.until_ns)
        seal_wipe(&s->before, sizeof(s->before));
    if (now_ns >= end_of_keys(l, s))
        session_end(l, p);
    else if (keys_are_old(l, s, now_ns))
        greet_renew(l, p, now_ns);
}

/* ---- its end ---- */

static uint32_t unsent_from(const struct sending *q)
{
    return q->fresh ? q->fresh->number : q->next_number;
}

void session_end(struct link *l, struct peer *p)
{
    struct session *s = &p->session;
    if (!s->own)
        return;
    struct link_event event = {.kind = LINK_DOWN, .peer = p->slot, .session = s->id};
    for (uint32_t c = 0; c < LINK_CHANNELS; c++)
        event.unsent_from[c] = unsent_from(&s->sending[c]);
    send_clear(l, s);
    receive_clear(l, s);
    seal_wipe(s, sizeof(*s));
    p->hello_owed = true;
    event_put(l, &event);
}

/* ---- frames in ---- */

static void take_ack(struct link *l, struct session *s, uint64_t now_ns, struct wire_reader *r)
{
    uint32_t channel = wire_get_u8(r), next = wire_get_u32(r);
    uint64_t bits = wire_get_u64(r);
    if (channel >= LINK_CHANNELS)
        r->failed = true;
    if (!r->failed)
        send_acknowledged(l, s, now_ns, channel, next, bits);
}

static void take_datagram(struct link *l, struct peer *p, struct wire_reader *r)
{
    uint32_t bytes = wire_get_u16(r);
    const uint8_t *data = wire_take(r, bytes);
    uint8_t *copy = data && bytes && event_room(l) ? take(l, bytes) : NULL;
    if (!copy)
        return;
    memcpy(copy, data, bytes);
    event_put(l, &(struct link_event){
                     .kind = LINK_DATAGRAM, .peer = p->slot, .session = p->session.id, .bytes = bytes, .data = copy});
}

/* The peer has the keys, so what it says is meant; what cannot be read is a fault of its and ends the session. */
static void take_chunks(struct link *l, struct peer *p, uint64_t now_ns, const uint8_t *text, size_t bytes)
{
    struct wire_reader r = wire_reader(text, bytes);
    uint32_t own = p->session.own; /* it may end on the way */
    while (wire_left(&r) && p->session.own == own) {
        switch (wire_get_u8(&r)) {
        case CHUNK_ACK:
            take_ack(l, &p->session, now_ns, &r);
            break;
        case CHUNK_FRAGMENT:
            receive_fragment(l, p, wire_get_u8(&r), &r);
            break;
        case CHUNK_DATAGRAM:
            take_datagram(l, p, &r);
            break;
        case CHUNK_PROBE:
            p->session.ack_due_ns = now_ns;
            break;
        default:
            r.failed = true;
        }
    }
    if (r.failed && p->session.own == own)
        session_end(l, p);
}

static void note_acks(struct session *s, uint64_t now_ns)
{
    uint64_t due = s->acks_owed >= ACK_AFTER ? now_ns : now_ns + ACK_DELAY_NS;
    if (s->acks_owed && due < s->ack_due_ns)
        s->ack_due_ns = due;
}

static void heard(struct link *l, struct peer *p, uint64_t now_ns, struct link_address from, const uint8_t *text,
                  size_t bytes)
{
    p->session.heard_ns = p->heard_ns = now_ns;
    p->address = from;
    take_chunks(l, p, now_ns, text, bytes);
    if (p->session.own)
        note_acks(&p->session, now_ns);
}

bool session_confirm(struct link *l, struct peer *p, uint64_t now_ns, struct pending *answered)
{
    static const struct seal_keys none;
    bool renews = answered->renews.own != 0, stands = session_stands(p, answered->renews);
    if (renews && stands)
        session_renew(l, p, now_ns, &answered->seal, answered->own, answered->theirs);
    else if (!renews)
        session_start(l, p, now_ns, &none, answered->own, answered->theirs, &answered->identity, answered->log_key);
    if (!renews)
        p->session.seal = answered->seal;
    if (!renews || stands)
        p->session.key_id = answered->key_id;
    greet_proven_attempt(p, &answered->identity);
    seal_wipe(answered, sizeof(*answered));
    return !renews || stands;
}

static struct pending *pending_of(struct peer *p, uint32_t number)
{
    for (uint32_t i = 0; p && number && i < BOOTS; i++) {
        if (p->pending[i].own == number)
            return &p->pending[i];
    }
    return NULL;
}

/* The keys that a frame for this number is sealed with; NULL: of a session that is over. */
static struct seal_session *seal_of(struct peer *p, uint32_t number)
{
    if (!p || !number)
        return NULL;
    if (p->session.own == number)
        return &p->session.seal;
    return p->session.own && p->session.before.own == number ? &p->session.before.seal : NULL;
}

void session_take_frame(struct link *l, uint64_t now_ns, struct link_address from, uint32_t number, uint8_t *frame,
                        size_t bytes)
{
    struct peer *p = peer_by_number(l, number);
    if (bytes < SEAL_DATA_OVERHEAD) {
        l->statistics.rejected.damaged++;
        return;
    }
    struct pending *answered = pending_of(p, number);
    struct seal_session *seal = answered ? &answered->seal : seal_of(p, number);
    if (!seal)
        return;
    struct wire_reader r = wire_reader(frame + SEAL_HEADER_BYTES, 8);
    uint64_t counter = wire_get_u64(&r);
    uint8_t *text = frame + SEAL_HEADER_BYTES + 8;
    size_t text_bytes = bytes - SEAL_DATA_OVERHEAD;
    err_t err = seal_receive(seal, counter, frame, BOUND_BYTES, text, text_bytes);
    l->statistics.rejected.replayed += err == E_EXISTS;
    l->statistics.rejected.damaged += err == E_ACCESS;
    if (err)
        return;
    if (answered && !session_confirm(l, p, now_ns, answered))
        return;
    heard(l, p, now_ns, from, text, text_bytes);
}

/* ---- frames out ---- */

static void put_datagrams(struct link *l, struct session *s, struct wire_writer *w)
{
    struct datagram *d;
    while ((d = s->datagrams) && w->room - w->used >= CHUNK_DATAGRAM_BYTES + d->bytes) {
        wire_put_u8(w, CHUNK_DATAGRAM);
        wire_put_u16(w, (uint16_t)d->bytes);
        wire_put_bytes(w, d->data, d->bytes);
        s->datagrams = d->next;
        s->datagram_count--;
        give(l, d, sizeof(*d) + d->bytes);
    }
}

static size_t seal_frame(struct link *l, struct session *s, uint8_t *frame, size_t text_bytes)
{
    struct seal_header header = {SEAL_DATA, s->theirs, 0};
    size_t bytes = SEAL_DATA_OVERHEAD + text_bytes;
    seal_header_write(&l->cluster, header, frame, SEAL_HEADER_BYTES);
    uint64_t counter = seal_send(&s->seal, frame, BOUND_BYTES, frame + SEAL_HEADER_BYTES + 8, text_bytes);
    struct wire_writer w = wire_writer(frame + SEAL_HEADER_BYTES, 8);
    wire_put_u64(&w, counter);
    seal_header_write(&l->cluster, header, frame, bytes);
    return bytes;
}

/* On a bad wire a few keepalives in a row are soon lost: who misses them asks, more often than they come. */
static bool misses_peer(const struct link *l, const struct session *s, uint64_t now_ns)
{
    return now_ns - s->heard_ns > l->config.keepalive_ns + l->config.keepalive_ns / 4;
}

static uint64_t keepalive_due(const struct link *l, const struct session *s, uint64_t now_ns)
{
    return s->sent_ns + l->config.keepalive_ns / (misses_peer(l, s, now_ns) ? 4 : 1);
}

static bool frame_due(const struct link *l, const struct session *s, uint64_t now_ns)
{
    return s->ack_due_ns <= now_ns || keepalive_due(l, s, now_ns) <= now_ns || send_ready(s);
}

size_t session_output(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    struct session *s = &p->session;
    if (!s->own || !frame_due(l, s, now_ns))
        return 0;
    struct wire_writer w = wire_writer(frame + SEAL_HEADER_BYTES + 8, SEAL_DATA_MAX);
    receive_put_acks(s, &w);
    if (misses_peer(l, s, now_ns))
        wire_put_u8(&w, CHUNK_PROBE);
    put_datagrams(l, s, &w);
    send_fill(s, now_ns, &l->statistics, &w);
    ASSERT(!w.failed);
    s->sent_ns = now_ns;
    *to = p->address;
    return seal_frame(l, s, frame, w.used);
}

void session_check(struct link *l, struct peer *p, uint64_t now_ns)
{
    struct session *s = &p->session;
    if (!s->own)
        return;
    if (now_ns - s->heard_ns >= l->config.silence_ns) {
        session_end(l, p);
        return;
    }
    send_check_timeout(s, now_ns);
    check_keys(l, p, now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t session_deadline(const struct link *l, const struct peer *p)
{
    const struct session *s = &p->session;
    if (!s->own)
        return UINT64_MAX;
    if (send_ready(s))
        return 0;
    uint64_t misses = s->heard_ns + l->config.keepalive_ns + l->config.keepalive_ns / 4;
    uint64_t probe = s->sent_ns + l->config.keepalive_ns / 4;
    uint64_t quiet = earlier(s->heard_ns + l->config.silence_ns, s->sent_ns + l->config.keepalive_ns);
    quiet = earlier(quiet, probe > misses ? probe : misses + 1);
    quiet = earlier(quiet, end_of_keys(l, s));
    if (s->before.own)
        quiet = earlier(quiet, s->before.until_ns);
    return earlier(earlier(quiet, s->ack_due_ns), send_deadline(s));
}
