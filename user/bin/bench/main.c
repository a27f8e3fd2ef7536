/* bench OPERATION COUNT [CLIENTS [NODE]]: measures from inside, and prints one JSON line.
 *
 *   put, get, lock      on the cluster's tables, each client on a key or lock of its own
 *   lock-one            all clients on one lock
 *   spawn, remote-null  on NODE: a process started and awaited; the smallest answered call
 *
 *   {"op":"put","clients":8,"count":400,"failed":0,"p50_us":..,"p99_us":..,"per_s":..}
 */
#include <idl/cluster.h>
#include <idl/process.h>
#include <os/service.h>
#include <os/spawn.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 64u
#define COUNT_MAX   100000u
#define CALL_MS     10000u
#define STACK_BYTES 16384u /* a client needs little, and many must fit into the memory of one program */

struct client {
    uint32_t number, count, failed;
    uint64_t *taken_ns; /* one a successful operation */
};

static handle_t cluster, remote_process;
static err_t (*operation)(const struct client *c);

static err_t put(const struct client *c)
{
    char key[32], value[256];
    memset(value, 'v', sizeof value);
    snprintf(key, sizeof key, "bench/%u", c->number);
    return cluster_put(cluster, os_deadline_ms(CALL_MS), UINT64_MAX, key, value, sizeof value, NULL);
}

static err_t get(const struct client *c)
{
    char key[32], value[512];
    snprintf(key, sizeof key, "bench/%u", c->number);
    return cluster_get(cluster, os_deadline_ms(CALL_MS), key, NULL, value, sizeof value, NULL);
}

static err_t lock_named(const char *name)
{
    handle_t held;
    uint64_t fence;
    err_t err = cluster_lock(cluster, os_deadline_ms(CALL_MS), 1, 0, name, &fence, &held);
    if (err)
        return err;
    err = cluster_unlock(cluster, os_deadline_ms(CALL_MS), fence, name);
    os_handle_close(held);
    return err;
}

static err_t lock_own(const struct client *c)
{
    char name[32];
    snprintf(name, sizeof name, "bench/%u", c->number);
    return lock_named(name);
}

static err_t lock_one(const struct client *c)
{
    return lock_named("bench/one");
}

static err_t remote_null(const struct client *c)
{
    return process_load(remote_process, os_deadline_ms(CALL_MS), NULL, NULL, NULL, NULL);
}

static err_t spawn(const struct client *c)
{
    static char *const arguments[] = {"/bin/true", NULL}, *const environment[] = {NULL};
    struct spawn s = {.service = remote_process,
                      .path = "/bin/true",
                      .arguments = arguments,
                      .environment = environment,
                      .directory = "/",
                      .deadline = os_deadline_ms(CALL_MS)};
    struct spawned spawned;
    struct spawn_end end;
    s.handles[STARTUP_NAMES] = os_startup_handle(STARTUP_NAMES);
    err_t err = os_spawn(&s, &spawned);
    if (err)
        return err;
    err = os_spawn_wait(&spawned, os_deadline_ms(CALL_MS), &end);
    os_handle_close(spawned.control);
    return err ? err : end.cause == EXIT_EXITED && end.code == 0 ? E_OK : E_IO;
}

static void run_client(void *argument)
{
    struct client *c = argument;
    for (uint32_t i = 0; i < c->count; i++) {
        uint64_t begin = os_clock(CLOCK_ID_MONOTONIC_NS);
        err_t err = operation(c);
        if (err)
            c->failed++;
        else
            c->taken_ns[i - c->failed] = os_clock(CLOCK_ID_MONOTONIC_NS) - begin;
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, struct client *clients, uint32_t number, uint64_t *all, uint64_t elapsed_ns)
{
    uint32_t done = 0, failed = 0;
    for (uint32_t i = 0; i < number; i++) {
        uint32_t ok = clients[i].count - clients[i].failed;
        memmove(all + done, clients[i].taken_ns, ok * sizeof *all);
        done += ok;
        failed += clients[i].failed;
    }
    qsort(all, done, sizeof *all, by_size);
    printf("{\"op\":\"%s\",\"clients\":%u,\"count\":%u,\"failed\":%u", name, number, done, failed);
    if (done > 0)
        printf(",\"p50_us\":%llu,\"p99_us\":%llu,\"per_s\":%llu", (unsigned long long)all[done / 2] / 1000,
               (unsigned long long)all[(uint64_t)done * 99 / 100] / 1000,
               (unsigned long long)(done * 1000000000ull / elapsed_ns));
    puts("}");
}

static int measure(const char *name, uint32_t count, uint32_t number)
{
    static struct client clients[CLIENTS_MAX];
    struct os_thread *threads[CLIENTS_MAX];
    uint64_t *all = calloc(count, sizeof *all);
    if (!all) {
        fprintf(stderr, "bench: out of memory for %u operations\n", count);
        return 1;
    }
    for (uint32_t i = 0, given = 0; i < number; given += clients[i++].count)
        clients[i] = (struct client){i, (count - given) / (number - i), 0, all + given};
    uint64_t begin = os_clock(CLOCK_ID_MONOTONIC_NS);
    uint32_t started = 0;
    err_t err = E_OK;
    for (; started < number; started++) {
        err = os_thread_create(run_client, &clients[started], STACK_BYTES, 0, &threads[started]);
        if (err != E_OK)
            break;
    }
    for (uint32_t i = 0; i < started; i++)
        (void)os_thread_join(threads[i], DEADLINE_NEVER);
    if (started < number) {
        fprintf(stderr, "bench: only %u of %u clients could be started: error %u\n", started, number, err);
        return 1;
    }
    report(name, clients, number, all, os_clock(CLOCK_ID_MONOTONIC_NS) - begin);
    free(all);
    return 0;
}

static const struct {
    const char *name;
    err_t (*run)(const struct client *c);
    bool needs_node;
} operations[] = {
    {"put", put, false},           {"get", get, false},    {"lock", lock_own, false},
    {"lock-one", lock_one, false}, {"spawn", spawn, true}, {"remote-null", remote_null, true},
};

static int usage(void)
{
    fprintf(stderr,
            "bench: usage: bench put|get|lock|lock-one COUNT [CLIENTS], bench spawn|remote-null COUNT CLIENTS NODE\n");
    return 2;
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, number = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    unsigned long node = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    if (count == 0 || count > COUNT_MAX || number == 0 || number > CLIENTS_MAX || number > count)
        return usage();
    cluster = os_startup_handle(STARTUP_CLUSTER);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(argv[1], operations[i].name) != 0)
            continue;
        if (operations[i].needs_node) {
            err_t err =
                cluster_node_service(cluster, os_deadline_ms(CALL_MS), (uint32_t)node, "process", &remote_process);
            if (err) {
                fprintf(stderr, "bench: no process service on node %lu: error %u\n", node, err);
                return 1;
            }
        }
        operation = operations[i].run;
        return measure(argv[1], (uint32_t)count, (uint32_t)number);
    }
    return usage();
}
