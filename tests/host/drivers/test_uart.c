/* The 16550 against a chip in software: order, FIFO limits, overflow, interrupts. */
#include <test/check.h>
#include <uart.h>

struct chip {
    uint8_t enable, line, overrun;
    uint8_t rx[16], sent[65536];
    uint32_t rx_count, tx_fifo, sent_count, accesses;
    bool fifo, always_pending, modem_changed, tx_event;
};

static struct chip chip;
static struct uart uart;
static struct byte_queue rx, tx;

static uint8_t identity(void)
{
    uint8_t fifo = chip.fifo ? 0xc0 : 0;
    if (chip.always_pending || ((chip.enable & 1) && chip.rx_count > 0))
        return fifo | 4;
    if ((chip.enable & 2) && chip.tx_event) {
        chip.tx_event = false; /* reading it is the acknowledgement */
        return fifo | 2;
    }
    return fifo | (chip.modem_changed ? 0 : 1);
}

static uint8_t chip_read(void *context, uint32_t port)
{
    chip.accesses++;
    if (port == 0) {
        CHECK(chip.rx_count > 0 || chip.always_pending);
        uint8_t byte = chip.rx[0];
        if (chip.rx_count > 0)
            memmove(chip.rx, chip.rx + 1, --chip.rx_count);
        return byte;
    }
    if (port == 2)
        return identity();
    if (port == 6)
        chip.modem_changed = false;
    if (port == 5) {
        uint8_t status = (uint8_t)((chip.rx_count > 0 || chip.always_pending ? 1 : 0) | (chip.tx_fifo == 0 ? 0x60 : 0) |
                                   (chip.overrun ? 2 : 0));
        chip.overrun = 0;
        return status;
    }
    return 0;
}

static void chip_write(void *context, uint32_t port, uint8_t value)
{
    chip.accesses++;
    if (port == 3)
        chip.line = value;
    if (port == 0 && !(chip.line & 0x80)) {
        CHECK(chip.tx_fifo < (chip.fifo ? 16u : 1u)); /* more would be lost */
        chip.tx_fifo++;
        chip.sent[chip.sent_count++ % sizeof chip.sent] = value;
    }
    if (port == 1 && !(chip.line & 0x80)) {
        if ((value & 2) && !(chip.enable & 2) && chip.tx_fifo == 0)
            chip.tx_event = true;
        chip.enable = value;
    }
}

static void start(bool fifo)
{
    memset(&chip, 0, sizeof chip);
    memset(&rx, 0, sizeof rx);
    memset(&tx, 0, sizeof tx);
    memset(&uart, 0, sizeof uart);
    chip.fifo = fifo;
    uart.ports = (struct uart_ports){NULL, chip_read, chip_write};
    uart_start(&uart);
    CHECK_EQUAL(uart.fifo_bytes, fifo ? 16 : 1);
}

static void chip_drains(void)
{
    chip.tx_fifo = 0;
    chip.tx_event = true;
    if (chip.enable & 2)
        uart_interrupt(&uart, &rx, &tx);
}

static void test_sends_all_in_order(void)
{
    for (int fifo = 0; fifo < 2; fifo++) {
        start(fifo);
        uint32_t next = 0, state = 3;
        while (next < 40000) {
            uint8_t bytes[100];
            state = state * 1664525u + 1013904223u;
            uint32_t count = state >> 16 & 63;
            for (uint32_t i = 0; i < count; i++)
                bytes[i] = (uint8_t)((next + i) * 7);
            next += byte_queue_put(&tx, bytes, count);
            uart_kick(&uart, &rx, &tx);
            for (uint32_t n = state >> 28; n > 0; n--)
                chip_drains();
        }
        while (byte_queue_used(&tx) > 0)
            chip_drains();
        chip_drains();
        CHECK_EQUAL(chip.sent_count, next);
        for (uint32_t i = 0; i < next; i++)
            CHECK_EQUAL(chip.sent[i], (uint8_t)(i * 7));
        CHECK_EQUAL(chip.enable & 2, 0); /* nothing to send: no interrupts for it */
    }
}

/* What the queue has no room for waits in the chip, without interrupts, and comes when there is room. */
static void test_a_full_queue_loses_nothing(void)
{
    start(true);
    uint8_t sent = 0, expected = 0, got;
    uint32_t taken = 0;
    while (taken < 3 * BYTE_QUEUE_BYTES) {
        while (chip.rx_count < 16)
            chip.rx[chip.rx_count++] = sent++;
        if (identity() & 1) { /* no interrupt: the queue is full */
            CHECK_EQUAL(byte_queue_used(&rx), BYTE_QUEUE_BYTES);
            CHECK_EQUAL(chip.rx_count, 16);
            for (uint32_t i = 0; i < 1000; i++, taken++)
                CHECK(byte_queue_take(&rx, &got, 1) == 1 && got == expected++);
            uart_kick(&uart, &rx, &tx);
            CHECK_EQUAL(chip.enable & 1, 1);
        } else {
            uart_interrupt(&uart, &rx, &tx);
        }
    }
    CHECK_EQUAL(uart.rx_lost, 0);
}

static void test_an_overrun_is_counted(void)
{
    start(true);
    chip.overrun = 1;
    uart_interrupt(&uart, &rx, &tx);
    CHECK_EQUAL(uart.rx_lost, 1);
}

static void test_a_chip_that_never_rests_does_not_hold_the_driver(void)
{
    start(true);
    chip.always_pending = true;
    chip.accesses = 0;
    uart_interrupt(&uart, &rx, &tx);
    CHECK(chip.accesses < 300000);
    chip.always_pending = false;
    chip.modem_changed = true;
    uart_interrupt(&uart, &rx, &tx);
    CHECK(!chip.modem_changed);
}

int main(void)
{
    RUN(test_sends_all_in_order);
    RUN(test_a_full_queue_loses_nothing);
    RUN(test_an_overrun_is_counted);
    RUN(test_a_chip_that_never_rests_does_not_hold_the_driver);
    return 0;
}
