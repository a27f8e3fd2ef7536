/* Extended state (x87, SSE, AVX): saved when a thread that used it is switched out, loaded at its next use. */
#pragma once

#include <kernel/fast.h>

#include "machine.h"

called_rarely void fpu_switch_out(struct machine_cpu *m, struct arch_thread *from);
/* The current thread used it (#NM). False: no memory for its area. Kernel lock held. */
bool fpu_use(void);
void fpu_forget(struct arch_thread *t); /* its area is given back */
