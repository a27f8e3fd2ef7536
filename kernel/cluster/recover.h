/* May a cluster that lost its majority be begun anew from this node's log? Decided from what is seen, and nothing else.
 */
#pragma once

#include <raft/conf.h>

#define RECOVER_QUIET_NS 10000000000ull /* who was heard within this time may be back in a moment */

struct recover_member {
    struct raft_id id;
    bool voter, self, heard;
    uint64_t silent_ns; /* not heard: for so long; all ones: not since this node started */
    uint64_t last_term, last_index;
};

struct recover_view {
    bool started, durable, healthy; /* takes part; its log is on a disk; with nothing wrong */
    bool leader;                    /* one is heard, or this node is it */
    bool epoch_left;                /* there is a number for another epoch */
    const struct raft_conf *conf;
    uint32_t count;
    struct recover_member members[RAFT_MEMBERS_MAX]; /* in the order of conf */
};

enum recover_verdict {
    RECOVER_YES = 0,
    RECOVER_NOT_STARTED,
    RECOVER_NOT_DURABLE,
    RECOVER_NOT_HEALTHY,
    RECOVER_NO_EPOCH,
    RECOVER_LEADER,   /* a majority lives: it has a leader */
    RECOVER_MAJORITY, /* a majority is heard: it will have one */
    RECOVER_SOON,     /* too early to call a voter lost: *which */
    RECOVER_BETTER    /* another has the better log: *which */
};

enum recover_verdict recover_judge(const struct recover_view *view, uint32_t *which_out);
