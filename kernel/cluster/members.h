/* Who votes: the rule by which a leader changes the configuration. Pure: what is known of every log goes in; one change
 * or none, with the reason in words, comes out.
 *
 * By itself it takes logs in as learners, lets voters grow 1 -> 3 -> 5 out of learners with disks, and puts a node's
 * new log into the place of the one that it lost. It never takes a vote away: only what an operator wishes does that.
 * Every change leaves more than half of the voters heard. */
#pragma once

#include <raft/conf.h>
#include <tables/op.h>

#define MEMBERS_SECOND_NS 1000000000ull
#define MEMBERS_HOLD_NS   (20 * MEMBERS_SECOND_NS) /* a log must have been good for so long before it votes by itself */
#define MEMBERS_REST_NS   (10 * MEMBERS_SECOND_NS) /* after one change of voters, before another by itself */
#define MEMBERS_AIM       5u                       /* voters; more only by hand */
#define MEMBERS_DISKS     3u /* where so many nodes have disks, those without do not become voters */
#define MEMBERS_LOGS_MAX  (RAFT_MEMBERS_MAX + 2 * NODES_MAX)
#define MEMBERS_WHY_BYTES 128u
#define MEMBERS_NEVER     UINT64_MAX

/* A log that is in the configuration, or could be. Times are by the leader's clock and begin anew with a new leader.
 * Not cluster time: that leaps while a new leader applies what its predecessors logged. */
struct members_log {
    struct raft_id id;
    uint32_t number; /* of its node; 0: not known */
    uint32_t wish;   /* enum tables_wish, of its node */
    bool heard;      /* its node is there now, with this log */
    bool lost;       /* its node is there, or was since, with another log */
    bool durable;
    bool caught_up;
    bool settled;             /* it cannot forget the newest change of the configuration any more */
    uint64_t behind;          /* entries that it lacks */
    uint64_t good_since_ns;   /* heard and caught up without a break; MEMBERS_NEVER: it is not */
    uint64_t silent_since_ns; /* not heard since; meaningless while heard */
};

struct members_view {
    const struct raft_conf *conf;
    bool busy; /* a change is proposed and not applied, or may be */
    struct raft_id self;
    uint64_t hold_ns, rest_ns;   /* MEMBERS_HOLD_NS, MEMBERS_REST_NS; the simulator's time is shorter */
    uint64_t now_ns, changed_ns; /* changed: the newest change of voters, or this leader's beginning */
    uint32_t disks;              /* nodes with a disk that are not removed */
    uint32_t count;
    struct members_log logs[MEMBERS_LOGS_MAX];
};

struct members_decision {
    bool change;
    struct raft_conf_change what; /* if change */
    char why[MEMBERS_WHY_BYTES];  /* what is done, or why nothing is */
};

void members_decide(const struct members_view *v, struct members_decision *out);

/* May an operator wish that? E_OK; or E_NOT_FOUND, E_BUSY, E_CONFLICT with *why in words. */
err_t members_check(const struct members_view *v, uint32_t number, enum tables_wish wish, char why[MEMBERS_WHY_BYTES]);
err_t members_check_transfer(const struct members_view *v, uint32_t number, char why[MEMBERS_WHY_BYTES]);
/* A voter that could lead and that nobody wants away; lowest number. NULL: none but this one. */
const struct members_log *members_successor(const struct members_view *v);
/* A learner with a disk, or without where few have one, that can have the vote of `leaving` at once. NULL: none. */
const struct members_log *members_substitute(const struct members_view *v, const struct members_log *leaving);

const struct members_log *members_find(const struct members_view *v, struct raft_id id); /* NULL: not known */
/* The log that node `number` has now, or had last. NULL: it is not known. */
const struct members_log *members_of_node(const struct members_view *v, uint32_t number);
/* Voters of one half (RAFT_VOTER, RAFT_VOTER_OLD): how many, and how many of them are heard. */
uint32_t members_voters(const struct members_view *v, const struct raft_conf *conf, uint32_t half, uint32_t *heard_out);
