/* Carries the kernel's sealed datagrams between the rings of abi/peer.h and UDP. Buffers both ways are its own, so the
 * cluster is heard whatever programs do with their sockets. */
#pragma once

#include <abi/peer.h>
#include <port/lwip.h>

/* Offers the rings to the kernel. Without a cluster service in the kernel it does nothing, here and below. */
void peer_start(handle_t notification);

/* A pbuf over an own buffer that holds the frame. NULL: all in use. */
struct pbuf *peer_receive_buffer(const void *frame, uint32_t bytes);

/* Sends what the kernel has put into its ring. */
void peer_output(void);

/* The kernel is signalled if it sleeps on what arrived. */
void peer_flush(void);

/* Address or card changed: tells the kernel. */
void peer_state_changed(void);
