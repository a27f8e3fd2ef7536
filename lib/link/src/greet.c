/* Hellos and handshakes. Of two nodes the one with the lower node id begins the handshake; the other, on hearing a
 * hello, answers with its own, so that it is found. */
#include "state.h"

#define ATTEMPT_TIMES    5u
#define ATTEMPT_FIRST_NS 200000000ull

static bool we_begin(const struct link *l, const struct seal_identity *them)
{
    const uint64_t *a = l->config.self.node_id, *b = them->node_id;
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}

/* ---- hellos ---- */

static size_t write_hello(struct link *l, uint8_t *frame)
{
    uint8_t fresh[32];
    seal_random_bytes(&l->random, fresh, sizeof(fresh));
    seal_hello_write(&l->cluster, &l->config.self, fresh, frame);
    return SEAL_HELLO_BYTES;
}

size_t greet_output(struct link *l, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    if (now_ns < l->hello_due_ns)
        return 0;
    *to = l->address_next ? l->addresses[l->address_next - 1] : (struct link_address){LINK_BROADCAST, l->config.port};
    if (l->address_next++ >= l->address_count) {
        l->address_next = 0;
        l->hello_due_ns = now_ns + l->config.hello_ns * (l->seeking ? 1 : 10);
        for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) { /* broadcasts do not reach everywhere */
            if (l->peers[i] && !l->peers[i]->session.own)
                l->peers[i]->hello_owed = true;
        }
    }
    return write_hello(l, frame);
}

static void make_payload(const struct link *l, uint32_t number, uint64_t attempt, uint8_t payload[HANDSHAKE_PAYLOAD])
{
    struct seal_identity self = l->config.self;
    self.attempt = attempt;
    seal_identity_encode(&self, payload);
    struct wire_writer w = wire_writer(payload + SEAL_IDENTITY_BYTES, 4);
    wire_put_u32(&w, number);
}

static err_t read_payload(const uint8_t payload[HANDSHAKE_PAYLOAD], struct seal_identity *identity, uint32_t *number)
{
    struct wire_reader r = wire_reader(payload + SEAL_IDENTITY_BYTES, 4);
    *number = wire_get_u32(&r);
    return seal_identity_decode(payload, identity);
}

static void begin_handshake(struct link *l, struct seal_handshake *h)
{
    uint8_t fresh[32];
    seal_random_bytes(&l->random, fresh, sizeof(fresh));
    seal_handshake_begin(h, l->cluster.name_hash, sizeof(l->cluster.name_hash), l->cluster.key, fresh);
    seal_wipe(fresh, sizeof(fresh));
}

static void begin_attempt(struct link *l, struct peer *p, uint64_t now_ns)
{
    uint8_t payload[HANDSHAKE_PAYLOAD];
    if (p->attempt.own)
        return;
    p->attempt.own = peer_new_number(l, p);
    p->attempt.times = 0;
    p->attempt.next_ns = now_ns;
    begin_handshake(l, &p->attempt.state);
    make_payload(l, p->attempt.own, ++l->attempts, payload);
    seal_first_write(&p->attempt.state, payload, sizeof(payload), p->attempt.frame + SEAL_HEADER_BYTES);
    seal_header_write(&l->cluster, (struct seal_header){SEAL_FIRST, p->attempt.own}, p->attempt.frame,
                      sizeof(p->attempt.frame));
}

/* A hello can be an old one played again: it starts a handshake at most, and changes nothing of a session that stands.
 */
void greet_take_hello(struct link *l, uint64_t now_ns, struct link_address from, const uint8_t *frame, size_t bytes)
{
    struct seal_identity identity;
    err_t err = seal_hello_read(&l->cluster, frame, bytes, &identity);
    l->statistics.rejected.wrong_key += err == E_ACCESS;
    l->statistics.rejected.damaged += err == E_BAD_MESSAGE;
    struct peer *p = err || !peer_acceptable(l, &identity) ? NULL : peer_make(l, &identity);
    if (!p || (p->session.own && id_equal(p->identity.boot_id, identity.boot_id)))
        return;
    if (!p->session.own) {
        p->identity = identity;
        p->address = from;
        p->heard_ns = now_ns;
    }
    if (we_begin(l, &identity))
        begin_attempt(l, p, now_ns);
    else if (now_ns - p->greeted_ns >= l->config.hello_ns / 2)
        p->hello_owed = true;
}

/* ---- handshakes ---- */

static bool attempt_is_new(const struct peer *p, const struct seal_identity *identity)
{
    return !id_equal(p->attempt_boot, identity->boot_id) || identity->attempt > p->attempt_highest;
}

static void answer(struct link *l, struct peer *p, struct seal_handshake *h, const struct seal_identity *identity,
                   uint32_t theirs)
{
    uint8_t payload[HANDSHAKE_PAYLOAD];
    struct seal_keys keys;
    uint32_t own = peer_new_number(l, p);
    make_payload(l, own, 0, payload);
    if (seal_second_write(h, payload, sizeof(payload), p->pending.answer + SEAL_HEADER_BYTES, &keys))
        return;
    seal_header_write(&l->cluster, (struct seal_header){SEAL_SECOND, theirs}, p->pending.answer,
                      sizeof(p->pending.answer));
    seal_session_begin(&p->pending.seal, &keys);
    seal_wipe(&keys, sizeof(keys));
    p->pending.identity = *identity;
    p->pending.own = own;
    p->pending.theirs = theirs;
    p->pending.answer_owed = true;
    memcpy(p->attempt_boot, identity->boot_id, sizeof(p->attempt_boot));
    p->attempt_highest = identity->attempt;
}

static void take_proven_first(struct link *l, uint64_t now_ns, struct link_address from, struct seal_handshake *h,
                              const struct seal_identity *identity, uint32_t theirs)
{
    struct peer *p = peer_acceptable(l, identity) ? peer_make(l, identity) : NULL;
    if (!p)
        return;
    if (!p->session.own)
        p->address = from;
    p->heard_ns = now_ns;
    if (attempt_is_new(p, identity))
        answer(l, p, h, identity, theirs);
    else if (p->pending.own && p->pending.theirs == theirs)
        p->pending.answer_owed = true; /* our answer was lost */
    else
        l->statistics.rejected.replayed++;
}

void greet_take_first(struct link *l, uint64_t now_ns, struct link_address from, uint32_t session, const uint8_t *frame,
                      size_t bytes)
{
    struct seal_handshake h;
    struct seal_identity identity;
    uint8_t payload[HANDSHAKE_PAYLOAD];
    uint32_t theirs;
    if (bytes != HANDSHAKE_FRAME) {
        l->statistics.rejected.damaged++;
        return;
    }
    begin_handshake(l, &h);
    if (seal_first_read(&h, frame + SEAL_HEADER_BYTES, bytes - SEAL_HEADER_BYTES, payload))
        l->statistics.rejected.wrong_key++;
    else if (read_payload(payload, &identity, &theirs) || theirs != session)
        l->statistics.rejected.damaged++;
    else
        take_proven_first(l, now_ns, from, &h, &identity, theirs);
    seal_wipe(&h, sizeof(h));
}

void greet_take_second(struct link *l, uint64_t now_ns, uint32_t session, const uint8_t *frame, size_t bytes)
{
    struct peer *p = peer_by_number(l, session);
    struct seal_identity identity;
    struct seal_keys keys;
    uint8_t payload[HANDSHAKE_PAYLOAD];
    uint32_t theirs, own = session;
    if (!p || !p->attempt.own || p->attempt.own != session || bytes != HANDSHAKE_FRAME)
        return;
    if (seal_second_read(&p->attempt.state, frame + SEAL_HEADER_BYTES, bytes - SEAL_HEADER_BYTES, payload, &keys)) {
        l->statistics.rejected.wrong_key++;
        return;
    }
    p->attempt.own = 0;
    if (read_payload(payload, &identity, &theirs))
        l->statistics.rejected.damaged++;
    else if (peer_acceptable(l, &identity) && id_equal(identity.node_id, p->identity.node_id))
        session_start(l, p, now_ns, &keys, own, theirs, &identity);
    seal_wipe(&keys, sizeof(keys));
}

static size_t put_frame(uint8_t *to, const uint8_t *frame, size_t bytes)
{
    memcpy(to, frame, bytes);
    return bytes;
}

static size_t output_attempt(struct peer *p, uint64_t now_ns, uint8_t *frame)
{
    if (p->attempt.times >= ATTEMPT_TIMES) {
        p->attempt.own = 0; /* the next hello begins another */
        seal_wipe(&p->attempt.state, sizeof(p->attempt.state));
        return 0;
    }
    p->attempt.next_ns = now_ns + (ATTEMPT_FIRST_NS << p->attempt.times++);
    return put_frame(frame, p->attempt.frame, sizeof(p->attempt.frame));
}

size_t greet_output_peer(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    *to = p->address;
    if (p->pending.answer_owed) {
        p->pending.answer_owed = false;
        return put_frame(frame, p->pending.answer, sizeof(p->pending.answer));
    }
    if (p->attempt.own && p->attempt.next_ns <= now_ns)
        return output_attempt(p, now_ns, frame);
    if (!p->hello_owed || !p->address.port)
        return 0;
    p->hello_owed = false;
    p->greeted_ns = now_ns;
    return write_hello(l, frame);
}

uint64_t greet_deadline(const struct peer *p)
{
    if (p->pending.answer_owed || (p->hello_owed && p->address.port))
        return 0;
    return p->attempt.own ? p->attempt.next_ns : UINT64_MAX;
}
