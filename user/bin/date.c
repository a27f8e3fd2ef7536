/* date: the time of day, in UTC. */
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "date: no words are expected; usage: date\n");
        return 2;
    }
    char text[64];
    time_t now = time(NULL);
    struct tm *utc = gmtime(&now);
    if (!utc || strftime(text, sizeof text, "%a %b %e %H:%M:%S UTC %Y", utc) == 0) {
        fprintf(stderr, "date: the clock shows no time\n");
        return 1;
    }
    puts(text);
    return 0;
}
