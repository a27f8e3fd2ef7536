/* Between the kernel's cluster service and net/peer: two rings of sealed datagrams in one Memory.
 *
 * Layout: struct peer_shared, then `out` (kernel -> peer) ring bytes, then `in` (peer -> kernel) ring bytes.
 * net/peer sends what it is given and delivers what arrives on UDP port PEER_PORT; it can only drop or delay.
 */
#pragma once

#include <abi/ring.h>

#define PEER_PORT         7447u
#define PEER_DATAGRAM_MAX 1432u
#define PEER_RING_BYTES   (256u * 1024u)
#define PEER_BIT_DATA     1ull /* kernel -> peer and peer -> kernel: look at the rings */
#define PEER_BIT_STATE    2ull /* peer -> kernel: `state` changed */

/* The record in either ring is this header and then the datagram's bytes. */
struct peer_record {
    uint32_t
        ipv4; /* network byte order; destination when going out (255.255.255.255: broadcast), source when coming in */
    uint16_t port; /* host byte order */
    uint16_t bytes;
};

struct peer_shared {
    uint32_t version;                /* 1 */
    uint32_t state;                  /* written by peer: 0 starting, 1 no card, 2 no address yet, 3 ready */
    uint32_t ipv4, netmask, gateway; /* own address, network byte order */
    uint8_t mac[6];
    uint8_t reserved[38];
    struct ring_header out, in;
};
_Static_assert(sizeof(struct peer_shared) == 64 + 512, "peer_shared");
