/* The 16550 of the early console, written without interrupts. Every wait is bounded: a line that does not drain, or is
 * not there, must not hold up the boot. */
#include <kernel/arch.h>
#include <kernel/console.h>

#include "cpu.h"
#include "uart.h"

#define DATA    0
#define IER     1
#define FCR     2
#define LCR     3
#define MCR     4
#define LSR     5
#define SCRATCH 7

#define LCR_DLAB     0x80
#define LCR_8N1      0x03
#define LSR_TX_EMPTY 0x20
#define FIFO_BYTES   16
#define DRAIN_POLLS  200000 /* 16 characters at 9600 take 17 ms; a poll is about a microsecond on real hardware */

/* The early console's UART: I/O ports, or memory where SPCR says so. */
static struct {
    bool present, dead;
    uint16_t port;
    volatile uint8_t *memory;
    uint32_t stride;
} uart;

static uint8_t reg_read(uint32_t reg)
{
    return uart.memory ? uart.memory[reg * uart.stride] : port_in8((uint16_t)(uart.port + reg));
}

static void reg_write(uint32_t reg, uint8_t value)
{
    if (uart.memory)
        uart.memory[reg * uart.stride] = value;
    else
        port_out8((uint16_t)(uart.port + reg), value);
}

bool uart_answers(uint16_t port)
{
    uint8_t kept = port_in8(port + SCRATCH);
    bool same = true;
    for (uint32_t probe = 0; probe < 2; probe++) {
        port_out8(port + SCRATCH, probe ? 0xa5 : 0x5a);
        same = same && port_in8(port + SCRATCH) == (probe ? 0xa5 : 0x5a);
    }
    port_out8(port + SCRATCH, kept);
    return same && port_in8(port + LSR) != 0xff;
}

static void set_up(void)
{
    reg_write(IER, 0);
    reg_write(LCR, LCR_DLAB | LCR_8N1);
    reg_write(DATA, 1); /* 115200 */
    reg_write(IER, 0);
    reg_write(LCR, LCR_8N1);
    reg_write(FCR, 0x07);
    reg_write(MCR, 0x03); /* DTR, RTS; the interrupt gate stays shut */
}

void arch_uart_init(void)
{
    if (!uart_answers(UART_COM1_PORT))
        return;
    uart.port = UART_COM1_PORT;
    uart.present = true;
    set_up();
}

void uart_use_ports(uint16_t port)
{
    if (uart.present && !uart.memory && uart.port == port)
        return;
    if (!uart_answers(port))
        return;
    uart.port = port;
    uart.memory = NULL;
    uart.present = true;
    set_up();
}

void uart_use_memory(volatile uint8_t *registers, uint32_t stride)
{
    uart.memory = registers;
    uart.stride = stride;
    uart.present = true; /* the firmware set it up: speed and framing stay */
}

static bool wait_empty(void)
{
    for (uint32_t i = 0; i < DRAIN_POLLS; i++) {
        if (reg_read(LSR) & LSR_TX_EMPTY)
            return true;
        arch_relax();
    }
    uart.dead = true;
    return false;
}

bool arch_uart_write(const char *text, size_t length)
{
    uint32_t room = 0;
    if (!uart.present || uart.dead)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (room < 2 && !wait_empty())
            return false;
        if (room < 2)
            room = FIFO_BYTES;
        if (text[i] == '\n')
            reg_write(DATA, '\r'), room--;
        reg_write(DATA, (uint8_t)text[i]), room--;
    }
    return true;
}
