/* The table of descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <idl/file.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "libc.h"

struct descriptor {
    struct open_file *file;
    bool close_on_exec;
};

static struct os_mutex lock;
static struct descriptor table[FDS_MAX];

void file_release(struct open_file *file)
{
    if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        os_handle_close(file->handle);
        free(file);
    }
}

struct open_file *file_of(int fd)
{
    struct open_file *file = NULL;
    os_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS_MAX && (file = table[fd].file))
        __atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
    os_mutex_unlock(&lock);
    if (!file)
        errno = EBADF;
    return file;
}

/* Puts `file` (one reference of the caller's) at the lowest free place. */
static int place(struct open_file *file, int lowest, bool close_on_exec)
{
    os_mutex_lock(&lock);
    int fd = lowest;
    while (fd < FDS_MAX && table[fd].file)
        fd++;
    if (fd < FDS_MAX)
        table[fd] = (struct descriptor){file, close_on_exec};
    os_mutex_unlock(&lock);
    if (fd < FDS_MAX)
        return fd;
    file_release(file);
    errno = EMFILE;
    return -1;
}

int fd_open(handle_t handle, uint32_t kind, int flags, int lowest)
{
    struct open_file *file = calloc(1, sizeof *file);
    if (!file) {
        os_handle_close(handle);
        errno = ENOMEM;
        return -1;
    }
    *file = (struct open_file){.refs = 1, .handle = handle, .kind = kind, .flags = flags & ~O_CLOEXEC};
    return place(file, lowest, (flags & O_CLOEXEC) != 0);
}

void fd_start(void)
{
    const struct startup *startup = os_startup();
    for (int fd = 0; fd < 7; fd++) {
        handle_t handle = startup->handles[fd < 3 ? STARTUP_STDIN + fd : STARTUP_FDS + fd - 3];
        if (handle && (fd < 3 || startup->fd_mask >> fd & 1))
            fd_open(handle, 0, O_RDWR, fd);
    }
}

uint32_t file_kind(struct open_file *file)
{
    uint32_t kind, mode;
    uint64_t bytes, modified, inode;
    if (file->kind == 0 && file_stat(file->handle, DEADLINE_NEVER, &kind, &mode, &bytes, &modified, &inode) == E_OK)
        file->kind = kind;
    return file->kind;
}

uint64_t file_deadline(uint64_t timeout_ms)
{
    return timeout_ms ? os_deadline_ms(timeout_ms) : DEADLINE_NEVER;
}

err_t file_ready(struct open_file *file, uint32_t events)
{
    uint32_t ready = 0;
    err_t err = file_poll(file->handle, DEADLINE_NEVER, events, 0, HANDLE_NONE, &ready);
    if (err == E_NOT_SUPPORTED) /* files: never wait */
        return E_OK;
    return err == E_OK && !(ready & (events | POLL_HANGUP)) ? E_AGAIN : err;
}

bool fd_closes_on_exec(int fd)
{
    return table[fd].close_on_exec;
}

void fd_set_close_on_exec(int fd, bool on)
{
    table[fd].close_on_exec = on;
}

int close(int fd)
{
    struct open_file *file = NULL;
    os_mutex_lock(&lock);
    if (fd >= 0 && fd < FDS_MAX) {
        file = table[fd].file;
        table[fd] = (struct descriptor){0};
    }
    os_mutex_unlock(&lock);
    if (!file) {
        errno = EBADF;
        return -1;
    }
    file_release(file);
    return 0;
}

int dup(int fd)
{
    struct open_file *file = file_of(fd);
    return file ? place(file, 0, false) : -1;
}

int dup2(int from, int to)
{
    struct open_file *file = file_of(from), *before = NULL;
    if (!file)
        return -1;
    if (to < 0 || to >= FDS_MAX) {
        file_release(file);
        errno = EBADF;
        return -1;
    }
    os_mutex_lock(&lock);
    before = table[to].file;
    if (from != to)
        table[to] = (struct descriptor){file, false};
    os_mutex_unlock(&lock);
    if (from == to)
        file_release(file);
    else if (before)
        file_release(before);
    return to;
}

static int control(struct open_file *file, int fd, int command, long argument)
{
    const int settable = O_APPEND | O_NONBLOCK;
    switch (command) {
    case F_GETFD:
        return fd_closes_on_exec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
        fd_set_close_on_exec(fd, argument & FD_CLOEXEC);
        return 0;
    case F_GETFL:
        return file->flags;
    case F_SETFL:
        file->flags = (file->flags & ~settable) | ((int)argument & settable);
        return 0;
    default:
        errno = EINVAL;
        return -1;
    }
}

int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
        if (argument >= 0 && argument < FDS_MAX)
            return place(file, (int)argument, command == F_DUPFD_CLOEXEC);
        file_release(file);
        errno = EINVAL;
        return -1;
    }
    int result = control(file, fd, command, argument);
    file_release(file);
    return result;
}
