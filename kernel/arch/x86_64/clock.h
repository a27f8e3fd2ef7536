/* The TSC as clock, and what it was measured against. */
#pragma once

#include <abi/types.h>

void clock_init(void); /* measures TSC and APIC timer; panics if nothing on this machine keeps time */
uint64_t clock_tsc_hz(void);
uint64_t clock_apic_hz(void);          /* of the divided timer */
uint64_t clock_ns_to_tsc(uint64_t ns); /* absolute */
void clock_spin_us(uint64_t us);       /* only for hardware that demands a short pause at boot */
