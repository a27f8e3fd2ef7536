/* head [-n LINES] [FILE...]: the first lines of files, 10 unless told. */
#include <cli/each_file.h>

#include <stdlib.h>
#include <string.h>

static void print_first(FILE *stream, const char *name, void *context)
{
    unsigned long left = *(unsigned long *)context;
    int c;
    while (left > 0 && (c = getc(stream)) != EOF) {
        putchar(c);
        left -= c == '\n';
    }
}

int main(int argc, char **argv)
{
    unsigned long lines = 10;
    int i = 1;
    if (argc > 2 && strcmp(argv[1], "-n") == 0) {
        char *end;
        lines = strtoul(argv[2], &end, 10);
        if (*end || argv[2][0] < '0' || argv[2][0] > '9') {
            fprintf(stderr, "head: a number of lines is expected, not '%s'; usage: head [-n LINES] [FILE...]\n",
                    argv[2]);
            return 2;
        }
        i = 3;
    } else if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        fprintf(stderr, "head: %s is not known; usage: head [-n LINES] [FILE...]\n", argv[1]);
        return 2;
    }
    return each_file("head", argc - i, argv + i, print_first, &lines);
}
