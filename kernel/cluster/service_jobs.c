/* Operations on jobs: of those who submit them, and of the process servers that carry them out. */
#include "service_private.h"

static void begin_job_submit(struct request *r)
{
    DECODE(job_submit, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_JOB_SUBMIT,
                                           .job_submit = {in.count, r->permitted.classes,
                                                          text_of(r->permitted.prefix, r->permitted.prefix_bytes),
                                                          text_of(in.command, in.command_length)}});
}

static void begin_job_report(struct request *r)
{
    DECODE(job_report, r)
    service_propose(
        r, &(struct tables_op){.kind = TABLES_JOB_REPORT,
                               .job_report = {in.job, in.instance, in.state, in.cause, in.code, in.process_id}});
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
    struct permissions permitted;
    struct handle_ref ref;
    err_t err = permissions_narrow(&permissions_all, job->classes, job->prefix, job->prefix_bytes, &permitted);
    uint64_t flags = cluster_enter();
    err = err ? err : authority_receive(AUTHORITY_JOBS, &permitted, &ref);
    cluster_leave(flags);
    if (err != E_OK)
        return false; /* it waits until there is room for its permissions */
    note_given(job->job, instance, i->fence);
    ANSWER_HANDLE(r, job_next, ref, .job = job->job, .instance = instance, .command = job->command,
                  .command_length = job->command_bytes, .cluster = 1);
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

static void begin_job_next(struct request *r)
{
    r->phase = PHASE_WAITING;
}

const struct service_op service_job_submit_op = {.begin = begin_job_submit, .finish = finish_job_submit};
const struct service_op service_job_list_op = {.begin = service_ask_read, .read = read_job_list};
const struct service_op service_job_next_op = {.begin = begin_job_next, .recheck = look_for_job};
const struct service_op service_job_report_op = {.begin = begin_job_report};
const struct service_op service_job_kill_op = {.begin = begin_job_kill};
