/* TLB shootdown between processors. */
#pragma once

#include <abi/types.h>

/* Does what another CPU asked of this one, if anything. From the interrupt, and from everything that spins. */
void flush_answer(void);
/* Kernel translations of the range are gone on all CPUs when it returns. Kernel lock held. */
void flush_kernel(uint64_t address, uint64_t bytes);
