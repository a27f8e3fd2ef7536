/* Names to addresses: dotted quads, this machine, nodes of the cluster, and DNS where DHCP named a server. */
#include "server.h"

#include <abi/cluster.h>
#include <idl/cluster.h>
#include <idl/net.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <string.h>

enum { ASKING_MAX = 8, CLUSTER_MS = 500 };

static handle_t asking[ASKING_MAX]; /* kept Replies, their index is DNS's argument */

static void found(const char *name, const ip_addr_t *address, void *context)
{
    handle_t *reply = context;
    struct net_resolve_out out = {address ? lwip_ntohl(ip_addr_get_ip4_u32(address)) : 0};
    if (*reply)
        net_resolve_reply(*reply, address ? E_OK : E_NOT_FOUND, &out);
    *reply = HANDLE_NONE;
}

static bool node_named(const char *name, uint32_t *ipv4_out)
{
    static struct cluster_node rows[3900 / sizeof(struct cluster_node)];
    handle_t cluster = os_startup_handle(STARTUP_CLUSTER);
    uint32_t position = 0, next, bytes;
    while (cluster &&
           cluster_nodes(cluster, os_deadline_ms(CLUSTER_MS), position, &next, rows, sizeof rows, &bytes) == E_OK &&
           bytes >= sizeof rows[0] && next > position) {
        for (uint32_t i = 0; i < bytes / sizeof rows[0]; i++) {
            if (strncmp(rows[i].name, name, sizeof rows[i].name) != 0 || rows[i].ipv4 == 0)
                continue;
            *ipv4_out = lwip_ntohl(rows[i].ipv4);
            return true;
        }
        position = next;
    }
    return false;
}

static handle_t *free_place(void)
{
    for (uint32_t i = 0; i < ASKING_MAX; i++)
        if (!asking[i])
            return &asking[i];
    return NULL;
}

static err_t ask_dns(struct request *r, const char *name, uint32_t *ipv4_out)
{
    handle_t *place = free_place();
    ip_addr_t address;
    if (!place)
        return E_FULL;
    if (ip_addr_isany(dns_getserver(0)))
        return E_NOT_FOUND;
    lwip_err_t err = dns_gethostbyname(name, &address, found, place);
    if (err == ERR_OK) {
        *ipv4_out = lwip_ntohl(ip_addr_get_ip4_u32(&address));
        return E_OK;
    }
    if (err != ERR_INPROGRESS)
        return E_NOT_FOUND;
    *place = request_keep(r);
    return REPLY_LATER;
}

err_t resolve_request(struct request *r, const char *name, uint32_t *ipv4_out)
{
    ip4_addr_t address;
    if (ip4addr_aton(name, &address)) {
        *ipv4_out = lwip_ntohl(address.addr);
        return E_OK;
    }
    if (strcmp(name, "localhost") == 0) {
        *ipv4_out = 0x7f000001;
        return E_OK;
    }
    return node_named(name, ipv4_out) ? E_OK : ask_dns(r, name, ipv4_out);
}

void resolve_cancelled(void)
{
    for (uint32_t i = 0; i < ASKING_MAX; i++) {
        if (!asking[i] || reply_wanted(asking[i]))
            continue;
        os_handle_close(asking[i]); /* DNS still calls `found`, which then finds nobody */
        asking[i] = HANDLE_NONE;
    }
}
