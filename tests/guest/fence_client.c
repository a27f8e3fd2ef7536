/* fence_client NAME LOCK MS [plain]: acquires LOCK and calls NAME's endpoint under it every MS milliseconds until the
 * lock is lost, then a few times more. A line for each thing that happens:
 *
 *   held FENCE                 the lock is held
 *   ok N | ERROR-NUMBER N      how call N ended
 *   lost                       the kernel says that the lock is lost
 *
 * plain: one call without the lock, one under another lock, one under what is no lock, and one under the other lock
 * after it was given back. */
#include <idl/cluster.h>
#include <os/fence.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 2000u
#define MORE    20u

static handle_t cluster, held;
static uint64_t fence;
static volatile bool lost;

static void wait_ms(uint32_t ms)
{
    uint32_t word = 0;
    (void)os_futex_wait(&word, 0, os_deadline_ms(ms));
}

static err_t call(const char *name, handle_t lock, uint64_t number)
{
    static handle_t server;
    struct message m = {.tag = TAG(1, 1, 0, 0), .words = {number}};
    if (!server && cluster_name_lookup(cluster, os_deadline_ms(CALL_MS), name, &server) != E_OK)
        return E_NOT_DELIVERED;
    if (lock) {
        m.tag |= TAG_FENCED;
        os_ipc_buffer()->lock = lock;
    }
    err_t err = os_call(server, &m, os_deadline_ms(CALL_MS));
    if (err == E_GONE || err == E_UNKNOWN || err == E_NOT_DELIVERED) {
        os_handle_close(server);
        server = HANDLE_NONE;
    }
    return err ? err : TAG_OP(m.tag);
}

static void say(err_t err, uint64_t number)
{
    if (err)
        printf("%u %llu\n", err, (unsigned long long)number);
    else
        printf("ok %llu\n", (unsigned long long)number);
    fflush(stdout);
}

static void watch(void *argument)
{
    lost = os_fence_lost(held, DEADLINE_NEVER) == E_STALE_FENCE;
    printf("lost\n");
    fflush(stdout);
}

static err_t acquire(const char *lock, handle_t *out)
{
    err_t err = cluster_lock(cluster, DEADLINE_NEVER, 1, 0, 0, 0, lock, "", 0, &fence, out);
    if (err == E_OK)
        printf("held %llu\n", (unsigned long long)fence);
    fflush(stdout);
    return err;
}

static int plain(const char *name)
{
    handle_t other;
    say(call(name, HANDLE_NONE, 1), 1);
    if (acquire("another lock", &other))
        return 1;
    say(call(name, other, 2), 2);
    say(call(name, cluster, 3), 3);
    err_t err = cluster_unlock(cluster, os_deadline_ms(CALL_MS), fence, "another lock");
    say(err ? err : call(name, other, 4), 4);
    return err != E_OK;
}

int main(int argc, char **argv)
{
    struct os_thread *watcher;
    cluster = os_startup_handle(STARTUP_CLUSTER);
    if (argc == 5 && strcmp(argv[4], "plain") == 0)
        return plain(argv[1]);
    if (argc != 4) {
        fprintf(stderr, "fence_client: usage: fence_client NAME LOCK MS [plain]\n");
        return 2;
    }
    err_t err = acquire(argv[2], &held);
    if (!err)
        err = os_thread_create(watch, NULL, 0, 0, &watcher);
    if (err) {
        fprintf(stderr, "fence_client: error %u\n", err);
        return 1;
    }
    uint64_t number = 1;
    for (; !lost; number++) {
        say(call(argv[1], held, number), number);
        wait_ms((uint32_t)atoi(argv[3]));
    }
    for (uint32_t i = 0; i < MORE; i++, number++)
        say(call(argv[1], held, number), number);
    return 0;
}
