/* mkdir [-p] PATH...: makes directories, with -p those on the way too. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int make_with_parents(const char *path)
{
    char part[1024];
    if (strlen(path) >= sizeof part) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (const char *p = path; *p; p += *p == '/') {
        p += strcspn(p, "/");
        memcpy(part, path, p - path);
        part[p - path] = 0;
        if (part[0] && mkdir(part, 0777) != 0 && errno != EEXIST)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    int parents = argc > 1 && strcmp(argv[1], "-p") == 0, status = 0;
    if (argc < 2 + parents) {
        fprintf(stderr, "mkdir: a path is missing; usage: mkdir [-p] PATH...\n");
        return 2;
    }
    for (int i = 1 + parents; i < argc; i++) {
        if ((parents ? make_with_parents(argv[i]) : mkdir(argv[i], 0777)) != 0) {
            fprintf(stderr, "mkdir: %s: %s\n", argv[i], strerror(errno));
            status = 1;
        }
    }
    return status;
}
