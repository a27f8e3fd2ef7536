/* What arch and irq/ offer to the Device and IRQ object types. Kernel lock held for all of these. */
#pragma once

#include <abi/info.h>

#define DEVICES_MAX   64u
#define IRQ_LINES_MAX 192u

/* A machine device found at boot. Lives for ever. */
struct device {
    struct device_info info;
    uint64_t bar_phys[DEVICE_BARS];
    uint64_t msix_table_phys;  /* the MSI-X table; its pages are hidden from DEVICE_BAR */
    uint64_t msix_table_bytes; /* 0: none */
    uint32_t msix_capability;  /* offset in configuration space; 0: none */
    uint32_t pci_address;      /* for arch's configuration accessors */
    uint16_t port_base;
    uint32_t legacy_line; /* ISA interrupt, e.g. 4 for COM1 */
    bool in_use;          /* a Device handle was opened and is alive */
    uint32_t epoch;       /* counts device_object_quiet(): what it was told before holds no more */
};

uint32_t device_count(void);
struct device *device_get(uint32_t n);
uint32_t device_config_read(const struct device *d, uint32_t offset, uint32_t width);
void device_config_write(const struct device *d, uint32_t offset, uint32_t width, uint32_t value);
void device_enable(struct device *d, bool on);
/* Bus mastering off, MSI-X masked, function-level reset where it has one: before its pages are given back. */
void device_quiet(struct device *d);
void device_object_quiet(struct device *d); /* in object/: device_quiet, and its DMA Memory is forgotten */
/* A free interrupt line routed to vector n of the device; masked. E_FULL when none. */
err_t device_irq_route(struct device *d, uint32_t n, uint32_t *line_out);
void irq_line_mask(uint32_t line);
void irq_line_unmask(uint32_t line);
void irq_line_release(uint32_t line);
uint32_t device_port_read(const struct device *d, uint32_t offset, uint32_t width);
void device_port_write(const struct device *d, uint32_t offset, uint32_t width, uint32_t value);
