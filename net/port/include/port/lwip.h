/* lwIP for the network server's own files. lwIP calls its 8-bit result err_t as Shoal calls its own: here it is
 * lwip_err_t. */
#pragma once

#include <abi/types.h>

#define err_t lwip_err_t
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/icmp.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/udp.h>
#include <lwip/raw.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>
#undef err_t

/* Shoal's error for one of lwIP's. */
err_t port_error(lwip_err_t err);
