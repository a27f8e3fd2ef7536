/* Jobs of the cluster: one thread asks the kernel for placements, another tells it what became of them. Both may wait
 * for the cluster as long as it takes; the server itself never does. A job's output goes to /tmp/job-ID.N of its node.
 */
#include "process.h"

#include <abi/cluster.h>
#include <abi/file.h>
#include <base/format.h>
#include <idl/cluster.h>
#include <idl/names.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/sync.h>
#include <os/syscall.h>
#include <os/thread.h>
#include <string.h>

#define REPORTS_MAX 256u
#define NAMES_MS    5000u
#define CLUSTER_MS  30000u
#define AGAIN_MS    500u
#define ROWS        (CLUSTER_JOB_LIST_ROWS_MAX / sizeof(struct cluster_job))
#define KILL_SIGNAL 15u

struct report {
    uint64_t job, process_id;
    uint32_t instance, state, cause, code;
};

static struct os_mutex report_lock, placement_lock;
static struct os_cond reported, placed, taken;
static struct report reports[REPORTS_MAX];
static uint32_t report_head, report_tail;

/* One placement at a time goes from its thread to the server. */
static struct {
    bool full;
    uint64_t job, fence;
    uint32_t instance;
    handle_t names, output, cluster;
    char command[CLUSTER_JOB_NEXT_COMMAND_MAX + 1];
} placement;

/* Likewise one instance to end at a time. Placements are few at once between the kernel and the server: of those that
 * were to end before they came this far, the newest are remembered. */
static struct {
    bool full;
    uint64_t job, fence;
    uint32_t instance;
} stop;
static uint64_t stopped[64];
static uint32_t stopped_count;

/* Rows of the cluster's table, for the server to find its predecessor's jobs among its children. */
static struct cluster_job rows[ROWS];
static uint32_t row_count;

static handle_t cluster(void)
{
    return os_startup_handle(STARTUP_CLUSTER);
}

/* After an error: waits until it is worth asking again. False: this kernel has no cluster service. */
static bool may_ask_again(err_t err)
{
    uint32_t now, word = 0;
    if (err == E_NOT_SUPPORTED || err == E_BAD_SYSCALL || err == E_NO_RIGHT)
        return false;
    (void)cluster_wait_state(cluster(), DEADLINE_NEVER, CLUSTER_MEMBER, &now);
    /* A member may be short of memory, or of a leader: not at once again. */
    (void)os_futex_wait(&word, 0, os_deadline_ms(AGAIN_MS));
    return true;
}

/* ---- reports: what is told ---- */

static void report_add(const struct report *report)
{
    os_mutex_lock(&report_lock);
    if (report_head - report_tail < REPORTS_MAX)
        reports[report_head++ % REPORTS_MAX] = *report;
    else
        os_log("process: the end of job %lu is not reported: too many reports wait", (unsigned long)report->job);
    os_cond_signal(&reported);
    os_mutex_unlock(&report_lock);
}

void jobs_report(const struct child *c, uint32_t state)
{
    if (c->job)
        report_add(&(struct report){c->job, child_id(c), c->job_instance, state, c->cause, c->code});
}

/* ---- placements ---- */

static void open_output(handle_t names, uint64_t job, uint32_t instance, handle_t *output)
{
    char path[64];
    base_format(path, sizeof path, "/tmp/job-%lu.%u", (unsigned long)job, instance);
    *output = HANDLE_NONE;
    names_open(names, os_deadline_ms(NAMES_MS), OPEN_WRITE | OPEN_CREATE | OPEN_APPEND, 0644, path, output, NULL, NULL);
}

static void hand_over(uint64_t job, uint32_t instance, uint64_t fence, const char *command, handle_t permitted)
{
    handle_t names = HANDLE_NONE, output = HANDLE_NONE;
    if (os_lookup("names", DEADLINE_NEVER, &names) == E_OK)
        open_output(names, job, instance, &output);
    os_mutex_lock(&placement_lock);
    while (placement.full)
        os_cond_wait(&placed, &placement_lock, DEADLINE_NEVER);
    placement.full = true;
    placement.job = job;
    placement.instance = instance;
    placement.fence = fence;
    placement.names = names;
    placement.output = output;
    placement.cluster = permitted;
    strcpy(placement.command, command);
    os_signal(server_state.notification, BIT_PLACED);
    os_mutex_unlock(&placement_lock);
}

/* Makes this node's process and names servers reachable for the other nodes. */
static void offer(void)
{
    handle_t names;
    if (os_lookup("names", DEADLINE_NEVER, &names) == E_OK) {
        cluster_node_offer(cluster(), os_deadline_ms(CLUSTER_MS), "names", names);
        os_handle_close(names);
    }
    handle_t own;
    if (os_handle_dup(server_state.endpoint, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &own) == E_OK) {
        err_t err = cluster_node_offer(cluster(), os_deadline_ms(CLUSTER_MS), "process", own);
        if (err && err != E_NOT_SUPPORTED && err != E_BAD_SYSCALL)
            os_log("process: other nodes cannot start processes here: %s", os_error_text(err));
        os_handle_close(own);
    }
}

/* ---- what is to end ---- */

static void hand_over_stop(uint64_t job, uint32_t instance, uint64_t fence)
{
    os_mutex_lock(&placement_lock);
    while (stop.full)
        os_cond_wait(&taken, &placement_lock, DEADLINE_NEVER);
    stop.full = true;
    stop.job = job;
    stop.instance = instance;
    stop.fence = fence;
    os_signal(server_state.notification, BIT_STOP);
    os_mutex_unlock(&placement_lock);
}

static void stop_thread(void *argument)
{
    uint64_t job, fence;
    uint32_t instance;
    for (;;) {
        err_t err = cluster_job_stop_next(cluster(), DEADLINE_NEVER, &job, &instance, &fence);
        if (err == E_OK)
            hand_over_stop(job, instance, fence);
        else if (!may_ask_again(err))
            return;
    }
}

static bool was_stopped(uint64_t fence)
{
    for (uint32_t i = 0; i < sizeof stopped / sizeof stopped[0]; i++)
        if (stopped[i] == fence)
            return true;
    return false;
}

/* The placement goes no further: what came with it is let go of. */
static void drop_placement(void)
{
    handle_t handles[] = {placement.names, placement.output, placement.cluster};
    for (uint32_t i = 0; i < 3; i++)
        if (handles[i])
            os_handle_close(handles[i]);
    placement.full = false;
    os_cond_signal(&placed);
}

static void stop_one(void)
{
    struct child *c = child_by_fence(stop.fence);
    if (c) {
        child_kill(c, KILL_SIGNAL); /* its end is reported as that of every job; if it has ended, it was */
        return;
    }
    if (placement.full && placement.fence == stop.fence)
        drop_placement();
    else
        stopped[stopped_count++ % (sizeof stopped / sizeof stopped[0])] = stop.fence;
    report_add(&(struct report){stop.job, 0, stop.instance, 3, EXIT_KILLED, KILL_SIGNAL});
}

void jobs_stop(void)
{
    os_mutex_lock(&placement_lock);
    if (stop.full) {
        stop_one();
        stop.full = false;
        os_cond_signal(&taken);
    }
    os_mutex_unlock(&placement_lock);
}

/* ---- after a restart of this server ---- */

/* Gives the server a part of the table's rows and waits until it has looked at them. */
static void hand_over_rows(uint32_t count)
{
    os_mutex_lock(&placement_lock);
    row_count = count;
    os_signal(server_state.notification, BIT_STOP);
    while (row_count)
        os_cond_wait(&taken, &placement_lock, DEADLINE_NEVER);
    os_mutex_unlock(&placement_lock);
}

/* Children that the predecessor started for jobs are learned before anything new comes: so nothing is started twice,
 * and their ends are reported. */
static void adopt(void)
{
    uint32_t position = 0, next, length;
    for (;;) {
        err_t err =
            cluster_job_list(cluster(), os_deadline_ms(CLUSTER_MS), position, &next, rows, sizeof rows, &length);
        if (!err && (!length || next <= position))
            return;
        if (!err)
            hand_over_rows(length / (uint32_t)sizeof rows[0]);
        if (!err)
            position = next;
        else if (!may_ask_again(err))
            return;
    }
}

static void adopt_row(const struct cluster_job *row, uint32_t node)
{
    struct child *c = row->node == node ? child_by_fence(row->fence) : NULL;
    if (row->node != node || (c && c->job))
        return;
    if (c) {
        c->job = row->job;
        c->job_fence = row->fence;
        c->job_instance = row->instance;
        strncpy(c->command, row->command, sizeof c->command - 1);
        jobs_report(c, c->state == CHILD_ENDED ? 3 : 2);
        child_forget_if_unwanted(c);
    } else if (row->state == 2) { /* it ended, and how was lost with the predecessor */
        report_add(&(struct report){row->job, row->process_id, row->instance, 3, EXIT_KILLED, 9});
    }
}

void jobs_adopt(void)
{
    os_mutex_lock(&placement_lock);
    for (uint32_t i = 0; i < row_count; i++)
        adopt_row(&rows[i], own_node());
    row_count = 0;
    os_cond_signal(&taken);
    os_mutex_unlock(&placement_lock);
}

/* ---- placements, continued ---- */

static void placement_thread(void *argument)
{
    static char command[CLUSTER_JOB_NEXT_COMMAND_MAX + 1];
    struct os_thread *thread;
    uint64_t job, fence;
    uint32_t instance;
    handle_t permitted;
    offer();
    if (server_state.restarted)
        adopt();
    if (os_thread_create(stop_thread, NULL, 65536, PRIORITY_NORMAL, &thread))
        os_log("process: jobs that are killed do not end here: no memory for a thread");
    for (;;) {
        err_t err = cluster_job_next(cluster(), DEADLINE_NEVER, &job, &instance, &fence, command, &permitted);
        if (err == E_OK)
            hand_over(job, instance, fence, command, permitted);
        else if (!may_ask_again(err))
            return;
    }
}

/* `sh -c command`, as if the node's own shell had started it. */
static err_t prepare_shell(struct child *c, const char *command)
{
    static char words[CLUSTER_JOB_NEXT_COMMAND_MAX + 64];
    memcpy(words, "sh\0-c", 6);
    strcpy(words + 6, command);
    uint32_t bytes = 6 + (uint32_t)strlen(command) + 1;
    memcpy(words + bytes, "PATH=/bin\0/tmp", 15);
    return words_append(c->preparation, words, bytes + 15, 3, 1);
}

static err_t give_copy(handle_t from, handle_t *to)
{
    return os_handle_dup(from, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, to);
}

static err_t start_placed(struct child *c)
{
    struct image image;
    struct preparation *p = c->preparation;
    c->job = placement.job;
    c->job_instance = placement.instance;
    c->job_fence = placement.fence;
    p->handles[STARTUP_NAMES] = placement.names;
    p->handles[STARTUP_CLUSTER] = placement.cluster;
    if (placement.output && give_copy(placement.output, &p->handles[STARTUP_STDOUT]) == E_OK)
        give_copy(placement.output, &p->handles[STARTUP_STDERR]);
    strncpy(c->command, placement.command, sizeof c->command - 1);
    err_t err = prepare_shell(c, placement.command);
    if (!err)
        err = bundle_image("/bin/sh", &image) ? child_start(c, &image) : E_NO_ENTRY;
    return err;
}

void jobs_placed(void)
{
    os_mutex_lock(&placement_lock);
    const struct child *known = placement.full ? child_by_fence(placement.fence) : NULL;
    if (known || (placement.full && was_stopped(placement.fence))) {
        if (known && known->state == CHILD_RUNNING)
            jobs_report(known, 2);
        drop_placement();
    } else if (placement.full) {
        struct child *c = child_make("/bin/sh", 0, 0);
        if (c) {
            c->owned = false;
            err_t err = start_placed(c);
            if (err)
                child_ended(c, EXIT_KILLED, 9, 0);
            if (placement.output)
                os_handle_close(placement.output);
            placement.full = false;
            os_cond_signal(&placed);
        } /* else there is no room: jobs_try_again() */
    }
    os_mutex_unlock(&placement_lock);
}

void jobs_try_again(void)
{
    os_signal(server_state.notification, BIT_PLACED);
}

/* ---- reports: telling the kernel ---- */

static void report_thread(void *argument)
{
    os_mutex_lock(&report_lock);
    for (;;) {
        while (report_head == report_tail)
            os_cond_wait(&reported, &report_lock, DEADLINE_NEVER);
        struct report r = reports[report_tail % REPORTS_MAX];
        os_mutex_unlock(&report_lock);
        err_t err = cluster_job_report(cluster(), os_deadline_ms(CLUSTER_MS), r.job, r.instance, r.state, r.cause,
                                       r.code, r.process_id);
        uint32_t now;
        bool again = err == E_NOT_DELIVERED || err == E_TIMED_OUT || err == E_UNKNOWN || err == E_FULL ||
                     err == E_DROPPED || err == E_NO_MEMORY;
        if (again)
            cluster_wait_state(cluster(), DEADLINE_NEVER, CLUSTER_MEMBER, &now);
        os_mutex_lock(&report_lock);
        if (again) /* the cluster is there and takes no more just now */
            os_cond_wait(&reported, &report_lock, os_deadline_ms(AGAIN_MS));
        else
            report_tail++;
    }
}

void jobs_start(void)
{
    struct os_thread *thread;
    if (!cluster())
        return;
    err_t err = os_thread_create(placement_thread, NULL, 65536, PRIORITY_NORMAL, &thread);
    if (!err)
        err = os_thread_create(report_thread, NULL, 65536, PRIORITY_NORMAL, &thread);
    if (err)
        os_log("process: no jobs of the cluster here: %s", os_error_text(err));
}
