/* Function-level reset of a device whose driver ended: its queues may still point at pages that belong to others by the
 * time the next driver turns bus mastering on again. The reset clears the function's configuration, which is put back
 * when the function is next enabled, no sooner than the standard's 100 ms. */
#include <kernel/arch.h>
#include <kernel/debug.h>

#include "clock.h"
#include "pci.h"

#define CAP_PCIE      0x10
#define CAP_AF        0x13
#define PCIE_CAN_FLR  (1u << 28)
#define PCIE_FLR      0x8000u
#define AF_CAN_FLR    0x0200u
#define RESET_NS      100000000ull
#define BAR_REGISTERS 6

static struct reset {
    const struct device *device;
    uint64_t ready_ns; /* 0: not under way */
    bool used;         /* enabled since power-on or its last reset: only then is there anything to forget */
    uint32_t bars[BAR_REGISTERS];
} resets[DEVICES_MAX];

static struct reset *slot_of(const struct device *d)
{
    for (uint32_t i = 0; i < device_count(); i++)
        if (device_get(i) == d)
            return &resets[i];
    panic("reset of a device that is in no list");
}

static bool start(uint32_t address)
{
    uint32_t pcie = pci_capability(address, CAP_PCIE), af = pci_capability(address, CAP_AF);
    if (pcie && (pci_read(address, pcie + 4, 4) & PCIE_CAN_FLR)) {
        pci_write(address, pcie + 8, 2, pci_read(address, pcie + 8, 2) | PCIE_FLR);
        return true;
    }
    if (af && (pci_read(address, af + 2, 2) & AF_CAN_FLR)) {
        pci_write(address, af + 4, 1, 1);
        return true;
    }
    return false;
}

void pci_reset_begin(struct device *d)
{
    struct reset *r = slot_of(d);
    if (r->ready_ns || !r->used)
        return;
    r->used = false;
    for (uint32_t i = 0; i < BAR_REGISTERS; i++)
        r->bars[i] = pci_read(d->pci_address, PCI_BAR0 + 4 * i, 4);
    if (start(d->pci_address))
        r->ready_ns = time_now_ns() + RESET_NS;
}

/* Waits at most what is left of the 100 ms; a restarted driver comes later than that. */
void pci_reset_finish(struct device *d)
{
    struct reset *r = slot_of(d);
    r->used = true;
    if (!r->ready_ns)
        return;
    uint64_t now = time_now_ns();
    if (now < r->ready_ns)
        clock_spin_us((r->ready_ns - now) / 1000 + 1);
    for (uint32_t i = 0; i < BAR_REGISTERS; i++)
        pci_write(d->pci_address, PCI_BAR0 + 4 * i, 4, r->bars[i]);
    r->ready_ns = 0;
}
