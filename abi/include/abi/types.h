/* Basic types of the contract: errors, rights, object types, clocks. Includes nothing but the compiler's headers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The result of anything that can fail. 0 is success; results themselves leave through *_out parameters. */
typedef uint32_t err_t;

enum {
#define ERROR(name, number, text) name = number,
#include "../../errno.def"
#undef ERROR
    E_COUNT = 46
};

enum {
#define RIGHT(name, bit, text) name = 1u << (bit),
#include "../../rights.def"
#undef RIGHT
    RIGHTS_ALL = 0xffff
};

enum syscall_number {
#define SYSCALL(name, number, text) SYS_##name = number,
#include "../../syscalls.def"
#undef SYSCALL
    SYS_COUNT = 21
};

/* Object types. "Remotable" ones may travel to other nodes; the rest are bound to theirs (E_NODE_BOUND). */
enum object_type {
    OBJECT_NONE = 0,
    OBJECT_BUDGET = 1,
    OBJECT_PROCESS = 2,
    OBJECT_THREAD = 3,
    OBJECT_ENDPOINT = 4,     /* remotable */
    OBJECT_REPLY = 5,        /* remotable, used once, always moved */
    OBJECT_NOTIFICATION = 6, /* remotable (signal only) */
    OBJECT_MEMORY = 7,
    OBJECT_IRQ = 8,
    OBJECT_DEVICE = 9,
    OBJECT_SYSTEM = 10,
    OBJECT_TYPES = 11
};

enum control_op {
#define OP(name, type, number, right, text) OP_##name = number,
#include "../../ops.def"
#undef OP
};

/* A handle: index in the low 16 bits, generation above. 0 is never a handle. */
typedef uint32_t handle_t;
#define HANDLE_INDEX_BITS 16
#define HANDLE_NONE       ((handle_t)0)
#define HANDLES_MAX       4096u /* of one process */

#define PAGE_BYTES 4096ull

#define DEADLINE_POLL  0ull
#define DEADLINE_NEVER UINT64_MAX

enum clock_id {
    CLOCK_ID_MONOTONIC_NS = 0, /* since power-on; never steps */
    CLOCK_ID_REALTIME_NS = 1,  /* since 1970, from the firmware's clock */
    CLOCK_ID_THREAD_NS = 2     /* processor time of the calling thread */
};

enum futex_op {
    FUTEX_OP_WAIT = 0,
    /* (address, expected value, deadline): E_AGAIN if it differs */ FUTEX_OP_WAKE = 1 /* (address, count) -> woken */
};

/* vm_map(process, memory, offset, length, address or 0, flags) -> address. Offsets and lengths are whole pages. */
enum vm_flags {
    VM_READ = 1,
    VM_WRITE = 2,
    VM_EXEC = 4, /* never with VM_WRITE */
    VM_FIXED = 8 /* at this address exactly; E_EXISTS if anything is there */
};

/* create(budget, type, a, b, c) -> handle with all rights of the type. */
enum memory_flags {
    MEMORY_DMA = 1 /* contiguous, resident, device-visible; see DEVICE_DMA */
};
/* Budget:       a = bytes moved from the parent, b = label (unique among siblings, not 0)
 * Process:      a = ptr name, b = name length (<= 31), c = highest priority of its threads
 * Thread:       a = process handle, b = address for its IPC buffer (two free pages; 0: the kernel chooses), c =
 * priority Endpoint, Notification: no arguments Memory:       a = bytes (rounded up to pages), b = memory_flags The
 * rest are never created by processes. */

#define PRIORITY_MAX    31
#define PRIORITY_NORMAL 16
