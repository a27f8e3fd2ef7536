/* read and write. Short ones go inline; longer ones through one Memory that the process keeps for that. */
#include <errno.h>
#include <fcntl.h>
#include <idl/file.h>
#include <os/memory.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libc.h"

static struct os_mutex transfer_lock;
static struct os_memory transfer;

/* The transfer Memory, if nobody else uses it just now; whoever gets false goes inline. */
static bool transfer_take(void)
{
    if (!os_mutex_try(&transfer_lock))
        return false;
    if (transfer.at || os_memory_create(IPC_LENT_MAX, 0, &transfer) == E_OK)
        return true;
    os_mutex_unlock(&transfer_lock);
    return false;
}

static err_t read_bulk(struct open_file *file, uint64_t offset, void *to, size_t bytes, uint64_t deadline,
                       uint32_t *count_out)
{
    bytes = bytes < IPC_LENT_MAX ? bytes : IPC_LENT_MAX;
    err_t err = file_read_bulk(file->handle, deadline, offset, transfer.handle, 0, bytes, count_out);
    if (err == E_OK && *count_out > bytes)
        err = E_BAD_MESSAGE;
    if (err == E_OK)
        memcpy(to, transfer.at, *count_out);
    os_mutex_unlock(&transfer_lock);
    return err;
}

static err_t read_some(struct open_file *file, uint64_t offset, void *to, size_t bytes, uint32_t *count_out)
{
    uint64_t deadline = file_deadline(file->receive_ms);
    uint32_t inline_bytes = bytes < FILE_READ_DATA_MAX ? (uint32_t)bytes : FILE_READ_DATA_MAX;
    if (file->flags & O_NONBLOCK) {
        err_t err = file_ready(file, POLL_READABLE);
        if (err != E_OK)
            return err;
    }
    if (bytes > FILE_READ_DATA_MAX && transfer_take())
        return read_bulk(file, offset, to, bytes, deadline, count_out);
    return file_read(file->handle, deadline, offset, inline_bytes, to, inline_bytes, count_out);
}

static err_t write_some(struct open_file *file, uint64_t offset, const void *from, size_t bytes, uint32_t *count_out)
{
    uint64_t deadline = file_deadline(file->send_ms);
    uint32_t inline_bytes = bytes < FILE_WRITE_DATA_MAX ? (uint32_t)bytes : FILE_WRITE_DATA_MAX;
    if (bytes <= FILE_WRITE_DATA_MAX || !transfer_take())
        return file_write(file->handle, deadline, offset, from, inline_bytes, count_out);
    bytes = bytes < IPC_LENT_MAX ? bytes : IPC_LENT_MAX;
    memcpy(transfer.at, from, bytes);
    err_t err = file_write_bulk(file->handle, deadline, offset, transfer.handle, 0, bytes, count_out);
    os_mutex_unlock(&transfer_lock);
    return err;
}

/* Time-outs of sockets are EAGAIN in POSIX. */
static int io_result(struct open_file *file, err_t err)
{
    return libc_result(err == E_TIMED_OUT && file->kind == FILE_SOCKET ? E_AGAIN : err);
}

static ssize_t read_at(int fd, uint64_t offset, void *to, size_t bytes)
{
    uint32_t count = 0;
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    err_t err = bytes ? read_some(file, offset, to, bytes, &count) : E_OK;
    int result = io_result(file, err);
    file_release(file);
    return result ? -1 : (ssize_t)count;
}

/* Everything, unless an error comes; what was written before it counts. */
static err_t write_all(struct open_file *file, uint64_t offset, const char *from, size_t bytes, size_t *done)
{
    err_t err = E_OK;
    while (err == E_OK && *done < bytes) {
        uint32_t count = 0;
        if (file->flags & O_NONBLOCK)
            err = file_ready(file, POLL_WRITABLE);
        if (err == E_OK)
            err = write_some(file, offset == FILE_OFFSET_OWN ? offset : offset + *done, from + *done, bytes - *done,
                             &count);
        if (err == E_OK && (count == 0 || count > bytes - *done))
            err = E_IO;
        if (err == E_OK)
            *done += count;
    }
    return err;
}

static ssize_t write_at(int fd, uint64_t offset, const void *from, size_t bytes)
{
    size_t done = 0;
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    err_t err = write_all(file, offset, from, bytes, &done);
    int result = done ? 0 : io_result(file, err);
    file_release(file);
    if (err == E_PIPE && !done)
        signal_raise_pipe();
    return result ? -1 : (ssize_t)done;
}

ssize_t read(int fd, void *to, size_t bytes)
{
    return read_at(fd, FILE_OFFSET_OWN, to, bytes);
}

ssize_t write(int fd, const void *from, size_t bytes)
{
    return write_at(fd, FILE_OFFSET_OWN, from, bytes);
}

ssize_t pread(int fd, void *to, size_t bytes, off_t offset)
{
    if (offset < 0)
        return libc_result(E_INVALID);
    return read_at(fd, (uint64_t)offset, to, bytes);
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t offset)
{
    if (offset < 0)
        return libc_result(E_INVALID);
    return write_at(fd, (uint64_t)offset, from, bytes);
}

ssize_t readv(int fd, const struct iovec *pieces, int count)
{
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t got = read(fd, pieces[i].iov_base, pieces[i].iov_len);
        if (got < 0)
            return total ? total : -1;
        total += got;
        if ((size_t)got < pieces[i].iov_len)
            break;
    }
    return total;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t put = write(fd, pieces[i].iov_base, pieces[i].iov_len);
        if (put < 0)
            return total ? total : -1;
        total += put;
    }
    return total;
}

off_t lseek(int fd, off_t offset, int whence)
{
    uint64_t position = 0;
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    err_t err = file_seek(file->handle, DEADLINE_NEVER, offset, (uint32_t)whence, &position);
    file_release(file);
    if (err == E_PIPE || err == E_NOT_SUPPORTED || err == E_BAD_SYSCALL) {
        errno = ESPIPE;
        return -1;
    }
    return libc_result(err) ? -1 : (off_t)position;
}
