/* Processes of all nodes: ps, kill, top, and the cluster's jobs. */
#include "shoal.h"

#include <abi/ids.h>
#include <abi/process.h>
#include <idl/cluster.h>
#include <idl/process.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *end_words(const struct process_row *row)
{
    static char text[112];
    struct spawn_end end = {row->cause, row->code, 0};
    if (row->state == 0)
        return "preparing";
    if (row->state == 1)
        return "running";
    os_spawn_end_text(&end, text, sizeof text);
    if (!text[0])
        snprintf(text, sizeof text, "ended, status %u", row->code);
    return text;
}

/* Without -a: what people started, and the shells they did it from. */
static bool show_servers;

static void show_row(const struct process_row *row)
{
    char id[24], owner[16] = "here";
    if (row->kind == PROCESS_SERVER && !show_servers)
        return;
    snprintf(id, sizeof id, "%u.%u", (unsigned)PROCESS_ID_NODE(row->id), (unsigned)PROCESS_ID_SERIAL(row->id));
    if (row->owner_node)
        snprintf(owner, sizeof owner, "node %u", (unsigned)row->owner_node);
    printf("%-10s %-9s %7s %7u.%02u s %3u  %-20.64s %s\n", id, owner, size_text(row->memory_bytes),
           (unsigned)(row->cpu_ns / 1000000000), (unsigned)(row->cpu_ns / 10000000 % 100), row->threads, row->command,
           end_words(row));
}

static err_t show_processes(handle_t service)
{
    static struct process_row rows[PROCESS_LIST_ROWS_MAX / sizeof(struct process_row)];
    uint64_t position = 0, next;
    uint32_t length;
    for (;;) {
        err_t err = process_list(service, soon(), position, &next, rows, sizeof rows, &length);
        if (err)
            return err;
        for (uint32_t i = 0; i < length / sizeof rows[0]; i++)
            show_row(&rows[i]);
        if (length == 0 || next <= position)
            return E_OK;
        position = next;
    }
}

static int show_node(uint32_t node, uint32_t self, const struct cluster_node *row)
{
    handle_t service;
    err_t err = row && row->state != 1 && node != self ? E_NOT_DELIVERED : node_processes(node, &service);
    if (!err) {
        err = show_processes(service);
        os_handle_close(service);
    }
    if (!err)
        return 0;
    printf("%u.?        no answer from node %u", node, node);
    if (row)
        printf(", heard %s ago", duration_text(row->last_heard_ns));
    putchar('\n');
    return 1;
}

int ps_run(int argc, char **argv)
{
    static struct cluster_node nodes[NODES_MAX];
    struct cluster_status status;
    bool seen = false;
    show_servers = argc == 2 && strcmp(argv[1], "-a") == 0;
    if (argc > 1 && !show_servers)
        return usage();
    cluster_status_read(&status);
    printf("PROCESS    FOR        MEMORY       TIME THREADS COMMAND          STATE\n");
    uint32_t count = cluster_nodes_read(nodes, NODES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].state == 3)
            continue;
        seen |= nodes[i].node == status.node;
        show_node(nodes[i].node, status.node, &nodes[i]);
    }
    return seen ? 0 : show_node(status.node, status.node, NULL);
}

/* ---- kill ---- */

static int kill_jobs(int argc, char **argv);

static int kill_one(uint64_t id, uint32_t signal)
{
    handle_t service;
    uint32_t node = PROCESS_ID_NODE(id);
    err_t err = node_processes(node, &service);
    if (!err) {
        err = process_kill(service, soon(), id, signal);
        os_handle_close(service);
    }
    if (err)
        return fail("%u.%u: %s", node, (unsigned)PROCESS_ID_SERIAL(id),
                    err == E_NOT_FOUND ? "no such process; `ps` lists them"
                    : err == E_ACCESS  ? "the node's supervisor runs it; `service stop NAME` ends it"
                                       : words_for(err));
    return 0;
}

int kill_run(int argc, char **argv)
{
    uint64_t signal = 15, id;
    int first = 1, result = 0;
    if (argc > 1 && strcmp(argv[1], "--job") == 0)
        return kill_jobs(argc, argv);
    if (argc > 1 && argv[1][0] == '-') {
        if (!parse_number(argv[1] + 1, 1, 31, &signal))
            return usage();
        first = 2;
    }
    if (first >= argc)
        return usage();
    for (int i = first; i < argc; i++) {
        if (!parse_process_id(argv[i], &id))
            return fail("'%s' is no process; it is written like 2.17", argv[i]), 2;
        result |= kill_one(id, (uint32_t)signal);
    }
    return result;
}

/* ---- top ---- */

int top_run(int argc, char **argv)
{
    struct system_info system = {0};
    struct cluster_status status;
    handle_t service;
    handle_t own = os_startup_handle(STARTUP_SYSTEM);
    if (argc > 1)
        return usage();
    if (!own || os_control(own, OP_SYSTEM_INFO, (uint64_t)&system, 0, 0, 0).err)
        return fail("only a shell's own `top` may look at the machine");
    uint64_t up = os_clock(CLOCK_ID_MONOTONIC_NS), busy = up * system.cpus - system.idle_ns;
    cluster_status_read(&status);
    printf("up %s, %u CPUs, busy %u %% since power-on; memory %s of %s used, %s free\n", duration_text(up), system.cpus,
           (unsigned)(up ? busy * 100 / (up * system.cpus) : 0), size_text(system.usable_bytes - system.free_bytes),
           size_text(system.usable_bytes), size_text(system.free_bytes));
    printf("PROCESS    FOR        MEMORY       TIME THREADS COMMAND          STATE\n");
    err_t err = os_spawn_service(soon(), &service);
    return err || show_processes(service) ? fail("the process server does not answer") : 0;
}

/* ---- the cluster's jobs ---- */

/* How an instance is: where it stands, or how it ended. */
static const char *instance_words(const struct cluster_job *row)
{
    static const char *const states[] = {"waiting", "placed", "running"};
    static char text[112];
    struct spawn_end end = {row->cause, row->code, 0};
    if (row->state < 3)
        return row->stopping ? "ending" : states[row->state];
    os_spawn_end_text(&end, text, sizeof text);
    return row->cause == EXIT_KILLED ? "killed" : row->cause == EXIT_NODE_LOST ? "lost" : text[0] ? "failed" : "ended";
}

typedef bool row_fn(const struct cluster_job *row, void *context); /* false: no more */

static err_t each_row(handle_t cluster, row_fn *fn, void *context)
{
    static struct cluster_job rows[CLUSTER_JOB_LIST_ROWS_MAX / sizeof(struct cluster_job)];
    uint32_t position = 0, next, length;
    for (;;) {
        err_t err = cluster_job_list(cluster, os_deadline_ms(30000), position, &next, rows, sizeof rows, &length);
        if (err || length == 0 || next <= position)
            return err;
        for (uint32_t i = 0; i < length / sizeof rows[0]; i++)
            if (!fn(&rows[i], context))
                return E_OK;
        position = next;
    }
}

static bool show_instance(const struct cluster_job *row, void *context)
{
    printf("%5llu.%-6u %4u %-8s %6u %3u.%-6u %-32.64s %.64s\n", (unsigned long long)row->job, row->instance, row->node,
           instance_words(row), row->code, (unsigned)PROCESS_ID_NODE(row->process_id),
           (unsigned)PROCESS_ID_SERIAL(row->process_id), row->command, row->why);
    return true;
}

int jobs_run(int argc, char **argv)
{
    handle_t cluster = cluster_handle();
    if (argc > 1)
        return usage();
    if (!cluster)
        return 1;
    printf("JOB          NODE STATE    STATUS PROCESS    COMMAND                          WHY\n");
    err_t err = each_row(cluster, show_instance, NULL);
    return err ? fail("%s", words_for(err)) : 0;
}

/* ---- kill of the cluster's jobs ---- */

#define KILL_WAIT_MS 10000u
#define KILL_LOOK_MS 100u

struct ends {
    uint64_t job;
    uint32_t ended, killed, going, node; /* node: of one that goes on */
};

static bool count_end(const struct cluster_job *row, void *context)
{
    struct ends *ends = context;
    if (row->job != ends->job)
        return row->job < ends->job;
    ends->ended += row->state == 3;
    ends->killed += row->state == 3 && row->cause == EXIT_KILLED;
    ends->going += row->state != 3;
    if (row->state != 3)
        ends->node = row->node;
    return true;
}

/* Until all have ended, or one has not for long: its node is away, and it will when that is back or given up. */
static int kill_job(handle_t cluster, uint64_t job)
{
    uint64_t until = os_deadline_ms(KILL_WAIT_MS);
    uint32_t word = 0;
    err_t err = cluster_job_kill(cluster, os_deadline_ms(30000), job);
    if (err)
        return fail("job %llu: %s", (unsigned long long)job,
                    err == E_NOT_FOUND ? "no such job; `placements` lists them" : words_for(err));
    for (;;) {
        struct ends ends = {.job = job};
        err = each_row(cluster, count_end, &ends);
        if (err)
            return fail("job %llu is to end; how far that is is not known: %s", (unsigned long long)job,
                        words_for(err));
        if (!ends.going)
            return printf("job %llu: %u killed, %u had ended\n", (unsigned long long)job, ends.killed,
                          ends.ended - ends.killed),
                   0;
        if (os_clock(CLOCK_ID_MONOTONIC_NS) >= until)
            return fail("job %llu: %u have ended; %u will when node %u answers or is given up", (unsigned long long)job,
                        ends.ended, ends.going, ends.node);
        (void)os_futex_wait(&word, 0, os_deadline_ms(KILL_LOOK_MS));
    }
}

static int kill_jobs(int argc, char **argv)
{
    handle_t cluster = cluster_handle();
    uint64_t job;
    int result = 0;
    if (argc < 3)
        return usage();
    if (!cluster)
        return 1;
    for (int i = 2; i < argc; i++) {
        if (!parse_number(argv[i], 0, UINT64_MAX, &job))
            return fail("'%s' is no job; it is a number that `placements` shows", argv[i]), 2;
        result |= kill_job(cluster, job);
    }
    return result;
}
