#include "offsets.h"

#include <kernel/arch.h>

_Static_assert(offsetof(struct cpu, kernel_entry_sp) == CPU_KERNEL_ENTRY_SP_OFFSET, "offsets.h");
_Static_assert(offsetof(struct cpu, user_sp_scratch) == CPU_USER_SP_SCRATCH_OFFSET, "offsets.h");
_Static_assert(offsetof(struct trap_frame, vector) == FRAME_VECTOR, "offsets.h");
_Static_assert(offsetof(struct trap_frame, cs) == FRAME_CS, "offsets.h");
_Static_assert(sizeof(struct trap_frame) % 16 == 0, "the stack is aligned at calls");
