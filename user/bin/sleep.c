/* sleep SECONDS: waits, fractions allowed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv)
{
    char *end = NULL;
    double seconds = argc == 2 ? strtod(argv[1], &end) : -1;
    if (argc != 2 || *end || end == argv[1] || !(seconds >= 0 && seconds < 1e9)) {
        fprintf(stderr, "sleep: a number of seconds is expected; usage: sleep SECONDS\n");
        return 2;
    }
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
    return 0;
}
