/* What is wrong with a node's log: told to the others, and said in words. */
#include "node_state.h"

uint64_t node_repairing(const struct node *n)
{
    struct raft_status s;
    if (!n->raft_running)
        return 0;
    raft_status(n->raft, &s);
    return s.repairing;
}

enum trouble node_trouble(const struct node *n)
{
    if (n->problem)
        return n->trouble;
    if (n->log_state == LOG_DAMAGED)
        return TROUBLE_DAMAGED;
    if (n->log_state == LOG_ABSENT)
        return TROUBLE_ABSENT;
    if (n->full_said || n->snapshot_too_big)
        return TROUBLE_FULL;
    return node_repairing(n) ? TROUBLE_REPAIR : TROUBLE_NONE;
}

const char *node_trouble_note(enum trouble trouble)
{
    static const char *const words[TROUBLE_COUNT] = {"",
                                                     "its log lost entries: fetches them, no vote until then",
                                                     "its log disk is full",
                                                     "refused: its log disk is an older image",
                                                     "refused: its log disk is another machine's",
                                                     "its log disk is damaged: takes part without a vote",
                                                     "its log disk is missing: takes part without a vote",
                                                     "its log disk fails: takes no part",
                                                     "its tables are not the leader's: takes no part"};
    return words[trouble];
}
