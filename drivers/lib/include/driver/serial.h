/* A serial line: the library keeps the queues and the callers; the hardware's callbacks move bytes. */
#pragma once

#include <driver/byte_queue.h>
#include <driver/driver.h>

struct serial_queues {
    struct byte_queue rx, tx;
    uint64_t rx_lost; /* arrived and could not be kept */
};

struct serial_hardware {
    void *context;
    /* Interrupts `bits` came (acknowledged already): move what arrived into rx, and from tx what can be sent. */
    void (*interrupt)(void *context, struct serial_queues *queues, uint64_t bits);
    /* tx got bytes, or rx got room: go on where that does not happen by itself. */
    void (*kick)(void *context, struct serial_queues *queues);
};

/* Serves the line for ever; returns only an error. */
err_t serial_run(struct driver *driver, const struct serial_hardware *hardware);
