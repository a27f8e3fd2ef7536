#include "pci.h"

#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "acpi.h"
#include "cpu.h"

#define CONFIG_BYTES_OLD 256u
#define CONFIG_BYTES     4096u
#define BUS_BYTES        (1u << 20)
#define CAPABILITIES_MAX 48
#define HEADER_BRIDGE    1
#define CAP_MSIX         0x11

/* Memory-mapped configuration space, a bus at a time, mapped when first used. */
static volatile uint8_t *bus_windows[256];
static bool bus_tried[256];

static volatile uint8_t *window(uint32_t address)
{
    uint32_t bus = address >> 8 & 0xff;
    if (address >> 16) /* one segment is what this kernel looks at */
        return NULL;
    if (bus_tried[bus])
        return bus_windows[bus];
    bus_tried[bus] = true;
    for (uint32_t i = 0; i < acpi.mcfg.count; i++) {
        const struct acpi_ecam *e = &acpi.mcfg.areas[i];
        if (e->segment == 0 && bus >= e->first_bus && bus <= e->last_bus)
            bus_windows[bus] = kmap_device(e->base + (uint64_t)bus * BUS_BYTES, BUS_BYTES);
    }
    return bus_windows[bus];
}

static volatile uint8_t *mapped(uint32_t address, uint32_t offset)
{
    volatile uint8_t *w = window(address);
    return w ? w + ((address & 0xff) << 12) + offset : NULL;
}

/* The old way: an address port and a data port. Kernel lock held, so the pair is not torn. */
static uint16_t select(uint32_t address, uint32_t offset)
{
    port_out32(0xcf8, 0x80000000u | (address & 0xffff) << 8 | (offset & 0xfc));
    return (uint16_t)(0xcfc + (offset & 3));
}

static bool in_reach(uint32_t address, uint32_t offset, uint32_t width)
{
    uint32_t limit = window(address) ? CONFIG_BYTES : CONFIG_BYTES_OLD;
    return (width == 1 || width == 2 || width == 4) && offset % width == 0 && offset <= limit - width;
}

uint32_t pci_read(uint32_t address, uint32_t offset, uint32_t width)
{
    if (!in_reach(address, offset, width))
        return UINT32_MAX;
    volatile uint8_t *m = mapped(address, offset);
    if (m)
        return width == 1 ? *m : width == 2 ? *(volatile uint16_t *)m : *(volatile uint32_t *)m;
    uint16_t port = select(address, offset);
    return width == 1 ? port_in8(port) : width == 2 ? port_in16(port) : port_in32(port);
}

void pci_write(uint32_t address, uint32_t offset, uint32_t width, uint32_t value)
{
    if (!in_reach(address, offset, width))
        return;
    volatile uint8_t *m = mapped(address, offset);
    uint16_t port = m ? 0 : select(address, offset);
    if (width == 1)
        m ? (void)(*m = (uint8_t)value) : port_out8(port, (uint8_t)value);
    else if (width == 2)
        m ? (void)(*(volatile uint16_t *)m = (uint16_t)value) : port_out16(port, (uint16_t)value);
    else
        m ? (void)(*(volatile uint32_t *)m = value) : port_out32(port, value);
}

uint32_t pci_capability(uint32_t address, uint8_t id)
{
    if (!(pci_read(address, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        return 0;
    uint32_t at = pci_read(address, PCI_CAPABILITIES, 1) & 0xfc;
    for (uint32_t n = 0; at >= 0x40 && n < CAPABILITIES_MAX; n++) {
        if (pci_read(address, at, 1) == id)
            return at;
        at = pci_read(address, at + 1, 1) & 0xfc;
    }
    return 0;
}

/* ---- finding functions ---- */

static uint64_t buses_seen[4];

static void scan_bus(uint32_t bus, void (*found)(uint32_t address));

static void scan_bridge(uint32_t address, void (*found)(uint32_t address))
{
    uint32_t command = pci_read(address, PCI_COMMAND, 2);
    pci_write(address, PCI_COMMAND, 2, command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    scan_bus(pci_read(address, PCI_SECONDARY_BUS, 1), found);
}

static bool scan_function(uint32_t address, void (*found)(uint32_t address))
{
    if (pci_read(address, PCI_VENDOR, 2) == 0xffff)
        return false;
    uint32_t header = pci_read(address, PCI_HEADER, 1) & 0x7f;
    if (header == HEADER_BRIDGE)
        scan_bridge(address, found);
    else if (header == 0)
        found(address);
    return true;
}

static void scan_bus(uint32_t bus, void (*found)(uint32_t address))
{
    if (buses_seen[bus / 64] >> (bus % 64) & 1) /* a bridge that was never set up, or a loop */
        return;
    buses_seen[bus / 64] |= 1ull << (bus % 64);
    for (uint32_t device = 0; device < 32; device++) {
        uint32_t address = bus << 8 | device << 3;
        if (!scan_function(address, found) || !(pci_read(address, PCI_HEADER, 1) & 0x80))
            continue;
        for (uint32_t function = 1; function < 8; function++)
            scan_function(address | function, found);
    }
}

void pci_scan(void (*found)(uint32_t address))
{
    memset(buses_seen, 0, sizeof buses_seen);
    scan_bus(0, found);
    if (!(pci_read(0, PCI_HEADER, 1) & 0x80))
        return;
    for (uint32_t function = 1; function < 8;
         function++) /* a host bridge with several functions: function n is bus n */
        if (pci_read(function, PCI_VENDOR, 2) != 0xffff && pci_read(function, PCI_CLASS, 1) == 6 &&
            pci_read(function, PCI_SUBCLASS, 1) == 0)
            scan_bus(function, found);
}

/* ---- describing one ---- */

/* Size of a BAR by the customary way: write ones, read what sticks. Decoding is off meanwhile. */
static uint32_t bar_probe(uint32_t address, uint32_t offset)
{
    uint32_t kept = pci_read(address, offset, 4);
    pci_write(address, offset, 4, UINT32_MAX);
    uint32_t probed = pci_read(address, offset, 4);
    pci_write(address, offset, 4, kept);
    return probed;
}

/* Fills in BAR n; returns how many registers it takes. */
static uint32_t describe_bar(uint32_t address, struct device *d, uint32_t n)
{
    uint32_t offset = PCI_BAR0 + 4 * n, low = pci_read(address, offset, 4);
    if (low & 1)
        return 1; /* I/O ports: drivers here use memory */
    bool wide = (low >> 1 & 3) == 2 && n + 1 < DEVICE_BARS;
    uint64_t size = bar_probe(address, offset) & ~15u, base = low & ~15u;
    if (wide) {
        size |= (uint64_t)bar_probe(address, offset + 4) << 32;
        base |= (uint64_t)pci_read(address, offset + 4, 4) << 32;
    } else if (size) {
        size |= 0xffffffff00000000ull;
    }
    if (size && base) {
        d->bar_phys[n] = base;
        d->info.bar_bytes[n] = ~size + 1;
    }
    return wide ? 2 : 1;
}

static void describe_msix(uint32_t address, struct device *d)
{
    uint32_t at = pci_capability(address, CAP_MSIX);
    if (!at)
        return;
    uint32_t vectors = (pci_read(address, at + 2, 2) & 0x7ff) + 1, table = pci_read(address, at + 4, 4);
    uint32_t bar = table & 7;
    uint64_t offset = table & ~7u;
    if (bar >= DEVICE_BARS || offset + vectors * 16ull > d->info.bar_bytes[bar])
        return; /* it points outside of its own memory */
    d->msix_capability = at;
    d->msix_table_phys = d->bar_phys[bar] + offset;
    d->msix_table_bytes = vectors * 16ull;
    d->info.irqs = vectors;
}

void pci_describe(uint32_t address, struct device *d)
{
    uint32_t command = pci_read(address, PCI_COMMAND, 2);
    d->pci_address = address;
    d->info = (struct device_info){
        .kind = DEVICE_PCI,
        .location = address,
        .vendor = (uint16_t)pci_read(address, PCI_VENDOR, 2),
        .device = (uint16_t)pci_read(address, PCI_DEVICE, 2),
        .subsystem_vendor = (uint16_t)pci_read(address, PCI_SUBSYSTEM_VENDOR, 2),
        .subsystem_device = (uint16_t)pci_read(address, PCI_SUBSYSTEM, 2),
        .class_code = (uint8_t)pci_read(address, PCI_CLASS, 1),
        .subclass = (uint8_t)pci_read(address, PCI_SUBCLASS, 1),
        .interface = (uint8_t)pci_read(address, PCI_INTERFACE, 1),
        .revision = (uint8_t)pci_read(address, PCI_REVISION, 1),
    };
    pci_write(address, PCI_COMMAND, 2, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
    for (uint32_t n = 0; n < DEVICE_BARS;)
        n += describe_bar(address, d, n);
    describe_msix(address, d);
    pci_write(address, PCI_COMMAND, 2, command & ~PCI_COMMAND_MASTER);
}
