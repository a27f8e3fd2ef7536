/* Messages that wait for the cluster thread to hand them to the link. */
#include "remote_private.h"

#define HEADER_ROOM 512u /* the longest message without inline bytes and data */

static size_t size_of(const struct remote_message *m)
{
    size_t bytes = HEADER_ROOM;
    if (m->kind == REMOTE_CALL || m->kind == REMOTE_ANSWER || m->kind == REMOTE_REPLY)
        bytes += TAG_BYTES(m->tag) + m->data_bytes;
    return bytes;
}

static struct remote_queued *refused(struct remote_peer *p, bool always)
{
    if (!always || !p->up || p->broken)
        return NULL;
    klog("cluster: no room for what node %u must be told: the link ends", p->node);
    p->broken = true;
    remote_wake_thread();
    return NULL;
}

struct remote_queued *remote_enqueue(struct remote_peer *p, const struct remote_message *m, bool always)
{
    size_t room = size_of(m);
    if (!p->up || p->queued_bytes + room > (always ? REMOTE_QUEUE_MOST : REMOTE_QUEUE_BYTES))
        return refused(p, always);
    struct remote_queued *q = remote_alloc(sizeof *q + room);
    if (!q)
        return refused(p, always);
    q->room = room;
    q->bytes = remote_encode(m, q->data, room);
    assert(q->bytes > 0);
    list_append(&p->queue, &q->node);
    p->queued_bytes += room;
    remote_wake_thread();
    return q;
}

static void forget(struct remote_queued *q)
{
    if (q->call)
        q->call->queued = NULL;
    if (q->signal)
        q->signal->signal = NULL;
    q->call = NULL;
    q->signal = NULL;
}

static void release(struct remote_peer *p, struct remote_queued *q)
{
    forget(q);
    p->queued_bytes -= q->room;
    remote_free(q, sizeof *q + q->room);
}

void remote_dequeue(struct remote_peer *p, struct remote_queued *q)
{
    list_remove(&q->node);
    release(p, q);
}

void remote_queue_clear(struct remote_peer *p)
{
    for (struct list *node; (node = list_pop(&p->queue)) != NULL;)
        release(p, container_of(node, struct remote_queued, node));
    if (p->fetched)
        release(p, p->fetched);
    p->fetched = NULL;
}

const uint8_t *remote_next_outgoing(uint32_t node, size_t *bytes_out)
{
    struct remote_peer *p = remote_peer_get(node);
    *bytes_out = 0;
    if (!p || !p->up)
        return NULL;
    if (p->broken)
        return (const uint8_t *)"";
    if (!p->fetched) {
        struct list *first = list_pop(&p->queue);
        if (!first)
            return NULL;
        p->fetched = container_of(first, struct remote_queued, node);
        forget(p->fetched);
    }
    *bytes_out = p->fetched->bytes;
    return p->fetched->data;
}

void remote_outgoing_sent(uint32_t node)
{
    struct remote_peer *p = remote_peer_get(node);
    assert(p);
    if (p->fetched) /* the session may have ended meanwhile */
        release(p, p->fetched);
    p->fetched = NULL;
}
