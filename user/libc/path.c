/* Paths: made absolute here, from a working directory that is only text; the name space does the rest. */
#include <errno.h>
#include <idl/names.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libc.h"

static struct os_mutex lock;
static char cwd[PATH_MAX_BYTES] = "/";

void path_start(void)
{
    const struct startup *startup = os_startup();
    const char *given = (const char *)startup + startup->cwd_offset;
    if (startup->cwd_offset && given[0] == '/' && strlen(given) < sizeof cwd)
        strcpy(cwd, given);
}

const char *path_cwd(void)
{
    return cwd;
}

handle_t libc_names(void)
{
    return os_startup_handle(STARTUP_NAMES);
}

err_t libc_service(const char *name, handle_t *handle_out)
{
    char path[64] = "/svc/";
    uint32_t kind;
    uint64_t bytes;
    strncat(path, name, sizeof path - 6);
    return names_open(libc_names(), DEADLINE_NEVER, OPEN_READ | OPEN_WRITE, 0, path, handle_out, &kind, &bytes);
}

/* Appends the names of `path` to what is in absolute; . and .. are worked on the text. */
static bool append(char absolute[PATH_MAX_BYTES], size_t *length, const char *path)
{
    while (*path) {
        size_t name = strcspn(path, "/");
        if (name == 2 && path[0] == '.' && path[1] == '.') {
            while (*length && absolute[--*length] != '/')
                ;
        } else if (name && !(name == 1 && path[0] == '.')) {
            if (*length + 1 + name >= PATH_MAX_BYTES)
                return false;
            absolute[(*length)++] = '/';
            memcpy(absolute + *length, path, name);
            *length += name;
        }
        path += name;
        path += strspn(path, "/");
    }
    return true;
}

int path_absolute(const char *path, char absolute[PATH_MAX_BYTES])
{
    size_t length = 0;
    bool fits = true;
    if (!path || !*path) {
        errno = path ? ENOENT : EFAULT;
        return -1;
    }
    if (*path != '/') {
        os_mutex_lock(&lock);
        fits = append(absolute, &length, cwd);
        os_mutex_unlock(&lock);
    }
    if (!fits || !append(absolute, &length, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (length == 0)
        absolute[length++] = '/';
    absolute[length] = 0;
    return 0;
}

int chdir(const char *path)
{
    char absolute[PATH_MAX_BYTES];
    struct stat status;
    if (path_absolute(path, absolute) || stat(absolute, &status))
        return -1;
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    os_mutex_lock(&lock);
    strcpy(cwd, absolute);
    os_mutex_unlock(&lock);
    return 0;
}

char *getcwd(char *to, size_t room)
{
    char copy[PATH_MAX_BYTES];
    os_mutex_lock(&lock);
    strcpy(copy, cwd);
    os_mutex_unlock(&lock);
    if (!to)
        return strdup(copy);
    if (strlen(copy) >= room) {
        errno = room ? ERANGE : EINVAL;
        return NULL;
    }
    return strcpy(to, copy);
}
