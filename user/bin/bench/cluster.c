/* What is measured of the cluster's tables and of other nodes' processes. */
#include "bench.h"

#include <idl/cluster.h>
#include <idl/process.h>
#include <os/log.h>
#include <os/service.h>
#include <os/spawn.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <shoal/keys.h>
#include <shoal/lock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 10000u

static handle_t cluster, remote_process;
static uint32_t own_node;

err_t bench_put(const struct client *c)
{
    char key[32], value[256];
    memset(value, 'v', sizeof value);
    snprintf(key, sizeof key, "bench/%u/%u", own_node, c->number);
    return shoal_put(cluster, shoal_in_ms(CALL_MS), key, value, sizeof value, SHOAL_ANY_REVISION, NULL);
}

err_t bench_get(const struct client *c)
{
    char key[32], value[512];
    snprintf(key, sizeof key, "bench/%u/%u", own_node, c->number);
    return shoal_get(cluster, shoal_in_ms(CALL_MS), key, value, sizeof value, NULL, NULL);
}

static err_t lock_named(const char *name)
{
    struct shoal_hold hold;
    err_t err = shoal_lock(cluster, shoal_in_ms(CALL_MS), name, NULL, &hold);
    return err ? err : shoal_release(&hold, shoal_in_ms(CALL_MS));
}

err_t bench_lock(const struct client *c)
{
    char name[32];
    snprintf(name, sizeof name, "bench/%u/%u", own_node, c->number);
    return lock_named(name);
}

err_t bench_lock_one(const struct client *c)
{
    return lock_named("bench/one");
}

err_t bench_remote_null(const struct client *c)
{
    return process_load(remote_process, os_deadline_ms(CALL_MS), NULL, NULL, NULL, NULL);
}

err_t bench_spawn(const struct client *c)
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

err_t bench_use_node(uint32_t node)
{
    return cluster_node_service(cluster, os_deadline_ms(CALL_MS), node, "process", &remote_process);
}

void bench_begin(void)
{
    struct cluster_status status;
    cluster = shoal_cluster();
    if (shoal_cluster_status(cluster, shoal_in_ms(CALL_MS), &status) == E_OK)
        own_node = status.node;
}

int bench_member(void)
{
    err_t err = shoal_cluster_wait(shoal_cluster(), SHOAL_NEVER);
    if (err) {
        fprintf(stderr, "bench: member: %s\n", os_error_text(err));
        return 1;
    }
    printf("{\"op\":\"member\",\"since_start_us\":%llu}\n", (unsigned long long)bench_now_ns() / 1000);
    return 0;
}

#define GAP_CALL_MS 60000u /* longer than any election */

int bench_gap(uint32_t limit_ms, uint32_t long_ms)
{
    char key[32];
    uint64_t begin = bench_now_ns(), last = begin, now = begin, longest = 0, puts_done = 0, failed = 0;
    snprintf(key, sizeof key, "bench/%u/gap", own_node);
    while (now - begin < (uint64_t)limit_ms * 1000000 && longest < (uint64_t)long_ms * 1000000) {
        err_t err = shoal_put(cluster, shoal_in_ms(GAP_CALL_MS), key, "v", 1, SHOAL_ANY_REVISION, NULL);
        now = bench_now_ns();
        failed += err != E_OK;
        if (err != E_OK)
            continue;
        if (puts_done++ == 0) {
            puts("begun"); /* from here on somebody may cut power */
            fflush(stdout);
            now = bench_now_ns();
        } else if (now - last > longest) {
            longest = now - last;
        }
        last = now;
    }
    printf("{\"op\":\"gap\",\"count\":%llu,\"failed\":%llu,\"longest_us\":%llu}\n", (unsigned long long)puts_done,
           (unsigned long long)failed, (unsigned long long)longest / 1000);
    return 0;
}
