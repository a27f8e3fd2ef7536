/* Waiting for, and killing, processes. Each child has a bit of one Notification, which its process server signals. */
#include <abi/ids.h>
#include <abi/info.h>
#include <errno.h>
#include <idl/control.h>
#include <idl/process.h>
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

/* A process's own control endpoint also answers the process service, so that children run on the node where their parent
 * runs, whichever node its name space is on. The name space is asked where there is no such endpoint. */
handle_t children_server(void)
{
    static handle_t server;
    handle_t own = os_startup_handle(STARTUP_CONTROL), found;
    if (own)
        return own;
    os_mutex_lock(&table_lock);
    if (!server && libc_service("process", &found) == E_OK)
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
    err_t err = control_watch(control, DEADLINE_NEVER, notification, 1ull << (child - children));
    if (err == E_OK)
        *child = (struct child){.process_id = process_id, .control = control};
    return err;
}

err_t children_add(handle_t control, uint64_t process_id)
{
    err_t err = E_FULL;
    os_mutex_lock(&table_lock);
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (children[i].process_id)
            continue;
        err = watch(&children[i], control, process_id);
        break;
    }
    os_mutex_unlock(&table_lock);
    return err;
}

void children_forget(uint64_t process_id)
{
    os_mutex_lock(&table_lock);
    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (children[i].process_id != process_id)
            continue;
        os_handle_close(children[i].control);
        children[i] = (struct child){0};
    }
    os_mutex_unlock(&table_lock);
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

/* Takes a child that has ended out of the table. */
static pid_t reap(struct child *child, int *status)
{
    uint32_t cause = EXIT_KILLED, code = SIGKILL;
    pid_t pid = (pid_t)PROCESS_ID_SERIAL(child->process_id);
    err_t err = control_wait(child->control, DEADLINE_NEVER, &cause, &code, NULL);
    os_handle_close(child->control);
    *child = (struct child){0};
    if (err != E_OK && err != E_GONE)
        return libc_result(err);
    if (status)
        *status = err == E_GONE ? SIGKILL : status_of(cause, code);
    return pid;
}

/* A child whose process server is gone is never signalled; asking it is how one finds out. */
static pid_t wait_step(pid_t pid, int *status, bool wait)
{
    uint64_t bits;
    os_mutex_lock(&table_lock);
    uint64_t meant = children_meant(pid);
    struct child *child = ended_among(meant);
    pid_t result = child ? reap(child, status) : 0;
    os_mutex_unlock(&table_lock);
    if (!meant) {
        errno = ECHILD;
        return -1;
    }
    if (child)
        return result;
    err_t err = os_wait(notification, UINT64_MAX, wait ? DEADLINE_NEVER : DEADLINE_POLL, &bits);
    if (err == E_TIMED_OUT || (err == E_OK && !bits))
        return 0;
    if (err != E_OK)
        return libc_result(err);
    os_mutex_lock(&table_lock);
    mark_ended(bits);
    child = ended_among(children_meant(pid));
    result = child ? reap(child, status) : 0;
    os_mutex_unlock(&table_lock);
    return result;
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
        err_t err = process_find(children_server(), DEADLINE_NEVER, PROCESS_ID(PROCESS_ID_NODE(own), (uint32_t)pid), NULL);
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
