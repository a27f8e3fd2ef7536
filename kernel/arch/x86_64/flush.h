/* TLB shootdown between processors. Kernel lock held for all but flush_answer() and flush_wait_begin(). */
#pragma once

#include <kernel/arch.h>

/* Does what another CPU asked of this one, if anything. From the interrupt, and from everything that spins. */
void flush_answer(void);

/* Around the wait for the kernel lock: before it, and as soon as the lock is held. */
void flush_wait_begin(void);
void flush_wait_end(void);

void flush_user(struct arch_aspace *as, uint64_t address, uint64_t bytes);
/* Kernel translations of the range are gone on all CPUs when it returns. */
void flush_kernel(uint64_t address, uint64_t bytes);
/* Every CPU that still has these tables loaded goes to the kernel's own. */
void flush_unload(struct arch_aspace *as);
