#include "lease.h"

#include <string.h>

/* ---- the leader ---- */

void lease_clock_follow(struct lease_clock *clock, const struct tables *t, uint64_t now_ns)
{
    if (clock->begun && clock->base_ns == tables_time_ns(t))
        return;
    *clock = (struct lease_clock){.begun = true, .since_ns = now_ns, .base_ns = tables_time_ns(t)};
}

/* After a long time without a leader, who is there gets time to be heard. The very first begins time: at 1, since a
 * time of 0 is none to count from. */
void lease_clock_begin(struct lease_clock *clock, const struct tables *t, uint64_t now_ns)
{
    lease_clock_follow(clock, t, now_ns);
    if (now_ns - clock->since_ns > LEASE_GAP_NS)
        clock->since_ns = now_ns - LEASE_GAP_NS;
    if (tables_time_ns(t) == 0)
        *clock = (struct lease_clock){.begun = true, .since_ns = now_ns, .base_ns = 1};
}

uint64_t lease_clock_now(struct lease_clock *clock, const struct tables *t, uint64_t now_ns)
{
    uint64_t elapsed = now_ns - clock->since_ns, known = tables_time_ns(t);
    if (known > clock->base_ns + elapsed)
        clock->base_ns = known - elapsed;
    return clock->base_ns + elapsed;
}

static bool is_present(uint64_t present, uint32_t number)
{
    return present >> (number - 1) & 1;
}

void lease_renewal(const struct tables *t, uint64_t present, uint64_t cluster_ns, struct tables_op *op)
{
    *op = (struct tables_op){.kind = TABLES_RENEW, .renew = {.now_ns = cluster_ns}};
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(t, i);
        if (row && row->live && is_present(present, i))
            op->renew.nodes |= 1ull << (i - 1);
    }
}

uint32_t lease_expiry(const struct tables *t, uint64_t present, uint64_t term, uint32_t after, struct tables_op *op)
{
    for (uint32_t i = after + 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(t, i);
        if (!row || !row->live || !tables_lease_over(t, i) || is_present(present, i))
            continue;
        *op = (struct tables_op){.kind = TABLES_EXPIRE, .expire = {.node = i, .renewal = row->renewal, .term = term}};
        memcpy(op->expire.boot_id, row->boot_id, sizeof(op->expire.boot_id));
        return i;
    }
    return 0;
}

/* ---- who relies on one ---- */

static uint64_t end_of(uint64_t stamp_ns)
{
    return stamp_ns + TABLES_LEASE_NS - TABLES_LEASE_NS / 1000000 * LEASE_DRIFT_PPM - LEASE_MARGIN_NS;
}

void lease_note(struct lease *lease, uint64_t index, uint64_t term, uint64_t stamp_ns)
{
    lease->notes[lease->noted++ % LEASE_NOTES] = (struct lease_note){index, term, stamp_ns};
}

void lease_stands(struct lease *lease, uint64_t index, uint64_t term)
{
    for (uint32_t i = 0; i < LEASE_NOTES; i++) {
        const struct lease_note *note = &lease->notes[i];
        if (note->index == index && note->term == term && end_of(note->stamp_ns) > lease->until_ns)
            lease->until_ns = end_of(note->stamp_ns);
    }
}
