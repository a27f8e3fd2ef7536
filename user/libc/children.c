/* Waiting for, and killing, processes. Each child has a bit of one Notification, which its process server signals. */
#include <abi/ids.h>
#include <abi/info.h>
#include <errno.h>
#include <idl/control.h>
#include <idl/process.h>
#include <os/spawn.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "libc.h"

#define CHILDREN_MAX 63

struct child {
    uint64_t process_id; /* 0: free */
    handle_t control;
    bool ended;
};

static struct os_mutex table_lock; /* over the table */
static struct os_mutex wait_lock;  /* whoever has it takes bits from the Notification */
static struct child children[CHILDREN_MAX];
static handle_t notification;

handle_t children_server(void)
{
    static handle_t server;
    handle_t found;
    os_mutex_lock(&table_lock);
    if (!server && os_spawn_service(DEADLINE_NEVER, &found) == E_OK)
        server = found;
    os_mutex_unlock(&table_lock);
    return server;
}

static err_t watch(struct child *child, handle_t control, uint64_t process_id)
{
    if (!notification) {
        err_t err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &notification);
        if (err != E_OK)
            return err;
    }
    uint64_t bit = 1ull << (child - children), stale;
    os_wait(notification, bit, DEADLINE_POLL, &stale);
    err_t err = control_watch(control, DEADLINE_NEVER, notification, bit);
    if (err == E_OK)
        *child = (struct child){.process_id = process_id, .control = control};
    return err;
}

/* Places are used in turn, so that a late signal for a child that was awaited does not meet the next one. */
err_t children_add(handle_t control, uint64_t process_id)
{
    static int next;
    err_t err = E_FULL;
    os_mutex_lock(&table_lock);
    for (int tries = 0; tries < CHILDREN_MAX; tries++) {
        struct child *child = &children[next++ % CHILDREN_MAX];
        if (child->process_id)
            continue;
        err = watch(child, control, process_id);
        break;
    }
    os_mutex_unlock(&table_lock);
    return err;
}

static int status_of(uint32_t cause, uint32_t code)
{
    static const unsigned char fault_signals[] = {
        [FAULT_READ] = SIGSEGV,       [FAULT_WRITE] = SIGSEGV,     [FAULT_EXEC] = SIGSEGV,
        [FAULT_INSTRUCTION] = SIGILL, [FAULT_ARITHMETIC] = SIGFPE, [FAULT_BREAKPOINT] = SIGTRAP,
        [FAULT_ALIGNMENT] = SIGBUS,   [FAULT_PROTECTION] = SIGSEGV};
    switch (cause) {
    case EXIT_EXITED:
        return (int)(code & 0xff) << 8;
    case EXIT_KILLED:
        return code && code < 127 ? (int)code : SIGKILL;
    case EXIT_FAULT:
        return code && code < sizeof fault_signals ? fault_signals[code] : SIGSEGV;
    case EXIT_NODE_LOST:
        return SIGHUP;
    default:
        return SIGKILL;
    }
}

/* Bits of the children that `pid` means; 0: none. */
static uint64_t children_meant(pid_t pid)
{
    uint64_t bits = 0;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i].process_id && (pid == -1 || (pid_t)PROCESS_ID_SERIAL(children[i].process_id) == pid))
            bits |= 1ull << i;
    return bits;
}

static struct child *only_one(uint64_t bits)
{
    return bits && !(bits & (bits - 1)) ? &children[__builtin_ctzll(bits)] : NULL;
}

static struct child *ended_among(uint64_t bits)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if ((bits >> i & 1) && children[i].ended)
            return &children[i];
    return NULL;
}

static void mark_ended(uint64_t bits)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (bits >> i & 1)
            children[i].ended = true;
}

/* Waits for a child's end and takes it out of the table. Only the holder of wait_lock removes children. */
static pid_t reap(struct child *child, int *status)
{
    struct spawned spawned = {child->control, child->process_id};
    struct spawn_end end = {.cause = EXIT_KILLED, .code = SIGKILL}; /* for one that nobody knows any more */
    err_t err = os_spawn_wait(&spawned, DEADLINE_NEVER, &end);
    os_mutex_lock(&table_lock);
    child->control = spawned.control;
    if (err != E_INTERRUPTED) {
        os_handle_close(child->control);
        *child = (struct child){0};
    }
    os_mutex_unlock(&table_lock);
    if (err == E_INTERRUPTED)
        return libc_result(err);
    if (status)
        *status = status_of(end.cause, end.code);
    return (pid_t)PROCESS_ID_SERIAL(spawned.process_id);
}

/* One look, and if need be one wait. 0: look again. */
static pid_t wait_step(pid_t pid, int *status, bool wait)
{
    uint64_t bits;
    os_mutex_lock(&table_lock);
    uint64_t meant = children_meant(pid);
    struct child *child = ended_among(meant);
    os_mutex_unlock(&table_lock);
    if (!meant) {
        errno = ECHILD;
        return -1;
    }
    if (!child && wait)
        child = only_one(meant);
    if (child)
        return reap(child, status);
    err_t err = os_wait(notification, UINT64_MAX, wait ? DEADLINE_NEVER : DEADLINE_POLL, &bits);
    if (err != E_OK)
        return err == E_TIMED_OUT ? 0 : libc_result(err);
    os_mutex_lock(&table_lock);
    mark_ended(bits);
    child = ended_among(children_meant(pid));
    os_mutex_unlock(&table_lock);
    return child ? reap(child, status) : 0;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    pid_t result;
    if (pid < -1 || pid == 0)
        pid = -1; /* there are no process groups: all children */
    os_mutex_lock(&wait_lock);
    do
        result = wait_step(pid, status, !(options & WNOHANG));
    while (result == 0 && !(options & WNOHANG));
    os_mutex_unlock(&wait_lock);
    return result;
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

static handle_t child_control(pid_t pid)
{
    handle_t control = HANDLE_NONE;
    os_mutex_lock(&table_lock);
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i].process_id && (pid_t)PROCESS_ID_SERIAL(children[i].process_id) == pid)
            control = children[i].control;
    os_mutex_unlock(&table_lock);
    return control;
}

int kill(pid_t pid, int signal)
{
    uint64_t own = os_startup()->process_id;
    if (signal < 0 || signal > 31 || pid <= 0) {
        errno = EINVAL;
        return -1;
    }
    if (pid == getpid())
        return signal ? raise(signal) : 0;
    handle_t control = child_control(pid);
    if (signal == 0) {
        if (control)
            return 0;
        err_t err =
            process_find(children_server(), DEADLINE_NEVER, PROCESS_ID(PROCESS_ID_NODE(own), (uint32_t)pid), NULL);
        errno = ESRCH;
        return err == E_OK ? 0 : -1;
    }
    err_t err = control ? control_kill(control, DEADLINE_NEVER, (uint32_t)signal)
                        : process_kill(children_server(), DEADLINE_NEVER,
                                       PROCESS_ID(PROCESS_ID_NODE(own), (uint32_t)pid), (uint32_t)signal);
    if (err != E_NOT_FOUND)
        return libc_result(err);
    errno = ESRCH;
    return -1;
}
