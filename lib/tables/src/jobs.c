/* Jobs: a command line that is placed and run a number of times. Each instance is placed once; one whose node is lost
 * ends with that as its cause. */
#include <abi/info.h>

#include "state.h"

static struct job *find(const struct tables *t, uint64_t job)
{
    return TABLES_ROW(tree_find_number(&t->jobs, job), struct job);
}

const struct tables_job *tables_job(const struct tables *t, uint64_t job)
{
    const struct job *j = find(t, job);
    return j ? &j->row : NULL;
}

const struct tables_job *tables_job_next(const struct tables *t, uint64_t after)
{
    const struct job *j = TABLES_ROW(tree_above_number(&t->jobs, after), const struct job);
    return j ? &j->row : NULL;
}

struct job *jobs_add(struct tables *t, uint64_t number, uint32_t count, struct tables_text command, uint32_t classes,
                     struct tables_text prefix)
{
    struct job *j = tables_take_numbered(t, sizeof(*j), number);
    void *instances = j ? tables_take(t, count * sizeof(struct tables_instance)) : NULL;
    char *copy = instances ? tables_take(t, command.bytes) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, command.at, command.bytes);
    j->row.job = number;
    j->row.count = count;
    j->row.command = copy;
    j->row.command_bytes = command.bytes;
    j->row.classes = classes;
    j->row.prefix_bytes = prefix.bytes;
    if (prefix.bytes)
        memcpy(j->row.prefix, prefix.at, prefix.bytes);
    j->row.instances = memset(instances, 0, count * sizeof(struct tables_instance));
    tree_insert(&t->jobs, &j->by_number);
    return j;
}

static void remove_job(struct tables *t, struct job *j)
{
    tree_remove(&t->jobs, &j->by_number);
    tables_give(t, (void *)(uintptr_t)j->row.command, j->row.command_bytes);
    tables_give(t, j->row.instances, j->row.count * sizeof(struct tables_instance));
    tables_give(t, j, sizeof(*j));
}

/* Ended jobs are kept to be looked at until their room is needed. */
static bool make_room(struct tables *t)
{
    if (t->jobs.count < TABLES_JOBS_MAX)
        return true;
    for (struct tree_node *at = tree_next(&t->jobs, NULL); at; at = tree_next(&t->jobs, at)) {
        struct job *j = TABLES_ROW(at, struct job);
        if (j->row.ended == j->row.count) {
            remove_job(t, j);
            return true;
        }
    }
    return false;
}

void jobs_apply_submit(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    if (op->job_submit.count == 0 || op->job_submit.count > TABLES_INSTANCES_MAX || !op->job_submit.command.bytes ||
        op->job_submit.classes & ~(uint64_t)CLUSTER_MAY_ALL) {
        result->err = E_INVALID;
    } else if (!make_room(t)) {
        result->err = E_FULL;
    } else {
        struct job *j = jobs_add(t, ++t->next_job, (uint32_t)op->job_submit.count, op->job_submit.command,
                                 (uint32_t)op->job_submit.classes, op->job_submit.prefix);
        if (!j)
            return;
        j->row.origin_node = op->node;
        result->value = j->row.job;
    }
}

static struct tables_instance *find_instance(struct job *j, uint64_t instance)
{
    return j && instance < j->row.count ? &j->row.instances[instance] : NULL;
}

static void skip_placed(struct job *j)
{
    while (j->row.placed_from < j->row.count && j->row.instances[j->row.placed_from].state != TABLES_JOB_WAITING)
        j->row.placed_from++;
}

static void end_instance(struct job *j, struct tables_instance *i, uint32_t cause, uint32_t code)
{
    i->state = TABLES_JOB_ENDED;
    i->cause = cause;
    i->code = code;
    j->row.ended++;
    skip_placed(j);
}

static void tell_instance(struct tables *t, enum tables_event_kind kind, const struct job *j,
                          const struct tables_instance *i)
{
    struct tables_event event = {.kind = kind,
                                 .node = i->node,
                                 .job = j->row.job,
                                 .instance = (uint32_t)(i - j->row.instances),
                                 .process_id = i->process_id,
                                 .fence = i->fence};
    memcpy(event.boot, i->boot, sizeof(event.boot));
    tables_tell(t, &event);
}

void jobs_apply_place(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct job *j = find(t, op->job_place.job);
    struct tables_instance *i = find_instance(j, op->job_place.instance);
    struct tables_node *node = op->job_place.node <= NODES_MAX ? nodes_live(t, (uint32_t)op->job_place.node) : NULL;
    if (!i || !node) {
        result->err = E_NOT_FOUND;
    } else if (i->state != TABLES_JOB_WAITING || memcmp(node->boot_id, op->job_place.boot_id, sizeof(node->boot_id))) {
        result->err = E_CONFLICT;
    } else {
        i->state = TABLES_JOB_PLACED;
        i->node = node->number;
        memcpy(i->boot, node->boot_id, sizeof(i->boot));
        i->fence = t->index;
        if (op->job_place.why.bytes)
            memcpy(i->why, op->job_place.why.at, op->job_place.why.bytes);
        skip_placed(j);
        tell_instance(t, TABLES_EVENT_PLACED, j, i);
    }
}

void jobs_apply_report(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct job *j = find(t, op->job_report.job);
    struct tables_instance *i = find_instance(j, op->job_report.instance);
    uint64_t state = op->job_report.state;
    if (!i || i->node != op->node || memcmp(i->boot, op->boot, sizeof(i->boot))) {
        result->err = E_NOT_FOUND;
    } else if ((state != TABLES_JOB_RUNNING && state != TABLES_JOB_ENDED) || state <= i->state) {
        result->err = E_CONFLICT;
    } else {
        i->state = (uint32_t)state;
        i->process_id = op->job_report.process_id;
        if (state == TABLES_JOB_ENDED)
            end_instance(j, i, (uint32_t)op->job_report.cause, (uint32_t)op->job_report.code);
    }
}

/* Once: who carried out the first need not hear of another. */
static void stop_instance(struct tables *t, const struct job *j, struct tables_instance *i)
{
    if (i->stop)
        return;
    i->stop = t->index;
    tell_instance(t, TABLES_EVENT_JOB_KILLED, j, i);
}

void jobs_apply_kill(struct tables *t, const struct tables_op *op, struct tables_result *result)
{
    struct job *j = find(t, op->job_kill.job);
    if (!j) {
        result->err = E_NOT_FOUND;
        return;
    }
    j->row.killed = 1;
    for (uint32_t n = 0; n < j->row.count; n++) {
        struct tables_instance *i = &j->row.instances[n];
        if (i->state == TABLES_JOB_WAITING)
            end_instance(j, i, EXIT_KILLED, 0);
        else if (i->state != TABLES_JOB_ENDED)
            stop_instance(t, j, i);
    }
}

void jobs_end(struct tables *t, uint32_t node)
{
    for (struct tree_node *at = tree_next(&t->jobs, NULL); at; at = tree_next(&t->jobs, at)) {
        struct job *j = TABLES_ROW(at, struct job);
        for (uint32_t n = 0; n < j->row.count; n++) {
            struct tables_instance *i = &j->row.instances[n];
            if (i->node != node || (i->state != TABLES_JOB_PLACED && i->state != TABLES_JOB_RUNNING))
                continue;
            stop_instance(t, j, i); /* a node that was only cut off may still run it */
            end_instance(j, i, EXIT_NODE_LOST, 0);
        }
    }
}
