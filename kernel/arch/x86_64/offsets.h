/* Offsets that assembly uses; offsets.c checks them against the structures. */
#pragma once

#define CPU_KERNEL_ENTRY_SP_OFFSET 8
#define CPU_USER_SP_SCRATCH_OFFSET 16
#define FRAME_R11                  48
#define FRAME_R10                  56
#define FRAME_R9                   64
#define FRAME_R8                   72
#define FRAME_RAX                  80
#define FRAME_RDX                  96
#define FRAME_RSI                  104
#define FRAME_RDI                  112
#define FRAME_VECTOR               120
#define FRAME_RIP                  136
#define FRAME_CS                   144
#define FRAME_RFLAGS               152
#define FRAME_RSP                  160
