/* Locks, semaphores, elections and barriers: first come first served, each grant with a fence that is higher than every
 * earlier one. */
#include "state.h"

#define FENCE_EPOCH_SHIFT 56
#define FENCE_INDEX_SHIFT 12

_Static_assert(TABLES_REQUESTS_MAX <= 1u << FENCE_INDEX_SHIFT, "one entry can grant every request there is");

static bool view_lock(const struct tree_node *node, struct tables_lock_view *view)
{
    if (!node)
        return false;
    const struct lock *lock = TABLES_ROW(node, const struct lock);
    *view = (struct tables_lock_view){.name = (const char *)node->name,
                                      .name_bytes = node->name_bytes,
                                      .mode = lock->mode,
                                      .holders = lock->holders,
                                      .waiters = lock->waiters,
                                      .fence = lock->fence,
                                      .permits = lock->permits,
                                      .delayed = lock->delay_ns != 0};
    if (lock->holders) {
        const struct request *first = lock->requests;
        view->node = first->node;
        view->process_id = first->process_id;
        view->value = (struct tables_text){first->value, first->value_bytes};
    }
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

static bool view_request(const struct tree_node *node, struct tables_request_view *view)
{
    if (!node)
        return false;
    const struct request *r = TABLES_ROW(node, const struct request);
    *view = (struct tables_request_view){.ticket = r->ticket,
                                         .fence = r->fence,
                                         .process_id = r->process_id,
                                         .sequence = r->sequence,
                                         .node = r->node,
                                         .mode = r->mode,
                                         .lock = r->lock->created,
                                         .lock_name = {r->lock->by_name.name, r->lock->by_name.name_bytes}};
    return true;
}

bool tables_request(const struct tables *t, uint64_t ticket, struct tables_request_view *view)
{
    return view_request(tree_find_number(&t->requests, ticket), view);
}

bool tables_request_next(const struct tables *t, uint64_t after, struct tables_request_view *view)
{
    return view_request(tree_above_number(&t->requests, after), view);
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

static bool set_value(struct tables *t, struct request *r, const void *at, uint32_t bytes)
{
    uint8_t *value = bytes ? tables_take(t, bytes) : NULL;
    if (bytes && !value)
        return false;
    if (bytes)
        memcpy(value, at, bytes);
    if (r->value)
        tables_give(t, r->value, r->value_bytes);
    r->value = value;
    r->value_bytes = bytes;
    return true;
}

struct request *locks_add_request(struct tables *t, struct lock *lock, const struct request *like)
{
    struct request *r = tables_take_numbered(t, sizeof(*r), like->ticket);
    if (!r || !set_value(t, r, like->value, like->value_bytes) || !owners_add(t, like))
        return NULL;
    r->lock = lock;
    r->ticket = like->ticket;
    r->fence = like->fence;
    r->process_id = like->process_id;
    r->delay_ns = like->delay_ns;
    r->sequence = like->sequence;
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

void tables_lock_floor(const struct tables *t, struct tables_text name, uint64_t *exclusive_out, uint64_t *shared_out)
{
    const struct tree_node *node = tree_find(&t->locks, name);
    const struct lock *lock = node ? TABLES_ROW(node, const struct lock) : NULL;
    *exclusive_out = *shared_out = (uint64_t)t->epoch << FENCE_EPOCH_SHIFT | (t->index + 1) << FENCE_INDEX_SHIFT;
    if (!lock || !lock->holders)
        return;
    *exclusive_out = lock->requests->fence; /* holders stand first, by rising fence */
    *shared_out = lock->fence;
}

bool locks_same_kind(uint32_t mode, uint32_t other)
{
    return mode == other || (mode <= TABLES_SHARED && other <= TABLES_SHARED);
}

/* `coming`: how many are about to join the line. */
static bool can_hold(const struct lock *lock, uint32_t mode, uint32_t coming)
{
    if (lock->delay_ns)
        return false;
    if (mode == TABLES_PARTY)
        return lock->waiters + coming >= lock->permits;
    if (mode == TABLES_PERMIT)
        return lock->holders < lock->permits;
    return lock->holders == 0 || (lock->mode == TABLES_SHARED && mode == TABLES_SHARED);
}

static uint64_t new_fence(struct tables *t)
{
    ASSERT(t->grants < 1u << FENCE_INDEX_SHIFT && t->index < 1ull << (FENCE_EPOCH_SHIFT - FENCE_INDEX_SHIFT));
    return (uint64_t)t->epoch << FENCE_EPOCH_SHIFT | t->index << FENCE_INDEX_SHIFT | t->grants++;
}

static struct tables_text name_of(const struct lock *lock)
{
    return (struct tables_text){lock->by_name.name, lock->by_name.name_bytes};
}

static void grant(struct tables *t, struct request *r)
{
    struct lock *lock = r->lock;
    r->fence = lock->fence = new_fence(t);
    lock->mode = r->mode;
    lock->waiters--;
    lock->holders++;
    if (r->mode == TABLES_CANDIDATE)
        history_add(t, TABLES_CHANGE_ELECTED, name_of(lock), (struct tables_text){r->value, r->value_bytes},
                    r->process_id);
}

static void tell_request(struct tables *t, enum tables_event_kind kind, const struct request *r)
{
    struct tables_event event = {
        .kind = kind, .node = r->node, .process_id = r->process_id, .ticket = r->ticket, .fence = r->fence};
    tables_tell(t, &event);
}

/* Waiters stand behind the holders in order, so the next to be served is always the first without a fence. The request
 * being applied, if any, learns of its grant from its result. A barrier opens for all that wait at once. */
static void serve_line(struct tables *t, struct lock *lock, const struct request *own)
{
    bool opens = lock->mode == TABLES_PARTY && can_hold(lock, TABLES_PARTY, 0);
    for (struct request *r = lock->requests; r && lock->waiters; r = r->next) {
        if (r->fence)
            continue;
        if (!opens && !can_hold(lock, r->mode, 0))
            return;
        grant(t, r);
        if (r != own)
            tell_request(t, TABLES_EVENT_GRANTED, r);
    }
}

/* A lock that nobody holds, waits for or must be kept from is no more. */
static void settle(struct tables *t, struct lock *lock)
{
    serve_line(t, lock, NULL);
    if (lock->requests || lock->delay_ns)
        return;
    tree_remove(&t->locks, &lock->by_name);
    tables_give_named(t, lock, sizeof(*lock));
}

static void remove_request(struct tables *t, struct request *r)
{
    struct lock *lock = r->lock;
    struct request **link = &lock->requests;
    bool elected = r->fence && r->mode == TABLES_CANDIDATE;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    if (r->fence)
        lock->holders--;
    else
        lock->waiters--;
    tree_remove(&t->requests, &r->by_ticket);
    owners_remove(t, r);
    if (r->value)
        tables_give(t, r->value, r->value_bytes);
    tables_give(t, r, sizeof(*r));
    if (elected && (lock->delay_ns || !lock->waiters))
        history_add(t, TABLES_CHANGE_VACANT, name_of(lock), (struct tables_text){NULL, 0}, 0);
    settle(t, lock);
}

static err_t check_fields(const struct tables_op *op)
{
    uint64_t mode = op->lock.mode;
    bool counted = mode == TABLES_PERMIT || mode == TABLES_PARTY;
    if (mode < TABLES_EXCLUSIVE || mode > TABLES_PARTY || !op->lock.name.bytes ||
        (op->lock.value.bytes && mode != TABLES_CANDIDATE) || (op->lock.delay_ns && mode == TABLES_PARTY))
        return E_INVALID;
    if (counted ? op->lock.permits < 1 || op->lock.permits > TABLES_PERMITS_MAX : op->lock.permits != 0)
        return E_RANGE;
    return op->lock.delay_ns <= TABLES_DELAY_MAX_NS ? E_OK : E_RANGE;
}

static err_t check_lock(const struct tables *t, const struct lock *lock, const struct tables_op *op,
                        const struct request *like)
{
    const struct lock fresh = {.permits = (uint32_t)op->lock.permits};
    uint32_t mode = (uint32_t)op->lock.mode;
    if (lock && !locks_same_kind(lock->mode, mode))
        return E_WRONG_TYPE;
    if (lock && lock->permits != op->lock.permits)
        return E_CONFLICT;
    bool passes = can_hold(lock ? lock : &fresh, mode, 1) && (mode == TABLES_PARTY || !lock || !lock->waiters);
    if (op->lock.try_only && !passes)
        return E_BUSY;
    if ((!lock && t->locks.count >= TABLES_LOCKS_MAX) || t->requests.count >= TABLES_REQUESTS_MAX ||
        !owners_have_room(t, like))
        return E_FULL;
    return E_OK;
}

static struct lock *make_lock(struct tables *t, const struct tables_op *op)
{
    struct lock *lock = locks_add(t, op->lock.name);
    if (!lock)
        return NULL;
    lock->created = t->index;
    lock->mode = (uint32_t)op->lock.mode;
    lock->permits = (uint32_t)op->lock.permits;
    return lock;
}

void locks_apply_lock(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct lock *lock = TABLES_ROW(tree_find(&t->locks, op->lock.name), struct lock);
    const struct request like = {.ticket = t->index,
                                 .process_id = op->lock.process_id,
                                 .delay_ns = op->lock.delay_ns,
                                 .sequence = op->sequence,
                                 .node = op->node,
                                 .mode = (uint32_t)op->lock.mode,
                                 .value = (uint8_t *)(uintptr_t)op->lock.value.at,
                                 .value_bytes = op->lock.value.bytes};
    result->err = check_fields(op);
    if (!result->err)
        result->err = check_lock(t, lock, op, &like);
    if (result->err)
        return;
    if (!lock)
        lock = make_lock(t, op);
    struct request *r = lock ? locks_add_request(t, lock, &like) : NULL;
    if (!r)
        return;
    serve_line(t, lock, r);
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

static struct request *holder_with(const struct lock *lock, uint64_t fence)
{
    for (struct request *r = lock->requests; r && fence; r = r->next) {
        if (r->fence == fence)
            return r;
    }
    return NULL;
}

bool locks_holds(const struct tables *t, struct tables_text name, uint64_t fence)
{
    const struct lock *lock = TABLES_ROW(tree_find(&t->locks, name), const struct lock);
    return lock && holder_with(lock, fence);
}

/* The holder with that fence; else why there is none. */
static struct request *find_holder(struct tables *t, struct tables_text name, uint64_t fence, err_t *err)
{
    struct lock *lock = TABLES_ROW(tree_find(&t->locks, name), struct lock);
    struct request *r = lock ? holder_with(lock, fence) : NULL;
    if (!r)
        *err = lock && lock->fence > fence ? E_STALE_FENCE : E_NOT_FOUND;
    return r;
}

/* A holder that does not let go of it itself is told. */
static void take_from(struct tables *t, struct request *r, const struct tables_op *op)
{
    if (!owned_by(r->node, r->process_id, op->node, op->unlock.process_id))
        tell_request(t, TABLES_EVENT_LOST, r);
    remove_request(t, r);
}

void locks_apply_unlock(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct request *r = find_holder(t, op->unlock.name, op->unlock.fence, &result->err);
    if (r && !op->unlock.any && !owned_by(r->node, r->process_id, op->node, op->unlock.process_id))
        result->err = E_NO_RIGHT;
    else if (r)
        take_from(t, r, op);
}

void locks_apply_elected_set(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct tables_text name = op->elected_set.name, value = op->elected_set.value;
    struct request *r = find_holder(t, name, op->elected_set.fence, &result->err);
    if (r && r->mode != TABLES_CANDIDATE)
        result->err = E_WRONG_TYPE;
    else if (r && !owned_by(r->node, r->process_id, op->node, op->elected_set.process_id))
        result->err = E_NO_RIGHT;
    else if (r && set_value(t, r, value.at, value.bytes))
        history_add(t, TABLES_CHANGE_ELECTED, name, value, r->process_id);
    result->value = t->index;
}

/* The delay of a holder that died begins with the next renewal: what cluster time was at its death is not known, only
 * that the renewal is not earlier. */
static void arm_delay(struct tables *t, const struct request *r, uint64_t least_ns)
{
    struct lock *lock = r->lock;
    uint64_t delay_ns = r->delay_ns > least_ns ? r->delay_ns : least_ns;
    if (!r->fence || !delay_ns || r->mode == TABLES_PARTY)
        return;
    t->delayed_locks += lock->delay_ns == 0;
    lock->delay_ns = lock->delay_ns > delay_ns ? lock->delay_ns : delay_ns;
    lock->delayed_until_ns = 0;
}

void locks_time_passed(struct tables *t)
{
    struct tree_node *next;
    for (struct tree_node *at = t->delayed_locks ? tree_next(&t->locks, NULL) : NULL; at; at = next) {
        struct lock *lock = TABLES_ROW(at, struct lock);
        next = tree_next(&t->locks, at);
        if (lock->delay_ns && !lock->delayed_until_ns) {
            lock->delayed_until_ns = t->now_ns + lock->delay_ns;
        } else if (lock->delay_ns && t->now_ns >= lock->delayed_until_ns) {
            lock->delay_ns = lock->delayed_until_ns = 0;
            t->delayed_locks--;
            settle(t, lock);
        }
    }
}

/* Those that wait go before those that hold, so that what is freed does not pass through the line of the dead. */
void locks_end(struct tables *t, uint32_t node, uint64_t process_id, uint64_t least_delay_ns)
{
    for (int holding = 0; holding <= 1; holding++) {
        uint64_t ticket = 0;
        for (struct tree_node *at; (at = tree_above_number(&t->requests, ticket));) {
            struct request *r = TABLES_ROW(at, struct request);
            ticket = r->ticket;
            if (!owned_by(r->node, r->process_id, node, process_id) || (r->fence != 0) != holding)
                continue;
            arm_delay(t, r, least_delay_ns);
            tell_request(t, TABLES_EVENT_LOST, r);
            remove_request(t, r);
        }
    }
}
