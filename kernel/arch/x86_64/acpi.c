/* Finds the tables and hands their bytes to the decoders of lib/base. A table that is missing or damaged is reported
 * and done without. */
#include "acpi.h"

#include <base/mem.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "layout.h"
#include "paging.h"

#define BIOS_AREA     0xe0000u
#define BIOS_AREA_END 0x100000u
#define TABLES_MAX    64u

struct acpi acpi;

static const char *describe(err_t err)
{
    return err == E_NOT_SUPPORTED ? "not supported" : "damaged";
}

static void take_dsdt(uint64_t phys)
{
    const void *header = phys ? kmap_device(phys, ACPI_HEADER_BYTES) : NULL;
    uint32_t length = header ? acpi_table_length(header) : 0;
    if (!length)
        return;
    const void *table = kmap_device(phys, length);
    if (acpi_table_check(table, length, "DSDT") == E_OK)
        acpi.has_s5 = acpi_s5_find(table, length, &acpi.s5_a, &acpi.s5_b);
}

static err_t take(const char *name, const void *table, uint32_t length)
{
    if (memcmp(name, "APIC", 4) == 0) {
        err_t err = acpi_madt_decode(table, length, &acpi.madt);
        acpi.has_madt = err == E_OK;
        return err;
    }
    if (memcmp(name, "FACP", 4) == 0) {
        err_t err = acpi_fadt_decode(table, length, &acpi.fadt);
        acpi.has_fadt = err == E_OK;
        take_dsdt(acpi.fadt.dsdt);
        return err;
    }
    if (memcmp(name, "SPCR", 4) == 0) {
        err_t err = acpi_spcr_decode(table, length, &acpi.spcr);
        acpi.has_spcr = err == E_OK;
        return err;
    }
    if (memcmp(name, "MCFG", 4) == 0)
        return acpi_mcfg_decode(table, length, &acpi.mcfg);
    if (memcmp(name, "HPET", 4) == 0)
        return acpi_hpet_decode(table, length, &acpi.hpet);
    return E_OK;
}

static void visit(uint64_t phys)
{
    const char *header = kmap_device(phys, ACPI_HEADER_BYTES);
    uint32_t length = acpi_table_length(header);
    err_t err = length ? take(header, kmap_device(phys, length), length) : E_BAD_MESSAGE;
    if (err)
        klog("acpi: table %.*s at %lx is %s; going on without it", 4, header, phys, describe(err));
}

static bool find_rsdp(struct acpi_rsdp *out)
{
    uint64_t given = boot_info_get()->acpi_rsdp;
    if (given && acpi_rsdp_decode(kmap_device(given, ACPI_RSDP_BYTES), ACPI_RSDP_BYTES, out) == E_OK)
        return true;
    if (boot_info_get()->efi_system_table)
        return false; /* such firmware keeps nothing at the old place */
    const char *area = kmap_device(BIOS_AREA, BIOS_AREA_END - BIOS_AREA);
    for (uint32_t at = 0; at + ACPI_RSDP_BYTES <= BIOS_AREA_END - BIOS_AREA; at += 16)
        if (acpi_rsdp_decode(area + at, ACPI_RSDP_BYTES, out) == E_OK)
            return true;
    return false;
}

static const void *map_root(uint64_t phys, const char signature[4], uint32_t *length_out)
{
    *length_out = phys ? acpi_table_length(kmap_device(phys, ACPI_HEADER_BYTES)) : 0;
    if (!*length_out)
        return NULL;
    const void *root = kmap_device(phys, *length_out);
    return acpi_table_check(root, *length_out, signature) == E_OK ? root : NULL;
}

void acpi_init(void)
{
    struct acpi_rsdp rsdp;
    uint32_t length;
    uint64_t phys;
    if (!find_rsdp(&rsdp)) {
        klog("acpi: no root pointer found; one CPU, no ECAM, no power-off");
        return;
    }
    const void *root = map_root(rsdp.xsdt, "XSDT", &length);
    if (!root)
        root = map_root(rsdp.rsdt, "RSDT", &length);
    if (!root) {
        klog("acpi: the root table is damaged; one CPU, no ECAM, no power-off");
        return;
    }
    for (uint32_t n = 0; n < TABLES_MAX && acpi_root_entry(root, length, n, &phys); n++)
        if (phys)
            visit(phys);
}
