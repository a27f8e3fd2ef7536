/* cat [FILE...]: prints files one after the other. */
#include <cli/each_file.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void print(FILE *stream, const char *name, void *context)
{
    static char buffer[16384];
    ssize_t n;
    int *status = context;
    /* read, not fread: what is typed on a terminal is shown line by line. */
    while ((n = read(fileno(stream), buffer, sizeof buffer)) > 0)
        if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout) != 0)
            return;
    if (n < 0) {
        fprintf(stderr, "cat: %s: %s\n", name, strerror(errno));
        *status = 1;
    }
}

int main(int argc, char **argv)
{
    int status = 0;
    status |= each_file("cat", argc - 1, argv + 1, print, &status);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "cat: %s\n", strerror(errno));
    return 1;
}
