#include "uart.h"

enum { DATA = 0, ENABLE = 1, IDENTITY = 2, FIFO = 2, LINE = 3, MODEM = 4, LINE_STATUS = 5, MODEM_STATUS = 6 };
enum { ENABLE_RX = 1, ENABLE_TX = 2, ENABLE_ERRORS = 4 };
enum { LINE_READY = 1, LINE_OVERRUN = 2, LINE_ERRORS = 0x1c, LINE_TX_EMPTY = 0x20 };
enum { FIFO_ON = 1, FIFO_TRIGGER_8 = 0x80, LINE_8N1 = 3, LINE_DIVISOR = 0x80, MODEM_ON = 0x0b /* DTR, RTS, OUT2 */ };
enum { IDENTITY_NONE = 1, IDENTITY_FIFO = 0xc0 };
enum { ROUNDS_MAX = 256 /* a chip that always has something must not hold the driver */ };

static uint8_t get(struct uart *u, uint32_t port)
{
    return u->ports.read(u->ports.context, port);
}
static void put(struct uart *u, uint32_t port, uint8_t value)
{
    u->ports.write(u->ports.context, port, value);
}

static void set_interrupts(struct uart *u, uint8_t interrupts)
{
    if (u->interrupts != interrupts)
        put(u, ENABLE, interrupts);
    u->interrupts = interrupts;
}

void uart_start(struct uart *u)
{
    put(u, ENABLE, 0);
    put(u, LINE, LINE_DIVISOR);
    put(u, DATA, 1);   /* divisor 1: 115200 baud */
    put(u, ENABLE, 0); /* its high byte */
    put(u, LINE, LINE_8N1);
    put(u, FIFO, FIFO_ON | FIFO_TRIGGER_8);
    put(u, MODEM, MODEM_ON);
    u->fifo_bytes = (get(u, IDENTITY) & IDENTITY_FIFO) == IDENTITY_FIFO ? 16 : 1;
    u->interrupts = 0;
    set_interrupts(u, ENABLE_RX | ENABLE_ERRORS);
}

/* What there is no room for stays in the chip. */
static void receive(struct uart *u, struct byte_queue *rx)
{
    for (uint32_t n = 0; n < ROUNDS_MAX; n++) {
        uint8_t status = get(u, LINE_STATUS);
        u->rx_lost += (status & LINE_OVERRUN) != 0;
        u->line_errors += (status & LINE_ERRORS) != 0;
        if (!(status & LINE_READY) || byte_queue_room(rx) == 0)
            return;
        uint8_t byte = get(u, DATA);
        byte_queue_put(rx, &byte, 1);
    }
}

/* Fills the transmitter when it is empty. */
static void transmit(struct uart *u, struct byte_queue *tx)
{
    uint8_t bytes[16];
    if (byte_queue_used(tx) > 0 && (get(u, LINE_STATUS) & LINE_TX_EMPTY)) {
        uint32_t count = byte_queue_take(tx, bytes, u->fifo_bytes);
        for (uint32_t i = 0; i < count; i++)
            put(u, DATA, bytes[i]);
    }
}

/* Interrupts are on exactly while there is more to send, and while there is room for what arrives. */
static void choose_interrupts(struct uart *u, const struct byte_queue *rx, const struct byte_queue *tx)
{
    set_interrupts(u, (uint8_t)(ENABLE_ERRORS | (byte_queue_room(rx) > 0 ? ENABLE_RX : 0) |
                                (byte_queue_used(tx) > 0 ? ENABLE_TX : 0)));
}

void uart_interrupt(struct uart *u, struct byte_queue *rx, struct byte_queue *tx)
{
    for (uint32_t n = 0; n < ROUNDS_MAX; n++) {
        uint8_t identity = get(u, IDENTITY);
        receive(u, rx);
        transmit(u, tx);
        choose_interrupts(u, rx, tx);
        if (identity & IDENTITY_NONE)
            return;
        if ((identity & 0x0e) == 0)
            (void)get(u, MODEM_STATUS); /* a modem line changed: reading it is all it wants */
    }
}

void uart_kick(struct uart *u, struct byte_queue *rx, struct byte_queue *tx)
{
    if (!(u->interrupts & ENABLE_RX))
        receive(u, rx);
    if (!(u->interrupts & ENABLE_TX))
        transmit(u, tx);
    choose_interrupts(u, rx, tx);
}
