/* nc [-l] [HOST] PORT: joins standard input and output to a TCP connection. */
#include <cli/net.h>
#include <netinet/in.h>
#include <os/syscall.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int usage(void)
{
    fprintf(stderr,
            "usage: nc HOST PORT | nc -l PORT     e.g. nc -l 7000 >/tmp/file, elsewhere nc 10.0.0.1 7000 </tmp/file\n");
    return 2;
}

static int failed(const char *what)
{
    fprintf(stderr, "nc: ");
    perror(what);
    return -1;
}

static int connect_to(const char *host, long port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    uint32_t ipv4;
    handle_t net = net_service("nc");
    if (!net || net_address("nc", net, host, &ipv4))
        return -1;
    os_handle_close(net);
    to.sin_addr.s_addr = htonl(ipv4);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return failed(host);
    return fd;
}

static int wait_for_one(long port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0)
        return failed("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 1) != 0)
        return failed("listen");
    int fd = accept(listener, NULL, NULL);
    close(listener);
    return fd < 0 ? failed("accept") : fd;
}

/* Moves what is there. 0 at the end, -1 on failure. */
static int move(int from, int to, const char *what)
{
    static char data[65536];
    ssize_t bytes = read(from, data, sizeof data), done = 0;
    if (bytes < 0)
        return failed(what);
    while (done < bytes) {
        ssize_t n = write(to, data + done, (size_t)(bytes - done));
        if (n <= 0)
            return failed(what);
        done += n;
    }
    return bytes > 0;
}

static int join(int fd)
{
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
    int more;
    for (;;) {
        if (poll(polls, 2, -1) < 0)
            return failed("poll") != 0;
        if (polls[0].revents) {
            more = move(fd, 1, "receiving");
            if (more <= 0)
                return more != 0;
        }
        if (polls[1].revents) {
            more = move(0, fd, "sending");
            if (more < 0)
                return 1;
            if (more == 0) { /* our end of the conversation; the other side may go on */
                shutdown(fd, SHUT_WR);
                polls[1].fd = -1;
            }
        }
    }
}

int main(int argc, char **argv)
{
    int listening = argc == 3 && strcmp(argv[1], "-l") == 0;
    long port;
    if (argc != 3)
        return usage();
    if (net_number("nc", "port", argv[2], 1, 65535, &port))
        return 2;
    int fd = listening ? wait_for_one(port) : connect_to(argv[1], port);
    return fd < 0 ? 1 : join(fd);
}
