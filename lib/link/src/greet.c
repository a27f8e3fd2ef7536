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
    draw_secret(l, fresh);
    seal_hello_write(&l->cluster, secret, &self, fresh, frame);
    return SEAL_HELLO_BYTES;
}

/* To who has the key that was dropped: its machine can then say what it lacks. Nothing else is said under that key. */
static size_t tell_old(struct link *l, struct link_address *to, uint8_t *frame)
{
    *to = l->old_at;
    l->old_at.port = 0;
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
        return tell_old(l, to, frame);
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

static void make_payload(const struct link *l, const struct peer *p, uint32_t number, uint64_t attempt,
                         struct standing renews, uint8_t payload[HANDSHAKE_PAYLOAD])
{
    struct seal_identity self = l->config.self;
    self.attempt = attempt;
    seal_identity_encode(&self, payload);
    struct wire_writer w = wire_writer(payload + SEAL_IDENTITY_BYTES, HANDSHAKE_PAYLOAD - SEAL_IDENTITY_BYTES);
    wire_put_u32(&w, number);
    wire_put_u32(&w, renews.own);
    wire_put_u32(&w, renews.theirs);
    wire_put_u64(&w, p->identity.node_id[0]);
    wire_put_u64(&w, p->identity.node_id[1]);
}

/* `renews` as this side sees it. E_NOT_FOUND: it is for another node. */
static err_t read_payload(const struct link *l, const uint8_t payload[HANDSHAKE_PAYLOAD],
                          struct seal_identity *identity, uint32_t *number, struct standing *renews)
{
    struct wire_reader r = wire_reader(payload + SEAL_IDENTITY_BYTES, HANDSHAKE_PAYLOAD - SEAL_IDENTITY_BYTES);
    *number = wire_get_u32(&r);
    renews->theirs = wire_get_u32(&r);
    renews->own = wire_get_u32(&r);
    uint64_t node_id[2] = {wire_get_u64(&r), wire_get_u64(&r)};
    err_t err = seal_identity_decode(payload, identity);
    return err || id_equal(node_id, l->config.self.node_id) ? err : E_NOT_FOUND;
}

/* ---- beginning one ---- */

static void begin_attempt(struct link *l, struct peer *p, uint64_t now_ns, struct standing renews)
{
    uint8_t payload[HANDSHAKE_PAYLOAD], fresh[32];
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
    seal_handshake_begin(&p->attempt.state, &secret->prepared, &l->config.log_key, true);
    make_payload(l, p, p->attempt.own, ++l->attempts, renews, payload);
    draw_secret(l, fresh);
    seal_first_write(&p->attempt.state, fresh, payload, sizeof(payload), p->attempt.frame + SEAL_HEADER_BYTES);
    seal_wipe(fresh, sizeof(fresh));
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
    for (uint32_t i = 0; i < BOOTS; i++) {
        if (p->pending[i].own && p->pending[i].key_id == key_id)
            seal_wipe(&p->pending[i], sizeof(p->pending[i]));
    }
    if (p->key_id == key_id)
        p->key_id = 0;
}

void greet_abandon_all(struct peer *p)
{
    end_attempt(p);
    seal_wipe(p->pending, sizeof(p->pending));
}

/* Who never showed that it has the keys may have been anybody with the cluster key: its number makes no others old. */
void greet_check(struct peer *p, uint64_t now_ns)
{
    for (uint32_t i = 0; i < BOOTS; i++) {
        if (!p->pending[i].own || now_ns < p->pending[i].end_ns)
            continue;
        seal_wipe(&p->pending[i], sizeof(p->pending[i]));
        p->attempts[i].highest = p->attempts[i].proven;
    }
}

void greet_proven_attempt(struct peer *p, const struct seal_identity *identity)
{
    if (id_equal(p->attempts[BOOT_PROVEN].boot, identity->boot_id))
        p->attempts[BOOT_PROVEN].highest = p->attempts[BOOT_PROVEN].proven = identity->attempt;
}

void greet_proven(struct peer *p, const uint64_t boot_id[2])
{
    if (id_equal(p->attempts[BOOT_PROVEN].boot, boot_id))
        return;
    bool known = id_equal(p->attempts[BOOT_OTHER].boot, boot_id);
    memcpy(p->attempts[BOOT_PROVEN].boot, boot_id, sizeof(p->attempts[BOOT_PROVEN].boot));
    p->attempts[BOOT_PROVEN].highest = known ? p->attempts[BOOT_OTHER].highest : 0;
    p->attempts[BOOT_PROVEN].proven = 0;
    seal_wipe(&p->pending[BOOT_PROVEN], sizeof(p->pending[BOOT_PROVEN])); /* of the boot that is over */
}

/* ---- hellos that come ---- */

/* That it has the newer of two keys is known from one hello; that it has only the older one, from nothing. */
static void note_key(const struct link *l, struct peer *p, const struct seal_secret *secret)
{
    if (p->key_id != l->cluster.secrets[0].id)
        p->key_id = secret->id;
}

static void take_old_hello(struct link *l, struct link_address from, const struct seal_identity *identity)
{
    l->statistics.rejected.old_key++;
    if (identity->flags & HELLO_KEY_DROPPED) /* of another one that has dropped it: not to us */
        return;
    peer_refuse(l, identity, LINK_OLD_KEY);
    l->old_at = from; /* one answer to each, no longer than it: a stranger with that key keeps none from another */
}

/* A hello can be an old one played again: it starts a handshake at most, and changes nothing of a session that stands.
 * The handshake names that session: who has not restarted gives it fresh keys, and nothing is lost. */
static void take_good_hello(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_secret *secret,
                            const struct seal_identity *identity)
{
    struct peer *p = peer_acceptable(l, identity) ? peer_make(l, identity) : NULL;
    if (!p)
        return;
    bool same_boot = id_equal(p->identity.boot_id, identity->boot_id);
    if (!p->session.own || same_boot)
        note_key(l, p, secret);
    if (p->session.own && (same_boot || now_ns - p->session.keyed_ns < l->config.hello_ns))
        return;
    if (!p->session.own) {
        p->identity = *identity;
        p->address = from;
        p->heard_ns = now_ns;
    }
    if (we_begin(l, identity))
        begin_attempt(l, p, now_ns, (struct standing){p->session.own, p->session.theirs});
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
        take_old_hello(l, from, &identity);
    else if (identity.flags & HELLO_KEY_DROPPED)
        peer_refuse(l, &identity, LINK_KEY_DROPPED);
    else
        take_good_hello(l, now_ns, from, secret, &identity);
}

/* ---- answering a handshake ---- */

static enum boots boot_of(const struct peer *p, const struct seal_identity *identity)
{
    return id_equal(p->attempts[BOOT_PROVEN].boot, identity->boot_id) ? BOOT_PROVEN : BOOT_OTHER;
}

static bool attempt_is_new(const struct peer *p, const struct seal_identity *identity)
{
    enum boots boot = boot_of(p, identity);
    return !id_equal(p->attempts[boot].boot, identity->boot_id) || identity->attempt > p->attempts[boot].highest;
}

/* A handshake that was read, before it is answered. */
struct first {
    struct noise h;
    const struct seal_secret *secret;
    struct seal_identity identity;
    uint32_t theirs;
    struct standing renews;
};

/* Fresh keys for a session are for who began it: the same boot, of the same log. */
static bool same_end(const struct peer *p, const struct seal_identity *identity, const uint8_t log_key[32])
{
    return id_equal(p->identity.boot_id, identity->boot_id) && !memcmp(p->log_key, log_key, sizeof(p->log_key));
}

/* It takes the place of the last one of that boot, or, of those that no session proved, of any. */
static void answer(struct link *l, struct peer *p, uint64_t now_ns, struct first *f)
{
    uint8_t payload[HANDSHAKE_PAYLOAD], fresh[32];
    struct seal_keys keys;
    enum boots boot = boot_of(p, &f->identity);
    struct pending *to = &p->pending[boot];
    bool renews = session_stands(p, f->renews) && same_end(p, &f->identity, f->h.peer);
    seal_wipe(to, sizeof(*to));
    if (!id_equal(p->attempts[boot].boot, f->identity.boot_id))
        p->attempts[boot].proven = 0;
    memcpy(p->attempts[boot].boot, f->identity.boot_id, sizeof(p->attempts[boot].boot));
    p->attempts[boot].highest = f->identity.attempt;
    memcpy(to->log_key, f->h.peer, sizeof(to->log_key));
    to->renews = renews ? f->renews : (struct standing){0, 0};
    uint32_t own = peer_new_number(l, p);
    make_payload(l, p, own, 0, to->renews, payload);
    draw_secret(l, fresh);
    err_t err = seal_second_write(&f->h, fresh, payload, sizeof(payload), to->answer + SEAL_HEADER_BYTES, &keys);
    seal_wipe(fresh, sizeof(fresh));
    if (err)
        return;
    seal_header_write(&l->cluster, (struct seal_header){SEAL_SECOND, f->theirs, (uint16_t)f->secret->id}, to->answer,
                      sizeof(to->answer));
    seal_session_begin(&to->seal, &keys);
    seal_wipe(&keys, sizeof(keys));
    to->identity = f->identity;
    to->own = own;
    to->theirs = f->theirs;
    to->key_id = f->secret->id;
    to->end_ns = now_ns + l->config.silence_ns;
    to->answer_owed = true;
}

/* Who names the numbers of our last answer has opened it, so it has those keys, although nothing came under them yet.
 */
static void confirm_named(struct link *l, struct peer *p, uint64_t now_ns, const struct first *f)
{
    struct pending *last = &p->pending[boot_of(p, &f->identity)];
    if (last->own && f->renews.own == last->own && f->renews.theirs == last->theirs)
        session_confirm(l, p, now_ns, last);
}

/* What is an old one played again changes nothing but that an answer that is still awaited goes out once more. */
static void take_proven_first(struct link *l, uint64_t now_ns, struct link_address from, struct first *f)
{
    struct peer *p = peer_vetted(l, &f->identity, f->h.peer) ? peer_make(l, &f->identity) : NULL;
    if (!p)
        return;
    if (attempt_is_new(p, &f->identity)) {
        if (!p->session.own)
            p->address = from;
        p->heard_ns = now_ns;
        note_key(l, p, f->secret);
        confirm_named(l, p, now_ns, f);
        answer(l, p, now_ns, f);
        p->pending[boot_of(p, &f->identity)].to = from;
        return;
    }
    struct pending *last = &p->pending[boot_of(p, &f->identity)];
    if (last->own && last->theirs == f->theirs) {
        last->answer_owed = true; /* our answer was lost */
        last->to = from;
        last->end_ns = now_ns + l->config.silence_ns; /* it may be this time that it arrives */
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
        seal_handshake_begin(&f->h, &f->secret->prepared, &l->config.log_key, false);
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
    err_t err = open_first(l, header, frame, &f, payload) ? read_payload(l, payload, &f.identity, &f.theirs, &f.renews)
                                                          : E_ACCESS;
    if (err == E_ACCESS) {
        count_closed(l, header);
    } else if (err == E_NOT_FOUND) {
        /* sent to all, since it is not known for sure where that node is */
    } else if (err || f.theirs != header->session) {
        l->statistics.rejected.damaged++;
    } else {
        take_proven_first(l, now_ns, from, &f);
    }
    seal_wipe(&f, sizeof(f));
}

/* ---- and its answer ---- */

/* An answer that was opened. */
struct second {
    struct seal_identity identity;
    uint8_t log_key[32]; /* proven */
    struct seal_keys keys;
    uint32_t theirs;
    struct standing renews;
};

static void use_answer(struct link *l, struct peer *p, uint64_t now_ns, const struct second *a)
{
    struct seal_session seal;
    uint64_t key_id = p->attempt.key_id;
    bool same = session_stands(p, p->attempt.renews) && same_end(p, &a->identity, a->log_key);
    if (!a->renews.own) {
        session_start(l, p, now_ns, &a->keys, p->attempt.own, a->theirs, &a->identity, a->log_key);
    } else if (same && session_stands(p, a->renews)) {
        seal_session_begin(&seal, &a->keys);
        session_renew(l, p, now_ns, &seal, p->attempt.own, a->theirs);
        seal_wipe(&seal, sizeof(seal));
    } else {
        return; /* the session that it was for is over */
    }
    p->session.key_id = key_id;
}

bool greet_awaits(const struct link *l, uint32_t session)
{
    const struct peer *p = peer_by_number(l, session);
    return p && p->attempt.own && p->attempt.own == session;
}

void greet_take_second(struct link *l, uint64_t now_ns, struct link_address from, uint32_t session,
                       const uint8_t *frame, size_t bytes)
{
    struct peer *p = peer_by_number(l, session);
    struct second a;
    uint8_t payload[HANDSHAKE_PAYLOAD];
    if (bytes != HANDSHAKE_FRAME) {
        l->statistics.rejected.damaged++;
        return;
    }
    if (seal_second_read(&p->attempt.state, frame + SEAL_HEADER_BYTES, bytes - SEAL_HEADER_BYTES, payload, a.log_key,
                         &a.keys)) {
        l->statistics.rejected.wrong_key++;
        return;
    }
    if (read_payload(l, payload, &a.identity, &a.theirs, &a.renews)) {
        l->statistics.rejected.damaged++;
    } else if (id_equal(a.identity.node_id, p->identity.node_id) && peer_vetted(l, &a.identity, a.log_key)) {
        p->address = from; /* the one that is known to be its own */
        use_answer(l, p, now_ns, &a);
    }
    end_attempt(p);
    seal_wipe(&a, sizeof(a));
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

/* Every other time to all: where the node is was known from a hello, maybe one played again from elsewhere. */
static size_t output_attempt(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    if (p->attempt.times >= ATTEMPT_TIMES)
        return give_up_attempt(l, p);
    if (p->attempt.times % 2 && !p->session.own)
        *to = (struct link_address){LINK_BROADCAST, l->config.port};
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
    for (uint32_t i = 0; i < BOOTS; i++) {
        struct pending *answered = &p->pending[i];
        if (!answered->answer_owed)
            continue;
        answered->answer_owed = false;
        *to = answered->to;
        return put_frame(frame, answered->answer, sizeof(answered->answer));
    }
    *to = p->address;
    if (p->attempt.own && p->attempt.next_ns <= now_ns)
        return output_attempt(l, p, now_ns, to, frame);
    if (!p->hello_owed || !p->address.port)
        return 0;
    return greet_one(l, p, now_ns, frame);
}

uint64_t greet_deadline(const struct peer *p)
{
    uint64_t due = p->attempt.own ? p->attempt.next_ns : UINT64_MAX;
    if (p->hello_owed && p->address.port)
        return 0;
    for (uint32_t i = 0; i < BOOTS; i++) {
        if (p->pending[i].answer_owed)
            return 0;
        if (p->pending[i].own && p->pending[i].end_ns < due)
            due = p->pending[i].end_ns;
    }
    return due;
}
