/* Rings between a network driver and the network server; see abi/idl/netdev.msg. Records are whole Ethernet frames
 * without checksum. Lossy by nature: a full ring drops. */
#pragma once

#include <abi/ring.h>

#define NETDEV_RING_BYTES (256u * 1024u)
#define NETDEV_FRAME_MAX  1514u
#define NETDEV_BIT_DATA   1ull
#define NETDEV_BIT_LINK   2ull

struct netdev_shared {
    uint32_t version; /* 1 */
    uint32_t link_up;
    uint64_t rx_dropped, tx_dropped;
    uint8_t reserved[40];
    struct ring_header rx, tx; /* followed by NETDEV_RING_BYTES of rx, then of tx */
};
_Static_assert(sizeof(struct netdev_shared) == 64 + 512, "netdev_shared");
