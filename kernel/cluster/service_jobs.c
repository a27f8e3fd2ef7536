/* Operations on jobs: of those who submit them, and of the process servers that carry them out. */
#include <abi/info.h>

#include "service_private.h"

static void begin_job_submit(struct request *r)
{
    DECODE(job_submit, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_JOB_SUBMIT,
                                           .job_submit = {in.count, r->permitted.classes,
                                                          text_of(r->permitted.prefix, r->permitted.prefix_bytes),
                                                          text_of(in.command, in.command_length)}});
}

static void begin_job_kill(struct request *r)
{
    DECODE(job_kill, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_JOB_KILL, .job_kill = {in.job}});
}

static void finish_job_submit(struct request *r, const struct tables_result *result)
{
    ANSWER(r, job_submit, .job = result->value);
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
                              .stopping = i->stop != 0,
                              .fence = i->fence,
                              .process_id = i->process_id};
    if (*used + sizeof(row) > ROWS_MAX)
        return false;
    service_copy_text(row.command, sizeof(row.command), job->command, job->command_bytes);
    service_copy_text(row.why, sizeof(row.why), i->why, sizeof(i->why));
    memcpy(service_rows + *used, &row, sizeof(row));
    *used += sizeof(row);
    return true;
}

static void read_job_list(struct request *r, const struct tables *t)
{
    DECODE(job_list, r)
    uint32_t used = 0, at = 0;
    bool room = true;
    for (const struct tables_job *j = tables_job_next(t, 0); j && room; j = tables_job_next(t, j->job)) {
        for (uint32_t i = 0; i < j->count && room; i++, at += room)
            room = at < in.position || put_instance(j, i, &used);
    }
    ANSWER(r, job_list, .next = at, .rows = service_rows, .rows_length = used);
}

/* ---- for the process server ---- */

/* The process that carries out placements here, and how far it was told of them. A new one is told again of what has
 * not begun and of what is to end. */
static struct {
    uint64_t serial;
    uint64_t given;                         /* the fence of the newest placement that it was given */
    uint64_t stop, stop_job, stop_instance; /* the newest instance that it was told to end */
} server;

/* One serves at a time: another waits until it has ended. */
static bool serves(const struct request *r)
{
    uint64_t flags = cluster_enter();
    if (server.serial != r->serial && !cluster_owner_lives(server.serial)) {
        memset(&server, 0, sizeof(server));
        server.serial = r->serial;
    }
    cluster_leave(flags);
    return server.serial == r->serial;
}

static bool is_here(const struct tables_instance *i)
{
    const uint64_t *boot = cluster.config.boot_id;
    return i->node == cluster.own_number && i->boot[0] == boot[0] && i->boot[1] == boot[1];
}

static const struct tables *tables_here(void)
{
    return cluster.node ? node_tables(cluster.node) : NULL;
}

/* Placements are given in the order in which they were made, so one number tells which were. */
static const struct tables_job *next_placement(const struct tables *t, uint32_t *instance_out)
{
    const struct tables_job *next = NULL;
    for (const struct tables_job *j = t ? tables_job_next(t, 0) : NULL; j; j = tables_job_next(t, j->job)) {
        for (uint32_t n = 0; n < j->count && j->ended < j->count; n++) {
            const struct tables_instance *i = &j->instances[n];
            if (i->state != TABLES_JOB_PLACED || i->stop || !is_here(i) || i->fence <= server.given ||
                (next && i->fence > next->instances[*instance_out].fence))
                continue;
            next = j;
            *instance_out = n;
        }
    }
    return next;
}

static void look_for_placement(struct request *r)
{
    uint32_t instance = 0;
    const struct tables_job *job = serves(r) ? next_placement(tables_here(), &instance) : NULL;
    if (!job)
        return;
    struct handle_ref ref;
    uint64_t flags = cluster_enter();
    struct budget *payer = r->call ? r->call->thread->process->object.budget : NULL;
    err_t err =
        payer ? authority_narrow(&permissions_all, job->classes, job->prefix, job->prefix_bytes, payer, &ref) : E_GONE;
    cluster_leave(flags);
    if (err != E_OK)
        return; /* it waits until the process server has room for its permissions */
    server.given = job->instances[instance].fence;
    ANSWER_HANDLE(r, job_next, ref, .job = job->job, .instance = instance, .fence = server.given,
                  .command = job->command, .command_length = job->command_bytes, .cluster = 1);
}

/* Has (stop, job, instance) not been told yet, and does it come before what was found? */
static bool stops_before(const struct tables_job *j, uint32_t n, const struct tables_job *found, uint32_t found_n)
{
    const uint64_t at[] = {j->instances[n].stop, j->job, n};
    const uint64_t told[] = {server.stop, server.stop_job, server.stop_instance};
    for (uint32_t k = 0; k < 3; k++) {
        if (at[k] < told[k] || (k == 2 && at[k] == told[k]))
            return false;
        if (at[k] > told[k])
            break;
    }
    /* Jobs are looked at by rising number: only an earlier stop comes before what was found. */
    return !found || at[0] < found->instances[found_n].stop;
}

static const struct tables_job *next_stop(const struct tables *t, uint32_t *instance_out)
{
    const struct tables_job *next = NULL;
    for (const struct tables_job *j = t ? tables_job_next(t, 0) : NULL; j; j = tables_job_next(t, j->job)) {
        for (uint32_t n = 0; n < j->count; n++) {
            const struct tables_instance *i = &j->instances[n];
            bool over = i->state == TABLES_JOB_ENDED && i->cause != EXIT_NODE_LOST;
            if (!i->stop || over || !is_here(i) || !stops_before(j, n, next, *instance_out))
                continue;
            next = j;
            *instance_out = n;
        }
    }
    return next;
}

static void look_for_stop(struct request *r)
{
    uint32_t instance = 0;
    const struct tables_job *job = serves(r) ? next_stop(tables_here(), &instance) : NULL;
    if (!job)
        return;
    const struct tables_instance *i = &job->instances[instance];
    server.stop = i->stop;
    server.stop_job = job->job;
    server.stop_instance = instance;
    ANSWER(r, job_stop_next, .job = job->job, .instance = instance, .fence = i->fence);
}

static void begin_waiting(struct request *r)
{
    r->phase = PHASE_WAITING;
}

/* Was this placement given to the caller, or to the process server that it succeeded? */
static bool was_given(const struct request *r, uint64_t job, uint32_t instance)
{
    const struct tables *t = tables_here();
    const struct tables_job *j = t && serves(r) ? tables_job(t, job) : NULL;
    const struct tables_instance *i = j && instance < j->count ? &j->instances[instance] : NULL;
    return i && is_here(i) && (i->state != TABLES_JOB_PLACED || i->fence <= server.given || i->stop);
}

static void begin_job_report(struct request *r)
{
    DECODE(job_report, r)
    struct tables_op op = {.kind = TABLES_JOB_REPORT,
                           .job_report = {in.job, in.instance, in.state, in.cause, in.code, in.process_id}};
    if (!cluster.node)
        cluster_answer(r, E_NOT_DELIVERED, NULL);
    else if (!was_given(r, in.job, in.instance))
        cluster_answer(r, E_NOT_FOUND, NULL);
    else
        service_propose(r, &op);
}

const struct service_op service_job_stop_next_op = {.begin = begin_waiting, .recheck = look_for_stop};
const struct service_op service_job_submit_op = {.begin = begin_job_submit, .finish = finish_job_submit};
const struct service_op service_job_list_op = {.begin = service_ask_read, .read = read_job_list};
const struct service_op service_job_next_op = {.begin = begin_waiting, .recheck = look_for_placement};
const struct service_op service_job_report_op = {.begin = begin_job_report};
const struct service_op service_job_kill_op = {.begin = begin_job_kill};
