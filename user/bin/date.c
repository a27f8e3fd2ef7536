/* date [+FORMAT]: the time of day, in UTC. FORMAT is strftime's; %N stands for the nanoseconds of the second. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX 256u

/* %N is not strftime's. False: it does not fit. */
static int put_nanoseconds(const char *format, long ns, char *to, size_t room)
{
    size_t used = 0;
    for (; *format; format++) {
        int pair = format[0] == '%' && format[1] != 0, count;
        if (pair && format[1] == 'N')
            count = snprintf(to + used, room - used, "%09ld", ns);
        else
            count = snprintf(to + used, room - used, "%.*s", 1 + pair, format);
        used += (size_t)count;
        if (used >= room)
            return 0;
        format += pair;
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *format = argc == 2 && argv[1][0] == '+' ? argv[1] + 1 : "%a %b %e %H:%M:%S UTC %Y";
    char with_ns[TEXT_MAX] = "", text[TEXT_MAX];
    struct timespec now;
    if (argc > 2 || (argc == 2 && argv[1][0] != '+')) {
        fprintf(stderr, "date: what is `%s`? usage: date [+FORMAT]\n", argv[argc > 2 ? 2 : 1]);
        return 2;
    }
    if (clock_gettime(CLOCK_REALTIME, &now)) {
        perror("date");
        return 1;
    }
    struct tm *utc = gmtime(&now.tv_sec);
    if (!put_nanoseconds(format, now.tv_nsec, with_ns, sizeof with_ns) ||
        (utc && with_ns[0] && strftime(text, sizeof text, with_ns, utc) == 0)) {
        fprintf(stderr, "date: that makes a text of more than %u characters\n", TEXT_MAX - 1);
        return 1;
    }
    if (!utc) {
        fprintf(stderr, "date: the clock shows no time\n");
        return 1;
    }
    puts(with_ns[0] ? text : "");
    return 0;
}
