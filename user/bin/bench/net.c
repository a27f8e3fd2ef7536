/* What is measured of the network between two nodes, through sockets as any program uses them. */
#include "bench.h"

#include <abi/cluster.h>
#include <cli/net.h>
#include <idl/net.h>
#include <os/service.h>
#include <os/thread.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO_PORT = 5100, SINK_PORT = 5101, BYTES = 64, PATIENCE_MS = 10000, BULK_BYTES = 65536, STACK_BYTES = 16384 };

static handle_t net;
static uint32_t to_ipv4; /* in host byte order */
static int connection = -1;
static uint8_t bulk[BULK_BYTES];

/* ---- the side that answers ---- */

static int bound(int type, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, type, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && (type == SOCK_DGRAM || listen(fd, 4) == 0))
        return fd;
    perror("bench: serve");
    return -1;
}

static void serve_udp(void *argument)
{
    uint8_t data[BYTES];
    struct sockaddr_in from;
    int fd = bound(SOCK_DGRAM, ECHO_PORT);
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &length);
        if (n < 0)
            return;
        sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, length);
    }
}

static void serve_tcp(void *argument)
{
    uint8_t data[BYTES];
    int listener = bound(SOCK_STREAM, ECHO_PORT), fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        ssize_t n;
        while ((n = read(fd, data, sizeof data)) > 0)
            if (write(fd, data, (size_t)n) != n)
                break;
        close(fd);
    }
}

/* Takes all, then says so with one byte. */
static void serve_sink(void)
{
    int listener = bound(SOCK_STREAM, SINK_PORT), fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        while (read(fd, bulk, sizeof bulk) > 0)
            ;
        if (write(fd, "", 1) != 1)
            perror("bench: serve");
        close(fd);
    }
}

int bench_serve(void)
{
    struct os_thread *threads[2];
    if (os_thread_create(serve_udp, NULL, STACK_BYTES, 0, &threads[0]) ||
        os_thread_create(serve_tcp, NULL, STACK_BYTES, 0, &threads[1]))
        return 1;
    puts("serving");
    fflush(stdout);
    serve_sink();
    return 1;
}

/* ---- the side that asks ---- */

err_t bench_use_network(uint32_t node)
{
    char name[16];
    snprintf(name, sizeof name, "node%u", node);
    net = net_service("bench");
    return net && net_address("bench", net, name, &to_ipv4) == 0 ? E_OK : E_NOT_FOUND;
}

static err_t use(uint32_t node, int type, uint16_t port)
{
    err_t err = bench_use_network(node);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(to_ipv4)};
    connection = err == E_OK ? socket(AF_INET, type, 0) : -1;
    if (connection < 0 || connect(connection, (struct sockaddr *)&to, sizeof to) != 0)
        return E_UNREACHABLE;
    return E_OK;
}

err_t bench_use_udp(uint32_t node)
{
    return use(node, SOCK_DGRAM, ECHO_PORT);
}

err_t bench_use_tcp(uint32_t node)
{
    return use(node, SOCK_STREAM, ECHO_PORT);
}

err_t bench_icmp(const struct client *c)
{
    uint64_t round_trip_ns;
    return net_ping(net, os_deadline_ms(PATIENCE_MS), to_ipv4, BYTES, PATIENCE_MS, &round_trip_ns);
}

err_t bench_udp(const struct client *c)
{
    uint8_t data[BYTES] = {1};
    return send(connection, data, sizeof data, 0) == BYTES && recv(connection, data, sizeof data, 0) == BYTES ? E_OK
                                                                                                              : E_IO;
}

err_t bench_tcp(const struct client *c)
{
    uint8_t data[BYTES] = {1};
    size_t have = 0;
    if (write(connection, data, sizeof data) != BYTES)
        return E_IO;
    while (have < BYTES) {
        ssize_t n = read(connection, data, sizeof data - have);
        if (n <= 0)
            return E_IO;
        have += (size_t)n;
    }
    return E_OK;
}

static bool send_all(uint64_t total)
{
    for (uint64_t sent = 0; sent < total;) {
        ssize_t n = write(connection, bulk, sizeof bulk);
        if (n <= 0)
            return false;
        sent += (uint64_t)n;
    }
    return shutdown(connection, SHUT_WR) == 0;
}

int bench_bulk(uint32_t node, uint32_t mebibytes)
{
    char end;
    uint64_t total = (uint64_t)mebibytes << 20;
    if (use(node, SOCK_STREAM, SINK_PORT) != E_OK) {
        perror("bench: tcp-bulk");
        return 1;
    }
    uint64_t begin = bench_now_ns();
    if (!send_all(total) || read(connection, &end, 1) != 1) {
        perror("bench: tcp-bulk");
        return 1;
    }
    uint64_t took_ns = bench_now_ns() - begin;
    printf("{\"op\":\"tcp-bulk\",\"bytes\":%llu,\"mbit_s\":%.1f}\n", (unsigned long long)total,
           (double)total * 8000 / (double)took_ns);
    return 0;
}
