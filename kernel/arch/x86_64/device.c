/* The machine's devices: PCI endpoints, serial ports that answer, the framebuffer. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/bundle.h>
#include <kernel/console.h>
#include <kernel/debug.h>
#include <kernel/device.h>
#include <kernel/init.h>
#include <kernel/trace.h>

#include "apic.h"
#include "cpu.h"
#include "pci.h"
#include "uart.h"

#define UART_PORTS   8
#define CLASS_BRIDGE 6

static struct device devices[DEVICES_MAX];
static uint32_t count, left_out;

uint32_t device_count(void)
{
    return count;
}

struct device *device_get(uint32_t n)
{
    assert(n < count);
    return &devices[n];
}

static struct device *add(void)
{
    if (count < DEVICES_MAX)
        return &devices[count++];
    left_out++;
    return NULL;
}

/* Firmware's drivers may have left DMA running: it stops before memory is used for anything else. */
static void stop_master(uint32_t address)
{
    pci_write(address, PCI_COMMAND, 2, pci_read(address, PCI_COMMAND, 2) & ~PCI_COMMAND_MASTER);
}

static void add_pci(uint32_t address)
{
    if (pci_read(address, PCI_CLASS, 1) == CLASS_BRIDGE)
        return;
    struct device *d = add();
    if (d)
        pci_describe(address, d);
}

static void add_serial(uint32_t com, uint16_t port, uint32_t isa)
{
    struct device *d = uart_answers(port) ? add() : NULL;
    if (!d)
        return;
    d->info = (struct device_info){.kind = DEVICE_SERIAL_PORTS, .location = com, .irqs = 1, .port_count = UART_PORTS};
    d->port_base = port;
    d->legacy_line = isa;
}

static void add_framebuffer(const struct boot_info *info)
{
    struct device *d = info->framebuffer.base ? add() : NULL;
    if (!d)
        return;
    d->info = (struct device_info){.kind = DEVICE_FRAMEBUFFER,
                                   .width = info->framebuffer.width,
                                   .height = info->framebuffer.height,
                                   .stride_bytes = info->framebuffer.stride_bytes,
                                   .format = info->framebuffer.format};
    d->bar_phys[0] = info->framebuffer.base & ~(PAGE_BYTES - 1);
    d->info.bar_bytes[0] = ((uint64_t)info->framebuffer.stride_bytes * info->framebuffer.height +
                            (info->framebuffer.base % PAGE_BYTES) + PAGE_BYTES - 1) &
                           ~(PAGE_BYTES - 1);
}

static void devices_init(void)
{
    pci_scan(stop_master);
    pci_scan(add_pci);
    add_serial(1, UART_COM1_PORT, 4);
    add_serial(2, UART_COM2_PORT, 3);
    add_framebuffer(boot_info_get());
    klog("devices: %u found", count);
    if (left_out)
        klog("devices: %u more than there is room for; they are not used", left_out);
}
INIT_HOOK(INIT_DEVICES, devices_init);

uint32_t device_config_read(const struct device *d, uint32_t offset, uint32_t width)
{
    return d->info.kind == DEVICE_PCI ? pci_read(d->pci_address, offset, width) : UINT32_MAX;
}

void device_config_write(const struct device *d, uint32_t offset, uint32_t width, uint32_t value)
{
    if (d->info.kind == DEVICE_PCI)
        pci_write(d->pci_address, offset, width, value);
}

/* A process that drives a console device has it to itself. */
static void tell_console(const struct device *d, bool taken)
{
    if (d->info.kind == DEVICE_SERIAL_PORTS)
        console_serial_taken(d->info.location, taken);
    if (d->info.kind == DEVICE_FRAMEBUFFER)
        console_screen_taken(taken);
}

void device_enable(struct device *d, bool on)
{
    const uint32_t bits = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    tell_console(d, on);
    if (d->info.kind != DEVICE_PCI)
        return;
    if (on)
        pci_reset_finish(d);
    uint32_t command = pci_read(d->pci_address, PCI_COMMAND, 2) | PCI_COMMAND_NO_INTX;
    pci_write(d->pci_address, PCI_COMMAND, 2, on ? command | bits : command & ~bits);
}

void device_quiet(struct device *d)
{
    trace(TRACE_DEVICE_QUIET, d->info.location, 0);
    irq_quiet_device(d);
    tell_console(d, false);
    if (d->info.kind != DEVICE_PCI)
        return;
    pci_write(d->pci_address, PCI_COMMAND, 2,
              (pci_read(d->pci_address, PCI_COMMAND, 2) & ~PCI_COMMAND_MASTER) | PCI_COMMAND_NO_INTX);
    pci_reset_begin(d);
}

static bool port_good(const struct device *d, uint32_t offset, uint32_t width)
{
    return (width == 1 || width == 2 || width == 4) && d->info.port_count >= width &&
           offset <= d->info.port_count - width;
}

uint32_t device_port_read(const struct device *d, uint32_t offset, uint32_t width)
{
    uint16_t port = (uint16_t)(d->port_base + offset);
    if (!port_good(d, offset, width))
        return UINT32_MAX;
    return width == 1 ? port_in8(port) : width == 2 ? port_in16(port) : port_in32(port);
}

void device_port_write(const struct device *d, uint32_t offset, uint32_t width, uint32_t value)
{
    uint16_t port = (uint16_t)(d->port_base + offset);
    if (!port_good(d, offset, width))
        return;
    if (width == 1)
        port_out8(port, (uint8_t)value);
    else if (width == 2)
        port_out16(port, (uint16_t)value);
    else
        port_out32(port, value);
}
