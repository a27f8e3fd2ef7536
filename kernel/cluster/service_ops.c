/* What each operation of abi/idl/cluster.msg does: what it proposes, reads or waits for, and its answer. */
#include <abi/cluster.h>
#include <idl/cluster_codec.h>

#include "cluster.h"
#include "text.h"

#define READ_PATIENCE_NS 5000000000ull
#define ROWS_MAX         3900u

static struct answer begin_answer(void)
{
    struct answer a = {.bytes = cluster.answer_bytes};
    a.msg.bytes = cluster.answer_bytes;
    return a;
}

static struct tables_text text_of(const char *at, uint32_t bytes)
{
    return (struct tables_text){at, bytes};
}

/* Encodes with the generated encoder and answers. */
#define ANSWER(r, op, ...)                                                                                             \
    do {                                                                                                               \
        struct answer a_ = begin_answer();                                                                             \
        a_.msg.handles = a_.handles;                                                                                   \
        const struct cluster_##op##_out out_ = {__VA_ARGS__};                                                          \
        cluster_answer(r, cluster_##op##_out_encode(&out_, &a_.msg), &a_);                                             \
    } while (0)

#define ANSWER_HANDLE(r, op, ref, ...)                                                                                 \
    do {                                                                                                               \
        struct answer a_ = begin_answer();                                                                             \
        a_.msg.handles = a_.handles;                                                                                   \
        a_.refs[0] = ref;                                                                                              \
        const struct cluster_##op##_out out_ = {__VA_ARGS__};                                                          \
        cluster_answer(r, cluster_##op##_out_encode(&out_, &a_.msg), &a_);                                             \
    } while (0)

/* Rows being gathered for an answer. */
static uint8_t rows[ROWS_MAX];

/* ---- what is known here ---- */

static void alone_status(struct cluster_status *s)
{
    struct text t = text_begin(s->waiting, sizeof(s->waiting));
    s->state = cluster.configured ? CLUSTER_LINK : CLUSTER_LOCAL;
    text_put(&t, !cluster.configured   ? cluster.unconfigured
                 : cluster.peer.memory ? "a network card"
                                       : "the network server");
    memcpy(s->cluster_name, cluster.config.cluster_name, sizeof(s->cluster_name));
}

static uint32_t state_now(void)
{
    return cluster.node ? node_state(cluster.node) : cluster.configured ? CLUSTER_LINK : CLUSTER_LOCAL;
}

static void op_status(struct request *r)
{
    struct cluster_status s = {0};
    if (cluster.node)
        node_status(cluster.node, &s);
    else
        alone_status(&s);
    ANSWER(r, status, .status = &s, .status_length = sizeof(s));
}

static void op_nodes(struct request *r, const struct cluster_nodes_in *in)
{
    uint32_t used = 0, number = in->position < 1 ? 1 : in->position;
    for (; cluster.node && number <= NODES_MAX; number++) {
        struct cluster_node row;
        if (!node_row(cluster.node, number, &row))
            continue;
        if (used + sizeof(row) > ROWS_MAX)
            break;
        memcpy(rows + used, &row, sizeof(row));
        used += sizeof(row);
    }
    ANSWER(r, nodes, .next = number, .rows = rows, .rows_length = used);
}

static void op_raft(struct request *r)
{
    size_t used = cluster.node ? node_raft_text(cluster.node, (char *)rows, 3800) : 0;
    if (!used) {
        struct text t = text_begin((char *)rows, sizeof(rows));
        text_put(&t, "not started\n");
        used = t.used;
    }
    ANSWER(r, raft, .text = rows, .text_length = (uint32_t)used);
}

/* ---- services of nodes ---- */

static void found(void *context, err_t err, struct handle_ref *ref)
{
    struct request *r = context;
    r->found_err = err;
    if (err == E_OK)
        r->refs[0] = *ref;
    r->phase = PHASE_FOUND;
    cluster_wake();
}

static void op_node_service(struct request *r, const struct cluster_node_service_in *in)
{
    if (in->node < 1 || in->node > NODES_MAX) {
        cluster_answer(r, E_NOT_FOUND, NULL);
        return;
    }
    r->phase = PHASE_FINDING;
    uint64_t flags = cluster_enter();
    remote_find(in->node, in->name, found, r);
    cluster_leave(flags);
}

static void op_node_offer(struct request *r, const struct cluster_node_offer_in *in)
{
    struct handle_ref *ref = &r->refs[in->endpoint - 1];
    uint64_t flags = cluster_enter();
    bool endpoint = ref->object->type == OBJECT_ENDPOINT;
    err_t err = endpoint ? remote_offer(in->name, ref) : E_WRONG_TYPE;
    if (err == E_OK)
        *ref = (struct handle_ref){0};
    cluster_leave(flags);
    cluster_answer(r, err, NULL);
}

static void answer_found(struct request *r)
{
    struct handle_ref ref = r->refs[0];
    r->refs[0] = (struct handle_ref){0};
    if (r->found_err)
        cluster_answer(r, r->found_err, NULL);
    else
        ANSWER_HANDLE(r, node_service, ref, .endpoint = 1);
}

/* ---- what is proposed ---- */

/* False: it could not be, and the request is answered. */
static bool propose(struct request *r, struct tables_op *op)
{
    err_t err = cluster.node ? node_propose(cluster.node, r->token, op) : E_NOT_DELIVERED;
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        r->phase = PHASE_PROPOSED;
    return err == E_OK;
}

static void unpublish(uint64_t number)
{
    uint64_t flags = cluster_enter();
    remote_unpublish(number);
    cluster_leave(flags);
}

static void op_put(struct request *r, const struct cluster_put_in *in)
{
    propose(r, &(struct tables_op){.kind = TABLES_KEY_PUT,
                                   .key_put = {in->if_revision, text_of(in->key, in->key_length),
                                               text_of(in->value, in->value_length)}});
}

static void op_del(struct request *r, const struct cluster_del_in *in)
{
    propose(r, &(struct tables_op){.kind = TABLES_KEY_DELETE,
                                   .key_delete = {in->if_revision, text_of(in->key, in->key_length)}});
}

static void op_append(struct request *r, const struct cluster_append_in *in)
{
    propose(r, &(struct tables_op){.kind = TABLES_KEY_APPEND,
                                   .key_append = {in->session, in->sequence, text_of(in->key, in->key_length),
                                                  text_of(in->data, in->data_length)}});
}

static void op_lock(struct request *r, const struct cluster_lock_in *in)
{
    propose(r, &(struct tables_op){
                   .kind = TABLES_LOCK,
                   .lock = {in->mode, in->try_only != 0, r->process_id, text_of(in->name, in->name_length)}});
}

static void op_unlock(struct request *r, const struct cluster_unlock_in *in)
{
    propose(r, &(struct tables_op){.kind = TABLES_UNLOCK, .unlock = {in->fence, text_of(in->name, in->name_length)}});
}

static void op_session_open(struct request *r)
{
    propose(r, &(struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {r->process_id}});
}

static void op_name_register(struct request *r, const struct cluster_name_register_in *in)
{
    struct handle_ref *ref = &r->refs[in->endpoint - 1];
    uint64_t flags = cluster_enter();
    bool endpoint = ref->object->type == OBJECT_ENDPOINT;
    r->published = endpoint ? remote_publish(ref) : 0;
    if (r->published)
        *ref = (struct handle_ref){0};
    cluster_leave(flags);
    if (!r->published) {
        cluster_answer(r, endpoint ? E_FULL : E_WRONG_TYPE, NULL);
        return;
    }
    uint64_t number = r->published;
    struct tables_op op = {.kind = TABLES_NAME_PUT,
                           .name_put = {r->process_id, number, text_of(in->name, in->name_length)}};
    if (!propose(r, &op))
        unpublish(number);
}

static void op_job_submit(struct request *r, const struct cluster_job_submit_in *in)
{
    propose(r, &(struct tables_op){.kind = TABLES_JOB_SUBMIT,
                                   .job_submit = {in->count, text_of(in->command, in->command_length)}});
}

static void op_job_report(struct request *r, const struct cluster_job_report_in *in)
{
    propose(r,
            &(struct tables_op){.kind = TABLES_JOB_REPORT,
                                .job_report = {in->job, in->instance, in->state, in->cause, in->code, in->process_id}});
}

static void op_job_kill(struct request *r, const struct cluster_job_kill_in *in)
{
    propose(r, &(struct tables_op){.kind = TABLES_JOB_KILL, .job_kill = {in->job}});
}

/* ---- its proposal was applied ---- */

static void finish_lock(struct request *r, const struct tables_result *result)
{
    if (result->err) {
        cluster_answer(r, result->err, NULL);
    } else if (result->value) {
        r->ticket = result->ticket;
        cluster_granted(r, result->value);
    } else if (!r->call) {
        cluster_release_ticket(result->ticket);
        cluster_answer(r, E_OK, NULL);
    } else {
        r->ticket = result->ticket;
        r->phase = PHASE_QUEUED;
    }
}

void cluster_granted(struct request *r, uint64_t fence)
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

static void finish_name(struct request *r, const struct tables_result *result)
{
    if (result->err)
        unpublish(r->published);
    cluster_answer(r, result->err, NULL);
}

void cluster_finish(struct request *r, const struct tables_result *result)
{
    uint64_t value = result->value;
    if (r->op == CLUSTER_OP_LOCK)
        finish_lock(r, result);
    else if (r->op == CLUSTER_OP_NAME_REGISTER)
        finish_name(r, result);
    else if (result->err)
        cluster_answer(r, result->err, NULL);
    else if (r->op == CLUSTER_OP_PUT)
        ANSWER(r, put, .revision = value);
    else if (r->op == CLUSTER_OP_DEL)
        ANSWER(r, del, .revision = value);
    else if (r->op == CLUSTER_OP_APPEND)
        ANSWER(r, append, .revision = value);
    else if (r->op == CLUSTER_OP_SESSION_OPEN)
        ANSWER(r, session_open, .session = value);
    else if (r->op == CLUSTER_OP_JOB_SUBMIT)
        ANSWER(r, job_submit, .job = value);
    else
        cluster_answer(r, E_OK, NULL);
}

/* ---- what is read, when that is allowed ---- */

static void ask_read(struct request *r)
{
    err_t err = cluster.node ? node_read(cluster.node, r->token) : E_NOT_DELIVERED;
    if (!r->give_up_ns)
        r->give_up_ns = time_now_ns() + READ_PATIENCE_NS;
    if (err == E_OK)
        r->phase = PHASE_READ;
    else if (!cluster.node || time_now_ns() >= r->give_up_ns)
        cluster_answer(r, E_NOT_DELIVERED, NULL);
    else
        r->phase = PHASE_ASK_READ;
}

static void read_get(struct request *r, const struct tables *t)
{
    struct cluster_get_in in;
    struct tables_key_view key;
    err_t err = cluster_get_in_decode(&r->in, &in);
    if (err == E_OK && !tables_key(t, text_of(in.key, in.key_length), &key))
        err = E_NOT_FOUND;
    if (err == E_OK && key.value_bytes > CLUSTER_GET_VALUE_MAX)
        err = E_TOO_LONG;
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        ANSWER(r, get, .revision = key.revision, .value = key.value, .value_length = key.value_bytes);
}

static bool put_key(struct tables_key_view *key, uint32_t *used)
{
    uint32_t padded = (key->name_bytes + 7) & ~7u;
    if (*used + 16 + padded > CLUSTER_LIST_KEYS_MAX)
        return false;
    memset(rows + *used, 0, 16 + padded);
    memcpy(rows + *used, &key->revision, 8);
    memcpy(rows + *used + 8, &key->value_bytes, 4);
    memcpy(rows + *used + 12, &key->name_bytes, 4);
    memcpy(rows + *used + 16, key->name, key->name_bytes);
    *used += 16 + padded;
    return true;
}

static void read_list(struct request *r, const struct tables *t)
{
    struct cluster_list_in in;
    struct tables_key_view key;
    uint32_t used = 0;
    err_t err = cluster_list_in_decode(&r->in, &in);
    if (err != E_OK) {
        cluster_answer(r, err, NULL);
        return;
    }
    struct tables_text prefix = text_of(in.prefix, in.prefix_length), after = text_of(in.after, in.after_length);
    while (tables_key_next(t, prefix, after, &key) && put_key(&key, &used))
        after = text_of(key.name, key.name_bytes);
    ANSWER(r, list, .keys = rows, .keys_length = used);
}

static void copy_name(char *to, size_t room, const char *from, uint32_t bytes)
{
    uint32_t count = bytes < room - 1 ? bytes : (uint32_t)room - 1;
    memset(to, 0, room);
    memcpy(to, from, count);
}

static void read_lock_list(struct request *r, const struct tables *t)
{
    struct cluster_lock_list_in in;
    struct tables_lock_view lock;
    struct tables_text after = {NULL, 0};
    uint32_t used = 0, at = 0;
    err_t err = cluster_lock_list_in_decode(&r->in, &in);
    if (err != E_OK) {
        cluster_answer(r, err, NULL);
        return;
    }
    for (; tables_lock_next(t, after, &lock); at++, after = text_of(lock.name, lock.name_bytes)) {
        struct cluster_lock row = {.fence = lock.fence,
                                   .mode = lock.mode,
                                   .holders = lock.holders,
                                   .waiters = lock.waiters,
                                   .node = lock.node,
                                   .process_id = lock.process_id};
        if (at < in.position)
            continue;
        if (used + sizeof(row) > ROWS_MAX)
            break;
        copy_name(row.name, sizeof(row.name), lock.name, lock.name_bytes);
        memcpy(rows + used, &row, sizeof(row));
        used += sizeof(row);
    }
    ANSWER(r, lock_list, .next = at, .rows = rows, .rows_length = used);
}

static bool put_instance(const struct tables_job *job, uint32_t instance, uint32_t *used)
{
    const struct tables_instance *i = &job->instances[instance];
    struct cluster_job row = {.job = job->job,
                              .instance = instance,
                              .node = i->node,
                              .state = i->state,
                              .cause = i->cause,
                              .code = i->code,
                              .process_id = i->process_id};
    if (*used + sizeof(row) > ROWS_MAX)
        return false;
    copy_name(row.command, sizeof(row.command), job->command, job->command_bytes);
    copy_name(row.why, sizeof(row.why), i->why, sizeof(i->why));
    memcpy(rows + *used, &row, sizeof(row));
    *used += sizeof(row);
    return true;
}

static void read_job_list(struct request *r, const struct tables *t)
{
    struct cluster_job_list_in in;
    uint32_t used = 0, at = 0;
    bool room = true;
    err_t err = cluster_job_list_in_decode(&r->in, &in);
    if (err != E_OK) {
        cluster_answer(r, err, NULL);
        return;
    }
    for (const struct tables_job *j = tables_job_next(t, 0); j && room; j = tables_job_next(t, j->job)) {
        for (uint32_t i = 0; i < j->count && room; i++, at += room)
            room = at < in.position || put_instance(j, i, &used);
    }
    ANSWER(r, job_list, .next = at, .rows = rows, .rows_length = used);
}

static void read_name(struct request *r, const struct tables *t)
{
    struct cluster_name_lookup_in in;
    struct tables_name_view name;
    struct handle_ref ref = {0};
    err_t err = cluster_name_lookup_in_decode(&r->in, &in);
    if (err == E_OK && !tables_name(t, text_of(in.name, in.name_length), &name))
        err = E_NOT_FOUND;
    if (err == E_OK) {
        uint64_t flags = cluster_enter();
        err = remote_import(name.node, name.boot, name.export_id, &ref);
        cluster_leave(flags);
    }
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        ANSWER_HANDLE(r, name_lookup, ref, .endpoint = 1);
}

void cluster_read(struct request *r)
{
    const struct tables *t = node_tables(cluster.node);
    switch (r->op) {
    case CLUSTER_OP_GET:
        read_get(r, t);
        break;
    case CLUSTER_OP_LIST:
        read_list(r, t);
        break;
    case CLUSTER_OP_LOCK_LIST:
        read_lock_list(r, t);
        break;
    case CLUSTER_OP_JOB_LIST:
        read_job_list(r, t);
        break;
    default:
        read_name(r, t);
    }
}

/* ---- what is waited for ---- */

/* Placements given to the process server that runs now; a new one is given what has not begun. */
static struct {
    uint64_t job;
    uint32_t instance;
    uint64_t fence;
} given[TABLES_JOBS_MAX];
static uint32_t given_count;
static uint64_t given_to;

static bool was_given(uint64_t job, uint32_t instance, uint64_t fence)
{
    for (uint32_t i = 0; i < given_count; i++) {
        if (given[i].job == job && given[i].instance == instance && given[i].fence == fence)
            return true;
    }
    return false;
}

static void note_given(uint64_t job, uint32_t instance, uint64_t fence)
{
    uint32_t at = given_count < TABLES_JOBS_MAX ? given_count++ : (uint32_t)(fence % TABLES_JOBS_MAX);
    given[at].job = job;
    given[at].instance = instance;
    given[at].fence = fence;
}

static bool give_placement(struct request *r, const struct tables_job *job, uint32_t instance)
{
    const struct tables_instance *i = &job->instances[instance];
    const uint64_t *boot = cluster.config.boot_id;
    if (i->state != TABLES_JOB_PLACED || i->node != cluster.own_number || i->boot[0] != boot[0] ||
        i->boot[1] != boot[1] || was_given(job->job, instance, i->fence))
        return false;
    note_given(job->job, instance, i->fence);
    ANSWER(r, job_next, .job = job->job, .instance = instance, .command = job->command,
           .command_length = job->command_bytes);
    return true;
}

static void look_for_job(struct request *r)
{
    const struct tables *t = cluster.node ? node_tables(cluster.node) : NULL;
    if (given_to != r->process_id)
        given_count = 0;
    given_to = r->process_id;
    for (const struct tables_job *j = t ? tables_job_next(t, 0) : NULL; j; j = tables_job_next(t, j->job)) {
        for (uint32_t i = 0; i < j->count && j->ended < j->count; i++) {
            if (give_placement(r, j, i))
                return;
        }
    }
}

void cluster_recheck(struct request *r)
{
    if (r->phase == PHASE_FOUND)
        answer_found(r);
    else if (r->phase == PHASE_ASK_READ)
        ask_read(r);
    else if (r->phase == PHASE_WAITING && r->op == CLUSTER_OP_JOB_NEXT)
        look_for_job(r);
    else if (r->phase == PHASE_WAITING && state_now() >= r->state)
        ANSWER(r, wait_state, .now = state_now());
}

void cluster_cancel(struct request *r)
{
    if (r->phase == PHASE_PROPOSED)
        return; /* it may be applied; what came of it is seen to then */
    if (r->phase == PHASE_QUEUED)
        cluster_release_ticket(r->ticket);
    if (r->phase == PHASE_FINDING) {
        uint64_t flags = cluster_enter();
        remote_find_cancel(r);
        cluster_leave(flags);
    }
    cluster_answer(r, E_OK, NULL);
}

/* ---- a new request ---- */

#define DECODED(op)                                                                                                    \
    struct cluster_##op##_in in;                                                                                       \
    err_t err = cluster_##op##_in_decode(&r->in, &in);                                                                 \
    if (err != E_OK)                                                                                                   \
        cluster_answer(r, err, NULL);                                                                                  \
    else

#define OP(name, NAME)                                                                                                 \
    case CLUSTER_OP_##NAME: {                                                                                          \
        DECODED(name) op_##name(r, &in);                                                                               \
        break;                                                                                                         \
    }

static void begin_wait(struct request *r)
{
    struct cluster_wait_state_in in = {0};
    err_t err = r->op == CLUSTER_OP_WAIT_STATE ? cluster_wait_state_in_decode(&r->in, &in) : E_OK;
    r->state = in.state;
    r->phase = PHASE_WAITING;
    if (err != E_OK)
        cluster_answer(r, err, NULL);
}

void cluster_begin(struct request *r)
{
    switch (r->op) {
    case CLUSTER_OP_STATUS:
        op_status(r);
        break;
    case CLUSTER_OP_RAFT:
        op_raft(r);
        break;
    case CLUSTER_OP_SESSION_OPEN:
        op_session_open(r);
        break;
    case CLUSTER_OP_WAIT_STATE:
    case CLUSTER_OP_JOB_NEXT:
        begin_wait(r);
        break;
    case CLUSTER_OP_GET:
    case CLUSTER_OP_LIST:
    case CLUSTER_OP_LOCK_LIST:
    case CLUSTER_OP_JOB_LIST:
    case CLUSTER_OP_NAME_LOOKUP:
        ask_read(r);
        break;
        OP(nodes, NODES)
        OP(put, PUT)
        OP(del, DEL)
        OP(append, APPEND)
        OP(lock, LOCK)
        OP(unlock, UNLOCK)
        OP(name_register, NAME_REGISTER)
        OP(node_service, NODE_SERVICE)
        OP(node_offer, NODE_OFFER)
        OP(job_submit, JOB_SUBMIT)
        OP(job_report, JOB_REPORT)
        OP(job_kill, JOB_KILL)
    default:
        cluster_answer(r, E_BAD_SYSCALL, NULL);
    }
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
        unpublish(event->ticket);
    } else if (event->kind == TABLES_EVENT_GRANTED && (r = waiting_with(event->ticket))) {
        cluster_granted(r, event->fence);
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
            cluster_granted(r, view.fence);
    }
}
