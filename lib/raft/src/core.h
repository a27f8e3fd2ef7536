/* What the parts of the core call in each other. One idea a file: raft.c (life, time, dispatch), election.c, append.c
 * (follower), replicate.c (leader), persist.c, read.c, snapshot.c, member.c, update.c. */
#pragma once

#include <base/assert.h>
#include <raft/raft.h>

#include "bytes.h"
#include "log.h"

#define RAFT_NOBODY ((struct raft_id){0, 0})
static inline bool raft_is_somebody(struct raft_id id)
{
    return id.log != 0;
}

/* ---- raft.c ---- */
/* Queues a message to `to`, filling in what all have; NULL when there is no room (the network may lose messages). */
struct raft_message *raft_send(struct raft *r, uint32_t type, struct raft_id to);
void raft_become_follower(struct raft *r, uint64_t term, struct raft_id leader);
void raft_commit_to(struct raft *r, uint64_t index);
bool raft_stalled(const struct raft *r); /* the oldest log write takes too long */
void raft_refuse(struct raft *r);        /* counts a message that does not fit */

/* ---- election.c ---- */
void raft_election_restart(struct raft *r); /* from now, with a new timeout */
bool raft_promotable(const struct raft *r);
void raft_election_timeout(struct raft *r);
void raft_campaign_for_votes(struct raft *r, bool transfer);
void raft_campaign_continue(struct raft *r); /* the vote for itself may have become durable */
void raft_vote_reply_due(struct raft *r);    /* so may a vote for another */
bool raft_sticky(const struct raft *r);
void raft_on_prevote(struct raft *r, const struct raft_message *m);
void raft_prevote_forget(struct raft *r);        /* the leader lives, or this node leads: nobody is waited for */
void raft_prevote_time(struct raft *r);          /* answers the kept question when its time has come */
uint64_t raft_prevote_due(const struct raft *r); /* that time, or UINT64_MAX */
void raft_on_vote(struct raft *r, const struct raft_message *m);
void raft_on_vote_reply(struct raft *r, const struct raft_message *m);
void raft_on_timeout_now(struct raft *r, const struct raft_message *m);

/* ---- append.c ---- */
void raft_on_append(struct raft *r, const struct raft_message *m);
void raft_on_heartbeat(struct raft *r, const struct raft_message *m);
void raft_acknowledge(struct raft *r); /* sends what is owed and durable */

/* ---- replicate.c ---- */
void raft_become_leader(struct raft *r);
void raft_replicate(struct raft *r); /* sends to every peer what it may have */
void raft_heartbeats(struct raft *r);
void raft_leader_time(struct raft *r);
void raft_maybe_commit(struct raft *r);
void raft_on_append_reply(struct raft *r, struct raft_peer *p, const struct raft_message *m);
void raft_on_heartbeat_reply(struct raft *r, struct raft_peer *p, const struct raft_message *m);
bool raft_quorum_heard(const struct raft *r);
uint64_t raft_notice_due(const struct raft *r); /* when a peer must be told of the commit index, UINT64_MAX: none */
struct raft_peer *raft_peer_of(struct raft *r, struct raft_id id);
void raft_peer_probe(struct raft_peer *p);
void raft_own_progress(struct raft *r); /* leader: its own entries became durable */

/* ---- persist.c ---- */
void raft_persist_next(struct raft *r, struct raft_persist *persist_out);
bool raft_persist_due(const struct raft *r);

/* ---- read.c ---- */
void raft_reads_fail(struct raft *r);
void raft_reads_time(struct raft *r);
void raft_reads_ask(struct raft *r);     /* leader: gives new ones a context */
void raft_reads_confirm(struct raft *r); /* leader: a quorum may have answered */
void raft_reads_finish(struct raft *r);  /* applied may have reached them */
void raft_on_read(struct raft *r, const struct raft_message *m);
void raft_on_read_reply(struct raft *r, const struct raft_message *m);

/* ---- snapshot.c ---- */
void raft_snapshot_send(struct raft *r, struct raft_peer *p);
void raft_on_snapshot(struct raft *r, const struct raft_message *m);
void raft_on_snapshot_reply(struct raft *r, struct raft_peer *p, const struct raft_message *m);

/* ---- member.c ---- */
void raft_conf_activate(struct raft *r, uint64_t index);
void raft_conf_set(struct raft *r, const struct raft_conf *conf, uint64_t index);
void raft_maybe_leave_joint(struct raft *r);
bool raft_conf_unapplied(const struct raft *r); /* a committed change waits to be applied */
