/* The node's address: fixed by the configuration, or leased by DHCP. */
#include "server.h"

#include "../peer/peer.h"

#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>

#include <base/format.h>
#include <string.h>

static char text[120] = "starting";
static bool started;

static const char *configured(const char *key)
{
    const struct startup *startup = os_startup();
    const char *line = (const char *)startup + startup->envv_offset;
    size_t length = strlen(key);
    for (uint32_t i = 0; i < startup->envc; i++, line += strlen(line) + 1)
        if (strncmp(line, key, length) == 0 && line[length] == '=')
            return line + length + 1;
    return NULL;
}

static bool parse_prefix(const char *digits, uint32_t *prefix_out)
{
    uint32_t prefix = 0, n = 0;
    for (; digits[n] >= '0' && digits[n] <= '9' && n < 3; n++)
        prefix = prefix * 10 + (uint32_t)(digits[n] - '0');
    *prefix_out = prefix;
    return n > 0 && digits[n] == 0 && prefix <= 32;
}

/* "10.0.0.1/24" */
static bool parse_address(const char *from, ip4_addr_t *address, ip4_addr_t *netmask)
{
    char copy[32];
    uint32_t prefix;
    const char *slash = strchr(from, '/');
    if (!slash || (size_t)(slash - from) >= sizeof copy || !parse_prefix(slash + 1, &prefix))
        return false;
    memcpy(copy, from, (size_t)(slash - from));
    copy[slash - from] = 0;
    netmask->addr = PP_HTONL(prefix ? UINT32_MAX << (32 - prefix) : 0);
    return ip4addr_aton(copy, address) != 0;
}

static void describe(void)
{
    const ip4_addr_t *ip = netif_ip4_addr(&net.netif);
    char numbers[16];
    if (!net.card)
        base_format(text, sizeof text, "%s", card_state());
    else if (!address_ready())
        base_format(text, sizeof text, "waiting for an address (%s)", card_state());
    else
        base_format(text, sizeof text, "%s, %s", ip4addr_ntoa_r(ip, numbers, sizeof numbers), card_state());
}

void address_tell(void)
{
    static char told[sizeof text];
    describe();
    if (strcmp(text, told) != 0)
        os_progress(text);
    strcpy(told, text);
}

static void changed(struct netif *netif)
{
    address_tell();
    peer_state_changed();
}

static void use_fixed(const ip4_addr_t *address, const ip4_addr_t *netmask)
{
    const char *gateway = configured("gateway");
    ip4_addr_t router = {0};
    if (gateway && !ip4addr_aton(gateway, &router))
        os_log("net: `gateway = %s` is no IPv4 address; there is no route beyond the segment", gateway);
    netif_set_addr(&net.netif, address, netmask, &router);
}

void address_start(void)
{
    const char *address = configured("address");
    ip4_addr_t ip, netmask;
    netif_set_status_callback(&net.netif, changed);
    netif_set_link_callback(&net.netif, changed);
    if (address && parse_address(address, &ip, &netmask)) {
        use_fixed(&ip, &netmask);
    } else {
        if (address && strcmp(address, "dhcp") != 0)
            os_log("net: `address = %s` is neither dhcp nor like 10.0.0.1/24; asking DHCP", address);
        if (!started || !address_ready())
            dhcp_start(&net.netif);
    }
    started = true;
    changed(&net.netif);
}

bool address_ready(void)
{
    return net.card && netif_ip4_addr(&net.netif)->addr != 0;
}

const char *address_state(void)
{
    describe();
    return text;
}
