/* ACPI tables as firmware writes them, and as it should not. */
#include <base/acpi.h>
#include <test/check.h>
#include <test/random.h>

static uint8_t table[1024];
static size_t used;

static void put(uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        table[used++] = (uint8_t)(value >> (8 * i));
}

static void begin(const char *signature)
{
    memset(table, 0, sizeof table);
    memcpy(table, signature, 4);
    used = 36;
}

static void finish(void)
{
    uint8_t sum = 0;
    table[9] = 0;
    for (int i = 0; i < 4; i++)
        table[4 + i] = (uint8_t)(used >> (8 * i));
    for (size_t i = 0; i < used; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
}

static void begin_madt(void)
{
    begin("APIC");
    put(0xfee00000, 4);
    put(1, 4);
}

static void put_cpu(uint32_t id, uint32_t flags)
{
    put(0, 1), put(8, 1), put(0, 1), put(id, 1), put(flags, 4);
}

static void put_x2_cpu(uint32_t id, uint32_t flags)
{
    put(9, 1), put(16, 1), put(0, 2), put(id, 4), put(flags, 4), put(0, 4);
}

static void test_madt(void)
{
    struct acpi_madt m;
    begin_madt();
    put_cpu(0, 1);
    put_cpu(4, 1);
    put_cpu(6, 0);    /* not there */
    put_cpu(8, 2);    /* could be plugged in */
    put_x2_cpu(4, 1); /* the same again */
    put_x2_cpu(300, 1);
    put(1, 1), put(12, 1), put(2, 1), put(0, 1), put(0xfec00000, 4), put(24, 4);
    put(2, 1), put(10, 1), put(0, 1), put(4, 1), put(20, 4), put(0xf, 2);
    put(4, 1), put(6, 1), put(0xff, 1), put(0, 2), put(1, 1);
    put(5, 1), put(12, 1), put(0, 2), put(0x1fee00000, 8);
    put(77, 1), put(4, 1), put(0, 2); /* of a later standard */
    finish();
    CHECK_EQUAL(acpi_madt_decode(table, used, &m), E_OK);
    CHECK_EQUAL(m.cpu_count, 3);
    CHECK_EQUAL(m.apic_ids[2], 300);
    CHECK_EQUAL(m.ioapic_count, 1);
    CHECK_EQUAL(m.ioapics[0].first_line, 24);
    CHECK_EQUAL(m.override_count, 1);
    CHECK(m.overrides[0].low_active && m.overrides[0].level && m.overrides[0].line == 20 && m.overrides[0].isa == 4);
    CHECK_EQUAL(m.apic_address, 0x1fee00000);
}

static void test_madt_damaged(void)
{
    struct acpi_madt m;
    begin_madt();
    put(0, 1), put(0, 1); /* would never end */
    finish();
    CHECK_EQUAL(acpi_madt_decode(table, used, &m), E_BAD_MESSAGE);
    begin_madt();
    put(0, 1), put(200, 1); /* longer than the table */
    finish();
    CHECK_EQUAL(acpi_madt_decode(table, used, &m), E_BAD_MESSAGE);
    begin_madt();
    put_cpu(0, 1);
    finish();
    table[50] ^= 1;
    CHECK_EQUAL(acpi_madt_decode(table, used, &m), E_BAD_MESSAGE);
    table[50] ^= 1;
    CHECK_EQUAL(acpi_madt_decode(table, used - 1, &m), E_BAD_MESSAGE);
    CHECK_EQUAL(acpi_mcfg_decode(table, used, &(struct acpi_mcfg){0}), E_NOT_FOUND);
}

static void test_many_cpus(void)
{
    static uint8_t big[4096];
    struct acpi_madt m;
    begin_madt();
    for (uint32_t i = 0; i < 70; i++)
        put_cpu(i, 1);
    finish();
    memcpy(big, table, used);
    CHECK_EQUAL(acpi_madt_decode(big, used, &m), E_OK);
    CHECK_EQUAL(m.cpu_count, ACPI_CPUS_MAX);
    CHECK_EQUAL(m.cpus_left_out, 70 - ACPI_CPUS_MAX);
}

static void test_mcfg(void)
{
    struct acpi_mcfg m;
    begin("MCFG");
    put(0, 8);
    put(0xb0000000, 8), put(0, 2), put(0, 1), put(255, 1), put(0, 4);
    put(0xb0000001, 8), put(0, 2), put(0, 1), put(255, 1), put(0, 4); /* cannot be */
    finish();
    CHECK_EQUAL(acpi_mcfg_decode(table, used, &m), E_OK);
    CHECK_EQUAL(m.count, 1);
    CHECK_EQUAL(m.areas[0].base, 0xb0000000);
    CHECK_EQUAL(m.areas[0].last_bus, 255);
}

static void test_soft_off(void)
{
    static const uint8_t qemu[] = {0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00};
    static const uint8_t bytes[] = {0x08, '\\', 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x0a,
                                    0x04, 0x0a, 0x07, 0x0a, 0x05, 0x00, 0x00};
    static const uint8_t other[] = {0x10, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00};
    uint8_t a, b;
    memcpy(table + 100, qemu, sizeof qemu);
    CHECK(acpi_s5_find(table, sizeof table, &a, &b) && a == 0 && b == 0);
    CHECK(!acpi_s5_find(table, 106, &a, &b));
    memset(table, 0, sizeof table);
    memcpy(table + 60, bytes, sizeof bytes);
    CHECK(acpi_s5_find(table, sizeof table, &a, &b) && a == 7 && b == 5);
    memset(table, 0, sizeof table);
    memcpy(table + 60, other, sizeof other);
    CHECK(!acpi_s5_find(table, sizeof table, &a, &b));
}

static void test_rsdp(void)
{
    struct acpi_rsdp r;
    uint8_t p[36] = "RSD PTR ";
    p[16] = 0x34;
    uint8_t sum = 0;
    for (int i = 0; i < 20; i++)
        sum = (uint8_t)(sum + p[i]);
    p[8] = (uint8_t)-sum;
    CHECK_EQUAL(acpi_rsdp_decode(p, 36, &r), E_OK);
    CHECK_EQUAL(r.rsdt, 0x34);
    CHECK_EQUAL(r.xsdt, 0);
    p[9] ^= 1;
    CHECK_EQUAL(acpi_rsdp_decode(p, 36, &r), E_BAD_MESSAGE);
    CHECK_EQUAL(acpi_rsdp_decode(p, 19, &r), E_BAD_MESSAGE);
}

/* Sealed noise: checksums are right, contents are not. Reading outside of the table stops the sanitizer. */
static void test_noise(void)
{
    static const char *const names[] = {"APIC", "FACP", "MCFG", "HPET", "SPCR"};
    struct random r = {7};
    for (int round = 0; round < 20000; round++) {
        begin(names[round % 5]);
        for (size_t n = random_below(&r, 300); n > 0; n--)
            put(random_below(&r, 4) ? random_below(&r, 20) : random_below(&r, 256), 1);
        finish();
        uint8_t *exact = malloc(used);
        memcpy(exact, table, used);
        uint64_t address;
        uint8_t a, b;
        acpi_madt_decode(exact, used, &(struct acpi_madt){0});
        acpi_fadt_decode(exact, used, &(struct acpi_fadt){0});
        acpi_mcfg_decode(exact, used, &(struct acpi_mcfg){0});
        acpi_hpet_decode(exact, used, &address);
        acpi_spcr_decode(exact, used, &(struct acpi_spcr){0});
        acpi_s5_find(exact, used, &a, &b);
        free(exact);
    }
}

int main(void)
{
    RUN(test_madt);
    RUN(test_madt_damaged);
    RUN(test_many_cpus);
    RUN(test_mcfg);
    RUN(test_soft_off);
    RUN(test_rsdp);
    RUN(test_noise);
    return 0;
}
