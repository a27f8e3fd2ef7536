/* What this processor has. Decided on the boot CPU; other CPUs must have it too. */
#pragma once

#include <abi/types.h>

struct features {
    bool nx, smep, smap, umip, xsave, x2apic, tsc_deadline, rdrand, rdseed, hypervisor;
};
extern struct features features;

void features_init(void);
void features_enable_paging(uint64_t pat); /* NX, write protection, PAT, SMEP, SMAP, UMIP */
