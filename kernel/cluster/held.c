/* Handles of locks. Each is an endpoint of the kernel:
 *
 *   - closing the last one releases the lock;
 *   - a call that names it (TAG_FENCED) is stamped with its fence, while the lock is surely still held;
 *   - a call *to* it (CLUSTER_HELD_WAIT) is answered when the lock is lost.
 *
 * A lock is lost when the tables say so: the lease of this node ended. This node learns that late, or while it was cut
 * off not at all; but it knows until when its lease was sure. From then on the processes that hold locks are frozen:
 * until the lease is renewed, and they go on as if nothing had been, or until the loss is known, which is the first
 * that they are told. */
#include <base/sha256.h>

#include "cluster.h"

void cluster_lock_id(struct tables_text name, uint64_t id_out[2])
{
    struct sha256 s;
    uint8_t digest[SHA256_BYTES];
    sha256_begin(&s);
    sha256_add(&s, name.at, name.bytes);
    sha256_end(&s, digest);
    memcpy(id_out, digest, 16);
}

/* ---- the endpoint; kernel lock held ---- */

static err_t held_called(struct endpoint *e, struct call *c)
{
    struct held *h = e->context;
    if (TAG_OP(c->tag) != CLUSTER_HELD_WAIT)
        return E_BAD_SYSCALL;
    if (h->lost)
        return E_STALE_FENCE;
    list_append(&h->waiters, &c->node);
    return E_OK;
}

static void held_cancelled(struct endpoint *e, struct call *c)
{
    list_remove(&c->node);
}

static void held_closed(struct endpoint *e)
{
    struct held *h = e->context;
    struct list *node;
    while ((node = list_pop(&h->waiters))) /* calls outlive the handles they came by */
        call_fail(container_of(node, struct call, node), E_GONE);
    list_remove(&h->all);
    endpoint_drop(e);
    if (h->serial && cluster_process_ending(h->serial)) { /* not let go of on purpose: the tables delay it */
        kfree(h, sizeof(*h));
        return;
    }
    list_append(&cluster.inbox.dropped, &h->node);
    cluster_wake();
}

static err_t held_fence(struct endpoint *e, struct ipc_fence *out)
{
    const struct held *h = e->context;
    *out = h->fence;
    return h->lost ? E_STALE_FENCE : time_now_ns() < cluster.lease_until_ns ? E_OK : E_NO_SESSION;
}

static bool held_freezes(struct endpoint *e)
{
    const struct held *h = e->context;
    return cluster.frozen && !h->lost;
}

static const struct endpoint_handler handler = {.request = held_called,
                                                .cancelled = held_cancelled,
                                                .unused = held_closed,
                                                .fence = held_fence,
                                                .freezes = held_freezes};

err_t cluster_held_make(struct request *r, const struct ipc_fence *fence, struct handle_ref *out)
{
    struct held *h = r->held;
    err_t err = endpoint_create_kernel(cluster.budget, &handler, h, false, &h->endpoint);
    if (err != E_OK)
        return err;
    r->held = NULL;
    list_init(&h->waiters);
    list_append(&cluster.held, &h->all);
    h->ticket = r->ticket;
    h->fence = *fence;
    h->serial = r->serial;
    cluster.held_since = true;
    *out = handle_ref_make(&h->endpoint->object, NULL, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO);
    return E_OK;
}

/* ---- freezing; kernel lock held ---- */

/* Who acts under the lock: the process that acquired it, and those it was given to before they started. Servers that a
 * handle merely passes through go on. */
static bool acts_under(const struct process *p, const struct object *o)
{
    const struct endpoint *e = container_of(o, struct endpoint, object);
    if (o->type != OBJECT_ENDPOINT || e->handler != &handler)
        return false;
    const struct held *h = e->context;
    return !h->lost && (p->given_lock || (h->serial && p->object.serial == h->serial));
}

static void freeze(struct process *p)
{
    if (handle_any(p, acts_under))
        process_freeze(p);
}

/* One walk however many locks there are. All that are frozen go on, whatever became of their handles meanwhile. */
static void set_frozen(bool frozen)
{
    cluster.frozen = frozen;
    budget_each_process(frozen ? freeze : process_thaw);
}

static bool any_held(void)
{
    list_for_each(node, &cluster.held)
    {
        if (!container_of(node, struct held, all)->lost)
            return true;
    }
    return false;
}

/* ---- from the cluster thread ---- */

static void lose(struct held *h)
{
    struct list *node;
    h->lost = true;
    while ((node = list_pop(&h->waiters)))
        call_fail(container_of(node, struct call, node), E_STALE_FENCE);
}

static void lose_and_say(struct held *h)
{
    lose(h);
    klog("cluster: a lock of this node is lost: its lease had ended, or it was taken away (fence %llu)",
         (unsigned long long)h->fence.value);
}

void cluster_held_lost(uint64_t ticket)
{
    uint64_t flags = cluster_enter();
    list_for_each(node, &cluster.held)
    {
        struct held *h = container_of(node, struct held, all);
        if (h->ticket == ticket && !h->lost)
            lose_and_say(h);
    }
    cluster_leave(flags);
}

void cluster_held_given_back(uint64_t fence)
{
    uint64_t flags = cluster_enter();
    list_for_each(node, &cluster.held)
    {
        struct held *h = container_of(node, struct held, all);
        if (h->fence.value == fence && !h->lost)
            lose(h);
    }
    cluster_leave(flags);
}

void cluster_held_recheck(void)
{
    const struct tables *t = node_tables(cluster.node); /* NULL: this node gave up its log */
    struct tables_request_view view;
    uint64_t flags = cluster_enter();
    list_for_each(node, &cluster.held)
    {
        struct held *h = container_of(node, struct held, all);
        if (!h->lost && (!t || !tables_request(t, h->ticket, &view)))
            lose_and_say(h);
    }
    cluster_leave(flags);
}

void cluster_held_run(void)
{
    uint64_t until = node_lease_until(cluster.node);
    uint64_t flags = cluster_enter();
    cluster.lease_until_ns = until;
    bool unsure = any_held() && time_now_ns() >= until;
    if (unsure != cluster.frozen) {
        klog(unsure ? "cluster: the lease may be over: processes that hold locks are frozen"
                    : "cluster: frozen processes go on");
        set_frozen(unsure);
    } else if (unsure && cluster.held_since) {
        set_frozen(true);
    }
    cluster.held_since = false;
    cluster_leave(flags);
}

uint64_t cluster_held_deadline(void)
{
    uint64_t flags = cluster_enter();
    bool waits = !cluster.frozen && any_held();
    cluster_leave(flags);
    return waits ? cluster.lease_until_ns : DEADLINE_NEVER;
}
