/* Addresses as text, and names of machines. */
#include <errno.h>
#include <idl/net.h>
#include <netdb.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libc.h"

/* Dotted quads only; *end_out is what follows. */
static bool parse_ipv4(const char *text, uint32_t *ipv4, const char **end_out)
{
    uint32_t value = 0;
    for (int part = 0; part < 4; part++) {
        char *end;
        if (*text < '0' || *text > '9')
            return false;
        unsigned long number = strtoul(text, &end, 10);
        if (number > 255 || end - text > 3 || (part < 3 && *end != '.'))
            return false;
        value = value << 8 | (uint32_t)number;
        text = part < 3 ? end + 1 : end;
    }
    *ipv4 = value;
    *end_out = text;
    return true;
}

int inet_aton(const char *text, struct in_addr *address)
{
    uint32_t ipv4;
    const char *end;
    if (!parse_ipv4(text, &ipv4, &end) || *end)
        return 0;
    address->s_addr = htonl(ipv4);
    return 1;
}

in_addr_t inet_addr(const char *text)
{
    struct in_addr address;
    return inet_aton(text, &address) ? address.s_addr : INADDR_NONE;
}

char *inet_ntoa(struct in_addr address)
{
    static __thread char text[INET_ADDRSTRLEN];
    return (char *)inet_ntop(AF_INET, &address, text, sizeof text);
}

const char *inet_ntop(int family, const void *restrict address, char *restrict text, socklen_t room)
{
    const uint8_t *a = address;
    char made[INET_ADDRSTRLEN];
    if (family != AF_INET) {
        errno = EAFNOSUPPORT;
        return NULL;
    }
    int length = snprintf(made, sizeof made, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    if ((socklen_t)length >= room) {
        errno = ENOSPC;
        return NULL;
    }
    return strcpy(text, made);
}

int inet_pton(int family, const char *restrict text, void *restrict address)
{
    if (family == AF_INET)
        return inet_aton(text, address);
    errno = EAFNOSUPPORT;
    return -1;
}

/* 0, or an EAI_ error. */
static int resolve(const char *host, bool numeric_only, uint32_t *ipv4)
{
    struct in_addr address;
    handle_t net;
    if (inet_aton(host, &address)) {
        *ipv4 = ntohl(address.s_addr);
        return 0;
    }
    if (strcmp(host, "localhost") == 0) {
        *ipv4 = INADDR_LOOPBACK;
        return 0;
    }
    if (numeric_only || strlen(host) > NET_RESOLVE_NAME_MAX)
        return EAI_NONAME;
    if (libc_service("net", &net) != E_OK)
        return EAI_FAIL;
    err_t err = net_resolve(net, DEADLINE_NEVER, host, ipv4);
    os_handle_close(net);
    return err == E_OK ? 0 : err == E_NOT_FOUND ? EAI_NONAME : err == E_TIMED_OUT ? EAI_AGAIN : EAI_FAIL;
}

/* Names of services: the few that everybody knows. */
static int service_port(const char *service, bool numeric_only, uint16_t *port)
{
    static const struct {
        const char *name;
        uint16_t port;
    } known[] = {{"ftp", 21},    {"ssh", 22},  {"telnet", 23}, {"smtp", 25},
                 {"domain", 53}, {"http", 80}, {"ntp", 123},   {"https", 443}};
    char *end;
    unsigned long number = strtoul(service, &end, 10);
    if (*service && !*end) {
        *port = (uint16_t)number;
        return number > 65535 ? EAI_SERVICE : 0;
    }
    for (size_t i = 0; !numeric_only && i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, service) == 0) {
            *port = known[i].port;
            return 0;
        }
    }
    return EAI_SERVICE;
}

struct found {
    struct addrinfo info;
    struct sockaddr_in address;
    char name[];
};

static struct addrinfo *make_info(const char *name, uint32_t ipv4, uint16_t port, int type)
{
    struct found *found = calloc(1, sizeof *found + (name ? strlen(name) + 1 : 0));
    if (!found)
        return NULL;
    found->address = (struct sockaddr_in){
        .sin_len = sizeof found->address, .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(ipv4)}};
    found->info = (struct addrinfo){.ai_family = AF_INET,
                                    .ai_socktype = type,
                                    .ai_protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
                                    .ai_addrlen = sizeof found->address,
                                    .ai_addr = (struct sockaddr *)&found->address};
    if (name)
        found->info.ai_canonname = strcpy(found->name, name);
    return &found->info;
}

int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict result)
{
    const struct addrinfo none = {0};
    uint32_t ipv4;
    uint16_t port = 0;
    hints = hints ? hints : &none;
    ipv4 = hints->ai_flags & AI_PASSIVE ? INADDR_ANY : INADDR_LOOPBACK;
    if (!host && !service)
        return EAI_NONAME;
    if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET)
        return EAI_FAMILY;
    if (hints->ai_socktype != 0 && hints->ai_socktype != SOCK_STREAM && hints->ai_socktype != SOCK_DGRAM)
        return EAI_SOCKTYPE;
    int error = service ? service_port(service, hints->ai_flags & AI_NUMERICSERV, &port) : 0;
    if (!error && host)
        error = resolve(host, hints->ai_flags & AI_NUMERICHOST, &ipv4);
    if (error)
        return error;
    *result = NULL;
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM}; /* each goes in front, so streams end up first */
    for (int i = 0; i < 2; i++) {
        if (hints->ai_socktype && hints->ai_socktype != types[i])
            continue;
        struct addrinfo *info = make_info(hints->ai_flags & AI_CANONNAME ? host : NULL, ipv4, port, types[i]);
        if (!info) {
            freeaddrinfo(*result);
            return EAI_MEMORY;
        }
        info->ai_next = *result;
        *result = info;
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);
        list = next;
    }
}

const char *gai_strerror(int error)
{
    switch (error) {
    case 0:
        return "success";
    case EAI_AGAIN:
        return "the name server did not answer in time";
    case EAI_FAMILY:
        return "only IPv4 is known";
    case EAI_MEMORY:
        return "out of memory";
    case EAI_NONAME:
        return "no such host";
    case EAI_SERVICE:
        return "no such service or port";
    case EAI_SOCKTYPE:
        return "no such kind of socket";
    case EAI_OVERFLOW:
        return "the name is too long for its buffer";
    default:
        return "the network cannot be asked";
    }
}

/* Addresses are not turned into names: always numeric. */
int getnameinfo(const struct sockaddr *restrict address, socklen_t length, char *restrict host, socklen_t host_room,
                char *restrict service, socklen_t service_room, int flags)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    if (length < sizeof *in || in->sin_family != AF_INET)
        return EAI_FAMILY;
    if (host && host_room && !inet_ntop(AF_INET, &in->sin_addr, host, host_room))
        return EAI_OVERFLOW;
    if (service && service_room && snprintf(service, service_room, "%u", ntohs(in->sin_port)) >= (int)service_room)
        return EAI_OVERFLOW;
    return 0;
}

struct hostent *gethostbyname(const char *name)
{
    static __thread struct in_addr address;
    static __thread char *addresses[2], *aliases[1], copy[NI_MAXHOST];
    static __thread struct hostent entry;
    uint32_t ipv4;
    if (strlen(name) >= sizeof copy || resolve(name, false, &ipv4))
        return NULL;
    strcpy(copy, name);
    address.s_addr = htonl(ipv4);
    addresses[0] = (char *)&address;
    entry = (struct hostent){.h_name = copy,
                             .h_aliases = aliases,
                             .h_addrtype = AF_INET,
                             .h_length = sizeof address,
                             .h_addr_list = addresses};
    return &entry;
}
