/* Directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <idl/file.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libc.h"

struct libc_dir {
    int fd;
    uint32_t length, at; /* of what is in `entries` */
    uint64_t next;       /* position of what comes after them */
    struct dirent entry;
    _Alignas(8) uint8_t entries[FILE_READDIR_ENTRIES_MAX];
};

DIR *fdopendir(int fd)
{
    struct open_file *file = file_of(fd);
    if (!file)
        return NULL;
    uint32_t kind = file_kind(file);
    file_release(file);
    if (kind != FILE_DIRECTORY) {
        errno = ENOTDIR;
        return NULL;
    }
    DIR *dir = calloc(1, sizeof *dir);
    if (dir)
        dir->fd = fd;
    return dir;
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

static err_t refill(DIR *dir)
{
    struct open_file *file = file_of(dir->fd);
    if (!file)
        return E_BAD_HANDLE;
    dir->at = dir->length = 0;
    err_t err = file_readdir(file->handle, DEADLINE_NEVER, dir->next, &dir->next, dir->entries, sizeof dir->entries,
                             &dir->length);
    file_release(file);
    return err;
}

/* One entry out of the buffer: u32 kind, u32 name length, name padded to 4. */
static err_t take_entry(DIR *dir)
{
    static const unsigned char types[] = {[FILE_REGULAR] = DT_REG, [FILE_DIRECTORY] = DT_DIR, [FILE_TERMINAL] = DT_CHR,
                                          [FILE_PIPE] = DT_FIFO,   [FILE_SERVICE] = DT_CHR,   [FILE_SOCKET] = DT_SOCK};
    uint32_t kind, length, left = dir->length - dir->at;
    if (left < 8)
        return E_BAD_MESSAGE;
    memcpy(&kind, dir->entries + dir->at, 4);
    memcpy(&length, dir->entries + dir->at + 4, 4);
    uint32_t padded = (length + 3) & ~3u;
    if (length > MAXNAMLEN || padded > left - 8)
        return E_BAD_MESSAGE;
    dir->entry.d_type = kind < sizeof types ? types[kind] : DT_UNKNOWN;
    dir->entry.d_namlen = (unsigned char)length;
    memcpy(dir->entry.d_name, dir->entries + dir->at + 8, length);
    dir->entry.d_name[length] = 0;
    dir->at += 8 + padded;
    return E_OK;
}

struct dirent *readdir(DIR *dir)
{
    err_t err = dir->at == dir->length ? refill(dir) : E_OK;
    if (err == E_OK && dir->length == 0)
        return NULL;
    if (err == E_OK)
        err = take_entry(dir);
    return libc_result(err) ? NULL : &dir->entry;
}

int readdir_r(DIR *restrict dir, struct dirent *restrict entry, struct dirent **restrict result)
{
    int before = errno;
    errno = 0;
    struct dirent *next = readdir(dir);
    int error = errno;
    errno = before;
    if (next)
        *entry = *next;
    *result = next ? entry : NULL;
    return next ? 0 : error;
}

void rewinddir(DIR *dir)
{
    dir->at = dir->length = 0;
    dir->next = 0;
}

int dirfd(DIR *dir)
{
    return dir->fd;
}

int closedir(DIR *dir)
{
    int fd = dir->fd;
    free(dir);
    return close(fd);
}

int alphasort(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int collect(DIR *dir, struct dirent ***list, int (*wanted)(const struct dirent *))
{
    int count = 0, room = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (wanted && !wanted(entry))
            continue;
        if (count == room) {
            struct dirent **more = realloc(*list, (size_t)(room = room * 2 + 16) * sizeof *more);
            if (!more)
                return -1 - count;
            *list = more;
        }
        struct dirent *copy = malloc(sizeof *copy);
        if (!copy)
            return -1 - count;
        *copy = *entry;
        (*list)[count++] = copy;
    }
    return count;
}

int scandir(const char *path, struct dirent ***result, int (*wanted)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **))
{
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    struct dirent **list = NULL;
    int count = collect(dir, &list, wanted);
    closedir(dir);
    if (count < 0) {
        for (int i = 0; i < -1 - count; i++)
            free(list[i]);
        free(list);
        errno = ENOMEM;
        return -1;
    }
    if (compare && count)
        qsort(list, (size_t)count, sizeof *list, (int (*)(const void *, const void *))compare);
    *result = list;
    return count;
}
