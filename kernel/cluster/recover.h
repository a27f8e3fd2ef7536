/* May a cluster that lost its majority be begun anew from this node's log? Decided from what is seen, and nothing else.
 *
 * Of all that see each other and see the same, one is told yes: the best log, and among equal ones the one on a disk,
 * then that of the lowest id. So two people who ask at two nodes do not begin two epochs. */
#pragma once

#include <abi/ids.h>
#include <raft/conf.h>

#define RECOVER_QUIET_NS 10000000000ull /* who was heard within this time may be back in a moment */

/* A log, whether the configuration here names it or not: the newest one may be known to others only. */
struct recover_member {
    struct raft_id id;
    bool voter, self;
    bool heard;         /* its node is there, with this log */
    bool unsure;        /* its node is there, and has not said lately which log it has and where that ends */
    bool leader;        /* it says that it hears a leader, or leads */
    bool durable;       /* the log is on a disk */
    bool amiss;         /* it cannot be recovered from: damaged, refused, fetching what it lost */
    uint64_t silent_ns; /* not heard: for so long; all ones: for ever, as this log */
    uint64_t last_term, last_index;
};

#define RECOVER_MEMBERS_MAX (RAFT_MEMBERS_MAX + NODES_MAX + 1) /* the last: this node */

struct recover_view {
    bool started, healthy; /* takes part, and with nothing wrong */
    bool network;          /* it can hear others at all */
    bool leader;           /* one is heard, or this node is it */
    bool newer;            /* a later epoch of this cluster was heard lately */
    bool epoch_left;       /* there is a number for another epoch */
    const struct raft_conf *conf;
    uint32_t count;
    struct recover_member members[RECOVER_MEMBERS_MAX]; /* first those of conf, in its order, then all others heard */
};

enum recover_verdict {
    RECOVER_YES = 0,
    RECOVER_NOT_STARTED,
    RECOVER_NOT_HEALTHY,
    RECOVER_NO_NETWORK,
    RECOVER_NO_EPOCH,
    RECOVER_NEWER,    /* it was done already, elsewhere */
    RECOVER_LEADER,   /* a majority lives: it has a leader */
    RECOVER_MAJORITY, /* a majority is heard: it will have one */
    RECOVER_SOON,     /* too early to call a log lost: *which */
    RECOVER_BETTER    /* recover from that log: *which */
};

enum recover_verdict recover_judge(const struct recover_view *view, uint32_t *which_out);
/* More than half of the voters, of each half, are there. */
bool recover_majority(const struct recover_view *view);
