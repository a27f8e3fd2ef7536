#include "offsets.h"

#include <kernel/arch.h>

_Static_assert(offsetof(struct cpu, kernel_entry_sp) == CPU_KERNEL_ENTRY_SP_OFFSET, "offsets.h");
_Static_assert(offsetof(struct cpu, user_sp_scratch) == CPU_USER_SP_SCRATCH_OFFSET, "offsets.h");
_Static_assert(offsetof(struct trap_frame, r11) == FRAME_R11, "offsets.h");
_Static_assert(offsetof(struct trap_frame, r10) == FRAME_R10, "offsets.h");
_Static_assert(offsetof(struct trap_frame, r9) == FRAME_R9, "offsets.h");
_Static_assert(offsetof(struct trap_frame, r8) == FRAME_R8, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rax) == FRAME_RAX, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rdx) == FRAME_RDX, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rsi) == FRAME_RSI, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rdi) == FRAME_RDI, "offsets.h");
_Static_assert(offsetof(struct trap_frame, vector) == FRAME_VECTOR, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rip) == FRAME_RIP, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rflags) == FRAME_RFLAGS, "offsets.h");
_Static_assert(offsetof(struct trap_frame, rsp) == FRAME_RSP, "offsets.h");
_Static_assert(offsetof(struct trap_frame, cs) == FRAME_CS, "offsets.h");
_Static_assert(sizeof(struct trap_frame) % 16 == 0, "the stack is aligned at calls");
