/* Signals. Those that a process sends itself run their handler at once, in the sending thread; those from outside end
 * the process (the process server does that), since nothing can interrupt a thread in the middle of its code. */
#include <abi/info.h>
#include <errno.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "libc.h"

#define SIGNALS 32

static struct os_mutex lock;
static struct sigaction actions[SIGNALS];
static __thread sigset_t blocked, pending;

static _Noreturn void end_by(int signal)
{
    os_control(os_process(), OP_PROCESS_KILL, EXIT_KILLED, (uint64_t)signal, 0, 0);
    os_exit(1, 128 + (uint32_t)signal);
}

static bool ignored_by_default(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGCONT || signal == SIGWINCH;
}

static void deliver(int signal)
{
    os_mutex_lock(&lock);
    struct sigaction action = actions[signal];
    os_mutex_unlock(&lock);
    if (action.sa_handler == SIG_IGN || (action.sa_handler == SIG_DFL && ignored_by_default(signal)))
        return;
    if (action.sa_handler == SIG_DFL)
        end_by(signal);
    sigset_t before = blocked;
    blocked |= action.sa_mask | (sigset_t)1 << signal;
    action.sa_handler(signal);
    blocked = before;
}

static void deliver_pending(void)
{
    for (int signal = 1; signal < SIGNALS; signal++) {
        sigset_t bit = (sigset_t)1 << signal;
        if ((pending & bit) && !(blocked & bit)) {
            pending &= ~bit;
            deliver(signal);
        }
    }
}

static bool signal_good(int signal)
{
    if (signal > 0 && signal < SIGNALS)
        return true;
    errno = EINVAL;
    return false;
}

int raise(int signal)
{
    if (!signal_good(signal))
        return -1;
    pending |= (sigset_t)1 << signal;
    deliver_pending();
    return 0;
}

void signal_raise_pipe(void)
{
    int before = errno;
    raise(SIGPIPE);
    errno = before;
}

int sigaction(int signal, const struct sigaction *action, struct sigaction *before)
{
    if (!signal_good(signal))
        return -1;
    if (action && (signal == SIGKILL || signal == SIGSTOP)) {
        errno = EINVAL;
        return -1;
    }
    os_mutex_lock(&lock);
    if (before)
        *before = actions[signal];
    if (action)
        actions[signal] = *action;
    os_mutex_unlock(&lock);
    return 0;
}

_sig_func_ptr signal(int number, _sig_func_ptr handler)
{
    struct sigaction action = {.sa_handler = handler}, before;
    return sigaction(number, &action, &before) ? SIG_ERR : before.sa_handler;
}

int sigprocmask(int how, const sigset_t *change, sigset_t *before)
{
    if (before)
        *before = blocked;
    if (!change)
        return 0;
    if (how == SIG_BLOCK)
        blocked |= *change;
    else if (how == SIG_UNBLOCK)
        blocked &= ~*change;
    else
        blocked = *change;
    deliver_pending();
    return 0;
}

int pthread_sigmask(int how, const sigset_t *change, sigset_t *before)
{
    return sigprocmask(how, change, before);
}

int sigpending(sigset_t *set)
{
    *set = pending;
    return 0;
}

_Noreturn void abort(void)
{
    raise(SIGABRT);
    end_by(SIGABRT);
}

int pause(void)
{
    uint32_t never_woken = 0;
    os_futex_wait(&never_woken, 0, DEADLINE_NEVER);
    errno = EINTR;
    return -1;
}
