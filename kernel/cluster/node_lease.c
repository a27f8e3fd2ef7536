/* How long this node may rely on its lease: the leader's notices and the own row, put before the rule of lease.h. */
#include "node_state.h"

void node_lease_renewed(struct node *n, uint64_t index, uint64_t term)
{
    uint8_t bytes[40];
    struct state_hash state = node_compare_newest(n);
    lease_note(&n->lease, index, term, n->now_ns);
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = &n->others[i];
        if (!o->session || !o->load_stamp_ns)
            continue;
        struct wire_writer w = wire_writer(bytes, sizeof(bytes));
        wire_put_u64(&w, index);
        wire_put_u64(&w, term);
        wire_put_u64(&w, o->load_stamp_ns);
        wire_put_u64(&w, state.index);
        wire_put_u64(&w, state.hash);
        node_send_control(n, o, CONTROL_RENEWED, bytes, w.used);
    }
}

bool node_lease_take(struct node *n, struct wire_reader *r)
{
    uint64_t index = wire_get_u64(r), term = wire_get_u64(r), stamp_ns = wire_get_u64(r);
    struct state_hash state = {.index = wire_get_u64(r)};
    state.hash = wire_get_u64(r);
    if (!wire_done(r) || stamp_ns > n->now_ns)
        return false;
    lease_note(&n->lease, index, term, stamp_ns);
    node_compare_take(n, state);
    return true;
}

void node_lease_run(struct node *n)
{
    const struct tables_node *own = node_own_row(n);
    uint64_t term;
    if (!own || !own->live || !same_id(own->boot_id, n->config.boot_id))
        return;
    if (raft_term_at(n->raft, own->renewal, &term)) /* else it is compacted already: the next one will do */
        lease_stands(&n->lease, own->renewal, term);
}

uint64_t node_lease_until(const struct node *n)
{
    return n->lease.until_ns;
}
