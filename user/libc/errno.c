/* From Shoal's errors to POSIX's. */
#include <errno.h>

#include "libc.h"

static const unsigned char numbers[E_COUNT] = {
    [E_NOT_DELIVERED] = EHOSTUNREACH,
    [E_UNKNOWN] = EIO,
    [E_GONE] = EIO,
    [E_DROPPED] = EIO,
    [E_INVALID] = EINVAL,
    [E_BAD_HANDLE] = EBADF,
    [E_WRONG_TYPE] = EBADF,
    [E_NO_RIGHT] = EACCES,
    [E_BAD_POINTER] = EFAULT,
    [E_NO_MEMORY] = ENOMEM,
    [E_FULL] = ENOSPC,
    [E_TIMED_OUT] = ETIMEDOUT,
    [E_INTERRUPTED] = EINTR,
    [E_NODE_BOUND] = EINVAL,
    [E_BAD_SYSCALL] = ENOSYS,
    [E_RANGE] = EINVAL,
    [E_BUSY] = EBUSY,
    [E_EXISTS] = EEXIST,
    [E_NOT_FOUND] = ENOENT,
    [E_NO_ENTRY] = ENOENT,
    [E_NOT_DIRECTORY] = ENOTDIR,
    [E_IS_DIRECTORY] = EISDIR,
    [E_NOT_EMPTY] = ENOTEMPTY,
    [E_READ_ONLY] = EROFS,
    [E_ACCESS] = EACCES,
    [E_IO] = EIO,
    [E_TOO_LONG] = ENAMETOOLONG,
    [E_AGAIN] = EAGAIN,
    [E_NOT_SUPPORTED] = ENOTSUP,
    [E_BAD_MESSAGE] = EPROTO,
    [E_PIPE] = EPIPE,
    [E_BAD_IMAGE] = ENOEXEC,
    [E_CONN_REFUSED] = ECONNREFUSED,
    [E_CONN_RESET] = ECONNRESET,
    [E_NOT_CONNECTED] = ENOTCONN,
    [E_ADDR_IN_USE] = EADDRINUSE,
    [E_UNREACHABLE] = EHOSTUNREACH,
    [E_CONFLICT] = EAGAIN,
    [E_STALE_FENCE] = EPERM,
    [E_NO_SESSION] = EPERM,
    [E_NO_CHILD] = ECHILD,
    [E_CORRUPT] = EIO,
    [E_UPWARD] = EDEADLK,
    [E_COMPACTED] = ESTALE,
};

int libc_errno(err_t err)
{
    return err < E_COUNT && numbers[err] ? numbers[err] : EIO;
}

int libc_result(err_t err)
{
    if (err == E_OK)
        return 0;
    errno = libc_errno(err);
    return -1;
}
