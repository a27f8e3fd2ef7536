/* mv FROM... TO: renames, or copies and removes where the two are in different file systems. */
#include <cli/copy.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int move(const char *from, const char *to)
{
    char path[1024];
    if (copy_target("mv", from, to, path, sizeof path))
        return 1;
    if (rename(from, path) == 0)
        return 0;
    if (errno != EXDEV) {
        fprintf(stderr, "mv: %s to %s: %s\n", from, path, strerror(errno));
        return 1;
    }
    if (copy_file("mv", from, path))
        return 1;
    if (unlink(from) != 0) {
        fprintf(stderr, "mv: %s: copied, but not removed: %s\n", from, strerror(errno));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct stat st;
    int status = 0;
    if (argc < 3) {
        fprintf(stderr, "mv: two paths are needed; usage: mv FROM... TO\n");
        return 2;
    }
    const char *to = argv[argc - 1];
    if (argc > 3 && (stat(to, &st) != 0 || !S_ISDIR(st.st_mode))) {
        fprintf(stderr, "mv: %s is not a directory, and several files are to go there\n", to);
        return 1;
    }
    for (int i = 1; i < argc - 1; i++)
        status |= move(argv[i], to);
    return status;
}
