/* Locks: exclusive or shared, first come first served, each grant with a fence that is higher than every earlier one.
 */
#include "state.h"

#define FENCE_EPOCH_SHIFT 56
#define FENCE_INDEX_SHIFT 12

_Static_assert(TABLES_REQUESTS_MAX <= 1u << FENCE_INDEX_SHIFT, "one entry can grant every request there is");

static bool view_lock(const struct tree_node *node, struct tables_lock_view *view)
{
    if (!node)
        return false;
    const struct lock *lock = TABLES_ROW(node, const struct lock);
    const struct request *first = lock->requests;
    *view = (struct tables_lock_view){.name = (const char *)node->name,
                                      .name_bytes = node->name_bytes,
                                      .mode = lock->mode,
                                      .holders = lock->holders,
                                      .waiters = lock->waiters,
                                      .node = first->node,
                                      .process_id = first->process_id,
                                      .fence = lock->fence};
    return true;
}

bool tables_lock(const struct tables *t, struct tables_text name, struct tables_lock_view *view)
{
    return view_lock(tree_find(&t->locks, name), view);
}

bool tables_lock_next(const struct tables *t, struct tables_text after, struct tables_lock_view *view)
{
    return view_lock(tree_above(&t->locks, after.bytes ? &after : NULL), view);
}

bool tables_request(const struct tables *t, uint64_t ticket, struct tables_request_view *view)
{
    const struct request *r = TABLES_ROW(tree_find_number(&t->requests, ticket), const struct request);
    if (!r)
        return false;
    *view = (struct tables_request_view){r->ticket, r->fence, r->process_id, r->node};
    return true;
}

struct lock *locks_add(struct tables *t, struct tables_text name)
{
    struct lock *lock = tables_take_named(t, sizeof(*lock), name);
    if (lock)
        tree_insert(&t->locks, &lock->by_name);
    return lock;
}

static void append_request(struct lock *lock, struct request *request)
{
    struct request **end = &lock->requests;
    while (*end)
        end = &(*end)->next;
    *end = request;
}

struct request *locks_add_request(struct tables *t, struct lock *lock, const struct request *like)
{
    struct request *r = tables_take_numbered(t, sizeof(*r), like->ticket);
    if (!r)
        return NULL;
    r->lock = lock;
    r->ticket = like->ticket;
    r->fence = like->fence;
    r->process_id = like->process_id;
    r->node = like->node;
    r->mode = like->mode;
    tree_insert(&t->requests, &r->by_ticket);
    append_request(lock, r);
    if (r->fence) {
        lock->holders++;
        lock->mode = r->mode;
    } else {
        lock->waiters++;
    }
    return r;
}

static bool can_hold(const struct lock *lock, uint32_t mode)
{
    return lock->holders == 0 || (lock->mode == TABLES_SHARED && mode == TABLES_SHARED);
}

static uint64_t new_fence(struct tables *t)
{
    ASSERT(t->grants < 1u << FENCE_INDEX_SHIFT && t->index < 1ull << (FENCE_EPOCH_SHIFT - FENCE_INDEX_SHIFT));
    return (uint64_t)t->epoch << FENCE_EPOCH_SHIFT | t->index << FENCE_INDEX_SHIFT | t->grants++;
}

static void grant(struct tables *t, struct request *r)
{
    struct lock *lock = r->lock;
    r->fence = lock->fence = new_fence(t);
    lock->mode = r->mode;
    lock->waiters--;
    lock->holders++;
}

static void tell_request(struct tables *t, enum tables_event_kind kind, const struct request *r)
{
    struct tables_event event = {
        .kind = kind, .node = r->node, .process_id = r->process_id, .ticket = r->ticket, .fence = r->fence};
    tables_tell(t, &event);
}

/* Waiters stand behind the holders in order, so the next to be served is always the first without a fence. */
static void serve_line(struct tables *t, struct lock *lock)
{
    for (struct request *r = lock->requests; r && lock->waiters; r = r->next) {
        if (r->fence)
            continue;
        if (!can_hold(lock, r->mode))
            return;
        grant(t, r);
        tell_request(t, TABLES_EVENT_GRANTED, r);
    }
}

/* A lock that nobody holds or waits for is no more. */
static void remove_request(struct tables *t, struct request *r)
{
    struct lock *lock = r->lock;
    struct request **link = &lock->requests;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    if (r->fence)
        lock->holders--;
    else
        lock->waiters--;
    tree_remove(&t->requests, &r->by_ticket);
    tables_give(t, r, sizeof(*r));
    if (lock->requests) {
        serve_line(t, lock);
        return;
    }
    tree_remove(&t->locks, &lock->by_name);
    tables_give_named(t, lock, sizeof(*lock));
}

static err_t check_lock(const struct tables *t, const struct lock *lock, const struct tables_op *op)
{
    bool mode_ok = op->lock.mode == TABLES_EXCLUSIVE || op->lock.mode == TABLES_SHARED;
    if (!mode_ok || !op->lock.name.bytes)
        return E_INVALID;
    if (lock && op->lock.try_only && (lock->waiters || !can_hold(lock, (uint32_t)op->lock.mode)))
        return E_BUSY;
    if ((!lock && t->locks.count >= TABLES_LOCKS_MAX) || t->requests.count >= TABLES_REQUESTS_MAX)
        return E_FULL;
    return E_OK;
}

void locks_apply_lock(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct lock *lock = TABLES_ROW(tree_find(&t->locks, op->lock.name), struct lock);
    result->err = check_lock(t, lock, op);
    if (result->err)
        return;
    if (!lock)
        lock = locks_add(t, op->lock.name);
    const struct request like = {
        .ticket = t->index, .process_id = op->lock.process_id, .node = op->node, .mode = (uint32_t)op->lock.mode};
    struct request *r = lock ? locks_add_request(t, lock, &like) : NULL;
    if (!r)
        return;
    if (lock->waiters == 1 && can_hold(lock, r->mode))
        grant(t, r);
    result->value = r->fence;
    result->ticket = r->ticket;
}

void locks_apply_cancel(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct request *r = TABLES_ROW(tree_find_number(&t->requests, op->lock_cancel.ticket), struct request);
    if (!r || r->node != op->node)
        result->err = E_NOT_FOUND;
    else
        remove_request(t, r);
}

static struct request *holder_with(struct lock *lock, uint64_t fence)
{
    for (struct request *r = lock->requests; r; r = r->next) {
        if (r->fence == fence)
            return r;
    }
    return NULL;
}

void locks_apply_unlock(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct lock *lock = TABLES_ROW(tree_find(&t->locks, op->unlock.name), struct lock);
    struct request *r = lock && op->unlock.fence ? holder_with(lock, op->unlock.fence) : NULL;
    if (r && !op->unlock.any && !owned_by(r->node, r->process_id, op->node, op->unlock.process_id))
        result->err = E_NO_RIGHT;
    else if (r)
        remove_request(t, r);
    else
        result->err = lock && lock->fence > op->unlock.fence ? E_STALE_FENCE : E_NOT_FOUND;
}

void locks_end(struct tables *t, uint32_t node, uint64_t process_id)
{
    uint64_t ticket = 0;
    for (struct tree_node *at; (at = tree_above_number(&t->requests, ticket));) {
        struct request *r = TABLES_ROW(at, struct request);
        ticket = r->ticket;
        if (!owned_by(r->node, r->process_id, node, process_id))
            continue;
        tell_request(t, TABLES_EVENT_LOST, r);
        remove_request(t, r);
    }
}
