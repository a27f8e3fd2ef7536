/* Device interrupt lines: a line is a vector on the boot CPU, fed by an MSI-X entry or an ISA line. */
#include <kernel/arch.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "apic.h"
#include "ioapic.h"
#include "machine.h"
#include "pci.h"

#define MSIX_ENABLE        0x8000u
#define MSIX_FUNCTION_MASK 0x4000u
#define MSIX_ENTRY_MASKED  1u
#define MSI_ADDRESS        0xfee00000u

/* An MSI-X table entry. */
struct msix_entry {
    uint32_t address, address_high, data, control;
};

static struct line {
    struct device *device; /* NULL: free */
    volatile struct msix_entry *msix;
    uint32_t n; /* of the device's interrupts */
    bool level; /* masked while it is being served */
} lines[IRQ_LINES_MAX];

static volatile struct msix_entry *tables[DEVICES_MAX]; /* mapped at first use, by device index */

static volatile struct msix_entry *msix_table(const struct device *d)
{
    for (uint32_t i = 0; i < device_count(); i++) {
        if (device_get(i) != d)
            continue;
        if (!tables[i])
            tables[i] = kmap_device(d->msix_table_phys, d->msix_table_bytes);
        return tables[i];
    }
    panic("interrupt of a device that is in no list");
}

static void msix_turn_on(const struct device *d)
{
    uint32_t control = pci_read(d->pci_address, d->msix_capability + 2, 2);
    if (control & MSIX_ENABLE)
        return;
    pci_write(d->pci_address, d->msix_capability + 2, 2, control | MSIX_ENABLE | MSIX_FUNCTION_MASK);
    volatile struct msix_entry *table = msix_table(d);
    for (uint32_t i = 0; i < d->info.irqs; i++)
        table[i].control = MSIX_ENTRY_MASKED;
    pci_write(d->pci_address, d->msix_capability + 2, 2, (control | MSIX_ENABLE) & ~MSIX_FUNCTION_MASK);
}

static err_t route_msix(struct line *l, struct device *d, uint32_t vector)
{
    uint32_t target = machine_cpus[0].apic_id;
    if (target > 255)
        return E_NOT_SUPPORTED; /* needs interrupt remapping */
    pci_reset_finish(d);
    uint32_t command = pci_read(d->pci_address, PCI_COMMAND, 2);
    pci_write(d->pci_address, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY); /* the table lies in a BAR */
    msix_turn_on(d);
    l->msix = msix_table(d) + l->n;
    l->msix->control = MSIX_ENTRY_MASKED;
    l->msix->address = MSI_ADDRESS | target << 12;
    l->msix->address_high = 0;
    l->msix->data = vector;
    l->level = true;
    return E_OK;
}

static bool is_routed(const struct device *d, uint32_t n)
{
    for (uint32_t i = 0; i < IRQ_LINES_MAX; i++)
        if (lines[i].device == d && lines[i].n == n)
            return true;
    return false;
}

err_t device_irq_route(struct device *d, uint32_t n, uint32_t *line_out)
{
    uint32_t line = 0;
    if (n >= d->info.irqs)
        return E_RANGE;
    if (is_routed(d, n))
        return E_BUSY;
    while (line < IRQ_LINES_MAX && lines[line].device)
        line++;
    if (line == IRQ_LINES_MAX)
        return E_FULL;
    struct line *l = &lines[line];
    *l = (struct line){.n = n};
    if (d->info.kind == DEVICE_PCI) {
        err_t err = route_msix(l, d, VECTOR_DEVICES + line);
        if (err)
            return err;
    } else if (!ioapic_route_isa(d->legacy_line, VECTOR_DEVICES + line, machine_cpus[0].apic_id, &l->level)) {
        return E_NOT_SUPPORTED;
    }
    l->device = d;
    *line_out = line;
    return E_OK;
}

static void set_masked(const struct line *l, bool masked)
{
    if (l->msix)
        l->msix->control = masked ? MSIX_ENTRY_MASKED : 0;
    else
        ioapic_mask_isa(l->device->legacy_line, masked);
}

void irq_line_mask(uint32_t line)
{
    assert(line < IRQ_LINES_MAX && lines[line].device);
    set_masked(&lines[line], true);
}

void irq_line_unmask(uint32_t line)
{
    assert(line < IRQ_LINES_MAX && lines[line].device);
    set_masked(&lines[line], false);
}

void irq_line_release(uint32_t line)
{
    irq_line_mask(line);
    lines[line] = (struct line){0};
}

/* MSI-X keeps a pending bit while masked, and level lines stay up; an edge that comes while masked is lost for good, so
 * edge lines are left open. */
void irq_interrupt(uint32_t line)
{
    struct line *l = &lines[line];
    if (!l->device)
        return; /* it was on its way when the line was released */
    if (l->level)
        set_masked(l, true);
    irq_deliver(line);
}

void irq_quiet_device(const struct device *d)
{
    if (d->msix_capability) {
        uint32_t control = pci_read(d->pci_address, d->msix_capability + 2, 2);
        pci_write(d->pci_address, d->msix_capability + 2, 2, (control | MSIX_FUNCTION_MASK) & ~MSIX_ENABLE);
    }
    for (uint32_t i = 0; i < IRQ_LINES_MAX; i++)
        if (lines[i].device == d && !lines[i].msix)
            set_masked(&lines[i], true);
}
