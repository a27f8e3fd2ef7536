/* PCI functions: configuration space, finding them, their MSI-X tables. An address is segment << 16 | bus << 8 |
 * device << 3 | function. */
#pragma once

#include <kernel/device.h>

enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_INTERFACE = 0x09,
    PCI_SUBCLASS = 0x0a,
    PCI_CLASS = 0x0b,
    PCI_HEADER = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SECONDARY_BUS = 0x19,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_CAPABILITIES = 0x34
};

#define PCI_COMMAND_IO          0x001u
#define PCI_COMMAND_MEMORY      0x002u
#define PCI_COMMAND_MASTER      0x004u
#define PCI_COMMAND_NO_INTX     0x400u
#define PCI_STATUS_CAPABILITIES 0x10u

uint32_t pci_read(uint32_t address, uint32_t offset, uint32_t width);
void pci_write(uint32_t address, uint32_t offset, uint32_t width, uint32_t value);
/* Offset of a capability; 0: it has none. */
uint32_t pci_capability(uint32_t address, uint8_t id);

/* Calls found() for every endpoint behind every bridge; bridges are opened for memory, I/O and bus masters below them.
 */
void pci_scan(void (*found)(uint32_t address));
/* Function-level reset, if it has one; and what makes it usable again. */
void pci_reset_begin(struct device *d);
void pci_reset_finish(struct device *d);
/* Fills in what a Device says about a function. */
void pci_describe(uint32_t address, struct device *d);
