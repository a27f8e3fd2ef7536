/* rm [-rf] PATH...: removes files, with -r directories and what is in them. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int recursive, force;

static int complain(const char *path)
{
    if (force && errno == ENOENT)
        return 0;
    fprintf(stderr, "rm: %s: %s\n", path, errno == EISDIR ? "is a directory (use rm -r)" : strerror(errno));
    return 1;
}

static int remove_path(const char *path);

static int remove_entries(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return complain(path);
    int status = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char child[1024];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(child, sizeof child, "%s/%s", path, e->d_name) >= (int)sizeof child) {
            errno = ENAMETOOLONG;
            status |= complain(e->d_name);
        } else {
            status |= remove_path(child);
        }
    }
    closedir(dir);
    return status;
}

static int remove_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return complain(path);
    if (!S_ISDIR(st.st_mode))
        return unlink(path) == 0 ? 0 : complain(path);
    if (!recursive) {
        errno = EISDIR;
        return complain(path);
    }
    int status = remove_entries(path);
    return rmdir(path) == 0 ? status : complain(path);
}

int main(int argc, char **argv)
{
    int i = 1, status = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strspn(argv[i] + 1, "rf") != strlen(argv[i] + 1)) {
            fprintf(stderr, "rm: %s is not known; usage: rm [-rf] PATH...\n", argv[i]);
            return 2;
        }
        recursive |= strchr(argv[i], 'r') != NULL;
        force |= strchr(argv[i], 'f') != NULL;
    }
    if (i == argc && !force) {
        fprintf(stderr, "rm: a path is missing; usage: rm [-rf] PATH...\n");
        return 2;
    }
    for (; i < argc; i++)
        status |= remove_path(argv[i]);
    return status;
}
