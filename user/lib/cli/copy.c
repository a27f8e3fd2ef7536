/* Copying files. */
#include <cli/copy.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int complain(const char *program, const char *path)
{
    fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
    return 1;
}

static int write_all(int fd, const char *data, ssize_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(fd, data, (size_t)bytes);
        if (n <= 0)
            return -1;
        data += n;
        bytes -= n;
    }
    return 0;
}

int copy_file(const char *program, const char *from, const char *to)
{
    static char buffer[32768];
    struct stat a, b;
    int in = open(from, O_RDONLY);
    if (in < 0)
        return complain(program, from);
    if (fstat(in, &a) == 0 && S_ISDIR(a.st_mode)) {
        close(in);
        errno = EISDIR;
        return complain(program, from);
    }
    if (stat(to, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_ino != 0) {
        close(in);
        fprintf(stderr, "%s: %s and %s are the same file\n", program, from, to);
        return 1;
    }
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (out < 0) {
        int status = complain(program, to);
        close(in);
        return status;
    }
    int status = 0;
    ssize_t n;
    while (status == 0 && (n = read(in, buffer, sizeof buffer)) != 0) {
        if (n < 0)
            status = complain(program, from);
        else if (write_all(out, buffer, n) != 0)
            status = complain(program, to);
    }
    close(in);
    if (close(out) != 0)
        status = complain(program, to);
    return status;
}

int copy_target(const char *program, const char *from, const char *to, char *path_out, size_t room)
{
    struct stat st;
    const char *slash = strrchr(from, '/'), *name = slash ? slash + 1 : from;
    int into = stat(to, &st) == 0 && S_ISDIR(st.st_mode);
    int n = into ? snprintf(path_out, room, "%s/%s", to, name) : snprintf(path_out, room, "%s", to);
    if (n >= 0 && (size_t)n < room)
        return 0;
    errno = ENAMETOOLONG;
    return complain(program, to);
}
