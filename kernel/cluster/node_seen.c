/* How far the logs of others surely reached: what a node has applied is durable there, and a log that ends before it
 * when its node comes back is an older image of itself. The leader that sent the entries knows that too (lib/raft);
 * this way all know who were there, also after that leader is gone. */
#include "node_state.h"

static struct seen_log *seen_of(struct node *n, uint64_t raft_node)
{
    struct seen_log *found = &n->seen[0];
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->seen[i].id.node == raft_node)
            return &n->seen[i];
        if (!n->seen[i].id.node)
            found = &n->seen[i];
    }
    return found;
}

static bool in_our_cluster(const struct node *n, const struct other *o)
{
    return o->heard && o->hello.ready && o->hello.stage == STAGE_STARTED && n->stage == STAGE_STARTED &&
           same_id(o->hello.cluster_id, n->cluster_id);
}

void node_seen_note(struct node *n, const struct other *o, uint64_t applied)
{
    struct raft_id id = raft_id_of(o->node_id, o->hello.log_id);
    if (!in_our_cluster(n, o) || !o->hello.durable || o->hello.trouble != TROUBLE_NONE)
        return;
    struct seen_log *s = seen_of(n, id.node);
    if (!raft_id_equal(s->id, id))
        *s = (struct seen_log){.id = id};
    s->applied = applied > s->applied ? applied : s->applied;
}

/* A log that knows that it lost entries has them fetched: that is no older image. */
void node_seen_check(struct node *n, const struct other *o)
{
    const struct seen_log *s = seen_of(n, o->node_id[0]);
    uint8_t bytes[24];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    if (!in_our_cluster(n, o) || o->hello.trouble != TROUBLE_NONE || !o->hello.last_index ||
        !raft_id_equal(s->id, raft_id_of(o->node_id, o->hello.log_id)) || o->hello.last_index >= s->applied)
        return;
    wire_put_u64(&w, o->hello.log_id[0]);
    wire_put_u64(&w, o->hello.log_id[1]);
    wire_put_u64(&w, s->applied);
    node_send_control(n, o, CONTROL_OLDER, bytes, w.used);
}

void node_take_older(struct node *n, struct wire_reader *r)
{
    uint64_t log_id[2];
    struct raft_status s;
    for (int i = 0; i < 2; i++)
        log_id[i] = wire_get_u64(r);
    uint64_t index = wire_get_u64(r);
    if (!wire_done(r) || !n->raft_running || !n->durable || !same_id(log_id, n->log_id) || node_repairing(n))
        return;
    raft_status(n->raft, &s);
    if (s.last < index)
        node_fail_as(n, TROUBLE_OLDER, "the log on the disk ends before what others saw of it: it is an older image");
}
