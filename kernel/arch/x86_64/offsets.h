/* Offsets that assembly uses; offsets.c checks them against the structures. */
#pragma once

#define CPU_KERNEL_ENTRY_SP_OFFSET 8
#define CPU_USER_SP_SCRATCH_OFFSET 16
#define FRAME_VECTOR               120
#define FRAME_CS                   144
