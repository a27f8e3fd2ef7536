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
    seal_cluster_begin(&l->cluster, config->cluster_name, config->cluster_key);
    seal_random_begin(&l->random, config->random);
    seal_wipe(l->config.cluster_key, sizeof(l->config.cluster_key));
    seal_wipe(l->config.random, sizeof(l->config.random));
    l->seeking = true;
    l->hello_due_ns = now_ns;
    link_identify(l, &config->self);
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

void link_identify(struct link *l, const struct seal_identity *self)
{
    l->config.self = *self;
    l->config.self.protocol = SEAL_PROTOCOL;
    l->config.self.attempt = 0;
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

void link_input(struct link *l, uint64_t now_ns, struct link_address from, const void *datagram, size_t bytes)
{
    struct seal_header header;
    l->statistics.frames_in++;
    l->statistics.bytes_in += bytes;
    if (!seal_header_read(&l->cluster, datagram, bytes, &header, &l->statistics.rejected))
        return;
    memcpy(l->scratch, datagram, bytes); /* opened in place */
    switch (header.kind) {
    case SEAL_HELLO:
        greet_take_hello(l, now_ns, from, l->scratch, bytes);
        break;
    case SEAL_FIRST:
        greet_take_first(l, now_ns, from, header.session, l->scratch, bytes);
        break;
    case SEAL_SECOND:
        greet_take_second(l, now_ns, header.session, l->scratch, bytes);
        break;
    case SEAL_DATA:
        session_take_frame(l, now_ns, from, header.session, l->scratch, bytes);
        break;
    default:
        l->statistics.rejected.damaged++;
    }
}

static size_t output_peer(struct link *l, struct peer *p, uint64_t now_ns, struct link_address *to, uint8_t *frame)
{
    session_check(l, p, now_ns);
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
    uint64_t due = l->hello_due_ns;
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
