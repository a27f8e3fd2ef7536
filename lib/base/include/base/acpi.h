/* Reading the firmware's ACPI tables. Pure: bytes in, checked structures out. Tables come from firmware that may be
 * buggy: every length and checksum is checked, what is malformed is refused (E_BAD_MESSAGE) or, inside a list, skipped.
 */
#pragma once

#include <abi/types.h>

#define ACPI_CPUS_MAX      64u
#define ACPI_IOAPICS_MAX   8u
#define ACPI_OVERRIDES_MAX 16u
#define ACPI_ECAMS_MAX     8u
#define ACPI_HEADER_BYTES  36u
#define ACPI_RSDP_BYTES    36u

struct acpi_rsdp {
    uint64_t xsdt; /* 0: only the old table is there */
    uint64_t rsdt;
};
err_t acpi_rsdp_decode(const void *bytes, size_t length, struct acpi_rsdp *out);

/* Length that a table's header claims; 0 if it cannot be. `bytes` holds at least ACPI_HEADER_BYTES. */
uint32_t acpi_table_length(const void *bytes);
/* Signature, length and checksum of a whole table; E_NOT_FOUND: another table, E_BAD_MESSAGE: damaged. */
err_t acpi_table_check(const void *bytes, size_t length, const char signature[4]);

/* The n-th physical address in a checked XSDT (or RSDT); false past the last. */
bool acpi_root_entry(const void *table, size_t length, uint32_t n, uint64_t *phys_out);

struct acpi_madt {
    uint64_t apic_address;
    uint32_t cpu_count, cpus_left_out; /* more than ACPI_CPUS_MAX */
    uint32_t apic_ids[ACPI_CPUS_MAX];  /* enabled processors, no id twice */
    uint32_t ioapic_count;
    struct acpi_ioapic {
        uint32_t address, first_line;
    } ioapics[ACPI_IOAPICS_MAX];
    uint32_t override_count;
    struct acpi_override {
        uint32_t line;
        uint8_t isa;
        bool low_active, level;
    } overrides[ACPI_OVERRIDES_MAX];
};
err_t acpi_madt_decode(const void *table, size_t length, struct acpi_madt *out);

struct acpi_mcfg {
    uint32_t count;
    struct acpi_ecam {
        uint64_t base;
        uint16_t segment;
        uint8_t first_bus, last_bus;
    } areas[ACPI_ECAMS_MAX];
};
err_t acpi_mcfg_decode(const void *table, size_t length, struct acpi_mcfg *out);

enum acpi_space { ACPI_MEMORY = 0, ACPI_IO = 1, ACPI_PCI = 2 };

struct acpi_address {
    uint8_t space, bits, access;
    uint64_t address; /* 0: not there */
};

struct acpi_fadt {
    uint64_t dsdt;
    uint32_t pm_timer_port; /* 0: none */
    bool pm_timer_32bit;
    uint32_t pm1a_control, pm1b_control; /* ports; 0: none */
    bool has_reset;
    struct acpi_address reset;
    uint8_t reset_value;
};
err_t acpi_fadt_decode(const void *table, size_t length, struct acpi_fadt *out);

/* Physical address of the first HPET block. */
err_t acpi_hpet_decode(const void *table, size_t length, uint64_t *address_out);

struct acpi_spcr {
    struct acpi_address uart;
    uint32_t stride; /* bytes between registers */
};
/* E_NOT_SUPPORTED: the console is no 16550. */
err_t acpi_spcr_decode(const void *table, size_t length, struct acpi_spcr *out);

/* Values for SLP_TYP of soft-off, found in the DSDT's bytes without interpreting them. False: not found. */
bool acpi_s5_find(const void *table, size_t length, uint8_t *a_out, uint8_t *b_out);
