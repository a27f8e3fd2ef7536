/* The wires: delay, loss, duplication, reordering, cuts (also one way). */
#include "sim.h"

static uint64_t draw_delay(void)
{
    if (!w.calm && rng_chance(w.p.slow_packet))
        return rng_below(w.p.slow_packet_ns + 1);
    return rng_between(w.p.delay_low_ns, w.p.delay_high_ns);
}

/* With the boot that it is of: a link is between two boots. */
static void deliver_later(const struct node *from, const struct node *to, const void *bytes, size_t count)
{
    void *copy = malloc(count);
    memcpy(copy, bytes, count);
    event_add(draw_delay(), EVENT_PACKET, to->number, from->life, copy, count);
}

void network_send(const struct node *from, struct raft_id to_id, void *bytes, size_t count)
{
    /* A frame goes to a machine; whose log it was meant for is the receiver's to see. */
    struct node *to = &w.nodes[to_id.node];
    w.s.packets++;
    if (w.cut[from->number][to->number]) {
        w.s.cut++;
        return;
    }
    if (!w.calm && rng_chance(w.p.loss)) {
        w.s.lost++;
        return;
    }
    deliver_later(from, to, bytes, count);
    if (!w.calm && rng_chance(w.p.duplication)) {
        w.s.duplicated++;
        deliver_later(from, to, bytes, count);
    }
}
