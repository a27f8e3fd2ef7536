#include "features.h"

#include <kernel/debug.h>

#include "cpu.h"

struct features features;

void features_init(void)
{
    struct cpuid basic = cpuid(1, 0), extended = cpuid(0x80000001, 0);
    uint32_t max = cpuid(0, 0).a;
    features.nx = extended.d >> 20 & 1;
    features.xsave = basic.c >> 26 & 1;
    features.x2apic = basic.c >> 21 & 1;
    features.tsc_deadline = basic.c >> 24 & 1;
    features.rdrand = basic.c >> 30 & 1;
    features.hypervisor = basic.c >> 31 & 1;
    if (max < 7)
        return;
    struct cpuid structured = cpuid(7, 0);
    features.smep = structured.b >> 7 & 1;
    features.smap = structured.b >> 20 & 1;
    features.rdseed = structured.b >> 18 & 1;
    features.umip = structured.c >> 2 & 1;
}

void features_enable_paging(uint64_t pat)
{
    if (!features.nx)
        panic("this processor cannot forbid execution of data (NX); turn it on in the firmware's set-up");
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE);
    msr_write(MSR_PAT, pat);
    cr0_write(cr0_read() | CR0_WP);
    cr4_write(cr4_read() | (features.smep ? CR4_SMEP : 0) | (features.smap ? CR4_SMAP : 0) |
              (features.umip ? CR4_UMIP : 0));
}
