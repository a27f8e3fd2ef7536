/* This machine: status, log, services, power. What these need beyond other programs, the shell gives them. */
#include "shoal.h"

#include <abi/ids.h>
#include <abi/process.h>
#include <idl/supervisor.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static handle_t needed(enum startup_handle slot)
{
    handle_t handle = os_startup_handle(slot);
    if (!handle)
        fail("this works in the node's own shell only (for another node: `tools/cluster exec`)");
    return handle;
}

/* ---- status ---- */

static void show_cluster(void)
{
    static const char *const states[] = {"alone",
                                         "waiting for the log",
                                         "looking for other nodes",
                                         "asking to be taken in",
                                         "beginning a new cluster",
                                         "catching up",
                                         "member"};
    static const char *const roles[] = {"none", "learner", "follower", "candidate", "leader"};
    struct cluster_status s;
    if (!cluster_status_read(&s)) {
        printf("cluster     no cluster service answers\n");
        return;
    }
    printf("cluster     %s%s%s\n", s.cluster_name, s.cluster_name[0] ? ": " : "", states[s.state < 7 ? s.state : 0]);
    if (s.cluster_id[0] | s.cluster_id[1])
        printf("cluster id  %016llx%016llx\n", (unsigned long long)s.cluster_id[0],
               (unsigned long long)s.cluster_id[1]);
    if (s.voters[0])
        printf("voters      %.256s\n", s.voters);
    if (s.waiting[0])
        printf("waiting     %s\n", s.waiting);
    if (s.node)
        printf("node        %u, %s, %s, %s; leader %u, term %llu, applied %llu of %llu%s\n", s.node,
               roles[s.role < 5 ? s.role : 0], s.voter ? "votes" : "does not vote", s.durable ? "durable" : "in memory",
               s.leader, (unsigned long long)s.term, (unsigned long long)s.applied, (unsigned long long)s.last_index,
               s.quorum ? "" : "; NO QUORUM");
    printf("links       %u of %u nodes up; frames refused: %llu wrong key, %llu replayed, %llu damaged, %llu foreign, "
           "%llu dropped key, %llu excess, %llu false log\n",
           s.nodes_up, s.nodes_known, (unsigned long long)s.frames_wrong_key, (unsigned long long)s.frames_replayed,
           (unsigned long long)s.frames_damaged, (unsigned long long)s.frames_foreign,
           (unsigned long long)s.frames_old_key, (unsigned long long)s.frames_excess,
           (unsigned long long)s.frames_false_log);
}

static void show_machine(handle_t system)
{
    struct system_info info = {0};
    if (os_control(system, OP_SYSTEM_INFO, (uint64_t)&info, 0, 0, 0).err)
        return;
    printf("machine     Shoal %.32s, up %s, %u CPUs%s, %s of %s memory used\n", info.version,
           duration_text(os_clock(CLOCK_ID_MONOTONIC_NS)), info.cpus, info.cpus_failed ? " (more did not start)" : "",
           size_text(info.usable_bytes - info.free_bytes), size_text(info.usable_bytes));
    printf("protection  %s, %s\n", info.dma_protected ? "DMA protected" : "DMA unprotected",
           info.has_entropy ? "entropy" : "NO ENTROPY: no links to other nodes");
}

static void show_service(const struct service_row *s, uint32_t node)
{
    static const char *const states[] = {"waiting", "running", "restarting", "ended", "failed"};
    char id[24] = "-";
    if (s->state == SERVICE_RUNNING)
        snprintf(id, sizeof id, "%u.%u", (unsigned)node, (unsigned)s->serial);
    printf("%-14s %-10s %7s %8u  %s%s%s\n", s->name, states[s->state < 5 ? s->state : 0], id, (unsigned)s->restarts,
           s->progress,
           !s->last_end[0]  ? ""
           : s->progress[0] ? "; last ended: "
                            : "last ended: ",
           s->last_end);
}

static err_t show_services(handle_t supervisor)
{
    static struct service_row rows[SUPERVISOR_SERVICES_ROWS_MAX / sizeof(struct service_row)];
    struct cluster_status status;
    uint32_t position = 0, next, length, node = cluster_status_read(&status) ? status.node : 0;
    printf("SERVICE        STATE      PROCESS RESTARTS  STATE IN WORDS\n");
    for (;; position = next) {
        err_t err = supervisor_services(supervisor, soon(), position, &next, rows, sizeof rows, &length);
        if (err || length == 0)
            return err;
        for (uint32_t i = 0; i < length / sizeof rows[0]; i++)
            show_service(&rows[i], node);
    }
}

int status_run(int argc, char **argv)
{
    handle_t system, supervisor;
    if (argc > 1)
        return usage();
    if (!(system = needed(STARTUP_SYSTEM)) || !(supervisor = needed(STARTUP_SUPERVISOR)))
        return 1;
    show_machine(system);
    show_cluster();
    err_t err = show_services(supervisor);
    return err ? fail("the supervisor does not answer: %s", os_error_text(err)) : 0;
}

int service_run(int argc, char **argv)
{
    handle_t supervisor = needed(STARTUP_SUPERVISOR);
    if (!supervisor)
        return 1;
    if (argc == 1)
        return show_services(supervisor) ? fail("the supervisor does not answer") : 0;
    if (argc != 3 || strcmp(argv[1], "stop") != 0)
        return usage();
    if (strlen(argv[2]) > SUPERVISOR_STOP_NAME_MAX)
        return fail("%s: no such service; `service` lists them", argv[2]);
    err_t err = supervisor_stop(supervisor, soon(), argv[2]);
    return err ? fail("%s: %s", argv[2],
                      err == E_NOT_FOUND ? "no such service runs; `service` lists them" : os_error_text(err))
               : 0;
}

/* ---- log ---- */

/* What the kernel's lines about a process have: its number as label of its Budget, or its name. */
static bool log_filter(const char *word, char *filter, size_t room)
{
    struct cluster_status s;
    uint64_t id;
    if (!parse_process_id(word, &id)) {
        snprintf(filter, room, "%s", word);
        return true;
    }
    uint32_t own = cluster_status_read(&s) ? s.node : 0;
    if (PROCESS_ID_NODE(id) != own && PROCESS_ID_NODE(id) != 0) {
        fail("%s: that process is another node's; its shell shows its log", word);
        return false;
    }
    snprintf(filter, room, "', label %u:", PROCESS_ID_SERIAL(id));
    return true;
}

/* The lines that have the filter's text, each with those after it that are indented: registers and a backtrace. */
static void show_lines(const char *text, size_t bytes, const char *filter)
{
    bool shown = false;
    while (bytes > 0) {
        const char *end = memchr(text, '\n', bytes);
        size_t length = end ? (size_t)(end - text) + 1 : bytes;
        char line[600];
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        const char *said = strstr(line, "] ");
        shown = !filter || strstr(line, filter) || (shown && said && strncmp(said + 2, "  ", 2) == 0);
        if (shown)
            fputs(line, stdout);
        text += length;
        bytes -= length;
    }
}

int log_run(int argc, char **argv)
{
    handle_t system = needed(STARTUP_SYSTEM);
    uint64_t position = 0, next;
    size_t used = 0;
    char filter[64];
    if (!system || argc > 2)
        return system ? usage() : 1;
    if (argc > 1 && !log_filter(argv[1], filter, sizeof filter))
        return 1;
    char *text = malloc(128 * 1024);
    if (!text)
        return fail("there is no memory left");
    while (used < 124 * 1024) {
        struct sys_result r =
            os_control(system, OP_SYSTEM_LOG_READ, position, (uint64_t)text + used, 4096, (uint64_t)&next);
        if (r.err || r.value == 0)
            break;
        used += r.value;
        position = next;
    }
    show_lines(text, used, argc > 1 ? filter : NULL);
    return 0;
}

/* ---- power ---- */

static int power(int argc, uint64_t how)
{
    handle_t system = needed(STARTUP_SYSTEM);
    if (argc > 1)
        return usage();
    if (!system)
        return 1;
    err_t err = os_control(system, OP_SYSTEM_POWER, how, 0, 0, 0).err;
    return fail("%s", os_error_text(err));
}

int reboot_run(int argc, char **argv)
{
    return power(argc, 1);
}
int poweroff_run(int argc, char **argv)
{
    return power(argc, 0);
}

int uname_run(int argc, char **argv)
{
    struct utsname name;
    const char *wanted = argc == 2 ? argv[1] : "-s";
    if (argc > 2 || wanted[0] != '-' || !wanted[1] || wanted[2])
        return usage();
    if (uname(&name) != 0)
        return fail("this machine has no name");
    switch (wanted[1]) {
    case 'a':
        printf("%s %s %s %s %s\n", name.sysname, name.nodename, name.release, name.version, name.machine);
        return 0;
    case 's':
        return puts(name.sysname) == EOF;
    case 'n':
        return puts(name.nodename) == EOF;
    case 'r':
        return puts(name.release) == EOF;
    case 'm':
        return puts(name.machine) == EOF;
    default:
        return usage();
    }
}
