/* What the firmware's tables say, read once at INIT_ARCH. */
#pragma once

#include <base/acpi.h>

struct acpi {
    bool has_madt, has_fadt, has_spcr, has_s5;
    struct acpi_madt madt;
    struct acpi_mcfg mcfg; /* count 0: none */
    struct acpi_fadt fadt;
    struct acpi_spcr spcr;
    uint64_t hpet; /* 0: none */
    uint8_t s5_a, s5_b;
};
extern struct acpi acpi;

void acpi_init(void);
