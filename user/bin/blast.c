/* blast HOST PORT MEGABYTES sends that much of a sequence anybody can make; blast -l PORT receives until the end. Both
 * print how many bytes, their SHA-256, and how fast. */
#include <base/sha256.h>
#include <cli/net.h>
#include <netinet/in.h>
#include <os/syscall.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int usage(void)
{
    fprintf(stderr, "usage: blast HOST PORT MEGABYTES | blast -l PORT\n");
    return 2;
}

static int failed(const char *what)
{
    fprintf(stderr, "blast: ");
    perror(what);
    return 1;
}

static void report(const char *verb, uint64_t bytes, struct sha256 *hash, uint64_t took_ns)
{
    uint8_t digest[SHA256_BYTES];
    sha256_end(hash, digest);
    uint64_t kib_a_second = took_ns > 0 ? bytes * 1000000000 / took_ns / 1024 : 0;
    printf("%s %lu bytes, sha256 ", verb, (unsigned long)bytes);
    for (unsigned i = 0; i < sizeof digest; i++)
        printf("%02x", digest[i]);
    printf(", %lu KiB/s\n", (unsigned long)kib_a_second);
}

static void fill(uint8_t *data, size_t bytes, uint64_t *state)
{
    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        *state = *state * 6364136223846793005ull + 1442695040888963407ull;
        memcpy(data + i, state, 8);
    }
}

static uint8_t data[65536];

static int send_all(int fd, uint64_t total)
{
    struct sha256 hash;
    uint64_t state = 1, start = os_clock(CLOCK_ID_MONOTONIC_NS);
    sha256_begin(&hash);
    for (uint64_t sent = 0; sent < total; sent += sizeof data) {
        fill(data, sizeof data, &state);
        sha256_add(&hash, data, sizeof data);
        for (size_t done = 0; done < sizeof data;) {
            ssize_t n = write(fd, data + done, sizeof data - done);
            if (n <= 0)
                return failed("sending");
            done += (size_t)n;
        }
    }
    report("sent", total, &hash, os_clock(CLOCK_ID_MONOTONIC_NS) - start);
    return 0;
}

static int receive_all(int fd)
{
    struct sha256 hash;
    uint64_t total = 0, start = os_clock(CLOCK_ID_MONOTONIC_NS);
    ssize_t n;
    sha256_begin(&hash);
    while ((n = read(fd, data, sizeof data)) > 0) {
        sha256_add(&hash, data, (size_t)n);
        total += (uint64_t)n;
    }
    report("received", total, &hash, os_clock(CLOCK_ID_MONOTONIC_NS) - start);
    return n < 0 ? failed("receiving") : 0;
}

static int listen_on(long port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0)
        return failed("listen");
    int fd = accept(listener, NULL, NULL);
    return fd < 0 ? failed("accept") : receive_all(fd);
}

static int send_to(const char *host, long port, long megabytes)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    uint32_t ipv4;
    handle_t net = net_service("blast");
    if (!net || net_address("blast", net, host, &ipv4))
        return 1;
    to.sin_addr.s_addr = htonl(ipv4);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return failed(host);
    return send_all(fd, (uint64_t)megabytes << 20);
}

int main(int argc, char **argv)
{
    long port, megabytes;
    if (argc == 3 && strcmp(argv[1], "-l") == 0)
        return net_number("blast", "port", argv[2], 1, 65535, &port) ? 2 : listen_on(port);
    if (argc != 4 || net_number("blast", "port", argv[2], 1, 65535, &port) ||
        net_number("blast", "megabytes", argv[3], 1, 100000, &megabytes))
        return usage();
    return send_to(argv[1], port, megabytes);
}
