/* The link as a whole: opening, and what goes in and out. */
#include "state.h"

err_t link_open(const struct link_config *config, uint64_t now_ns, struct link **link_out)
{
    struct link *l = config->memory.take(config->memory.context, sizeof(*l));
    if (!l)
        return E_NO_MEMORY;
    memset(l, 0, sizeof(*l));
    l->config = *config;
    l->statistics.memory_bytes = sizeof(*l);
    seal_cluster_begin(&l->cluster, config->cluster_name);
    seal_random_begin(&l->random, config->random);
    seal_wipe(l->config.random, sizeof(l->config.random));
    seal_random_bytes(&l->random, &l->rate_secret, sizeof(l->rate_secret));
    seal_random_bytes(&l->random, &l->spare.state, sizeof(l->spare.state));
    l->seeking = true;
    l->hello_due_ns = now_ns;
    link_identify(l, &config->self, &config->log_key);
    *link_out = l;
    return E_OK;
}

void link_close(struct link *l)
{
    struct link_event event;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (!l->peers[i])
            continue;
        session_end(l, l->peers[i]);
        seal_wipe(l->peers[i], sizeof(struct peer));
        give(l, l->peers[i], sizeof(struct peer));
    }
    while (link_next_event(l, &event))
        link_event_done(l, &event);
    struct link_memory memory = l->config.memory;
    ASSERT(l->statistics.memory_bytes == sizeof(*l));
    seal_wipe(l, sizeof(*l));
    memory.give(memory.context, l, sizeof(*l));
}

void draw_secret(struct link *l, uint8_t secret[32])
{
    uint8_t fresh[32];
    seal_random_bytes(&l->random, secret, 32);
    if (!l->config.entropy.take || !l->config.entropy.take(l->config.entropy.context, fresh))
        return;
    seal_hkdf(fresh, 32, secret, 32, "", 0, secret, 32);
    seal_wipe(fresh, sizeof(fresh));
}

/* ---- cluster keys ---- */

uint64_t link_key_id(const struct link *l, const uint8_t key[32])
{
    return seal_key_id(&l->cluster, key);
}

err_t link_key_add(struct link *l, const uint8_t key[32])
{
    if (seal_secret_find(&l->cluster, seal_key_id(&l->cluster, key)))
        return E_EXISTS;
    if (l->cluster.secrets[SEAL_SECRETS_MAX - 1].id)
        return E_FULL;
    seal_secret_add(&l->cluster, key);
    l->hello_due_ns = 0;
    return E_OK;
}

void link_key_old(struct link *l, const uint8_t key[32])
{
    seal_secret_old(&l->cluster, key);
}

/* Handshakes under it that were begun are over. */
void link_key_drop(struct link *l, uint64_t now_ns, uint64_t id)
{
    seal_secret_drop(&l->cluster, id);
    l->hello_secret = 0;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (l->peers[i])
            session_key_dropped(l, l->peers[i], now_ns, id);
    }
}

void link_identify(struct link *l, const struct seal_identity *self, const struct noise_pair *log_key)
{
    bool another = memcmp(l->config.log_key.public, log_key->public, 32) != 0;
    l->config.self = *self;
    l->config.log_key = *log_key;
    l->config.self.protocol = SEAL_PROTOCOL;
    l->config.self.attempt = 0;
    for (uint32_t i = 0; another && i < LINK_PEERS_MAX; i++) {
        if (!l->peers[i])
            continue;
        greet_abandon_all(l->peers[i]);
        session_end(l, l->peers[i]);
    }
}

void link_vet_again(struct link *l)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        struct peer *p = l->peers[i];
        if (p && p->session.own && !peer_vetted(l, &p->identity, p->log_key))
            session_end(l, p);
    }
}

void link_seek(struct link *l, bool quickly)
{
    if (quickly && !l->seeking)
        l->hello_due_ns = 0;
    l->seeking = quickly;
}

void link_greet(struct link *l)
{
    l->hello_due_ns = 0;
}

err_t link_add_address(struct link *l, struct link_address address)
{
    if (l->address_count == LINK_ADDRESSES_MAX)
        return E_FULL;
    l->addresses[l->address_count++] = address;
    return E_OK;
}

/* ---- in ---- */

static bool spend(struct rate *r, uint64_t now_ns)
{
    uint64_t earned = (now_ns - r->since_ns) / (1000000000ull / RATE_PER_SECOND);
    if (earned) {
        r->spent = r->spent > earned ? r->spent - (uint32_t)earned : 0;
        r->since_ns = now_ns;
    }
    if (r->spent >= RATE_BURST)
        return false;
    r->spent++;
    return true;
}

/* By lot, about RATE_SPARE a second: who sends at the right moments gets no more than its share. */
static bool draw_lot(struct link *l, uint64_t now_ns)
{
    struct lottery *y = &l->spare;
    if (now_ns - y->since_ns >= 1000000000ull) {
        y->before = now_ns - y->since_ns < 2000000000ull ? y->seen : 0;
        y->seen = 0;
        y->since_ns = now_ns;
    }
    y->seen++;
    y->state = y->state * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t lots = y->seen > y->before ? y->seen : y->before;
    return (y->state >> 32) % (lots > RATE_SPARE ? lots : RATE_SPARE) < RATE_SPARE;
}

static struct rate *rate_of(struct link *l, struct link_address from)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (l->peers[i] && l->peers[i]->address.ipv4 == from.ipv4)
            return &l->peers[i]->rate;
    }
    return &l->rates[(uint32_t)((from.ipv4 ^ l->rate_secret) * 2654435761u) % RATES];
}

/* Hellos and handshakes cost more to refuse than to send: from one address only so many are looked at. Frames of a
 * session are not held up by it, nor are answers, which must give a number that was drawn. Addresses can be forged, so
 * some more are looked at whoever sent them: whose address is used to flood still gets through, if later. */
static bool within_rate(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_header *header)
{
    struct rate *r = header->kind == SEAL_SECOND ? &peer_by_number(l, header->session)->answers : rate_of(l, from);
    if (spend(r, now_ns) || draw_lot(l, now_ns))
        return true;
    l->statistics.rejected.excess++;
    return false;
}

static void take_frame(struct link *l, uint64_t now_ns, struct link_address from, const struct seal_header *header,
                       size_t bytes)
{
    if (header->kind == SEAL_DATA)
        session_take_frame(l, now_ns, from, header->session, l->scratch, bytes);
    else if (header->kind < SEAL_HELLO || header->kind > SEAL_DATA)
        l->statistics.rejected.damaged++;
    else if (header->kind == SEAL_SECOND && !greet_awaits(l, header->session))
        return; /* to an attempt that is over, or was never made */
    else if (!within_rate(l, now_ns, from, header))
        return;
    else if (header->kind == SEAL_HELLO)
        greet_take_hello(l, now_ns, from, header, l->scratch, bytes);
    else if (header->kind == SEAL_FIRST)
        greet_take_first(l, now_ns, from, header, l->scratch, bytes);
    else
        greet_take_second(l, now_ns, from, header->session, l->scratch, bytes);
}

static void note_rejected(struct link *l, const struct seal_counters *before, struct link_address from)
{
    uint64_t was[SEAL_COUNTERS], is[SEAL_COUNTERS];
    memcpy(was, before, sizeof(was));
    memcpy(is, &l->statistics.rejected, sizeof(is));
    for (uint32_t i = 0; i < SEAL_COUNTERS; i++) {
        if (is[i] != was[i])
            l->statistics.rejected_from[i] = from;
    }
}

void link_input(struct link *l, uint64_t now_ns, struct link_address from, const void *datagram, size_t bytes)
{
    struct seal_header header;
    struct seal_counters before = l->statistics.rejected;
    l->statistics.frames_in++;
    l->statistics.bytes_in += bytes;
    if (seal_header_read(&l->cluster, datagram, bytes, &header, &l->statistics.rejected)) {
        memcpy(l->scratch, datagram, bytes); /* opened in place */
        take_frame(l, now_ns, from, &header, bytes);
        memset(l->scratch, 0, bytes); /* it may be a key */
    }
    note_rejected(l, &before, from);
}

/* ---- out ---- */

static size_t output_peer(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    session_check(l, p, now_ns);
    greet_check(p, now_ns);
    size_t bytes = greet_output_peer(l, p, now_ns, to, frame);
    return bytes ? bytes : session_output(l, p, now_ns, to, frame);
}

size_t link_output(struct link *l, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    size_t bytes = greet_output(l, now_ns, to, frame);
    for (uint32_t i = 0; i < LINK_PEERS_MAX && !bytes; i++) {
        l->turn = (l->turn + 1) % LINK_PEERS_MAX;
        if (l->peers[l->turn])
            bytes = output_peer(l, l->peers[l->turn], now_ns, to, frame);
    }
    l->statistics.frames_out += bytes > 0;
    l->statistics.bytes_out += bytes;
    return bytes;
}

uint64_t link_deadline(struct link *l)
{
    uint64_t due = l->old_at.port ? 0 : l->hello_due_ns;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (!l->peers[i])
            continue;
        uint64_t greet = greet_deadline(l->peers[i]), session = session_deadline(l, l->peers[i]);
        due = greet < due ? greet : due;
        due = session < due ? session : due;
    }
    return due;
}

void link_drop(struct link *l, uint32_t peer, uint32_t session)
{
    struct peer *p = peer_at(l, peer, session);
    if (p)
        session_end(l, p);
}

void link_statistics(const struct link *l, struct link_statistics *statistics)
{
    *statistics = l->statistics;
}
