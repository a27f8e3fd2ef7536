/* References to measure the TSC and the APIC timer against. */
#pragma once

#include <abi/types.h>

struct calibration {
    uint64_t tsc_hz, apic_hz;
    const char *source;
};

/* Tries the references from best to worst; each wait has a limit. False: none works. */
bool calibrate(struct calibration *out);
