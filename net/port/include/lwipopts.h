/* lwIP as Shoal runs it: one thread, no operating system below it, raw interface. Every pool is fixed, so the network
 * server's memory is known: about 2.4 MiB. */
#pragma once

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_TIMERS          1
#define LWIP_STATS           0
#define LWIP_NETIF_HOSTNAME  0

#define LWIP_IPV4                  1
#define LWIP_IPV6                  0
#define LWIP_ARP                   1
#define LWIP_ICMP                  1
#define LWIP_RAW                   1
#define LWIP_DHCP                  1
#define LWIP_DNS                   1
#define LWIP_UDP                   1
#define LWIP_TCP                   1
#define LWIP_IGMP                  0
#define LWIP_AUTOIP                0
#define LWIP_NETIF_LINK_CALLBACK   1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_HAVE_LOOPIF           1
#define LWIP_NETIF_LOOPBACK        1
#define LWIP_LOOPBACK_MAX_PBUFS    64
#define LWIP_DHCP_DOES_ACD_CHECK   0
#define DHCP_DOES_ARP_CHECK        0 /* a second before every address; the server has checked */
#define LWIP_DHCP_MAX_DNS_SERVERS  2
#define IP_REASSEMBLY              1
#define IP_FRAG                    1
#define IP_REASS_MAX_PBUFS         32
#define LWIP_BROADCAST_PING        0
#define SO_REUSE                   1
#define IP_SOF_BROADCAST           0
#define IP_SOF_BROADCAST_RECV      0

#define MEM_ALIGNMENT           8
#define MEM_SIZE                (1024 * 1024) /* segments to send */
#define PBUF_POOL_SIZE          512           /* frames that arrived */
#define PBUF_POOL_BUFSIZE       1536
#define MEMP_NUM_PBUF           256
#define MEMP_NUM_RAW_PCB        2
#define MEMP_NUM_UDP_PCB        40
#define MEMP_NUM_TCP_PCB        96
#define MEMP_NUM_TCP_PCB_LISTEN 32
#define MEMP_NUM_TCP_SEG        1024
#define MEMP_NUM_REASSDATA      8
#define MEMP_NUM_SYS_TIMEOUT    (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 20) /* 16 pings and the look at the card */
#define MEMP_NUM_ARP_QUEUE      32
#define ARP_TABLE_SIZE          72 /* all nodes of a cluster and some more */
#define ARP_QUEUEING            1

#define TCP_MSS             1460
#define TCP_WND             (44 * TCP_MSS) /* 64240: the most without scaling */
#define TCP_SND_BUF         (44 * TCP_MSS)
#define TCP_SND_QUEUELEN    176
#define TCP_SNDLOWAT        (8 * TCP_MSS)
#define TCP_QUEUE_OOSEQ     1
#define TCP_OOSEQ_MAX_PBUFS 48
#define LWIP_TCP_SACK_OUT   1
#define LWIP_TCP_KEEPALIVE  1
#define TCP_LISTEN_BACKLOG  1
#define TCP_OVERSIZE        TCP_MSS

/* The driver hands over whole, checked copies, but what a card computed is not offered: software does the sums. */
#define CHECKSUM_GEN_IP       1
#define LWIP_CHECKSUM_ON_COPY 1
