/* How long this node may rely on its lease, by its own clock.
 *
 * The lease that the tables keep runs from the entry that renewed it. What this node knows of that moment: it is not
 * before it sent the load report that the leader had from it then. So the leader tells each node, beside the entry, the
 * clock stamp of that report; once that very entry (two leaders may have had one of that index) is applied here and
 * stands in the own row, the lease holds at least until that stamp plus its length. Both clocks measure the same span,
 * each with its drift, and the margin covers them. */
#include "node_state.h"

#define DRIFT_PPM 500ull
#define MARGIN_NS (SECOND_NS / 4)

static uint64_t lease_end(uint64_t stamp_ns)
{
    return stamp_ns + TABLES_LEASE_NS - TABLES_LEASE_NS / 1000000 * DRIFT_PPM - MARGIN_NS;
}

static void note(struct node *n, uint64_t index, uint64_t term, uint64_t stamp_ns)
{
    n->renewals[n->renewals_at++ % NODE_RENEWALS] = (struct renewal){index, term, stamp_ns};
}

void node_lease_renewed(struct node *n, uint64_t index, uint64_t term)
{
    uint8_t bytes[24];
    note(n, index, term, n->now_ns);
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = &n->others[i];
        if (!o->session || !o->load_stamp_ns)
            continue;
        struct wire_writer w = wire_writer(bytes, sizeof(bytes));
        wire_put_u64(&w, index);
        wire_put_u64(&w, term);
        wire_put_u64(&w, o->load_stamp_ns);
        node_send_control(n, o, CONTROL_RENEWED, bytes, w.used);
    }
}

bool node_lease_take(struct node *n, struct wire_reader *r)
{
    uint64_t index = wire_get_u64(r), term = wire_get_u64(r), stamp_ns = wire_get_u64(r);
    if (!wire_done(r) || stamp_ns > n->now_ns)
        return false;
    note(n, index, term, stamp_ns);
    return true;
}

void node_lease_run(struct node *n)
{
    const struct tables_node *own = node_own_row(n);
    if (!own || !own->live || !same_id(own->boot_id, n->config.boot_id))
        return;
    uint64_t term;
    if (!raft_term_at(n->raft, own->renewal, &term))
        return; /* compacted already: the next one will do */
    for (uint32_t i = 0; i < NODE_RENEWALS; i++) {
        const struct renewal *known = &n->renewals[i];
        if (known->index == own->renewal && known->term == term && lease_end(known->stamp_ns) > n->lease_until_ns)
            n->lease_until_ns = lease_end(known->stamp_ns);
    }
}

uint64_t node_lease_until(const struct node *n)
{
    return n->lease_until_ns;
}
