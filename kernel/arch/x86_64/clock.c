/* Monotonic time: the TSC, counted from the door's first instruction. */
#include "clock.h"

#include <kernel/arch.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>

#include "calibrate.h"
#include "cpu.h"

static struct calibration measured;
static uint64_t start_tsc;
static uint64_t ns_per_tick; /* 32.32 fixed point */
static uint64_t ticks_per_ns;

static uint64_t scale(uint64_t value, uint64_t factor)
{
    return (uint64_t)((unsigned __int128)value * factor >> 32);
}

/* All that counts time here takes a second for shorter than it is, or longer. */
static void drift(struct calibration *c, int64_t ppm)
{
    uint64_t rate = (uint64_t)(1000000 + ppm);
    c->tsc_hz = c->tsc_hz * 1000000 / rate;
    c->apic_hz = c->apic_hz * 1000000 / rate;
    klog("clock: made to drift by %ld ppm (clock_ppm)", ppm);
}

void clock_init(void)
{
    int64_t ppm = config_get_number("clock_ppm", 0);
    if (!calibrate(&measured))
        panic("no clock on this machine works (ACPI PM timer, HPET, PIT)");
    start_tsc = boot_info_get()->door_tsc;
    if (!start_tsc || start_tsc > rdtsc())
        start_tsc = rdtsc();
    klog("clock: TSC %lu MHz, timer %lu kHz, measured with the %s", measured.tsc_hz / 1000000, measured.apic_hz / 1000,
         measured.source);
    if (ppm)
        drift(&measured, ppm);
    ns_per_tick = (1000000000ull << 32) / measured.tsc_hz;
    ticks_per_ns = ((measured.tsc_hz / 1000) << 32) / 1000000;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
    return ns_per_tick ? scale(ticks - start_tsc, ns_per_tick) : 0;
}
uint64_t arch_ticks_span_ns(uint64_t ticks)
{
    return scale(ticks, ns_per_tick);
}
uint64_t time_now_ns(void)
{
    return arch_ticks_to_ns(rdtsc());
}
uint64_t arch_ns_to_ticks(uint64_t ns)
{
    return clock_ns_to_tsc(ns);
}
uint64_t clock_tsc_hz(void)
{
    return measured.tsc_hz;
}
uint64_t clock_apic_hz(void)
{
    return measured.apic_hz;
}
uint64_t clock_ns_to_tsc(uint64_t ns)
{
    return start_tsc + scale(ns, ticks_per_ns);
}

void clock_spin_us(uint64_t us)
{
    for (uint64_t end = time_now_ns() + us * 1000; time_now_ns() < end;)
        cpu_relax();
}
