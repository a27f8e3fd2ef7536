/* A network card: the library keeps the rings of abi/netdev.h with the client; the hardware's callbacks move frames. */
#pragma once

#include <abi/netdev.h>
#include <driver/driver.h>

struct netdev_hardware {
    void *context;
    uint64_t mac; /* first byte of the address lowest */
    uint32_t mtu;
    bool link_up;
    /* Room for a frame of NETDEV_FRAME_MAX bytes that the card will send, or NULL: none free now, call netdev_pump
     * later. */
    void *(*send_room)(void *context);
    /* The frame of `bytes` bytes lies in the room last given: send it. */
    void (*send)(void *context, uint32_t bytes);
    /* All frames of one go were given. */
    void (*send_end)(void *context);
    /* Interrupts `bits` came: netdev_received for each frame, netdev_carrier on a change. */
    void (*interrupt)(void *context, uint64_t bits);
};

/* A frame arrived; false: it was dropped, nobody takes it. */
bool netdev_received(const void *frame, uint32_t bytes);
void netdev_carrier(bool up);

/* Serves the card for ever; returns only an error. */
err_t netdev_run(struct driver *driver, struct netdev_hardware *hardware);
