/* For programs about the network. */
#pragma once

#include <abi/types.h>
#include <stdint.h>

/* The net service of this node. Reports "PROGRAM: why" and returns HANDLE_NONE when there is none. */
handle_t net_service(const char *program);

/* A dotted quad, a node's name or a DNS name to an IPv4 address in host byte order. Reports; returns 0, or 1 on
 * failure. */
int net_address(const char *program, handle_t net, const char *name, uint32_t *ipv4_out);

/* A whole number from `low` to `high`. Returns 0, or 1 after reporting what was expected. */
int net_number(const char *program, const char *what, const char *text, long low, long high, long *out);
