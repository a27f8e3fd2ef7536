#include <base/acpi.h>
#include <base/mem.h>

#include "bytes.h"

static bool sum_is_zero(const uint8_t *p, size_t length)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

err_t acpi_rsdp_decode(const void *bytes, size_t length, struct acpi_rsdp *out)
{
    const uint8_t *p = bytes;
    *out = (struct acpi_rsdp){0};
    if (length < 20 || memcmp(p, "RSD PTR ", 8) != 0 || !sum_is_zero(p, 20))
        return E_BAD_MESSAGE;
    out->rsdt = read32(p + 16);
    if (p[15] < 2)
        return E_OK;
    if (length < ACPI_RSDP_BYTES || read32(p + 20) < ACPI_RSDP_BYTES || !sum_is_zero(p, ACPI_RSDP_BYTES))
        return E_OK; /* the extended part is damaged; the old one is right */
    out->xsdt = read64(p + 24);
    return E_OK;
}

uint32_t acpi_table_length(const void *bytes)
{
    uint32_t length = read32((const uint8_t *)bytes + 4);
    return length >= ACPI_HEADER_BYTES && length <= (16u << 20) ? length : 0;
}

err_t acpi_table_check(const void *bytes, size_t length, const char signature[4])
{
    const uint8_t *p = bytes;
    if (length < ACPI_HEADER_BYTES)
        return E_BAD_MESSAGE;
    if (memcmp(p, signature, 4) != 0)
        return E_NOT_FOUND;
    uint32_t claimed = acpi_table_length(p);
    return claimed && claimed <= length && sum_is_zero(p, claimed) ? E_OK : E_BAD_MESSAGE;
}

bool acpi_root_entry(const void *table, size_t length, uint32_t n, uint64_t *phys_out)
{
    const uint8_t *p = table;
    size_t each = p[0] == 'X' ? 8 : 4, at = ACPI_HEADER_BYTES + n * each;
    if (n > 256 || at + each > length)
        return false;
    *phys_out = each == 8 ? read64(p + at) : read32(p + at);
    return true;
}

/* The usable part of a table: what it claims, if that is whole. */
static err_t body(const void *table, size_t *length, const char signature[4], size_t least)
{
    err_t err = acpi_table_check(table, *length, signature);
    if (err)
        return err;
    *length = acpi_table_length(table);
    return *length >= least ? E_OK : E_BAD_MESSAGE;
}

static void add_cpu(struct acpi_madt *m, uint32_t id, uint32_t flags)
{
    if (!(flags & 1)) /* not enabled; "online capable" ones need hot-plug, which there is none of */
        return;
    for (uint32_t i = 0; i < m->cpu_count; i++)
        if (m->apic_ids[i] == id)
            return;
    if (m->cpu_count == ACPI_CPUS_MAX)
        m->cpus_left_out++;
    else
        m->apic_ids[m->cpu_count++] = id;
}

static void add_ioapic(struct acpi_madt *m, const uint8_t *e)
{
    if (m->ioapic_count < ACPI_IOAPICS_MAX)
        m->ioapics[m->ioapic_count++] = (struct acpi_ioapic){read32(e + 4), read32(e + 8)};
}

static void add_override(struct acpi_madt *m, const uint8_t *e)
{
    uint16_t flags = read16(e + 8);
    if (m->override_count < ACPI_OVERRIDES_MAX && e[2] == 0)
        m->overrides[m->override_count++] =
            (struct acpi_override){read32(e + 4), e[3], (flags & 3) == 3, (flags >> 2 & 3) == 3};
}

static void madt_entry(struct acpi_madt *m, const uint8_t *e)
{
    uint8_t length = e[1];
    if (e[0] == 0 && length >= 8)
        add_cpu(m, e[3], read32(e + 4));
    else if (e[0] == 1 && length >= 12)
        add_ioapic(m, e);
    else if (e[0] == 2 && length >= 10)
        add_override(m, e);
    else if (e[0] == 5 && length >= 12)
        m->apic_address = read64(e + 4);
    else if (e[0] == 9 && length >= 16)
        add_cpu(m, read32(e + 4), read32(e + 8));
    /* 4 and 10 say which local pin NMIs come on: it is set up as the usual one on every processor */
}

err_t acpi_madt_decode(const void *table, size_t length, struct acpi_madt *out)
{
    const uint8_t *p = table;
    *out = (struct acpi_madt){0};
    err_t err = body(table, &length, "APIC", 44);
    if (err)
        return err;
    out->apic_address = read32(p + 36);
    for (size_t at = 44; at + 2 <= length; at += p[at + 1]) {
        if (p[at + 1] < 2 || at + p[at + 1] > length)
            return E_BAD_MESSAGE;
        madt_entry(out, p + at);
    }
    return E_OK;
}

err_t acpi_mcfg_decode(const void *table, size_t length, struct acpi_mcfg *out)
{
    const uint8_t *p = table;
    *out = (struct acpi_mcfg){0};
    err_t err = body(table, &length, "MCFG", 44);
    if (err)
        return err;
    for (size_t at = 44; at + 16 <= length && out->count < ACPI_ECAMS_MAX; at += 16) {
        struct acpi_ecam e = {read64(p + at), read16(p + at + 8), p[at + 10], p[at + 11]};
        if (e.base && e.base % (1u << 20) == 0 && e.first_bus <= e.last_bus)
            out->areas[out->count++] = e;
    }
    return E_OK;
}

static struct acpi_address address_at(const uint8_t *p)
{
    return (struct acpi_address){p[0], p[1], p[3], read64(p + 4)};
}

err_t acpi_fadt_decode(const void *table, size_t length, struct acpi_fadt *out)
{
    const uint8_t *p = table;
    *out = (struct acpi_fadt){0};
    err_t err = body(table, &length, "FACP", 116);
    if (err)
        return err;
    uint32_t flags = read32(p + 112);
    out->dsdt = read32(p + 40);
    out->pm1a_control = read32(p + 64);
    out->pm1b_control = read32(p + 68);
    out->pm_timer_port = p[91] == 4 ? read32(p + 76) : 0;
    out->pm_timer_32bit = flags >> 8 & 1;
    if (length >= 129 && (flags >> 10 & 1)) {
        out->reset = address_at(p + 116);
        out->reset_value = p[128];
        out->has_reset = out->reset.space <= ACPI_PCI && out->reset.address != 0;
    }
    if (length >= 148 && read64(p + 140))
        out->dsdt = read64(p + 140);
    return E_OK;
}

err_t acpi_hpet_decode(const void *table, size_t length, uint64_t *address_out)
{
    const uint8_t *p = table;
    err_t err = body(table, &length, "HPET", 52);
    if (err)
        return err;
    *address_out = read64(p + 44);
    return p[40] == ACPI_MEMORY && *address_out ? E_OK : E_BAD_MESSAGE;
}

err_t acpi_spcr_decode(const void *table, size_t length, struct acpi_spcr *out)
{
    const uint8_t *p = table;
    *out = (struct acpi_spcr){0};
    err_t err = body(table, &length, "SPCR", 52);
    if (err)
        return err;
    out->uart = address_at(p + 40);
    if (!out->uart.address || out->uart.space > ACPI_IO || (p[36] > 1 && p[36] != 0x12))
        return E_NOT_SUPPORTED; /* 0 and 1: 16550 and its kin; 0x12: one with the stride in the address */
    out->stride = out->uart.space == ACPI_IO || out->uart.access <= 1 ? 1 : out->uart.access == 2 ? 2 : 4;
    return E_OK;
}

/* One element of the package: ZeroOp, OneOp, or BytePrefix and a byte. */
static bool small_number(const uint8_t *p, size_t *at, size_t length, uint8_t *out)
{
    if (*at >= length)
        return false;
    uint8_t op = p[(*at)++];
    if (op == 0x00 || op == 0x01) {
        *out = op;
        return true;
    }
    if (op != 0x0a || *at >= length)
        return false;
    *out = p[(*at)++];
    return true;
}

static bool s5_at(const uint8_t *p, size_t at, size_t length, uint8_t *a_out, uint8_t *b_out)
{
    if (at + 3 > length || p[at] != 0x12) /* PackageOp */
        return false;
    at += 1 + 1 + (p[at + 1] >> 6) + 1; /* the op, the length with its further bytes, the count of elements */
    return small_number(p, &at, length, a_out) && small_number(p, &at, length, b_out) && *a_out < 8 && *b_out < 8;
}

bool acpi_s5_find(const void *table, size_t length, uint8_t *a_out, uint8_t *b_out)
{
    const uint8_t *p = table;
    for (size_t at = ACPI_HEADER_BYTES + 1; at + 4 <= length; at++) {
        bool named =
            memcmp(p + at, "_S5_", 4) == 0 &&
            (p[at - 1] == 0x08 || (p[at - 1] == '\\' && p[at - 2] == 0x08)); /* NameOp, maybe with a root prefix */
        if (named && s5_at(p, at + 4, length, a_out, b_out))
            return true;
    }
    return false;
}
