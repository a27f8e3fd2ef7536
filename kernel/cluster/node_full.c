/* A log disk without room. Nothing is lost by it: the append that found none waits, and all that came after it, while a
 * snapshot and a compaction go ahead of them. New proposals are refused until then. A snapshot that is itself too big
 * for the disk leaves one way: what makes the tables smaller is still taken. */
#include <base/transaction.h>

#include "node_state.h"

void node_full_begin(struct node *n)
{
    if (!n->full_said)
        node_say(n, "cluster: the log disk is full: ", "a snapshot makes room");
    n->full_said = n->full = true;
    n->hello_changed = true;
    n->full_retry_ns = n->now_ns + RETRY_NS;
    node_log_drop_snapshot(n); /* it begins anew, ahead of the others */
    node_log_send_again(n);
}

/* From now on the queue is worked again, from the append that found no room. */
static void try_again(struct node *n)
{
    n->full = false;
    node_log_drop_snapshot(n);
}

void node_full_compacted(struct node *n)
{
    try_again(n);
}

void node_full_over(struct node *n)
{
    if (!n->full_said)
        return;
    n->full_said = false;
    n->hello_changed = true;
    node_say(n, "cluster: the log disk has room again", "");
}

/* The log up to here can go: it is in the snapshot, it is on the disk, and what waits does not begin before it. */
static uint64_t can_go(const struct node *n)
{
    uint64_t first = n->queue.requests[n->queue.first].head.offset;
    uint64_t limit = n->saved_label.index < n->disk_last ? n->saved_label.index : n->disk_last;
    return limit < first ? limit : first - 1;
}

void node_full_run(struct node *n)
{
    struct raft_status s;
    if (!n->full || n->ahead.count || n->saving)
        return;
    raft_status(n->raft, &s);
    if (can_go(n) > n->log_floor)
        node_log_compact(n, can_go(n));
    else if (s.applied > n->saved_label.index && !n->snapshot_too_big)
        n->snapshot_wanted = true;
    else if (n->now_ns >= n->full_retry_ns)
        try_again(n);
}

void node_full_snapshot(struct node *n)
{
    if (n->adopting) {
        node_recover_failed(n, "the recovered tables do not fit on the log disk");
        return;
    }
    if (!n->snapshot_too_big)
        node_say(n, "cluster: the tables do not fit on the log disk any more: ", "remove keys");
    n->snapshot_too_big = true;
    n->hello_changed = true;
    n->snapshot_retry_ns = n->now_ns + 5 * SECOND_NS;
    node_log_drop_snapshot(n);
    n->saving = false;
    node_pieces_clear(n, &n->incoming);
    if (n->installing) {
        n->installing = false;
        raft_snapshot_installed(n->raft, false);
    }
}

static bool txn_grows(struct tables_text steps)
{
    struct txn_reader r = {steps.at, steps.bytes, false};
    struct txn_view step;
    while (txn_next(&r, &step)) {
        if (step.head.kind == TXN_PUT)
            return true;
    }
    return false;
}

static bool grows(const struct tables_op *op)
{
    return op->kind == TABLES_KEY_PUT || op->kind == TABLES_KEY_APPEND || op->kind == TABLES_NAME_PUT ||
           op->kind == TABLES_LOCK || op->kind == TABLES_ELECTED_SET || op->kind == TABLES_SESSION_OPEN ||
           op->kind == TABLES_JOB_SUBMIT || (op->kind == TABLES_TXN && txn_grows(op->txn.steps));
}

/* Here, or where it would have to go. */
bool node_full_refuses(struct node *n, const struct tables_op *op)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    const struct other *o = s.leader.log ? node_other_by_raft(n, s.leader.node) : NULL;
    bool full = n->full_said || n->snapshot_too_big || (o && o->heard && o->hello.trouble == TROUBLE_FULL);
    return full && grows(op);
}
