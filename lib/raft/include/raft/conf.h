/* Who takes part: voters and learners, joint while voters change. Pure data and pure functions.
 *
 * A configuration is part of the replicated state: it changes when an entry of type RAFT_ENTRY_CONF is applied, in the
 * same way on every node, and travels with snapshots.
 */
#pragma once

#include <abi/types.h>

/* A member. `log` names the disk (or the power-on, for a node without one) that holds vote and log; a node whose log
 * was lost is another member with the same `node`. Random, compared only; the mount takes the low halves of its 128-bit
 * ids. log 0: nobody. */
struct raft_id {
    uint64_t node, log;
};

static inline bool raft_id_equal(struct raft_id a, struct raft_id b)
{
    return a.node == b.node && a.log == b.log;
}

#define RAFT_MEMBERS_MAX 72u /* 64 nodes, and room for old and new log ids side by side */
#define RAFT_VOTERS_MAX  9u  /* of one half of a joint configuration */
#define RAFT_CHANGES_MAX 16u /* in one entry */

enum raft_member_flags {
    RAFT_VOTER = 1,        /* votes and counts in the incoming half (the only one when not joint) */
    RAFT_VOTER_OLD = 2,    /* votes and counts in the outgoing half */
    RAFT_LEARNER = 4,      /* receives the log, does not count */
    RAFT_LEARNER_NEXT = 8, /* becomes a learner when the joint configuration is left */
    RAFT_FLAGS_ALL = 15
};

struct raft_member {
    struct raft_id id;
    uint32_t flags; /* enum raft_member_flags, never 0 */
};

/* Members are ordered by (node, log). Joint when any has RAFT_VOTER_OLD. */
struct raft_conf {
    uint32_t count;
    bool auto_leave; /* joint only: the leader proposes leaving by itself */
    struct raft_member members[RAFT_MEMBERS_MAX];
};

enum raft_change_op { RAFT_ADD_VOTER = 1, RAFT_ADD_LEARNER = 2, RAFT_REMOVE = 3 };

struct raft_change {
    uint32_t op; /* enum raft_change_op */
    struct raft_id id;
};

enum raft_change_mode {
    RAFT_CHANGE_SIMPLE = 1,     /* at most one voter comes or goes */
    RAFT_CHANGE_JOINT = 2,      /* into a joint configuration that the leader leaves by itself */
    RAFT_CHANGE_JOINT_STAY = 3, /* into a joint configuration that is left by hand */
    RAFT_CHANGE_LEAVE = 4       /* out of the joint configuration; no changes */
};

/* The payload of a RAFT_ENTRY_CONF entry. */
struct raft_conf_change {
    uint32_t mode; /* enum raft_change_mode */
    uint32_t count;
    struct raft_change changes[RAFT_CHANGES_MAX];
};

/* `from` with the change made. E_INVALID (with *why_out saying what) where the algebra forbids it: no voter would be
 * left, already joint, not joint, more than one voter in a simple change; E_FULL: too many members. why_out may be
 * NULL. */
err_t raft_conf_apply(const struct raft_conf *from, const struct raft_conf_change *change, struct raft_conf *to_out,
                      const char **why_out);

/* NULL: not a member. */
const struct raft_member *raft_conf_member(const struct raft_conf *conf, struct raft_id id);
bool raft_conf_is_voter(const struct raft_conf *conf, struct raft_id id); /* in either half */
bool raft_conf_is_joint(const struct raft_conf *conf);
bool raft_conf_equal(const struct raft_conf *a, const struct raft_conf *b);
/* What every configuration must be: ordered, no duplicates, at least one voter, flags that go together. */
bool raft_conf_valid(const struct raft_conf *conf);

/* The highest value that a majority of each half has reached; `values` stands beside members, learners' are not looked
 * at. This is the commit rule, and the rule for confirmed reads. UINT64_MAX for a configuration without members. */
uint64_t raft_conf_quorum_value(const struct raft_conf *conf, const uint64_t *values);

enum raft_vote { RAFT_VOTE_NONE = 0, RAFT_VOTE_YES = 1, RAFT_VOTE_NO = 2 };
enum raft_vote_result { RAFT_VOTE_PENDING = 0, RAFT_VOTE_WON = 1, RAFT_VOTE_LOST = 2 };
enum raft_vote_result raft_conf_vote_result(const struct raft_conf *conf, const uint8_t *votes);

/* Encoded forms, little-endian, at most the sizes named. Decoding checks everything: E_BAD_MESSAGE. */
#define RAFT_CONF_BYTES_MAX   (4u + RAFT_MEMBERS_MAX * 20u)
#define RAFT_CHANGE_BYTES_MAX (4u + RAFT_CHANGES_MAX * 20u)
size_t raft_conf_encode(const struct raft_conf *conf, void *to); /* to: RAFT_CONF_BYTES_MAX bytes */
err_t raft_conf_decode(const void *from, size_t bytes, struct raft_conf *conf_out);
size_t raft_conf_change_encode(const struct raft_conf_change *change, void *to); /* RAFT_CHANGE_BYTES_MAX bytes */
err_t raft_conf_change_decode(const void *from, size_t bytes, struct raft_conf_change *change_out);
