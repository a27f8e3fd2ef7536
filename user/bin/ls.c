/* ls [-l] [PATH...]: names of files, or what is in directories, in order. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int long_form;

static char kind_letter(mode_t mode)
{
    return S_ISDIR(mode) ? 'd' : S_ISFIFO(mode) ? 'p' : S_ISCHR(mode) ? 'c' : '-';
}

static int show(const char *path, const char *name)
{
    struct stat st;
    if (!long_form) {
        puts(name);
        return 0;
    }
    if (stat(path, &st) != 0) {
        fprintf(stderr, "ls: %s: %s\n", path, strerror(errno));
        return 1;
    }
    printf("%c%c%c%c %10lld  %s\n", kind_letter(st.st_mode), st.st_mode & 0400 ? 'r' : '-',
           st.st_mode & 0200 ? 'w' : '-', st.st_mode & 0100 ? 'x' : '-', (long long)st.st_size, name);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a directory, sorted; the caller frees them. NULL (errno set) if it cannot be read. */
static char **read_names(const char *path, size_t *count_out)
{
    DIR *dir = opendir(path);
    if (!dir)
        return NULL;
    char **names = malloc(sizeof *names);
    size_t count = 0;
    for (struct dirent *e; names && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        char **more = realloc(names, (count + 2) * sizeof *names);
        if (!more)
            break;
        names = more;
        if ((names[count] = strdup(e->d_name)) == NULL)
            break;
        count++;
    }
    closedir(dir);
    if (names)
        qsort(names, count, sizeof *names, by_name);
    *count_out = count;
    return names;
}

static int list_directory(const char *path)
{
    size_t count = 0;
    char **names = read_names(path, &count);
    if (!names) {
        fprintf(stderr, "ls: %s: %s\n", path, strerror(errno));
        return 1;
    }
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        char child[1024];
        snprintf(child, sizeof child, "%s/%s", path, names[i]);
        status |= show(child, names[i]);
        free(names[i]);
    }
    free(names);
    return status;
}

static int list(const char *path, int heading)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "ls: %s: %s\n", path, strerror(errno));
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return show(path, path);
    if (heading)
        printf("%s:\n", path);
    return list_directory(path);
}

int main(int argc, char **argv)
{
    int i = 1, status = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "-l") != 0) {
            fprintf(stderr, "ls: %s is not known; usage: ls [-l] [PATH...]\n", argv[i]);
            return 2;
        }
        long_form = 1;
    }
    if (i == argc)
        return list(".", 0);
    for (int heading = argc - i > 1; i < argc; i++)
        status |= list(argv[i], heading);
    return status;
}
