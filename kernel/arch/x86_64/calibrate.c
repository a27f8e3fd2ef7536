/* Measures the processor's counters against a clock of known speed: the CPUID's own word where it has one, else the
 * ACPI PM timer, the HPET, the PIT, in this order; any of them may be missing or stand still, so every wait is counted.
 */
#include "calibrate.h"

#include <base/mem.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/mm.h>

#include "acpi.h"
#include "apic.h"
#include "cpu.h"

#define PM_TIMER_HZ  3579545u
#define PIT_HZ       1193182u
#define MEASURE_MS   4u
#define SAMPLE_TRIES 8u
#define POLLS_MAX                                                                                                      \
    3000000u /* far more than MEASURE_MS holds; a port read takes about a microsecond on real hardware                 \
              */

struct reference {
    const char *name;
    bool (*start)(uint64_t *hz_out); /* false: not on this machine */
    uint64_t (*read)(void);
    uint64_t mask; /* of the counter */
};

static uint64_t pm_read(void)
{
    return port_in32((uint16_t)acpi.fadt.pm_timer_port);
}

static bool pm_start(uint64_t *hz_out)
{
    *hz_out = PM_TIMER_HZ;
    return !config_restricts("nopmtimer") && acpi.has_fadt && acpi.fadt.pm_timer_port != 0 &&
           acpi.fadt.pm_timer_port < 0xfffd;
}

static volatile uint64_t *hpet;

static uint64_t hpet_read(void)
{
    return hpet[0xf0 / 8];
}

static bool hpet_start(uint64_t *hz_out)
{
    if (!acpi.hpet || config_restricts("nohpet"))
        return false;
    hpet = kmap_device(acpi.hpet, 1024);
    uint64_t femtoseconds = hpet[0] >> 32; /* of a tick */
    if (femtoseconds == 0 || femtoseconds > 100000000)
        return false;
    hpet[0x10 / 8] |= 1;
    *hz_out = 1000000000000000ull / femtoseconds;
    return true;
}

/* Channel 2 counts down freely in mode 2; nothing is routed to an interrupt. */
static uint64_t pit_read(void)
{
    port_out8(0x43, 0x80);
    uint32_t low = port_in8(0x42), high = port_in8(0x42);
    return 0xffff - (high << 8 | low);
}

static bool pit_start(uint64_t *hz_out)
{
    if (config_restricts("nopit"))
        return false;
    port_out8(0x61, (uint8_t)((port_in8(0x61) & ~2u) | 1)); /* gate open, speaker off */
    port_out8(0x43, 0xb4);
    port_out8(0x42, 0xff);
    port_out8(0x42, 0xff);
    *hz_out = PIT_HZ;
    return true;
}

/* All counters at one moment. An emulated processor can stand still between any two reads, so of several tries the one
 * counts whose reads lay closest together. */
struct sample {
    uint64_t reference, tsc, apic;
};

static struct sample sample_take(const struct reference *r)
{
    struct sample best = {0};
    uint64_t width = UINT64_MAX;
    for (uint32_t i = 0; i < SAMPLE_TRIES; i++) {
        uint64_t before = rdtsc(), reference = r->read(), apic = apic_timer_left(), after = rdtsc();
        if (after - before >= width)
            continue;
        width = after - before;
        best = (struct sample){reference, before + width / 2, apic};
    }
    return best;
}

/* Ticks of the reference since `from`, once at least `ticks` have passed; 0: it stands still. */
static uint64_t wait_ticks(const struct reference *r, uint64_t from, uint64_t ticks, uint64_t *last_out)
{
    uint64_t elapsed = 0, last = from;
    for (uint32_t polls = 0; elapsed < ticks; polls++) {
        if (polls == POLLS_MAX)
            return 0;
        uint64_t now = r->read();
        elapsed += (now - last) & r->mask;
        last = now;
    }
    *last_out = last;
    return elapsed;
}

static bool measure_once(const struct reference *r, uint64_t hz, struct calibration *out)
{
    uint64_t last;
    apic_timer_set(UINT32_MAX);
    struct sample start = sample_take(r);
    uint64_t elapsed = wait_ticks(r, start.reference, hz * MEASURE_MS / 1000, &last);
    struct sample end = sample_take(r);
    apic_timer_set(0);
    if (!elapsed)
        return false;
    elapsed += (end.reference - last) & r->mask;
    out->tsc_hz = (end.tsc - start.tsc) * hz / elapsed;
    out->apic_hz = (start.apic - end.apic) * hz / elapsed;
    out->source = r->name;
    return out->tsc_hz > 1000000 && out->apic_hz > 100000;
}

/* The middle one of three: a pause of the whole machine during one of them does no harm. */
static bool measure(const struct reference *r, struct calibration *out)
{
    struct calibration c[3];
    uint64_t hz;
    if (!r->start(&hz))
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (!measure_once(r, hz, &c[i]))
            return false;
    uint32_t low = c[0].tsc_hz < c[1].tsc_hz ? 0 : 1, high = 1 - low;
    *out = c[2].tsc_hz < c[low].tsc_hz ? c[low] : c[2].tsc_hz > c[high].tsc_hz ? c[high] : c[2];
    return true;
}

static uint64_t tsc_hz_from_cpuid(void)
{
    if (cpuid(0, 0).a < 0x15)
        return 0;
    struct cpuid r = cpuid(0x15, 0);
    return r.a && r.b && r.c ? (uint64_t)r.c * r.b / r.a : 0;
}

bool calibrate(struct calibration *out)
{
    static const struct reference references[] = {
        {"ACPI PM timer", pm_start, pm_read, 0xffffff}, /* the 32-bit kind counts the same in its low 24 bits */
        {"HPET", hpet_start, hpet_read, 0xffffffff},
        {"PIT", pit_start, pit_read, 0xffff},
    };
    uint64_t exact = tsc_hz_from_cpuid();
    for (uint32_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        if (!measure(&references[i], out))
            continue;
        if (exact)
            out->tsc_hz = exact;
        return true;
    }
    return false;
}
