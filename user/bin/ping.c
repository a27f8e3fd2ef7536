/* ping [-c COUNT] [-s BYTES] HOST [COUNT]: asks a machine to answer, and says how long that took. */
#include <cli/net.h>
#include <idl/net.h>
#include <os/log.h>
#include <os/syscall.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MS = 2000 };

static int usage(void)
{
    fprintf(stderr, "usage: ping [-s BYTES] HOST [COUNT]     e.g. ping 10.0.0.2 3\n");
    return 2;
}

static int ping(handle_t net, const char *name, uint32_t ipv4, long count, long bytes)
{
    long answered = 0;
    for (long n = 1; n <= count; n++) {
        uint64_t round_trip_ns;
        err_t err = net_ping(net, DEADLINE_NEVER, ipv4, (uint32_t)bytes, TIMEOUT_MS, &round_trip_ns);
        if (err == E_OK)
            printf("%ld bytes from %s: seq=%ld time=%lu us\n", bytes, name, n, (unsigned long)(round_trip_ns / 1000));
        else
            printf("%s: seq=%ld %s\n", name, n, os_error_text(err));
        answered += err == E_OK;
        fflush(stdout);
        if (err == E_GONE)
            break;
        if (n < count && err == E_OK)
            sleep(1);
    }
    printf("%ld of %ld answered\n", answered, count);
    return answered > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    long count = 4, bytes = 56;
    uint32_t ipv4;
    int option;
    while ((option = getopt(argc, argv, "c:s:")) != -1) {
        if (option == '?' || (option == 'c' && net_number("ping", "-c", optarg, 1, 1000000, &count)) ||
            (option == 's' && net_number("ping", "-s", optarg, 0, 1400, &bytes)))
            return usage();
    }
    if (optind < argc - 2 || optind >= argc ||
        (optind == argc - 2 && net_number("ping", "COUNT", argv[argc - 1], 1, 1000000, &count)))
        return usage();
    handle_t net = net_service("ping");
    if (!net || net_address("ping", net, argv[optind], &ipv4))
        return 1;
    return ping(net, argv[optind], ipv4, count, bytes);
}
