#include "ioapic.h"

#include <kernel/debug.h>
#include <kernel/mm.h>

#include "acpi.h"

enum { REG_VERSION = 1, REG_PINS = 16 };
#define PIN_MASKED     0x10000u
#define PIN_LEVEL      0x8000u
#define PIN_LOW_ACTIVE 0x2000u

static struct {
    volatile uint32_t *registers;
    uint32_t first_line, pins;
} ioapics[ACPI_IOAPICS_MAX];
static uint32_t ioapic_count;

static uint32_t reg_read(uint32_t i, uint32_t reg)
{
    ioapics[i].registers[0] = reg;
    return ioapics[i].registers[4];
}

static void reg_write(uint32_t i, uint32_t reg, uint32_t value)
{
    ioapics[i].registers[0] = reg;
    ioapics[i].registers[4] = value;
}

void ioapic_init(void)
{
    for (uint32_t i = 0; i < acpi.madt.ioapic_count; i++) {
        ioapics[i].registers = kmap_device(acpi.madt.ioapics[i].address, 32);
        ioapics[i].first_line = acpi.madt.ioapics[i].first_line;
        ioapics[i].pins = (reg_read(i, REG_VERSION) >> 16 & 0xff) + 1;
        for (uint32_t pin = 0; pin < ioapics[i].pins; pin++)
            reg_write(i, REG_PINS + 2 * pin, PIN_MASKED);
    }
    ioapic_count = acpi.madt.ioapic_count;
}

static struct acpi_override isa_line(uint32_t isa)
{
    for (uint32_t i = 0; i < acpi.madt.override_count; i++)
        if (acpi.madt.overrides[i].isa == isa)
            return acpi.madt.overrides[i];
    return (struct acpi_override){.line = isa, .isa = (uint8_t)isa};
}

static bool find_pin(uint32_t line, uint32_t *ioapic_out, uint32_t *pin_out)
{
    for (uint32_t i = 0; i < ioapic_count; i++) {
        *ioapic_out = i;
        *pin_out = line - ioapics[i].first_line;
        if (line >= ioapics[i].first_line && *pin_out < ioapics[i].pins)
            return true;
    }
    return false;
}

bool ioapic_route_isa(uint32_t isa, uint32_t vector, uint32_t apic_id, bool *level_out)
{
    struct acpi_override o = isa_line(isa);
    uint32_t i, pin;
    if (!find_pin(o.line, &i, &pin) || apic_id > 255)
        return false;
    *level_out = o.level;
    reg_write(i, REG_PINS + 2 * pin + 1, apic_id << 24);
    reg_write(i, REG_PINS + 2 * pin,
              vector | PIN_MASKED | (o.level ? PIN_LEVEL : 0) | (o.low_active ? PIN_LOW_ACTIVE : 0));
    return true;
}

void ioapic_mask_isa(uint32_t isa, bool masked)
{
    uint32_t i, pin;
    if (!find_pin(isa_line(isa).line, &i, &pin))
        return;
    uint32_t value = reg_read(i, REG_PINS + 2 * pin);
    reg_write(i, REG_PINS + 2 * pin, masked ? value | PIN_MASKED : value & ~PIN_MASKED);
}
