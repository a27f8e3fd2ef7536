/* Sockets, over the net service and the sockets it hands out. Addresses on the wire of messages are in host byte order.
 */
#include <errno.h>
#include <fcntl.h>
#include <idl/net.h>
#include <idl/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <os/syscall.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "libc.h"

enum { NET_TCP = 1, NET_UDP = 2 };
enum { OPTION_NO_DELAY = 1, OPTION_KEEP_ALIVE = 2, OPTION_REUSE = 3, OPTION_BROADCAST = 4 };

static int fail(int error)
{
    errno = error;
    return -1;
}

int socket(int domain, int type, int protocol)
{
    const int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
    handle_t net, handle;
    type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (domain != AF_INET)
        return fail(EAFNOSUPPORT);
    if (type != SOCK_STREAM && type != SOCK_DGRAM)
        return fail(EPROTONOSUPPORT);
    err_t err = libc_service("net", &net);
    if (err != E_OK)
        return fail(ENETDOWN); /* no network server here */
    err = net_socket(net, DEADLINE_NEVER, type == SOCK_STREAM ? NET_TCP : NET_UDP, &handle);
    os_handle_close(net);
    if (err != E_OK)
        return libc_result(err);
    int fd = fd_open(handle, FILE_SOCKET,
                     O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0) | (flags & SOCK_CLOEXEC ? O_CLOEXEC : 0), 0);
    struct open_file *file = fd < 0 ? NULL : file_of(fd);
    if (file) {
        file->socket = type;
        file_release(file);
    }
    return fd;
}

/* A held socket, or NULL with errno. */
static struct open_file *socket_of(int fd)
{
    struct open_file *file = file_of(fd);
    if (file && file->kind != FILE_SOCKET) {
        file_release(file);
        errno = ENOTSOCK;
        return NULL;
    }
    return file;
}

static int finish(struct open_file *file, err_t err)
{
    file_release(file);
    return libc_result(err == E_TIMED_OUT ? E_AGAIN : err);
}

static err_t take_address(const struct sockaddr *address, socklen_t length, uint32_t *ipv4, uint32_t *port)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    if (length < sizeof *in || in->sin_family != AF_INET)
        return E_INVALID;
    *ipv4 = ntohl(in->sin_addr.s_addr);
    *port = ntohs(in->sin_port);
    return E_OK;
}

static void give_address(struct sockaddr *address, socklen_t *length, uint32_t ipv4, uint32_t port)
{
    struct sockaddr_in in = {
        .sin_len = sizeof in, .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(ipv4)}};
    if (!address || !length)
        return;
    memcpy(address, &in, *length < sizeof in ? *length : sizeof in);
    *length = sizeof in;
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    uint32_t ipv4, port;
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    err_t err = take_address(address, length, &ipv4, &port);
    return finish(file, err ? err : socket_bind(file->handle, DEADLINE_NEVER, ipv4, port));
}

int listen(int fd, int backlog)
{
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    return finish(file, socket_listen(file->handle, DEADLINE_NEVER, backlog > 0 ? (uint32_t)backlog : 1));
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    uint32_t ipv4, port;
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    err_t err = take_address(address, length, &ipv4, &port);
    if (err == E_OK)
        err = socket_connect(file->handle, file_deadline(file->send_ms), ipv4, port);
    file_release(file);
    return libc_result(err);
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    uint32_t ipv4, port;
    handle_t connection;
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    err_t err = file->flags & O_NONBLOCK ? file_ready(file, POLL_READABLE) : E_OK;
    if (err == E_OK)
        err = socket_accept(file->handle, file_deadline(file->receive_ms), &connection, &ipv4, &port);
    if (finish(file, err))
        return -1;
    int made = fd_open(connection, FILE_SOCKET, O_RDWR, 0);
    struct open_file *new = made < 0 ? NULL : file_of(made);
    if (!new)
        return -1;
    new->socket = SOCK_STREAM;
    file_release(new);
    give_address(address, length, ipv4, port);
    return made;
}

ssize_t send(int fd, const void *data, size_t bytes, int flags)
{
    return sendto(fd, data, bytes, flags, NULL, 0);
}

ssize_t recv(int fd, void *data, size_t bytes, int flags)
{
    return recvfrom(fd, data, bytes, flags, NULL, NULL);
}

static err_t send_datagram(struct open_file *file, const void *data, size_t bytes, const struct sockaddr *to,
                           socklen_t to_length)
{
    uint32_t ipv4, port;
    err_t err = take_address(to, to_length, &ipv4, &port);
    if (err == E_OK && bytes > SOCKET_SEND_TO_DATA_MAX)
        err = E_TOO_LONG;
    return err ? err : socket_send_to(file->handle, file_deadline(file->send_ms), ipv4, port, data, (uint32_t)bytes);
}

ssize_t sendto(int fd, const void *data, size_t bytes, int flags, const struct sockaddr *to, socklen_t to_length)
{
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    err_t err = (flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT)) ? E_NOT_SUPPORTED : E_OK;
    if (err == E_OK && ((flags & MSG_DONTWAIT) || (file->flags & O_NONBLOCK)))
        err = file_ready(file, POLL_WRITABLE);
    bool datagram = to && file->socket == SOCK_DGRAM;
    if (err == E_OK && datagram)
        err = send_datagram(file, data, bytes, to, to_length);
    if (finish(file, err))
        return errno == ENAMETOOLONG ? fail(EMSGSIZE) : -1;
    return datagram ? (ssize_t)bytes : write(fd, data, bytes);
}

static err_t receive_datagram(struct open_file *file, void *data, size_t *bytes, struct sockaddr *from,
                              socklen_t *from_length)
{
    uint8_t packet[SOCKET_RECEIVE_FROM_DATA_MAX];
    uint32_t ipv4, port, length;
    err_t err = socket_receive_from(file->handle, file_deadline(file->receive_ms), &ipv4, &port, packet, sizeof packet,
                                    &length);
    if (err != E_OK)
        return err;
    *bytes = *bytes < length ? *bytes : length; /* the rest of a datagram is lost, as everywhere */
    memcpy(data, packet, *bytes);
    give_address(from, from_length, ipv4, port);
    return E_OK;
}

static ssize_t receive_whole(int fd, char *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = read(fd, data + done, bytes - done);
        if (got <= 0)
            return done ? (ssize_t)done : got;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

ssize_t recvfrom(int fd, void *restrict data, size_t bytes, int flags, struct sockaddr *restrict from,
                 socklen_t *restrict from_length)
{
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    err_t err = (flags & ~(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL)) ? E_NOT_SUPPORTED : E_OK;
    if (err == E_OK && ((flags & MSG_DONTWAIT) || (file->flags & O_NONBLOCK)))
        err = file_ready(file, POLL_READABLE);
    bool datagram = file->socket == SOCK_DGRAM;
    if (err == E_OK && datagram)
        err = receive_datagram(file, data, &bytes, from, from_length);
    if (finish(file, err))
        return -1;
    if (datagram)
        return (ssize_t)bytes;
    return flags & MSG_WAITALL ? receive_whole(fd, data, bytes) : read(fd, data, bytes);
}

int shutdown(int fd, int how)
{
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    return finish(file, how < 0 || how > 2 ? E_INVALID : socket_shutdown(file->handle, DEADLINE_NEVER, (uint32_t)how));
}

static int name_of(int fd, struct sockaddr *address, socklen_t *length, bool peer)
{
    uint32_t ipv4[2], port[2];
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    err_t err = socket_names(file->handle, DEADLINE_NEVER, &ipv4[0], &port[0], &ipv4[1], &port[1]);
    if (err == E_OK && peer && port[1] == 0)
        err = E_NOT_CONNECTED;
    if (finish(file, err))
        return -1;
    give_address(address, length, ipv4[peer], port[peer]);
    return 0;
}

int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return name_of(fd, address, length, false);
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    return name_of(fd, address, length, true);
}

/* The service's number of an option; 0: none. */
static uint32_t option_number(int level, int option)
{
    if (level == IPPROTO_TCP)
        return option == TCP_NODELAY ? OPTION_NO_DELAY : 0;
    if (level != SOL_SOCKET)
        return 0;
    return option == SO_KEEPALIVE   ? OPTION_KEEP_ALIVE
           : option == SO_REUSEADDR ? OPTION_REUSE
           : option == SO_BROADCAST ? OPTION_BROADCAST
                                    : 0;
}

static bool is_timeout(int level, int option)
{
    return level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO);
}

static uint64_t *timeout_of(struct open_file *file, int option)
{
    return option == SO_RCVTIMEO ? &file->receive_ms : &file->send_ms;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    err_t err = E_NOT_SUPPORTED;
    uint32_t number = option_number(level, option);
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    if (is_timeout(level, option) && length >= sizeof(struct timeval)) {
        const struct timeval *time = value;
        *timeout_of(file, option) = (uint64_t)time->tv_sec * 1000 + (uint64_t)(time->tv_usec + 999) / 1000;
        err = E_OK;
    } else if (number && length >= sizeof(int)) {
        err = socket_option(file->handle, DEADLINE_NEVER, number, *(const int *)value != 0);
    }
    file_release(file);
    return err == E_NOT_SUPPORTED ? fail(ENOPROTOOPT) : libc_result(err);
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict length)
{
    struct open_file *file = socket_of(fd);
    if (!file)
        return -1;
    int number = file->socket;
    struct timeval time = {0};
    if (is_timeout(level, option)) {
        uint64_t ms = *timeout_of(file, option);
        time = (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    }
    file_release(file);
    if (level != SOL_SOCKET || (option != SO_TYPE && option != SO_ERROR && !is_timeout(level, option)))
        return fail(ENOPROTOOPT);
    if (option == SO_ERROR)
        number = 0; /* errors are told by the call that meets them */
    const void *from = is_timeout(level, option) ? (const void *)&time : &number;
    socklen_t bytes = is_timeout(level, option) ? sizeof time : sizeof number;
    memcpy(value, from, *length < bytes ? *length : bytes);
    *length = bytes;
    return 0;
}
