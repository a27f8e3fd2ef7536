/* cp FROM... TO: copies a file, or several into a directory. */
#include <cli/copy.h>

#include <stdio.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    struct stat st;
    int status = 0;
    if (argc < 3) {
        fprintf(stderr, "cp: two paths are needed; usage: cp FROM... TO\n");
        return 2;
    }
    const char *to = argv[argc - 1];
    if (argc > 3 && (stat(to, &st) != 0 || !S_ISDIR(st.st_mode))) {
        fprintf(stderr, "cp: %s is not a directory, and several files are to go there\n", to);
        return 1;
    }
    for (int i = 1; i < argc - 1; i++) {
        char path[1024];
        status |= copy_target("cp", argv[i], to, path, sizeof path) || copy_file("cp", argv[i], path);
    }
    return status;
}
