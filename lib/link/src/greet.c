/* Hellos and handshakes. Of two nodes the one with the lower node id begins the handshake; the other, on hearing a
 * hello, answers with its own, so that it is found. */
#include "state.h"

#define HELLO_KEY_DROPPED 1u /* flag of an identity: the key of this hello is not valid any more */

#define ATTEMPT_TIMES    5u
#define ATTEMPT_FIRST_NS 200000000ull

static bool we_begin(const struct link *l, const struct seal_identity *them)
{
    const uint64_t *a = l->config.self.node_id, *b = them->node_id;
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}

/* ---- hellos ---- */

static size_t write_hello(struct link *l, const struct seal_secret *secret, uint32_t flags, uint8_t *frame)
{
    uint8_t fresh[32];
    struct seal_identity self = l->config.self;
    self.flags = flags;
    seal_random_bytes(&l->random, fresh, sizeof(fresh));
    seal_hello_write(&l->cluster, secret, &self, fresh, frame);
    return SEAL_HELLO_BYTES;
}

/* To who has the key that was dropped: its machine can then say what it lacks. Nothing else is said under that key. */
static size_t tell_old(struct link *l, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    *to = l->old_at;
    l->old_at.port = 0;
    l->old_told_ns = now_ns;
    return write_hello(l, &l->cluster.old, HELLO_KEY_DROPPED, frame);
}

static void end_round(struct link *l, uint64_t now_ns)
{
    l->address_next = 0;
    l->hello_due_ns = now_ns + l->config.hello_ns * (l->seeking ? 1 : 10);
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) { /* broadcasts do not reach everywhere */
        if (l->peers[i] && !l->peers[i]->session.own)
            l->peers[i]->hello_owed = true;
    }
}

/* A round goes to each address with each key: who has only one of them hears that. */
size_t greet_output(struct link *l, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    if (l->old_at.port)
        return tell_old(l, now_ns, to, frame);
    if (now_ns >= l->hello_due_ns && !l->cluster.secrets[0].id)
        end_round(l, now_ns); /* there is nothing to say it with */
    if (now_ns < l->hello_due_ns)
        return 0;
    const struct seal_secret *secret = &l->cluster.secrets[l->hello_secret];
    bool last = l->hello_secret + 1 == SEAL_SECRETS_MAX || !secret[1].id;
    *to = l->address_next ? l->addresses[l->address_next - 1] : (struct link_address){LINK_BROADCAST, l->config.port};
    l->hello_secret = last ? 0 : l->hello_secret + 1;
    if (last && l->address_next++ >= l->address_count)
        end_round(l, now_ns);
    return write_hello(l, secret, 0, frame);
}

/* ---- handshakes, what they share ---- */

static void make_payload(const struct link *l, uint32_t number, uint64_t attempt, struct standing renews,
                         uint8_t payload[HANDSHAKE_PAYLOAD])
{
    struct seal_identity self = l->config.self;
    self.attempt = attempt;
    seal_identity_encode(&self, payload);
    struct wire_writer w = wire_writer(payload + SEAL_IDENTITY_BYTES, 12);
    wire_put_u32(&w, number);
    wire_put_u32(&w, renews.own);
    wire_put_u32(&w, renews.theirs);
}

/* `renews` as this side sees it. */
static err_t read_payload(const uint8_t payload[HANDSHAKE_PAYLOAD], struct seal_identity *identity, uint32_t *number,
                          struct standing *renews)
{
    struct wire_reader r = wire_reader(payload + SEAL_IDENTITY_BYTES, 12);
    *number = wire_get_u32(&r);
    renews->theirs = wire_get_u32(&r);
    renews->own = wire_get_u32(&r);
    return seal_identity_decode(payload, identity);
}

static void begin_handshake(struct link *l, const struct seal_secret *secret, struct seal_handshake *h)
{
    uint8_t fresh[32];
    seal_random_bytes(&l->random, fresh, sizeof(fresh));
    seal_handshake_again(h, &secret->begun, fresh);
    seal_wipe(fresh, sizeof(fresh));
}

/* ---- beginning one ---- */

static void begin_attempt(struct link *l, struct peer *p, uint64_t now_ns, struct standing renews)
{
    uint8_t payload[HANDSHAKE_PAYLOAD];
    const struct seal_secret *secret = seal_secret_find(&l->cluster, p->key_id);
    if (!secret)
        secret = &l->cluster.secrets[0];
    if (p->attempt.own || !secret->id)
        return;
    p->attempt.own = peer_new_number(l, p);
    p->attempt.times = 0;
    p->attempt.next_ns = now_ns;
    p->attempt.key_id = secret->id;
    p->attempt.renews = renews;
    begin_handshake(l, secret, &p->attempt.state);
    make_payload(l, p->attempt.own, ++l->attempts, renews, payload);
    seal_first_write(&p->attempt.state, payload, sizeof(payload), p->attempt.frame + SEAL_HEADER_BYTES);
    seal_header_write(&l->cluster, (struct seal_header){SEAL_FIRST, p->attempt.own, (uint16_t)secret->id},
                      p->attempt.frame, sizeof(p->attempt.frame));
}

static void end_attempt(struct peer *p)
{
    p->attempt.own = 0;
    seal_wipe(&p->attempt.state, sizeof(p->attempt.state));
}

void greet_renew(struct link *l, struct peer *p, uint64_t now_ns)
{
    if (we_begin(l, &p->identity))
        begin_attempt(l, p, now_ns, (struct standing){p->session.own, p->session.theirs});
}

void greet_abandon(struct peer *p, uint64_t key_id)
{
    if (p->attempt.own && p->attempt.key_id == key_id)
        end_attempt(p);
    if (p->pending.own && p->pending.key_id == key_id)
        seal_wipe(&p->pending, sizeof(p->pending));
    if (p->key_id == key_id)
        p->key_id = 0;
}

/* ---- hellos that come ---- */

/* That it has the newer of two keys is known from one hello; that it has only the older one, from nothing. */
static void note_key(const struct link *l, struct peer *p, const struct seal_secret *secret)
{
    if (p->key_id != l->cluster.secrets[0].id)
        p->key_id = secret->id;
}

static void take_old_hello(struct link *l, uint64_t now_ns, struct link_address from,
                           const struct seal_identity *identity)
{
    l->statistics.rejected.old_key++;
    if (identity->flags & HELLO_KEY_DROPPED) /* of another one that has dropped it: not to us */
        return;
    peer_refuse(l, identity, LINK_OLD_KEY);
    if (now_ns - l->old_told_ns >= l->config.hello_ns / 2)
        l->old_at = from;
}

/* A hello can be an old one played again: it starts a handshake at most, and changes nothing of a session that stands.
 */
static void take_good_hello(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_secret *secret,
                            const struct seal_identity *identity)
{
    static const struct standing none;
    struct peer *p = peer_acceptable(l, identity) ? peer_make(l, identity) : NULL;
    if (!p)
        return;
    bool same_boot = id_equal(p->identity.boot_id, identity->boot_id);
    if (!p->session.own || same_boot)
        note_key(l, p, secret);
    if (p->session.own && same_boot)
        return;
    if (!p->session.own) {
        p->identity = *identity;
        p->address = from;
        p->heard_ns = now_ns;
    }
    if (we_begin(l, identity))
        begin_attempt(l, p, now_ns, none);
    else if (now_ns - p->greeted_ns >= l->config.hello_ns / 2)
        p->hello_owed = true;
}

void greet_take_hello(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_header *header,
                      const uint8_t *frame, size_t bytes)
{
    struct seal_identity identity;
    const struct seal_secret *secret;
    err_t err = seal_hello_read(&l->cluster, header, frame, bytes, &secret, &identity);
    if (err == E_ACCESS)
        l->statistics.rejected.wrong_key += l->cluster.secrets[0].id != 0;
    else if (err)
        l->statistics.rejected.damaged++;
    else if (secret == &l->cluster.old)
        take_old_hello(l, now_ns, from, &identity);
    else if (identity.flags & HELLO_KEY_DROPPED)
        peer_refuse(l, &identity, LINK_KEY_DROPPED);
    else
        take_good_hello(l, now_ns, from, secret, &identity);
}

/* ---- answering a handshake ---- */

static bool attempt_is_new(const struct peer *p, const struct seal_identity *identity)
{
    return !id_equal(p->attempt_boot, identity->boot_id) || identity->attempt > p->attempt_highest;
}

/* A handshake that was read, before it is answered. */
struct first {
    struct seal_handshake h;
    const struct seal_secret *secret;
    struct seal_identity identity;
    uint32_t theirs;
    struct standing renews;
};

static void answer(struct link *l, struct peer *p, struct first *f)
{
    uint8_t payload[HANDSHAKE_PAYLOAD];
    struct seal_keys keys;
    uint32_t own = peer_new_number(l, p);
    bool renews = session_stands(p, f->renews) && id_equal(p->identity.boot_id, f->identity.boot_id);
    p->pending.renews = renews ? f->renews : (struct standing){0, 0};
    make_payload(l, own, 0, p->pending.renews, payload);
    if (seal_second_write(&f->h, payload, sizeof(payload), p->pending.answer + SEAL_HEADER_BYTES, &keys))
        return;
    seal_header_write(&l->cluster, (struct seal_header){SEAL_SECOND, f->theirs, (uint16_t)f->secret->id},
                      p->pending.answer, sizeof(p->pending.answer));
    seal_session_begin(&p->pending.seal, &keys);
    seal_wipe(&keys, sizeof(keys));
    p->pending.identity = f->identity;
    p->pending.own = own;
    p->pending.theirs = f->theirs;
    p->pending.key_id = f->secret->id;
    p->pending.answer_owed = true;
    memcpy(p->attempt_boot, f->identity.boot_id, sizeof(p->attempt_boot));
    p->attempt_highest = f->identity.attempt;
}

/* Who names the numbers of our last answer has opened it, so it has those keys, although nothing came under them yet.
 */
static void confirm_named(struct link *l, struct peer *p, uint64_t now_ns, const struct first *f)
{
    if (p->pending.own && f->renews.own == p->pending.own && f->renews.theirs == p->pending.theirs)
        session_confirm(l, p, now_ns);
}

static void take_proven_first(struct link *l, uint64_t now_ns, struct link_address from, struct first *f)
{
    struct peer *p = peer_acceptable(l, &f->identity) ? peer_make(l, &f->identity) : NULL;
    if (!p)
        return;
    if (!p->session.own)
        p->address = from;
    p->heard_ns = now_ns;
    if (attempt_is_new(p, &f->identity)) {
        note_key(l, p, f->secret);
        confirm_named(l, p, now_ns, f);
        answer(l, p, f);
    } else if (p->pending.own && p->pending.theirs == f->theirs) {
        p->pending.answer_owed = true; /* our answer was lost */
    } else {
        l->statistics.rejected.replayed++;
    }
}

static bool open_first(struct link *l, const struct seal_header *header, const uint8_t *frame, struct first *f,
                       uint8_t payload[HANDSHAKE_PAYLOAD])
{
    for (uint32_t i = 0; i < SEAL_SECRETS_MAX; i++) {
        f->secret = &l->cluster.secrets[i];
        if (!f->secret->id || (uint16_t)f->secret->id != header->key)
            continue;
        f->h = f->secret->begun;
        if (!seal_first_read(&f->h, frame + SEAL_HEADER_BYTES, HANDSHAKE_FRAME - SEAL_HEADER_BYTES, payload))
            return true;
    }
    return false;
}

static void count_closed(struct link *l, const struct seal_header *header)
{
    bool old = l->cluster.old.id && (uint16_t)l->cluster.old.id == header->key; /* or so it says */
    l->statistics.rejected.old_key += old;
    l->statistics.rejected.wrong_key += !old && l->cluster.secrets[0].id;
}

void greet_take_first(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_header *header,
                      const uint8_t *frame, size_t bytes)
{
    struct first f;
    uint8_t payload[HANDSHAKE_PAYLOAD];
    if (bytes != HANDSHAKE_FRAME) {
        l->statistics.rejected.damaged++;
        return;
    }
    if (!open_first(l, header, frame, &f, payload)) {
        count_closed(l, header);
    } else if (read_payload(payload, &f.identity, &f.theirs, &f.renews) || f.theirs != header->session) {
        l->statistics.rejected.damaged++;
    } else {
        seal_random_bytes(&l->random, f.h.secret, sizeof(f.h.secret));
        take_proven_first(l, now_ns, from, &f);
    }
    seal_wipe(&f, sizeof(f));
}

/* ---- and its answer ---- */

static void use_answer(struct link *l, struct peer *p, uint64_t now_ns, const struct seal_keys *keys, uint32_t theirs,
                       const struct standing *renews, const struct seal_identity *identity)
{
    struct seal_session seal;
    uint64_t key_id = p->attempt.key_id;
    bool same = session_stands(p, p->attempt.renews) && id_equal(p->identity.boot_id, identity->boot_id);
    if (!renews->own) {
        session_start(l, p, now_ns, keys, p->attempt.own, theirs, identity);
    } else if (same && session_stands(p, *renews)) {
        seal_session_begin(&seal, keys);
        session_renew(l, p, now_ns, &seal, p->attempt.own, theirs);
        seal_wipe(&seal, sizeof(seal));
    } else {
        return; /* the session that it was for is over */
    }
    p->session.key_id = key_id;
}

void greet_take_second(struct link *l, uint64_t now_ns, uint32_t session, const uint8_t *frame, size_t bytes)
{
    struct peer *p = peer_by_number(l, session);
    struct seal_identity identity;
    struct seal_keys keys;
    uint8_t payload[HANDSHAKE_PAYLOAD];
    uint32_t theirs;
    struct standing renews;
    if (!p || !p->attempt.own || p->attempt.own != session || bytes != HANDSHAKE_FRAME)
        return;
    if (seal_second_read(&p->attempt.state, frame + SEAL_HEADER_BYTES, bytes - SEAL_HEADER_BYTES, payload, &keys)) {
        l->statistics.rejected.wrong_key++;
        return;
    }
    if (read_payload(payload, &identity, &theirs, &renews))
        l->statistics.rejected.damaged++;
    else if (peer_acceptable(l, &identity) && id_equal(identity.node_id, p->identity.node_id))
        use_answer(l, p, now_ns, &keys, theirs, &renews, &identity);
    end_attempt(p);
    seal_wipe(&keys, sizeof(keys));
}

static size_t put_frame(uint8_t *to, const uint8_t *frame, size_t bytes)
{
    memcpy(to, frame, bytes);
    return bytes;
}

/* Nobody answers: the next hello, or the age of the keys, begins another, maybe with another key. */
static size_t give_up_attempt(struct link *l, struct peer *p)
{
    const struct seal_secret *s = l->cluster.secrets;
    p->key_id = s[1].id && p->attempt.key_id == s[0].id ? s[1].id : 0;
    end_attempt(p);
    return 0;
}

static size_t output_attempt(struct link *l, struct peer *p, uint64_t now_ns, uint8_t *frame)
{
    if (p->attempt.times >= ATTEMPT_TIMES)
        return give_up_attempt(l, p);
    p->attempt.next_ns = now_ns + (ATTEMPT_FIRST_NS << p->attempt.times++);
    return put_frame(frame, p->attempt.frame, sizeof(p->attempt.frame));
}

/* With the key that it has, as far as that is known. */
static size_t greet_one(struct link *l, struct peer *p, uint64_t now_ns, uint8_t *frame)
{
    const struct seal_secret *secret = seal_secret_find(&l->cluster, p->key_id);
    p->hello_owed = false;
    p->greeted_ns = now_ns;
    secret = secret ? secret : &l->cluster.secrets[0];
    return secret->id ? write_hello(l, secret, 0, frame) : 0;
}

size_t greet_output_peer(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    *to = p->address;
    if (p->pending.answer_owed) {
        p->pending.answer_owed = false;
        return put_frame(frame, p->pending.answer, sizeof(p->pending.answer));
    }
    if (p->attempt.own && p->attempt.next_ns <= now_ns)
        return output_attempt(l, p, now_ns, frame);
    if (!p->hello_owed || !p->address.port)
        return 0;
    return greet_one(l, p, now_ns, frame);
}

uint64_t greet_deadline(const struct peer *p)
{
    if (p->pending.answer_owed || (p->hello_owed && p->address.port))
        return 0;
    return p->attempt.own ? p->attempt.next_ns : UINT64_MAX;
}
