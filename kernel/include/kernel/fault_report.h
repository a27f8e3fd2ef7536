/* What the log says of a program that a fault ends. */
#pragma once

#include <kernel/arch.h>

/* Of the current thread; kernel lock held. */
void fault_report(const struct trap_frame *frame, enum fault_kind kind, uint64_t address);
