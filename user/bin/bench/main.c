/* bench OPERATION COUNT [CLIENTS [NODE]]: measures from inside, and prints one JSON line.
 *
 *   put, get, lock      on the cluster's tables, each client on a key or lock of its own; lock: acquired and released
 *   lock-one            all clients on one lock
 *   spawn, remote-null  on NODE: a process that does nothing, started and awaited; the smallest answered call
 *   icmp, udp, tcp      round trips of 64 bytes to NODE, where `bench serve` runs; tcp-bulk: COUNT MiB to there
 *
 *   {"op":"put","clients":8,"count":400,"failed":0,"p50_us":..,"p99_us":..,"per_s":..}
 *
 * bench member: waits until this node is a member, and says how long after its kernel's start that is.
 * bench gap LIMIT LONG: one client puts without pause, until LONG milliseconds passed between two acknowledgements, or
 *     LIMIT milliseconds in all; the longest time between two.
 */
#include "bench.h"

#include <os/log.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS_MAX 64u
#define COUNT_MAX   100000u
#define STACK_BYTES 16384u /* a client needs little, and many must fit into the memory of one program */

static err_t (*operation)(const struct client *c);

static void run_client(void *argument)
{
    struct client *c = argument;
    for (uint32_t i = 0; i < c->count; i++) {
        uint64_t begin = bench_now_ns();
        err_t err = operation(c);
        if (err)
            c->failed++;
        else
            c->taken_ns[i - c->failed] = bench_now_ns() - begin;
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
    uint64_t begin = bench_now_ns();
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
    report(name, clients, number, all, bench_now_ns() - begin);
    free(all);
    return 0;
}

static const struct {
    const char *name;
    err_t (*run)(const struct client *c);
    err_t (*prepare)(uint32_t node); /* NULL: for this node's own service */
} operations[] = {
    {"put", bench_put, NULL},
    {"get", bench_get, NULL},
    {"lock", bench_lock, NULL},
    {"lock-one", bench_lock_one, NULL},
    {"spawn", bench_spawn, bench_use_node},
    {"remote-null", bench_remote_null, bench_use_node},
    {"icmp", bench_icmp, bench_use_network},
    {"udp", bench_udp, bench_use_udp},
    {"tcp", bench_tcp, bench_use_tcp},
};

static int usage(void)
{
    fprintf(stderr,
            "usage: bench put|get|lock|lock-one COUNT [CLIENTS] | bench spawn|remote-null COUNT CLIENTS NODE |\n"
            "       bench icmp|udp|tcp COUNT 1 NODE | bench tcp-bulk MIB 1 NODE | bench serve | bench member |\n"
            "       bench gap LIMIT LONG (milliseconds)\n");
    return 2;
}

static int run(const char *name, uint32_t count, uint32_t number, uint32_t node)
{
    if (strcmp(name, "tcp-bulk") == 0)
        return bench_bulk(node, count);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(name, operations[i].name) != 0)
            continue;
        err_t err = operations[i].prepare ? operations[i].prepare(node) : E_OK;
        if (err) {
            fprintf(stderr, "bench: %s: node %u: %s\n", name, node, os_error_text(err));
            return 1;
        }
        operation = operations[i].run;
        return measure(name, count, number);
    }
    return usage();
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, number = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    unsigned long node = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return bench_serve();
    if (argc == 2 && strcmp(argv[1], "member") == 0)
        return bench_member();
    if (count == 0 || count > COUNT_MAX || number == 0 || number > count)
        return usage();
    bench_begin();
    if (argc == 4 && strcmp(argv[1], "gap") == 0)
        return bench_gap((uint32_t)count, (uint32_t)number);
    if (number > CLIENTS_MAX)
        return usage();
    return run(argv[1], (uint32_t)count, (uint32_t)number, (uint32_t)node);
}
