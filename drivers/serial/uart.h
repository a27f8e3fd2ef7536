/* A 16550: registers in, bytes out. The ports are given, so that a test can be the chip. */
#pragma once

#include <driver/byte_queue.h>

struct uart_ports {
    void *context;
    uint8_t (*read)(void *context, uint32_t port);
    void (*write)(void *context, uint32_t port, uint8_t value);
};

struct uart {
    struct uart_ports ports;
    uint8_t interrupts;  /* as last written to the interrupt enable register */
    uint32_t fifo_bytes; /* 16, or 1 where there is no FIFO */
    uint64_t rx_lost;    /* overrun in the chip */
    uint64_t line_errors;
};

/* 115200 baud, 8N1, FIFOs on, receive interrupts on. What lies in the receive FIFO is kept. */
void uart_start(struct uart *uart);

/* Works off everything the chip has an interrupt for. While rx is full, bytes wait in the chip, and with it the sender,
 * if the line lets it wait. */
void uart_interrupt(struct uart *uart, struct byte_queue *rx, struct byte_queue *tx);

/* Bytes were added to tx, or taken from rx. */
void uart_kick(struct uart *uart, struct byte_queue *rx, struct byte_queue *tx);
