/* authority try NAME       asks everything of the cluster service, with NAME as key, lock and name: a line for each
 *                          operation, "OP refused" or "OP allowed"
 * authority widen          tries to get a wider handle than its own
 * authority session KEY    opens a client session, appends under it, says its number, and stays until it is ended
 * authority fill           opens client sessions until that is refused, says how many it got and why no more, and stays
 * authority flood          proposes and gives up at once until that is refused, says how often and why no more, and
 * stays authority append KEY N   appends under session N of another authority unlock NAME F  releases a lock by its
 * fence authority bare NODE      starts `allow` on another node without giving it a handle to the cluster
 */
#include <abi/cluster.h>
#include <idl/cluster.h>
#include <os/service.h>
#include <os/spawn.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static handle_t cluster, endpoint;
static uint8_t bytes[4096];

static uint64_t soon(void)
{
    return os_deadline_ms(60000);
}

static void tell(const char *op, err_t err)
{
    if (err == E_NO_RIGHT || err == E_OK || err == E_NOT_FOUND || err == E_NO_SESSION || err == E_EXISTS)
        printf("%s %s\n", op, err == E_NO_RIGHT ? "refused" : "allowed");
    else
        printf("%s error %u\n", op, (unsigned)err);
}

static void try_reading(const char *name)
{
    uint64_t revision;
    uint32_t n, next;
    tell("status", cluster_status(cluster, soon(), bytes, sizeof bytes, &n));
    tell("nodes", cluster_nodes(cluster, soon(), 0, &next, bytes, sizeof bytes, &n));
    tell("raft", cluster_raft(cluster, soon(), bytes, sizeof bytes, &n));
    tell("wait_state", cluster_wait_state(cluster, soon(), CLUSTER_LOCAL, &n));
    tell("get", cluster_get(cluster, soon(), name, &revision, bytes, sizeof bytes, &n));
    tell("list", cluster_list(cluster, soon(), name, "", bytes, sizeof bytes, &n));
    tell("lock_list", cluster_lock_list(cluster, soon(), 0, &next, bytes, sizeof bytes, &n));
    tell("job_list", cluster_job_list(cluster, soon(), 0, &next, bytes, sizeof bytes, &n));
}

static void try_writing(const char *name)
{
    uint64_t number = 0, fence = 1;
    handle_t handle;
    tell("put", cluster_put(cluster, soon(), UINT64_MAX, name, "v", 1, &number));
    tell("del", cluster_del(cluster, soon(), UINT64_MAX, name, &number));
    tell("session_open", cluster_session_open(cluster, soon(), &number));
    tell("append", cluster_append(cluster, soon(), number, 1, name, "v", 1, &number));
    tell("lock", cluster_lock(cluster, soon(), 1, 1, 0, 0, name, NULL, 0, &fence, &handle));
    tell("unlock", cluster_unlock(cluster, soon(), fence, name));
    tell("name_register", cluster_name_register(cluster, soon(), name, endpoint));
    tell("name_lookup", cluster_name_lookup(cluster, soon(), name, &handle));
}

static void try_the_rest(void)
{
    uint64_t job = 0, fence;
    uint32_t instance, length;
    static char command[CLUSTER_JOB_NEXT_COMMAND_MAX + 1];
    handle_t handle;
    tell("node_service", cluster_node_service(cluster, soon(), 1, "process", &handle));
    tell("job_submit", cluster_job_submit(cluster, soon(), 1, "true", &job));
    tell("job_kill", cluster_job_kill(cluster, soon(), UINT64_MAX));
    tell("node_offer", cluster_node_offer(cluster, soon(), "fake", endpoint));
    tell("job_next", cluster_job_next(cluster, os_deadline_ms(1000), &job, &instance, &fence, command, &handle));
    tell("job_stop_next", cluster_job_stop_next(cluster, os_deadline_ms(1000), &job, &instance, &fence));
    tell("key", cluster_key(cluster, soon(), CLUSTER_KEY_LOOK, NULL, 0, &instance, bytes, sizeof bytes, &length));
    tell("job_report", cluster_job_report(cluster, soon(), 1, 0, 3, 1, 0, 0));
}

static int widen(void)
{
    uint32_t classes;
    char prefix[CLUSTER_PREFIX_MAX + 1];
    handle_t handle;
    if (cluster_permissions(cluster, soon(), &classes, prefix) != E_OK)
        return 1;
    for (uint32_t bit = 1; bit <= CLUSTER_MAY_ALL; bit <<= 1) {
        err_t err = cluster_narrow(cluster, soon(), classes | bit, prefix, &handle);
        if (err != (bit & classes ? E_OK : E_NO_RIGHT))
            return printf("class 0x%x: error %u\n", (unsigned)bit, (unsigned)err), 1;
    }
    if (prefix[0]) {
        prefix[strlen(prefix) - 1] = 0;
        if (cluster_narrow(cluster, soon(), classes, prefix, &handle) != E_NO_RIGHT)
            return puts("a shorter prefix was had"), 1;
    }
    if (cluster_name_register(cluster, soon(), "cluster-itself", cluster) == E_OK)
        return puts("the service itself was registered"), 1;
    puts("never wider");
    return 0;
}

static int start_there(uint32_t node, handle_t given)
{
    static char *const words[] = {"allow", NULL}, *const environment[] = {NULL};
    struct spawned spawned;
    struct spawn_end end;
    struct spawn s = {.path = "/bin/allow", .arguments = words, .environment = environment, .deadline = soon()};
    s.no_cluster = !given;
    s.handles[STARTUP_CLUSTER] = given;
    s.handles[STARTUP_NAMES] = os_startup_handle(STARTUP_NAMES);
    for (uint32_t fd = 0; fd < 3; fd++)
        os_spawn_fd(&s, fd, os_startup_handle(STARTUP_STDIN + fd));
    err_t err = cluster_node_service(cluster, soon(), node, "process", &s.service);
    if (!err)
        err = os_spawn(&s, &spawned);
    if (!err)
        err = os_spawn_wait(&spawned, soon(), &end);
    if (err)
        return printf("error %u\n", (unsigned)err), 1;
    return (int)os_spawn_status(&end);
}

static int hold_session(const char *key)
{
    uint64_t session, revision;
    uint32_t word = 0;
    err_t err = cluster_session_open(cluster, soon(), &session);
    if (!err)
        err = cluster_append(cluster, soon(), session, 1, key, "v", 1, &revision);
    if (err)
        return printf("error %u\n", (unsigned)err), 1;
    printf("session %llu\n", (unsigned long long)session);
    fflush(stdout);
    (void)os_futex_wait(&word, 0, DEADLINE_NEVER);
    return 0;
}

static int stay(void)
{
    uint32_t word = 0;
    fflush(stdout);
    (void)os_futex_wait(&word, 0, DEADLINE_NEVER);
    return 0;
}

static int fill_sessions(void)
{
    uint64_t session;
    uint32_t count = 0;
    err_t err;
    while ((err = cluster_session_open(cluster, soon(), &session)) == E_OK)
        count++;
    printf("%u sessions, then error %u\n", (unsigned)count, (unsigned)err);
    return stay();
}

static int flood(void)
{
    uint64_t revision;
    uint32_t count = 0;
    err_t err;
    do {
        err = cluster_put(cluster, os_deadline_ms(20), UINT64_MAX, "flood", "x", 1, &revision);
        count += err == E_UNKNOWN; /* and not when it was too late to ask at all */
    } while (err == E_UNKNOWN || err == E_TIMED_OUT);
    printf("%u unknown, then error %u\n", (unsigned)count, (unsigned)err);
    return stay();
}

static int tell_one(const char *op, err_t err)
{
    tell(op, err);
    return 0;
}

int main(int argc, char **argv)
{
    cluster = os_startup_handle(STARTUP_CLUSTER);
    if (!cluster || os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &endpoint))
        return puts("nothing to ask"), 1;
    if (argc == 3 && strcmp(argv[1], "try") == 0)
        return try_reading(argv[2]), try_writing(argv[2]), try_the_rest(), 0;
    if (argc == 2 && strcmp(argv[1], "widen") == 0)
        return widen();
    uint64_t revision, number = argc == 4 ? strtoull(argv[3], NULL, 10) : 0;
    if (argc == 3 && strcmp(argv[1], "session") == 0)
        return hold_session(argv[2]);
    if (argc == 2 && strcmp(argv[1], "fill") == 0)
        return fill_sessions();
    if (argc == 2 && strcmp(argv[1], "flood") == 0)
        return flood();
    if (argc == 4 && strcmp(argv[1], "append") == 0)
        return tell_one("append", cluster_append(cluster, soon(), number, 2, argv[2], "w", 1, &revision));
    if (argc == 4 && strcmp(argv[1], "unlock") == 0)
        return tell_one("unlock", cluster_unlock(cluster, soon(), number, argv[2]));
    if (argc == 3 && strcmp(argv[1], "bare") == 0)
        return start_there((uint32_t)atoi(argv[2]), HANDLE_NONE);
    return puts("see the source"), 2;
}
