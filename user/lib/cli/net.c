#include <abi/file.h>
#include <cli/net.h>
#include <idl/names.h>
#include <idl/net.h>
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

handle_t net_service(const char *program)
{
    handle_t net = HANDLE_NONE;
    err_t err = names_open(os_startup_handle(STARTUP_NAMES), DEADLINE_NEVER, OPEN_READ | OPEN_WRITE, 0, "/svc/net",
                           &net, NULL, NULL);
    if (err != E_OK)
        fprintf(stderr, "%s: no network server on this node: %s\n", program, os_error_text(err));
    return err == E_OK ? net : HANDLE_NONE;
}

int net_address(const char *program, handle_t net, const char *name, uint32_t *ipv4_out)
{
    char node[16];
    bool number = name[0] && strlen(name) < 4 && strspn(name, "0123456789") == strlen(name);
    snprintf(node, sizeof node, "node%.4s", name);
    err_t err = net_resolve(net, DEADLINE_NEVER, number ? node : name, ipv4_out);
    if (err != E_OK)
        fprintf(stderr, "%s: %s: neither a node, nor an address like 10.0.0.1, nor a name that is known: %s\n", program,
                name, os_error_text(err));
    return err == E_OK ? 0 : 1;
}

int net_number(const char *program, const char *what, const char *text, long low, long high, long *out)
{
    char *end;
    *out = strtol(text, &end, 10);
    if (end != text && *end == 0 && *out >= low && *out <= high)
        return 0;
    fprintf(stderr, "%s: %s: a whole number from %ld to %ld is expected, not `%s`\n", program, what, low, high, text);
    return 1;
}
