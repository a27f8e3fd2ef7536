/* Making one packet. */
#include "state.h"

struct member_update update_of(const struct row *r)
{
    return (struct member_update){.state = r->state,
                                  .node = r->node,
                                  .incarnation = r->incarnation,
                                  .boot = r->boot,
                                  .accuser = r->accusers[r->confirms]};
}

struct making packet_begin(const struct member *m, uint8_t *to, uint32_t kind, uint64_t receiver, uint64_t target,
                           uint32_t sequence)
{
    struct making p = {.w = wire_writer(to, m->config.packet_bytes)};
    struct member_packet head = {.kind = kind,
                                 .cluster = {m->config.cluster[0], m->config.cluster[1]},
                                 .from = m->config.node,
                                 .boot = m->config.boot,
                                 .to = receiver,
                                 .target = target,
                                 .incarnation = m->rows[SELF].incarnation,
                                 .sequence = sequence};
    member_encode_begin(&p.w, &head, m->digests);
    return p;
}

bool packet_add(struct making *p, const struct row *r)
{
    struct member_update u = update_of(r);
    if (p->count == UINT8_MAX || !member_encode_update(&p->w, &u))
        return false;
    p->count++;
    return true;
}

size_t packet_end(struct member *m, struct making *p)
{
    member_encode_end(&p->w, p->count);
    m->counters.packets_out++;
    m->counters.bytes_out += p->w.used + m->config.overhead_bytes;
    return p->w.used;
}
