/* Operations on locks, and what becomes of those that wait for one. */
#include "service_private.h"

_Static_assert(CLUSTER_EXCLUSIVE == TABLES_EXCLUSIVE && CLUSTER_SHARED == TABLES_SHARED &&
                   CLUSTER_SEMAPHORE == TABLES_PERMIT && CLUSTER_ELECTION == TABLES_CANDIDATE &&
                   CLUSTER_BARRIER == TABLES_PARTY,
               "the modes are the tables' own");

/* Room for the lock once it is granted, which nothing may refuse then. */
static bool take_held(struct request *r)
{
    uint64_t flags = cluster_enter();
    r->held = kalloc(sizeof(*r->held));
    if (r->held)
        list_init(&r->held->node);
    cluster_leave(flags);
    return r->held;
}

static void begin_lock(struct request *r)
{
    DECODE(lock, r)
    if (in.delay_ms > TABLES_DELAY_MAX_NS / 1000000) {
        cluster_answer(r, E_RANGE, NULL);
        return;
    }
    if (!take_held(r)) {
        cluster_answer(r, E_NO_MEMORY, NULL);
        return;
    }
    service_propose(r, &(struct tables_op){.kind = TABLES_LOCK,
                                           .lock = {.mode = in.mode,
                                                    .try_only = in.try_only != 0,
                                                    .process_id = r->process_id,
                                                    .name = text_of(in.name, in.name_length),
                                                    .permits = in.permits,
                                                    .delay_ns = in.delay_ms * 1000000,
                                                    .value = {in.value, in.value_length}}});
}

static void begin_unlock(struct request *r)
{
    DECODE(unlock, r)
    service_propose(
        r, &(struct tables_op){.kind = TABLES_UNLOCK,
                               .unlock = {in.fence, r->process_id, (r->permitted.classes & CLUSTER_MAY_ADMIN) != 0,
                                          text_of(in.name, in.name_length)}});
}

static void finish_unlock(struct request *r, const struct tables_result *result)
{
    DECODE(unlock, r)
    cluster_held_given_back(in.fence);
    cluster_answer(r, E_OK, NULL);
}

static void granted(struct request *r, uint64_t fence)
{
    struct handle_ref ref = {0};
    struct cluster_lock_in in;
    err_t err = cluster_lock_in_decode(&r->in, &in);
    assert(err == E_OK); /* it was when the lock was asked for */
    struct ipc_fence stamp = {.value = fence, .shared = in.mode != TABLES_EXCLUSIVE && in.mode != TABLES_CANDIDATE};
    cluster_lock_id(text_of(in.name, in.name_length), stamp.lock);
    uint64_t flags = cluster_enter();
    err = r->call ? cluster_held_make(r, &stamp, &ref) : E_GONE;
    cluster_leave(flags);
    if (err == E_OK) {
        ANSWER_HANDLE(r, lock, ref, .fence = fence, .held = 1);
        return;
    }
    cluster_release_ticket(r, r->ticket);
    cluster_answer(r, err, NULL);
}

static void finish_lock(struct request *r, const struct tables_result *result)
{
    if (result->value) {
        r->ticket = result->ticket;
        granted(r, result->value);
    } else if (!r->call) {
        cluster_release_ticket(r, result->ticket);
        cluster_answer(r, E_OK, NULL);
    } else {
        r->ticket = result->ticket;
        r->phase = PHASE_QUEUED;
    }
}

static void read_lock_list(struct request *r, const struct tables *t)
{
    DECODE(lock_list, r)
    struct tables_lock_view lock;
    struct tables_text after = {NULL, 0};
    uint32_t used = 0, at = 0;
    for (; tables_lock_next(t, after, &lock); at++, after = text_of(lock.name, lock.name_bytes)) {
        struct cluster_lock row = {.fence = lock.fence,
                                   .mode = lock.mode,
                                   .holders = lock.holders,
                                   .waiters = lock.waiters,
                                   .node = lock.node,
                                   .process_id = lock.process_id,
                                   .permits = lock.permits,
                                   .delayed = lock.delayed};
        if (at < in.position || !permissions_cover(&r->permitted, lock.name, lock.name_bytes))
            continue;
        if (used + sizeof(row) > ROWS_MAX)
            break;
        service_copy_text(row.name, sizeof(row.name), lock.name, lock.name_bytes);
        memcpy(service_rows + used, &row, sizeof(row));
        used += sizeof(row);
    }
    ANSWER(r, lock_list, .next = at, .rows = service_rows, .rows_length = used);
}

static void read_request_list(struct request *r, const struct tables *t)
{
    DECODE(request_list, r)
    struct tables_request_view v;
    uint32_t used = 0;
    for (uint64_t at = in.after; tables_request_next(t, at, &v); at = v.ticket) {
        struct cluster_lock_request row = {.ticket = v.ticket,
                                           .fence = v.fence,
                                           .process_id = v.process_id,
                                           .lock = v.lock,
                                           .mode = v.mode,
                                           .node = v.node};
        if (!permissions_cover(&r->permitted, v.lock_name.at, v.lock_name.bytes))
            continue;
        if (used + sizeof(row) > ROWS_MAX)
            break;
        service_copy_text(row.name, sizeof(row.name), v.lock_name.at, v.lock_name.bytes);
        memcpy(service_rows + used, &row, sizeof(row));
        used += sizeof(row);
    }
    ANSWER(r, request_list, .rows = service_rows, .rows_length = used);
}

static void begin_elected_set(struct request *r)
{
    DECODE(elected_set, r)
    service_propose(
        r,
        &(struct tables_op){
            .kind = TABLES_ELECTED_SET,
            .elected_set = {in.fence, r->process_id, text_of(in.name, in.name_length), {in.value, in.value_length}}});
}

static void read_elected(struct request *r, const struct tables *t)
{
    DECODE(elected, r)
    struct tables_lock_view lock;
    if (!tables_lock(t, text_of(in.name, in.name_length), &lock))
        cluster_answer(r, E_NOT_FOUND, NULL);
    else if (lock.mode != TABLES_CANDIDATE)
        cluster_answer(r, E_WRONG_TYPE, NULL);
    else if (!lock.holders)
        cluster_answer(r, E_NOT_FOUND, NULL);
    else
        ANSWER(r, elected, .fence = lock.fence, .process_id = lock.process_id, .revision = tables_applied_index(t) + 1,
               .value = lock.value.at, .value_length = lock.value.bytes);
}

/* ---- endpoints that are bound to a lock ---- */

/* What was granted is read as of now, so that a server which was restarted, here or elsewhere, begins with that. */
static void read_guard(struct request *r, const struct tables *t)
{
    DECODE(guard, r)
    struct endpoint_guard guard = {0};
    struct tables_text name = text_of(in.name, in.name_length);
    const struct handle_ref *ref = &r->refs[in.endpoint - 1];
    cluster_lock_id(name, guard.lock);
    tables_lock_floor(t, name, &guard.exclusive, &guard.shared);
    uint64_t flags = cluster_enter();
    err_t err = ref->object->type != OBJECT_ENDPOINT ? E_WRONG_TYPE
                : !(ref->rights & RIGHT_RECV)
                    ? E_NO_RIGHT
                    : endpoint_guard(container_of(ref->object, struct endpoint, object), &guard);
    cluster_leave(flags);
    cluster_answer(r, err, NULL);
}

/* ---- events of the tables ---- */

static struct request *waiting_with(uint64_t ticket)
{
    list_for_each(node, &cluster.requests)
    {
        struct request *r = container_of(node, struct request, node);
        if (r->phase == PHASE_QUEUED && r->ticket == ticket)
            return r;
    }
    return NULL;
}

void cluster_event(void *context, const struct tables_event *event)
{
    struct request *r;
    if (event->node != cluster.own_number)
        return;
    if (event->kind == TABLES_EVENT_NAME_GONE) {
        service_unpublish(event->ticket);
    } else if (event->kind == TABLES_EVENT_GRANTED && (r = waiting_with(event->ticket))) {
        granted(r, event->fence);
    } else if (event->kind == TABLES_EVENT_LOST && (r = waiting_with(event->ticket))) {
        cluster_answer(r, E_NO_SESSION, NULL);
    } else if (event->kind == TABLES_EVENT_LOST) {
        cluster_held_lost(event->ticket);
    }
}

/* The tables came from a snapshot: what became of those that wait? Who asked for leave to read may not get it any more,
 * and asks again. */
void cluster_replaced(void *context)
{
    const struct tables *t = node_tables(cluster.node); /* NULL: this node gave up its log */
    cluster_held_recheck();
    list_for_each_safe(node, &cluster.requests)
    {
        struct request *r = container_of(node, struct request, node);
        struct tables_request_view view;
        if (r->phase == PHASE_READ)
            r->phase = PHASE_ASK_READ;
        if (r->phase != PHASE_QUEUED)
            continue;
        if (!t || !tables_request(t, r->ticket, &view))
            cluster_answer(r, E_NO_SESSION, NULL);
        else if (view.fence)
            granted(r, view.fence);
    }
}

const struct service_op service_lock_op = {.begin = begin_lock, .finish = finish_lock};
const struct service_op service_unlock_op = {.begin = begin_unlock, .finish = finish_unlock};
const struct service_op service_guard_op = {.begin = service_ask_read, .read = read_guard};
const struct service_op service_lock_list_op = {.begin = service_ask_read, .read = read_lock_list};
const struct service_op service_request_list_op = {.begin = service_ask_read, .read = read_request_list};
const struct service_op service_elected_set_op = {.begin = begin_elected_set};
const struct service_op service_elected_op = {.begin = service_ask_read, .read = read_elected};
