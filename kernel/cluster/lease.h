/* Leases: how a leader counts cluster time, what it renews and ends, and until when a node may rely on its own. Pure:
 * the node and the simulator both run it.
 *
 * The lease that the tables keep runs from the entry that renewed it. What a node knows of that moment: it is not
 * before it sent the report that the leader had from it then. So the leader tells each node, beside the entry, the
 * clock stamp of that report; once that very entry (two leaders may have had one of that index) is applied here and
 * stands in the own row, the lease holds at least until that stamp plus its length. Both clocks measure the same span,
 * each with its drift, and the margin covers them. */
#pragma once

#include <tables/tables.h>

#define LEASE_RENEW_NS 2000000000ull /* a leader renews so often */
#define LEASE_GAP_NS                                                                                                   \
    LEASE_RENEW_NS /* between the last renewal of one leader and the first of the next, counted at most */
#define LEASE_DRIFT_PPM 500ull
#define LEASE_MARGIN_NS 250000000ull
#define LEASE_NOTES     8u

/* ---- the leader ---- */

/* Cluster time runs by this leader's clock from the last value in the log, counted from when that was applied here, be
 * it before this one led: else no lease would ever end where leaders change more often than they renew. A later value
 * moves it on. Zeroed when the tables begin. */
struct lease_clock {
    bool begun;
    uint64_t since_ns, base_ns;
};
/* Who does not lead calls it in each round: the clock counts from the newest value alone, so that it is ahead of
 * another's by no more than the drift since then. */
void lease_clock_follow(struct lease_clock *clock, const struct tables *t, uint64_t now_ns);
/* It leads now. Of the time before that at most LEASE_GAP_NS counts. */
void lease_clock_begin(struct lease_clock *clock, const struct tables *t, uint64_t now_ns);
uint64_t lease_clock_now(struct lease_clock *clock, const struct tables *t, uint64_t now_ns);

/* The entry that moves cluster time on and renews those that are there (bit n-1 of `present`: node n, with the boot
 * that its row has). */
void lease_renewal(const struct tables *t, uint64_t present, uint64_t cluster_ns, struct tables_op *op_out);
/* The entry that ends the first node above number `after` whose lease is over and that is not there. Its number; 0:
 * none.
 */
uint32_t lease_expiry(const struct tables *t, uint64_t present, uint64_t term, uint32_t after,
                      struct tables_op *op_out);

/* ---- who relies on one ---- */

struct lease {
    struct lease_note { /* an entry that renewed leases, and when by the own clock the report was sent it rests on */
        uint64_t index, term, stamp_ns;
    } notes[LEASE_NOTES];
    uint32_t noted;
    uint64_t until_ns; /* by the own clock; what was held under it may be another's after that */
};
/* The leader of `term` proposed the entry at `index`, which rests on the report sent at stamp_ns. */
void lease_note(struct lease *lease, uint64_t index, uint64_t term, uint64_t stamp_ns);
/* The own row stands, with the own boot, and was renewed by the entry at `index` of `term`. */
void lease_stands(struct lease *lease, uint64_t index, uint64_t term);
