/* Files by name. */
#include <errno.h>
#include <fcntl.h>
#include <idl/file.h>
#include <idl/names.h>
#include <reent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

#include "libc.h"

static mode_t creation_mask = 022;

static uint32_t open_flags(int flags)
{
    static const uint32_t access[4] = {OPEN_READ, OPEN_WRITE, OPEN_READ | OPEN_WRITE, OPEN_READ};
    return access[flags & O_ACCMODE] | (flags & O_CREAT ? OPEN_CREATE : 0) | (flags & O_EXCL ? OPEN_EXCLUSIVE : 0) |
           (flags & O_TRUNC ? OPEN_TRUNCATE : 0) | (flags & O_APPEND ? OPEN_APPEND : 0) |
           (flags & O_DIRECTORY ? OPEN_DIRECTORY : 0);
}

int open(const char *path, int flags, ...)
{
    char absolute[PATH_MAX_BYTES];
    handle_t handle;
    uint32_t kind;
    uint64_t bytes;
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t) & ~creation_mask;
        va_end(arguments);
    }
    if (path_absolute(path, absolute) || libc_result(names_open(libc_names(), DEADLINE_NEVER, open_flags(flags), mode,
                                                                absolute, &handle, &kind, &bytes)))
        return -1;
    return fd_open(handle, kind, flags, 0);
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

static mode_t mode_of(uint32_t kind, uint32_t permissions)
{
    static const mode_t kinds[] = {[FILE_REGULAR] = S_IFREG, [FILE_DIRECTORY] = S_IFDIR, [FILE_TERMINAL] = S_IFCHR,
                                   [FILE_PIPE] = S_IFIFO,    [FILE_SERVICE] = S_IFCHR,   [FILE_SOCKET] = S_IFSOCK};
    return (kind < sizeof kinds / sizeof *kinds ? kinds[kind] : 0) | (permissions & 07777);
}

static void fill_status(struct stat *status, uint32_t kind, uint32_t mode, uint64_t bytes, uint64_t modified_ns,
                        uint64_t inode)
{
    memset(status, 0, sizeof *status);
    status->st_mode = mode_of(kind, mode);
    status->st_ino = inode;
    status->st_nlink = 1;
    status->st_size = (off_t)bytes;
    status->st_blksize = 4096;
    status->st_blocks = (blkcnt_t)((bytes + 511) / 512);
    status->st_mtim.tv_sec = (time_t)(modified_ns / 1000000000);
    status->st_mtim.tv_nsec = (long)(modified_ns % 1000000000);
    status->st_atim = status->st_ctim = status->st_mtim;
}

int stat(const char *restrict path, struct stat *restrict status)
{
    char absolute[PATH_MAX_BYTES];
    uint32_t kind, mode;
    uint64_t bytes, modified_ns, inode;
    if (path_absolute(path, absolute) ||
        libc_result(names_stat(libc_names(), DEADLINE_NEVER, absolute, &kind, &mode, &bytes, &modified_ns, &inode)))
        return -1;
    fill_status(status, kind, mode, bytes, modified_ns, inode);
    return 0;
}

int lstat(const char *restrict path, struct stat *restrict status)
{
    return stat(path, status);
}

int fstat(int fd, struct stat *status)
{
    uint32_t kind, mode;
    uint64_t bytes, modified_ns, inode;
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    err_t err = file_stat(file->handle, DEADLINE_NEVER, &kind, &mode, &bytes, &modified_ns, &inode);
    if (err == E_OK)
        fill_status(status, kind, mode, bytes, modified_ns, inode);
    file_release(file);
    return libc_result(err);
}

/* Nobody is refused by permission bits but by what a name space allows, so existing is enough. */
int access(const char *path, int wanted)
{
    struct stat status;
    if (stat(path, &status))
        return -1;
    if ((wanted & X_OK) && S_ISREG(status.st_mode) && !(status.st_mode & 0111)) {
        errno = EACCES;
        return -1;
    }
    if ((wanted & W_OK) && !(status.st_mode & 0222)) {
        errno = EROFS;
        return -1;
    }
    return 0;
}

static int remove_name(const char *path, bool directory)
{
    char absolute[PATH_MAX_BYTES];
    if (path_absolute(path, absolute))
        return -1;
    return libc_result(names_unlink(libc_names(), DEADLINE_NEVER, directory, absolute));
}

int unlink(const char *path)
{
    return remove_name(path, false);
}

int rmdir(const char *path)
{
    return remove_name(path, true);
}

int remove(const char *path)
{
    return unlink(path) == 0 || (errno == EISDIR && rmdir(path) == 0) ? 0 : -1;
}

/* newlib's own calls come this way; the thread is always the calling one. */
int _remove_r(struct _reent *thread, const char *path)
{
    return remove(path);
}

int rename(const char *from, const char *to)
{
    char absolute_from[PATH_MAX_BYTES], absolute_to[PATH_MAX_BYTES];
    if (path_absolute(from, absolute_from) || path_absolute(to, absolute_to))
        return -1;
    return libc_result(names_rename(libc_names(), DEADLINE_NEVER, absolute_from, absolute_to));
}

int mkdir(const char *path, mode_t mode)
{
    char absolute[PATH_MAX_BYTES];
    if (path_absolute(path, absolute))
        return -1;
    return libc_result(names_mkdir(libc_names(), DEADLINE_NEVER, mode & ~creation_mask, absolute));
}

mode_t umask(mode_t mask)
{
    mode_t before = creation_mask;
    creation_mask = mask & 0777;
    return before;
}

int ftruncate(int fd, off_t length)
{
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    err_t err = length < 0 ? E_INVALID : file_truncate(file->handle, DEADLINE_NEVER, (uint64_t)length);
    file_release(file);
    return libc_result(err);
}

int truncate(const char *path, off_t length)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        return -1;
    int result = ftruncate(fd, length), error = errno;
    close(fd);
    errno = error;
    return result;
}

/* What was written is with the server at once; there is nothing to push. */
int fsync(int fd)
{
    struct open_file *file = file_of(fd);
    if (!file)
        return -1;
    file_release(file);
    return 0;
}

int pipe(int ends[2])
{
    handle_t read_end, write_end;
    if (libc_result(names_pipe(libc_names(), DEADLINE_NEVER, &read_end, &write_end)))
        return -1;
    ends[0] = fd_open(read_end, FILE_PIPE, O_RDONLY, 0);
    ends[1] = fd_open(write_end, FILE_PIPE, O_WRONLY, 0);
    if (ends[0] >= 0 && ends[1] >= 0)
        return 0;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    errno = EMFILE;
    return -1;
}

/* The file services know no links, owners or times to set: said plainly. */
int link(const char *from, const char *to)
{
    errno = ENOTSUP;
    return -1;
}

int symlink(const char *from, const char *to)
{
    errno = ENOTSUP;
    return -1;
}

ssize_t readlink(const char *restrict path, char *restrict to, size_t room)
{
    struct stat status;
    if (stat(path, &status) == 0)
        errno = EINVAL;
    return -1;
}

int chmod(const char *path, mode_t mode)
{
    errno = ENOTSUP;
    return -1;
}

int chown(const char *path, uid_t owner, gid_t group)
{
    errno = ENOTSUP;
    return -1;
}

int utime(const char *path, const struct utimbuf *times)
{
    errno = ENOTSUP;
    return -1;
}

int utimes(const char *path, const struct timeval *times)
{
    errno = ENOTSUP;
    return -1;
}
