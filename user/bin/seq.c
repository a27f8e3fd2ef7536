/* seq [FIRST] LAST: counts. */
#include <stdio.h>
#include <stdlib.h>

static int number(const char *text, long *out)
{
    char *end;
    *out = strtol(text, &end, 10);
    return end != text && *end == 0;
}

int main(int argc, char **argv)
{
    long first = 1, last = 0;
    if (argc < 2 || argc > 3 || !number(argv[argc - 1], &last) || (argc == 3 && !number(argv[1], &first))) {
        fprintf(stderr, "seq: one or two whole numbers are expected; usage: seq [FIRST] LAST\n");
        return 2;
    }
    for (long n = first; n <= last; n++)
        printf("%ld\n", n);
    return fflush(stdout) == 0 ? 0 : 1;
}
