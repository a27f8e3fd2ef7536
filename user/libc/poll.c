/* poll and select: every descriptor's server is asked to signal one Notification, which is then waited for. */
#include <errno.h>
#include <idl/file.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <poll.h>
#include <string.h>
#include <sys/select.h>
#include <sys/time.h>

#include "libc.h"

#define READ_EVENTS  (POLLIN | POLLRDNORM)
#define WRITE_EVENTS (POLLOUT | POLLWRNORM)

/* One for each thread that ever polled; it lives as long as the process. */
static __thread handle_t notification;

static err_t notification_get(void)
{
    return notification ? E_OK : os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &notification);
}

static void look(struct pollfd *p, uint64_t bit, handle_t signal_to)
{
    uint32_t ready = 0,
             events = (p->events & READ_EVENTS ? POLL_READABLE : 0) | (p->events & WRITE_EVENTS ? POLL_WRITABLE : 0);
    p->revents = 0;
    if (p->fd < 0)
        return;
    struct open_file *file = file_of(p->fd);
    if (!file) {
        p->revents = POLLNVAL;
        return;
    }
    err_t err = file_poll(file->handle, DEADLINE_NEVER, events, bit, signal_to, &ready);
    file_release(file);
    if (err == E_NOT_SUPPORTED || err == E_BAD_SYSCALL) /* files: always ready */
        ready = events;
    else if (err != E_OK)
        p->revents = POLLERR;
    p->revents |= (ready & POLL_READABLE ? p->events & READ_EVENTS : 0) |
                  (ready & POLL_WRITABLE ? p->events & WRITE_EVENTS : 0) | (ready & POLL_HANGUP ? POLLHUP : 0);
}

static int look_all(struct pollfd *fds, nfds_t count, bool wait)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        /* Once something is ready nobody needs to signal any more. */
        look(&fds[i], 1ull << i % 62, wait && !ready ? notification : HANDLE_NONE);
        ready += fds[i].revents != 0;
    }
    return ready;
}

static int poll_until(struct pollfd *fds, nfds_t count, uint64_t deadline)
{
    uint64_t bits;
    if (libc_result(notification_get()))
        return -1;
    os_wait(notification, UINT64_MAX, DEADLINE_POLL, &bits); /* signals that an earlier poll did not wait for */
    for (;;) {
        int ready = look_all(fds, count, deadline != DEADLINE_POLL);
        if (ready || deadline == DEADLINE_POLL)
            return ready;
        err_t err = os_wait(notification, UINT64_MAX, deadline, &bits);
        if (err == E_TIMED_OUT)
            deadline = DEADLINE_POLL;
        else if (err != E_OK)
            return libc_result(err);
    }
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return poll_until(fds, count,
                      timeout_ms < 0    ? DEADLINE_NEVER
                      : timeout_ms == 0 ? DEADLINE_POLL
                                        : os_deadline_ms((uint64_t)timeout_ms));
}

static nfds_t gather(int count, const fd_set *readable, const fd_set *writable, struct pollfd *fds)
{
    nfds_t used = 0;
    for (int fd = 0; fd < count; fd++) {
        short events = (short)((readable && FD_ISSET(fd, readable) ? POLLIN : 0) |
                               (writable && FD_ISSET(fd, writable) ? POLLOUT : 0));
        if (events)
            fds[used++] = (struct pollfd){.fd = fd, .events = events};
    }
    return used;
}

static int scatter(const struct pollfd *fds, nfds_t count, fd_set *readable, fd_set *writable)
{
    int bits = 0;
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents & POLLNVAL) {
            errno = EBADF;
            return -1;
        }
        if ((fds[i].events & POLLIN) && (fds[i].revents & (POLLIN | POLLHUP | POLLERR)))
            FD_SET(fds[i].fd, readable), bits++;
        if ((fds[i].events & POLLOUT) && (fds[i].revents & (POLLOUT | POLLERR)))
            FD_SET(fds[i].fd, writable), bits++;
    }
    return bits;
}

int select(int count, fd_set *readable, fd_set *writable, fd_set *exceptional, struct timeval *timeout)
{
    struct pollfd fds[FDS_MAX];
    uint64_t deadline = DEADLINE_NEVER;
    if (count < 0 || count > FDS_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (timeout) {
        uint64_t us = (uint64_t)timeout->tv_sec * 1000000 + (uint64_t)timeout->tv_usec;
        deadline = us ? os_clock(CLOCK_ID_MONOTONIC_NS) + us * 1000 : DEADLINE_POLL;
    }
    nfds_t used = gather(count, readable, writable, fds);
    if (poll_until(fds, used, deadline) < 0)
        return -1;
    if (readable)
        FD_ZERO(readable);
    if (writable)
        FD_ZERO(writable);
    if (exceptional)
        FD_ZERO(exceptional);
    return scatter(fds, used, readable, writable);
}
