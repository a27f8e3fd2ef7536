/* ifconfig: this node's network card and address. */
#include <cli/net.h>
#include <idl/net.h>
#include <os/log.h>
#include <os/syscall.h>
#include <stdio.h>

static void print_address(const char *label, uint32_t ipv4)
{
    printf("%s %u.%u.%u.%u\n", label, ipv4 >> 24, ipv4 >> 16 & 255, ipv4 >> 8 & 255, ipv4 & 255);
}

int main(int argc, char **argv)
{
    uint32_t ipv4, netmask, gateway;
    uint64_t mac;
    char text[401];
    if (argc != 1) {
        fprintf(stderr, "usage: ifconfig     shows the address; it is set in shoal.conf (address, gateway)\n");
        return 2;
    }
    handle_t net = net_service("ifconfig");
    if (!net)
        return 1;
    err_t err = net_status(net, DEADLINE_NEVER, &ipv4, &netmask, &gateway, &mac, text);
    if (err != E_OK) {
        fprintf(stderr, "ifconfig: %s\n", os_error_text(err));
        return 1;
    }
    print_address("address", ipv4);
    print_address("netmask", netmask);
    print_address("gateway", gateway);
    printf("mac     %02x:%02x:%02x:%02x:%02x:%02x\n", (unsigned)(mac & 255), (unsigned)(mac >> 8 & 255),
           (unsigned)(mac >> 16 & 255), (unsigned)(mac >> 24 & 255), (unsigned)(mac >> 32 & 255),
           (unsigned)(mac >> 40 & 255));
    printf("state   %s\n", text);
    return 0;
}
