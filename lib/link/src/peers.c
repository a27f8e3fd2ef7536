#include "state.h"

struct peer *peer_find(struct link *l, const uint64_t node_id[2])
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (l->peers[i] && id_equal(l->peers[i]->identity.node_id, node_id))
            return l->peers[i];
    }
    return NULL;
}

struct peer *peer_at(const struct link *l, uint32_t slot, uint32_t session)
{
    struct peer *p = slot < LINK_PEERS_MAX ? l->peers[slot] : NULL;
    return p && session && p->session.own && p->session.id == session ? p : NULL;
}

/* A free slot; if there is none, that of the peer that was silent longest, if any has no session. */
static uint32_t find_slot(struct link *l)
{
    uint32_t oldest = LINK_PEERS_MAX;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct peer *p = l->peers[i];
        if (!p)
            return i;
        if (!p->session.own && (oldest == LINK_PEERS_MAX || p->heard_ns < l->peers[oldest]->heard_ns))
            oldest = i;
    }
    return oldest;
}

struct peer *peer_make(struct link *l, const struct seal_identity *identity)
{
    struct peer *p = peer_find(l, identity->node_id);
    if (p)
        return p;
    uint32_t slot = find_slot(l);
    if (slot == LINK_PEERS_MAX)
        return NULL;
    if (l->peers[slot]) {
        seal_wipe(l->peers[slot], sizeof(*p)); /* a handshake may have left keys */
        give(l, l->peers[slot], sizeof(*p));
    }
    p = l->peers[slot] = take(l, sizeof(*p));
    if (!p)
        return NULL;
    p->slot = slot;
    p->identity = *identity;
    return p;
}

uint32_t peer_new_number(struct link *l, const struct peer *p)
{
    uint32_t number = 0;
    while (number < LINK_PEERS_MAX) {
        seal_random_bytes(&l->random, &number, sizeof(number));
        number = number / LINK_PEERS_MAX * LINK_PEERS_MAX + p->slot;
    }
    return number;
}

void peer_refuse(struct link *l, const struct seal_identity *identity, enum link_refusal reason)
{
    const struct peer *known = peer_find(l, identity->node_id);
    struct link_event event = {.kind = LINK_REFUSED,
                               .reason = reason,
                               .peer = known ? known->slot : LINK_PEERS_MAX,
                               .node_id = {identity->node_id[0], identity->node_id[1]},
                               .cluster_id = {identity->cluster_id[0], identity->cluster_id[1]}};
    if (event_room(l))
        event_put(l, &event);
}

static void turn_away(struct link *l, const struct seal_identity *identity, enum link_refusal reason)
{
    l->statistics.rejected.foreign++;
    peer_refuse(l, identity, reason);
}

/* Ourselves, another machine with our id, a member of another cluster: none of them becomes a peer. */
bool peer_acceptable(struct link *l, const struct seal_identity *identity)
{
    const struct seal_identity *self = &l->config.self;
    bool has_cluster = self->cluster_id[0] || self->cluster_id[1];
    if (id_equal(identity->node_id, self->node_id)) {
        if (!id_equal(identity->boot_id, self->boot_id))
            turn_away(l, identity, LINK_SAME_NODE);
        return false;
    }
    if (has_cluster && (identity->cluster_id[0] || identity->cluster_id[1]) &&
        !id_equal(identity->cluster_id, self->cluster_id)) {
        turn_away(l, identity, LINK_OTHER_CLUSTER);
        return false;
    }
    return true;
}

bool peer_vetted(struct link *l, const struct seal_identity *identity, const uint8_t log_key[32])
{
    const struct link_vet *vet = &l->config.vet;
    if (!peer_acceptable(l, identity))
        return false;
    uint32_t reason = vet->ask ? vet->ask(vet->context, identity, log_key) : 0;
    if (!reason)
        return true;
    l->statistics.rejected.false_log++;
    peer_refuse(l, identity, (enum link_refusal)reason);
    return false;
}

bool link_peer(const struct link *l, uint32_t slot, struct link_peer_view *view)
{
    const struct peer *p = slot < LINK_PEERS_MAX ? l->peers[slot] : NULL;
    if (!p)
        return false;
    *view = (struct link_peer_view){.identity = p->identity,
                                    .address = p->address,
                                    .session = p->session.own ? p->session.id : 0,
                                    .key_id = p->session.key_id,
                                    .heard_ns = p->heard_ns,
                                    .rtt_ns = p->session.rtt_ns};
    memcpy(view->log_key, p->log_key, sizeof(view->log_key));
    for (uint32_t c = 0; c < LINK_CHANNELS; c++)
        view->queued_bytes[c] = p->session.sending[c].queued_bytes;
    return true;
}
