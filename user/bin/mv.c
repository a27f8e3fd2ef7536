/* mv FROM TO: renames, or copies and removes where the two are in different file systems. */
#include <cli/copy.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char path[1024];
    if (argc != 3) {
        fprintf(stderr, "mv: two paths are needed; usage: mv FROM TO\n");
        return 2;
    }
    if (copy_target("mv", argv[1], argv[2], path, sizeof path))
        return 1;
    if (rename(argv[1], path) == 0)
        return 0;
    if (errno != EXDEV) {
        fprintf(stderr, "mv: %s to %s: %s\n", argv[1], path, strerror(errno));
        return 1;
    }
    if (copy_file("mv", argv[1], path))
        return 1;
    if (unlink(argv[1]) != 0) {
        fprintf(stderr, "mv: %s: copied, but not removed: %s\n", argv[1], strerror(errno));
        return 1;
    }
    return 0;
}
