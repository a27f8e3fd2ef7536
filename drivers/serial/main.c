/* The driver of a 16550 serial port. */
#include "uart.h"

#include <driver/serial.h>
#include <os/syscall.h>

static handle_t device;
static struct uart uart;

static uint8_t port_read(void *context, uint32_t port)
{
    return (uint8_t)os_control(device, OP_DEVICE_PORT_READ, port, 1, 0, 0).value;
}

static void port_write(void *context, uint32_t port, uint8_t value)
{
    os_control(device, OP_DEVICE_PORT_WRITE, port, 1, value, 0);
}

static void interrupt(void *context, struct serial_queues *queues, uint64_t bits)
{
    if (bits & DRIVER_IRQ_BIT(0))
        uart_interrupt(&uart, &queues->rx, &queues->tx);
    queues->rx_lost = uart.rx_lost;
}

static void kick(void *context, struct serial_queues *queues)
{
    uart_kick(&uart, &queues->rx, &queues->tx);
}

const char driver_name[] = "serial";

err_t driver_main(struct driver *driver)
{
    static const struct serial_hardware hardware = {NULL, interrupt, kick};
    device = driver->device;
    if (driver->info.kind != DEVICE_SERIAL_PORTS)
        return E_NOT_SUPPORTED;
    err_t err = os_control(device, OP_DEVICE_ENABLE, 1, 0, 0, 0).err;
    if (err == E_OK)
        err = driver_irq(driver, 0);
    if (err != E_OK)
        return err;
    uart.ports = (struct uart_ports){NULL, port_read, port_write};
    uart_start(&uart);
    return serial_run(driver, &hardware);
}
