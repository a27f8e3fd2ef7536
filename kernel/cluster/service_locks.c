/* Operations on locks, and what becomes of those that wait for one. */
#include "service_private.h"

static void begin_lock(struct request *r)
{
    DECODE(lock, r)
    service_propose(
        r, &(struct tables_op){.kind = TABLES_LOCK,
                               .lock = {in.mode, in.try_only != 0, r->process_id, text_of(in.name, in.name_length)}});
}

static void begin_unlock(struct request *r)
{
    DECODE(unlock, r)
    service_propose(
        r, &(struct tables_op){.kind = TABLES_UNLOCK,
                               .unlock = {in.fence, r->process_id, (r->permitted.classes & CLUSTER_MAY_ADMIN) != 0,
                                          text_of(in.name, in.name_length)}});
}

static void granted(struct request *r, uint64_t fence)
{
    struct handle_ref ref = {0};
    uint64_t flags = cluster_enter();
    err_t err = r->call ? cluster_held_make(r->ticket, &ref) : E_GONE;
    cluster_leave(flags);
    if (err == E_OK) {
        ANSWER_HANDLE(r, lock, ref, .fence = fence, .held = 1);
        return;
    }
    cluster_release_ticket(r->ticket);
    cluster_answer(r, err, NULL);
}

static void finish_lock(struct request *r, const struct tables_result *result)
{
    if (result->value) {
        r->ticket = result->ticket;
        granted(r, result->value);
    } else if (!r->call) {
        cluster_release_ticket(result->ticket);
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
                                   .process_id = lock.process_id};
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
    }
}

/* The tables came from a snapshot: what became of those that wait? */
void cluster_replaced(void *context)
{
    list_for_each_safe(node, &cluster.requests)
    {
        struct request *r = container_of(node, struct request, node);
        struct tables_request_view view;
        if (r->phase != PHASE_QUEUED)
            continue;
        if (!tables_request(node_tables(cluster.node), r->ticket, &view))
            cluster_answer(r, E_NO_SESSION, NULL);
        else if (view.fence)
            granted(r, view.fence);
    }
}

const struct service_op service_lock_op = {.begin = begin_lock, .finish = finish_lock};
const struct service_op service_unlock_op = {.begin = begin_unlock};
const struct service_op service_lock_list_op = {.begin = service_ask_read, .read = read_lock_list};
