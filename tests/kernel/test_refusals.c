/* What each call says to nonsense. One row a refusal; none of them may leave anything behind. */
#include "guest.h"

#define KERNEL_POINTER 0xffffffff80200000ull
#define UNMAPPED       0x7f0000000000ull

/* Handles that the rows speak of. */
enum {
    NONE,
    BUDGET,
    PROCESS,
    THREAD,
    ENDPOINT,
    NOTIFICATION,
    MEMORY,
    SYSTEM,
    SELF,
    BARE_BUDGET,
    BARE_PROCESS,
    BARE_THREAD,
    BARE_ENDPOINT,
    BARE_NOTIFICATION,
    BARE_MEMORY,
    BARE_SYSTEM,
    GARBAGE,
    STALE,
    CLOSED_ENDPOINT,
    SEALED,
    KINDS
};
static handle_t handles[KINDS];
static uint8_t buffer[4096] __attribute__((aligned(4096)));

/* An argument: H(x) is the handle x, V(x) a value, P a usable pointer. */
struct argument {
    uint8_t kind; /* 0 value, 1 handle, 2 pointer */
    uint64_t value;
};
#define V(x)                                                                                                           \
    {                                                                                                                  \
        0, (x)                                                                                                         \
    }
#define H(x)                                                                                                           \
    {                                                                                                                  \
        1, (x)                                                                                                         \
    }
#define P                                                                                                              \
    {                                                                                                                  \
        2, 0                                                                                                           \
    }

struct row {
    const char *name;
    uint64_t call;
    struct argument arguments[6];
    err_t expected;
};

static const struct row rows[] = {
    {"signal: no handle", SYS_signal, {H(NONE), V(1)}, E_BAD_HANDLE},
    {"signal: garbage", SYS_signal, {H(GARBAGE), V(1)}, E_BAD_HANDLE},
    {"signal: high bits", SYS_signal, {V(0x100000000ull), V(1)}, E_BAD_HANDLE},
    {"signal: stale", SYS_signal, {H(STALE), V(1)}, E_BAD_HANDLE},
    {"signal: wrong type", SYS_signal, {H(ENDPOINT), V(1)}, E_WRONG_TYPE},
    {"signal: no right", SYS_signal, {H(BARE_NOTIFICATION), V(1)}, E_NO_RIGHT},
    {"wait: no handle", SYS_wait, {H(NONE), V(1), V(0)}, E_BAD_HANDLE},
    {"wait: wrong type", SYS_wait, {H(MEMORY), V(1), V(0)}, E_WRONG_TYPE},
    {"wait: no right", SYS_wait, {H(BARE_NOTIFICATION), V(1), V(0)}, E_NO_RIGHT},
    {"wait: no bits", SYS_wait, {H(NOTIFICATION), V(0), V(0)}, E_INVALID},
    {"dup: garbage", SYS_handle_dup, {H(GARBAGE), V(RIGHTS_ALL)}, E_BAD_HANDLE},
    {"dup: no right", SYS_handle_dup, {H(BARE_MEMORY), V(RIGHTS_ALL)}, E_NO_RIGHT},
    {"dup: unknown rights", SYS_handle_dup, {H(MEMORY), V(0x10000)}, E_INVALID},
    {"dup: gone", SYS_handle_dup, {H(CLOSED_ENDPOINT), V(RIGHTS_ALL)}, E_GONE},
    {"close: none", SYS_handle_close, {H(NONE)}, E_BAD_HANDLE},
    {"close: garbage", SYS_handle_close, {H(GARBAGE)}, E_BAD_HANDLE},
    {"close: stale", SYS_handle_close, {H(STALE)}, E_BAD_HANDLE},
    {"mint: wrong type", SYS_handle_mint, {H(NOTIFICATION), V(1), V(RIGHTS_ALL)}, E_WRONG_TYPE},
    {"mint: no right", SYS_handle_mint, {H(BARE_ENDPOINT), V(1), V(RIGHTS_ALL)}, E_NO_RIGHT},
    {"mint: unknown rights", SYS_handle_mint, {H(ENDPOINT), V(1), V(1ull << 40)}, E_INVALID},
    {"mint: garbage", SYS_handle_mint, {H(GARBAGE), V(1), V(RIGHTS_ALL)}, E_BAD_HANDLE},
    {"revoke: garbage", SYS_handle_revoke, {H(GARBAGE), V(1)}, E_BAD_HANDLE},
    {"revoke: wrong type", SYS_handle_revoke, {H(MEMORY), V(1)}, E_WRONG_TYPE},
    {"revoke: no right", SYS_handle_revoke, {H(BARE_ENDPOINT), V(1)}, E_NO_RIGHT},
    {"info: garbage", SYS_handle_info, {H(GARBAGE), P}, E_BAD_HANDLE},
    {"info: no right", SYS_handle_info, {H(BARE_MEMORY), P}, E_NO_RIGHT},
    {"info: null", SYS_handle_info, {H(MEMORY), V(0)}, E_BAD_POINTER},
    {"info: kernel pointer", SYS_handle_info, {H(MEMORY), V(KERNEL_POINTER)}, E_BAD_POINTER},
    {"info: text", SYS_handle_info, {H(MEMORY), V(0x400000)}, E_BAD_POINTER},
    {"info: unmapped", SYS_handle_info, {H(MEMORY), V(UNMAPPED)}, E_BAD_POINTER},
    {"info: end of user space", SYS_handle_info, {H(MEMORY), V(0x00007fffffffefffull)}, E_BAD_POINTER},
    {"info: non-canonical", SYS_handle_info, {H(MEMORY), V(1ull << 63)}, E_BAD_POINTER},
    {"info: wraps", SYS_handle_info, {H(MEMORY), V(UINT64_MAX)}, E_BAD_POINTER},
    {"create: no type", SYS_create, {H(BUDGET), V(0)}, E_WRONG_TYPE},
    {"create: Reply", SYS_create, {H(BUDGET), V(OBJECT_REPLY)}, E_WRONG_TYPE},
    {"create: System", SYS_create, {H(BUDGET), V(OBJECT_SYSTEM)}, E_WRONG_TYPE},
    {"create: huge type", SYS_create, {H(BUDGET), V(UINT64_MAX)}, E_WRONG_TYPE},
    {"create: garbage", SYS_create, {H(GARBAGE), V(OBJECT_ENDPOINT)}, E_BAD_HANDLE},
    {"create: not on a Budget", SYS_create, {H(MEMORY), V(OBJECT_ENDPOINT)}, E_WRONG_TYPE},
    {"create: no right", SYS_create, {H(BARE_BUDGET), V(OBJECT_ENDPOINT)}, E_NO_RIGHT},
    {"create Budget: too large", SYS_create, {H(BUDGET), V(OBJECT_BUDGET), V(1ull << 40), V(7)}, E_NO_MEMORY},
    {"create Budget: wraps", SYS_create, {H(BUDGET), V(OBJECT_BUDGET), V(UINT64_MAX), V(7)}, E_NO_MEMORY},
    {"create Budget: no label", SYS_create, {H(BUDGET), V(OBJECT_BUDGET), V(4096), V(0)}, E_INVALID},
    {"create Process: long name", SYS_create, {H(BUDGET), V(OBJECT_PROCESS), P, V(32), V(1)}, E_TOO_LONG},
    {"create Process: bad name", SYS_create, {H(BUDGET), V(OBJECT_PROCESS), V(UNMAPPED), V(4), V(1)}, E_BAD_POINTER},
    {"create Process: control characters", SYS_create, {H(BUDGET), V(OBJECT_PROCESS), P, V(4), V(1)}, E_INVALID},
    {"create Process: priority", SYS_create, {H(BUDGET), V(OBJECT_PROCESS), P, V(0), V(32)}, E_RANGE},
    {"create Thread: no process", SYS_create, {H(BUDGET), V(OBJECT_THREAD), H(GARBAGE), V(0), V(1)}, E_BAD_HANDLE},
    {"create Thread: no right", SYS_create, {H(BUDGET), V(OBJECT_THREAD), H(BARE_PROCESS), V(0), V(1)}, E_NO_RIGHT},
    {"create Thread: priority", SYS_create, {H(BUDGET), V(OBJECT_THREAD), H(PROCESS), V(0), V(11)}, E_RANGE},
    {"create Thread: huge priority",
     SYS_create,
     {H(BUDGET), V(OBJECT_THREAD), H(PROCESS), V(0), V(1ull << 32)},
     E_RANGE},
    {"create Thread: buffer in the kernel",
     SYS_create,
     {H(BUDGET), V(OBJECT_THREAD), H(PROCESS), V(0xffffffff80000000ull), V(1)},
     E_BAD_POINTER},
    {"create Thread: crooked buffer",
     SYS_create,
     {H(BUDGET), V(OBJECT_THREAD), H(PROCESS), V(0x1001), V(1)},
     E_INVALID},
    {"create Thread: buffer over text",
     SYS_create,
     {H(BUDGET), V(OBJECT_THREAD), H(SELF), V(0x400000), V(1)},
     E_EXISTS},
    {"create Memory: nothing", SYS_create, {H(BUDGET), V(OBJECT_MEMORY), V(0), V(0)}, E_RANGE},
    {"create Memory: huge", SYS_create, {H(BUDGET), V(OBJECT_MEMORY), V(UINT64_MAX), V(0)}, E_RANGE},
    {"create Memory: beyond the Budget", SYS_create, {H(BUDGET), V(OBJECT_MEMORY), V(1ull << 33), V(0)}, E_NO_MEMORY},
    {"create Memory: flags", SYS_create, {H(BUDGET), V(OBJECT_MEMORY), V(4096), V(2)}, E_INVALID},
    {"create Memory: huge flags", SYS_create, {H(BUDGET), V(OBJECT_MEMORY), V(4096), V(1ull << 32)}, E_INVALID},
    {"control: no operation", SYS_control, {H(MEMORY), V(0)}, E_BAD_SYSCALL},
    {"control: unknown", SYS_control, {H(MEMORY), V(0x07ff)}, E_BAD_SYSCALL},
    {"control: huge", SYS_control, {H(MEMORY), V(UINT64_MAX)}, E_BAD_SYSCALL},
    {"control: garbage", SYS_control, {H(GARBAGE), V(OP_MEMORY_INFO), P}, E_BAD_HANDLE},
    {"control: another type's", SYS_control, {H(MEMORY), V(OP_BUDGET_INFO), P}, E_WRONG_TYPE},
    {"BUDGET_INFO: right", SYS_control, {H(BARE_BUDGET), V(OP_BUDGET_INFO), P}, E_NO_RIGHT},
    {"BUDGET_INFO: pointer", SYS_control, {H(BUDGET), V(OP_BUDGET_INFO), V(KERNEL_POINTER)}, E_BAD_POINTER},
    {"BUDGET_NEXT: none", SYS_control, {H(BUDGET), V(OP_BUDGET_NEXT), V(UINT64_MAX)}, E_NOT_FOUND},
    {"BUDGET_NEXT: right", SYS_control, {H(BARE_BUDGET), V(OP_BUDGET_NEXT), V(0)}, E_NO_RIGHT},
    {"BUDGET_PROCESS: none", SYS_control, {H(BUDGET), V(OP_BUDGET_PROCESS), V(1ull << 60)}, E_NOT_FOUND},
    {"BUDGET_DESTROY: right", SYS_control, {H(BARE_BUDGET), V(OP_BUDGET_DESTROY)}, E_NO_RIGHT},
    {"PROCESS_INFO: right", SYS_control, {H(BARE_PROCESS), V(OP_PROCESS_INFO), P}, E_NO_RIGHT},
    {"PROCESS_INFO: pointer", SYS_control, {H(PROCESS), V(OP_PROCESS_INFO), V(8)}, E_BAD_POINTER},
    {"PROCESS_GRANT: handle", SYS_control, {H(PROCESS), V(OP_PROCESS_GRANT), H(GARBAGE), V(0)}, E_BAD_HANDLE},
    {"PROCESS_GRANT: no transfer", SYS_control, {H(PROCESS), V(OP_PROCESS_GRANT), H(BARE_MEMORY), V(0)}, E_NO_RIGHT},
    {"PROCESS_GRANT: rights", SYS_control, {H(PROCESS), V(OP_PROCESS_GRANT), H(MEMORY), V(1ull << 20)}, E_INVALID},
    {"PROCESS_KILL: right", SYS_control, {H(BARE_PROCESS), V(OP_PROCESS_KILL), V(2), V(9)}, E_NO_RIGHT},
    {"PROCESS_KILL: no cause", SYS_control, {H(PROCESS), V(OP_PROCESS_KILL), V(0), V(9)}, E_RANGE},
    {"PROCESS_KILL: unknown cause", SYS_control, {H(PROCESS), V(OP_PROCESS_KILL), V(99), V(9)}, E_RANGE},
    {"PROCESS_WATCH: handle", SYS_control, {H(PROCESS), V(OP_PROCESS_WATCH), H(GARBAGE), V(1)}, E_BAD_HANDLE},
    {"PROCESS_WATCH: right", SYS_control, {H(PROCESS), V(OP_PROCESS_WATCH), H(BARE_NOTIFICATION), V(1)}, E_NO_RIGHT},
    {"PROCESS_WATCH: no bits", SYS_control, {H(PROCESS), V(OP_PROCESS_WATCH), H(NOTIFICATION), V(0)}, E_INVALID},
    {"PROCESS_FAULTS: type", SYS_control, {H(PROCESS), V(OP_PROCESS_FAULTS), H(MEMORY)}, E_WRONG_TYPE},
    {"PROCESS_FAULTS: right", SYS_control, {H(PROCESS), V(OP_PROCESS_FAULTS), H(BARE_ENDPOINT)}, E_NO_RIGHT},
    {"PROCESS_NAME: long", SYS_control, {H(PROCESS), V(OP_PROCESS_NAME), P, V(UINT64_MAX)}, E_TOO_LONG},
    {"PROCESS_NAME: pointer", SYS_control, {H(PROCESS), V(OP_PROCESS_NAME), V(UNMAPPED), V(3)}, E_BAD_POINTER},
    {"THREAD_INFO: right", SYS_control, {H(BARE_THREAD), V(OP_THREAD_INFO), P}, E_NO_RIGHT},
    {"THREAD_INFO: pointer", SYS_control, {H(THREAD), V(OP_THREAD_INFO), V(KERNEL_POINTER)}, E_BAD_POINTER},
    {"THREAD_START: in the kernel",
     SYS_control,
     {H(THREAD), V(OP_THREAD_START), V(KERNEL_POINTER), V(0), V(0)},
     E_BAD_POINTER},
    {"THREAD_START: stack in the kernel",
     SYS_control,
     {H(THREAD), V(OP_THREAD_START), V(0x400000), V(KERNEL_POINTER), V(0)},
     E_BAD_POINTER},
    {"THREAD_START: right", SYS_control, {H(BARE_THREAD), V(OP_THREAD_START), V(0), V(0), V(0)}, E_NO_RIGHT},
    {"THREAD_FS_BASE: kernel", SYS_control, {H(THREAD), V(OP_THREAD_FS_BASE), V(KERNEL_POINTER)}, E_BAD_POINTER},
    {"THREAD_FS_BASE: non-canonical", SYS_control, {H(THREAD), V(OP_THREAD_FS_BASE), V(1ull << 62)}, E_BAD_POINTER},
    {"THREAD_PRIORITY: above the process's", SYS_control, {H(THREAD), V(OP_THREAD_PRIORITY), V(11)}, E_RANGE},
    {"THREAD_PRIORITY: huge", SYS_control, {H(THREAD), V(OP_THREAD_PRIORITY), V(1ull << 40)}, E_RANGE},
    {"THREAD_AFFINITY: none", SYS_control, {H(THREAD), V(OP_THREAD_AFFINITY), V(0)}, E_RANGE},
    {"THREAD_INTERRUPT: right", SYS_control, {H(BARE_THREAD), V(OP_THREAD_INTERRUPT)}, E_NO_RIGHT},
    {"THREAD_WATCH: handle", SYS_control, {H(THREAD), V(OP_THREAD_WATCH), H(MEMORY), V(1)}, E_WRONG_TYPE},
    {"ENDPOINT_BIND: right", SYS_control, {H(BARE_ENDPOINT), V(OP_ENDPOINT_BIND), H(NOTIFICATION)}, E_NO_RIGHT},
    {"ENDPOINT_BIND: handle", SYS_control, {H(ENDPOINT), V(OP_ENDPOINT_BIND), H(MEMORY)}, E_WRONG_TYPE},
    {"ENDPOINT_BIND: its right", SYS_control, {H(ENDPOINT), V(OP_ENDPOINT_BIND), H(BARE_NOTIFICATION)}, E_NO_RIGHT},
    {"NOTIFICATION_TIMER: right",
     SYS_control,
     {H(BARE_NOTIFICATION), V(OP_NOTIFICATION_TIMER), V(1), V(1)},
     E_NO_RIGHT},
    {"MEMORY_INFO: pointer", SYS_control, {H(MEMORY), V(OP_MEMORY_INFO), V(UNMAPPED)}, E_BAD_POINTER},
    {"MEMORY_SEAL: right", SYS_control, {H(BARE_MEMORY), V(OP_MEMORY_SEAL)}, E_NO_RIGHT},
    {"SYSTEM_INFO: pointer", SYS_control, {H(SYSTEM), V(OP_SYSTEM_INFO), V(0)}, E_BAD_POINTER},
    {"SYSTEM_DEVICE: past the last", SYS_control, {H(SYSTEM), V(OP_SYSTEM_DEVICE), V(UINT64_MAX)}, E_NOT_FOUND},
    {"SYSTEM_DEVICE: right", SYS_control, {H(BARE_SYSTEM), V(OP_SYSTEM_DEVICE), V(0)}, E_NO_RIGHT},
    {"SYSTEM_LOG_WRITE: long", SYS_control, {H(SYSTEM), V(OP_SYSTEM_LOG_WRITE), P, V(257)}, E_TOO_LONG},
    {"SYSTEM_LOG_WRITE: pointer", SYS_control, {H(SYSTEM), V(OP_SYSTEM_LOG_WRITE), V(UNMAPPED), V(10)}, E_BAD_POINTER},
    {"SYSTEM_LOG_WRITE: right", SYS_control, {H(BARE_SYSTEM), V(OP_SYSTEM_LOG_WRITE), P, V(1)}, E_NO_RIGHT},
    {"SYSTEM_LOG_READ: pointer",
     SYS_control,
     {H(SYSTEM), V(OP_SYSTEM_LOG_READ), V(0), V(UNMAPPED), V(10), P},
     E_BAD_POINTER},
    {"SYSTEM_LOG_READ: next",
     SYS_control,
     {H(SYSTEM), V(OP_SYSTEM_LOG_READ), V(0), P, V(10), V(UNMAPPED)},
     E_BAD_POINTER},
    {"SYSTEM_LOG_READ: huge", SYS_control, {H(SYSTEM), V(OP_SYSTEM_LOG_READ), V(0), P, V(UINT64_MAX), P}, E_RANGE},
    {"SYSTEM_LOG_WATCH: handle", SYS_control, {H(SYSTEM), V(OP_SYSTEM_LOG_WATCH), H(GARBAGE), V(1)}, E_BAD_HANDLE},
    {"SYSTEM_POWER: what", SYS_control, {H(SYSTEM), V(OP_SYSTEM_POWER), V(2), V(0)}, E_RANGE},
    {"SYSTEM_POWER: right", SYS_control, {H(BARE_SYSTEM), V(OP_SYSTEM_POWER), V(0), V(0)}, E_NO_RIGHT},
    {"SYSTEM_RANDOM: long", SYS_control, {H(SYSTEM), V(OP_SYSTEM_RANDOM), P, V(257)}, E_TOO_LONG},
    {"SYSTEM_RANDOM: pointer", SYS_control, {H(SYSTEM), V(OP_SYSTEM_RANDOM), V(UNMAPPED), V(16)}, E_BAD_POINTER},
    {"SYSTEM_ATTACH_PEER: memory", SYS_control, {H(SYSTEM), V(OP_SYSTEM_ATTACH_PEER), H(ENDPOINT)}, E_WRONG_TYPE},
    {"SYSTEM_ATTACH_LOG: notification",
     SYS_control,
     {H(SYSTEM), V(OP_SYSTEM_ATTACH_LOG), H(MEMORY), H(GARBAGE)},
     E_BAD_HANDLE},
    {"SYSTEM_OBJECTS: type", SYS_control, {H(SYSTEM), V(OP_SYSTEM_OBJECTS), V(OBJECT_TYPES)}, E_RANGE},
    {"SYSTEM_COUNTER: which", SYS_control, {H(SYSTEM), V(OP_SYSTEM_COUNTER), V(1ull << 50)}, E_RANGE},
    {"SYSTEM_PANIC: long", SYS_control, {H(SYSTEM), V(OP_SYSTEM_PANIC), P, V(300)}, E_TOO_LONG},
    {"SYSTEM_PANIC: right", SYS_control, {H(BARE_SYSTEM), V(OP_SYSTEM_PANIC), P, V(1)}, E_NO_RIGHT},
    {"vm_map: process", SYS_vm_map, {H(GARBAGE), H(MEMORY), V(0), V(4096), V(0), V(1)}, E_BAD_HANDLE},
    {"vm_map: process right", SYS_vm_map, {H(BARE_PROCESS), H(MEMORY), V(0), V(4096), V(0), V(1)}, E_NO_RIGHT},
    {"vm_map: memory", SYS_vm_map, {H(SELF), H(ENDPOINT), V(0), V(4096), V(0), V(1)}, E_WRONG_TYPE},
    {"vm_map: no right to read", SYS_vm_map, {H(SELF), H(BARE_MEMORY), V(0), V(4096), V(0), V(1)}, E_NO_RIGHT},
    {"vm_map: no access", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0), V(0)}, E_INVALID},
    {"vm_map: write and execute", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0), V(6)}, E_INVALID},
    {"vm_map: unknown flag", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0), V(17)}, E_INVALID},
    {"vm_map: huge flags", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0), V(1ull << 32 | 1)}, E_INVALID},
    {"vm_map: nothing", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(0), V(0), V(1)}, E_INVALID},
    {"vm_map: crooked length", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(100), V(0), V(1)}, E_INVALID},
    {"vm_map: crooked offset", SYS_vm_map, {H(SELF), H(MEMORY), V(1), V(4096), V(0), V(1)}, E_INVALID},
    {"vm_map: crooked address", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0x5001), V(1)}, E_INVALID},
    {"vm_map: past the end", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(1ull << 30), V(0), V(1)}, E_RANGE},
    {"vm_map: offset past the end", SYS_vm_map, {H(SELF), H(MEMORY), V(1ull << 40), V(4096), V(0), V(1)}, E_RANGE},
    {"vm_map: wraps", SYS_vm_map, {H(SELF), H(MEMORY), V(0xfffffffffffff000ull), V(8192), V(0), V(1)}, E_RANGE},
    {"vm_map: in the kernel",
     SYS_vm_map,
     {H(SELF), H(MEMORY), V(0), V(4096), V(0xffffffff80000000ull), V(9)},
     E_BAD_POINTER},
    {"vm_map: at zero", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0), V(9)}, E_BAD_POINTER},
    {"vm_map: at the end",
     SYS_vm_map,
     {H(SELF), H(MEMORY), V(0), V(8192), V(0x00007fffffffe000ull), V(9)},
     E_BAD_POINTER},
    {"vm_map: over text", SYS_vm_map, {H(SELF), H(MEMORY), V(0), V(4096), V(0x400000), V(9)}, E_EXISTS},
    {"vm_map: sealed", SYS_vm_map, {H(SELF), H(SEALED), V(0), V(4096), V(0), V(3)}, E_NO_RIGHT},
    {"vm_unmap: process", SYS_vm_unmap, {H(GARBAGE), V(0x1000), V(4096)}, E_BAD_HANDLE},
    {"vm_unmap: nothing there", SYS_vm_unmap, {H(SELF), V(0x6f0000000000ull), V(4096)}, E_NOT_FOUND},
    {"vm_unmap: crooked", SYS_vm_unmap, {H(SELF), V(0x400001), V(4096)}, E_INVALID},
    {"vm_unmap: no length", SYS_vm_unmap, {H(SELF), V(0x400000), V(0)}, E_INVALID},
    {"vm_unmap: huge length", SYS_vm_unmap, {H(SELF), V(0x400000), V(0xfffffffffffff000ull)}, E_INVALID},
    {"vm_unmap: kernel", SYS_vm_unmap, {H(SELF), V(0xffffffff80000000ull), V(4096)}, E_INVALID},
    {"vm_protect: process", SYS_vm_protect, {H(MEMORY), V(0x400000), V(4096), V(1)}, E_WRONG_TYPE},
    {"vm_protect: more rights", SYS_vm_protect, {H(SELF), V(0x400000), V(4096), V(3)}, E_NO_RIGHT},
    {"vm_protect: flags", SYS_vm_protect, {H(SELF), V(0x400000), V(4096), V(64)}, E_INVALID},
    {"vm_protect: nothing there", SYS_vm_protect, {H(SELF), V(0x6f0000000000ull), V(4096), V(1)}, E_NOT_FOUND},
    {"memory_rw: garbage", SYS_memory_rw, {H(GARBAGE), V(0), P, V(8), V(1)}, E_BAD_HANDLE},
    {"memory_rw: wrong type", SYS_memory_rw, {H(ENDPOINT), V(0), P, V(8), V(1)}, E_WRONG_TYPE},
    {"memory_rw: no right", SYS_memory_rw, {H(BARE_MEMORY), V(0), P, V(8), V(1)}, E_NO_RIGHT},
    {"memory_rw: direction", SYS_memory_rw, {H(MEMORY), V(0), P, V(8), V(3)}, E_INVALID},
    {"memory_rw: past the end", SYS_memory_rw, {H(MEMORY), V(1 << 20), P, V(8), V(1)}, E_RANGE},
    {"memory_rw: huge length", SYS_memory_rw, {H(MEMORY), V(0), P, V(UINT64_MAX), V(1)}, E_BAD_POINTER},
    {"memory_rw: offset wraps", SYS_memory_rw, {H(MEMORY), V(UINT64_MAX), P, V(8), V(1)}, E_RANGE},
    {"memory_rw: unmapped", SYS_memory_rw, {H(MEMORY), V(0), V(UNMAPPED), V(8), V(1)}, E_BAD_POINTER},
    {"memory_rw: into the kernel", SYS_memory_rw, {H(MEMORY), V(0), V(KERNEL_POINTER), V(8), V(1)}, E_BAD_POINTER},
    {"memory_rw: from the kernel", SYS_memory_rw, {H(MEMORY), V(0), V(KERNEL_POINTER), V(8), V(2)}, E_BAD_POINTER},
    {"memory_rw: into text", SYS_memory_rw, {H(MEMORY), V(0), V(0x400000), V(8), V(1)}, E_BAD_POINTER},
    {"memory_rw: sealed", SYS_memory_rw, {H(SEALED), V(0), P, V(8), V(2)}, E_NO_RIGHT},
    {"exit: what", SYS_exit, {V(2), V(0)}, E_INVALID},
    {"clock: which", SYS_clock, {V(3)}, E_INVALID},
    {"futex: operation", SYS_futex, {V(2), P, V(0)}, E_INVALID},
    {"futex: crooked", SYS_futex, {V(FUTEX_OP_WAIT), V(0x400001), V(0)}, E_INVALID},
    {"futex: unmapped", SYS_futex, {V(FUTEX_OP_WAIT), V(UNMAPPED), V(0)}, E_BAD_POINTER},
    {"futex: kernel", SYS_futex, {V(FUTEX_OP_WAIT), V(KERNEL_POINTER), V(0)}, E_BAD_POINTER},
    {"futex wake: kernel", SYS_futex, {V(FUTEX_OP_WAKE), V(KERNEL_POINTER), V(1)}, E_BAD_POINTER},
    {"call: garbage", SYS_call, {H(GARBAGE), V(0), V(0)}, E_BAD_HANDLE},
    {"call: high bits", SYS_call, {V(0x500000001ull), V(0), V(0)}, E_BAD_HANDLE},
    {"call: wrong type", SYS_call, {H(MEMORY), V(0), V(0)}, E_WRONG_TYPE},
    {"call: no right", SYS_call, {H(BARE_ENDPOINT), V(0), V(0)}, E_NO_RIGHT},
    {"call: gone", SYS_call, {H(CLOSED_ENDPOINT), V(0), V(0)}, E_GONE},
    {"recv: garbage", SYS_recv, {H(GARBAGE), V(0), V(0)}, E_BAD_HANDLE},
    {"recv: wrong type", SYS_recv, {H(NOTIFICATION), V(0), V(0)}, E_WRONG_TYPE},
    {"recv: no right", SYS_recv, {H(BARE_ENDPOINT), V(0), V(0)}, E_NO_RIGHT},
    {"reply: garbage", SYS_reply, {H(GARBAGE), V(0)}, E_BAD_HANDLE},
    {"reply: wrong type", SYS_reply, {H(ENDPOINT), V(0)}, E_WRONG_TYPE},
};

static void make(uint32_t kind, uint32_t bare, enum object_type type, uint64_t a, uint64_t b, uint64_t c)
{
    handles[kind] = guest_create(type, a, b, c);
    OK(os_handle_dup(handles[kind], 0, &handles[bare]));
}

static void make_handles(void)
{
    uint64_t at = 0;
    OK(os_handle_dup(guest.budget, RIGHTS_ALL, &handles[BUDGET]));
    OK(os_handle_dup(guest.budget, 0, &handles[BARE_BUDGET]));
    OK(os_handle_dup(guest.system, RIGHTS_ALL, &handles[SYSTEM]));
    OK(os_handle_dup(guest.system, 0, &handles[BARE_SYSTEM]));
    OK(os_handle_dup(guest.process, RIGHTS_ALL, &handles[SELF]));
    make(PROCESS, BARE_PROCESS, OBJECT_PROCESS, (uint64_t) "victim", 6, 10);
    make(THREAD, BARE_THREAD, OBJECT_THREAD, handles[PROCESS], 0, 10);
    make(ENDPOINT, BARE_ENDPOINT, OBJECT_ENDPOINT, 0, 0, 0);
    make(NOTIFICATION, BARE_NOTIFICATION, OBJECT_NOTIFICATION, 0, 0, 0);
    make(MEMORY, BARE_MEMORY, OBJECT_MEMORY, 4 * PAGE_BYTES, 0, 0);
    handles[SEALED] = guest_create(OBJECT_MEMORY, PAGE_BYTES, 0, 0);
    OK(os_control(handles[SEALED], OP_MEMORY_SEAL, 0, 0, 0, 0).err);
    handle_t e = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    OK(os_handle_dup(e, RIGHT_CALL | RIGHT_DUP, &handles[CLOSED_ENDPOINT]));
    guest_close(e);
    handles[STALE] = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    guest_close(handles[STALE]);
    handles[GARBAGE] = 0xdeadbeef;
    CHECK_EQ(at, 0);
}

static void close_handles(void)
{
    for (uint32_t i = 1; i < KINDS; i++)
        if (i != STALE && i != GARBAGE)
            guest_close(handles[i]);
}

static uint64_t resolve(const struct argument *a)
{
    return a->kind == 1 ? handles[a->value] : a->kind == 2 ? (uint64_t)buffer : a->value;
}

static void check_row(const struct row *r)
{
    uint64_t v[6];
    buffer[0] = 1; /* no printable name */
    for (uint32_t i = 0; i < 6; i++)
        v[i] = resolve(&r->arguments[i]);
    err_t err = os_syscall(r->call, v[0], v[1], v[2], v[3], v[4], v[5]).err;
    if (err != r->expected)
        say("# %s", r->name);
    CHECK_EQ(err, r->expected);
}

static void refusals(void)
{
    make_handles();
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t used = guest_used(guest.budget);
        check_row(&rows[i]);
        CHECK_EQ(guest_used(guest.budget), used);
    }
    close_handles();
}

/* Random calls with plausible and wild arguments: any answer will do, as long as there is one. */
static uint64_t random_state = 0x9e3779b97f4a7c15ull;
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t random_argument(void)
{
    static const uint64_t wild[] = {0, 1, 4096, 0x400000, UNMAPPED, KERNEL_POINTER, UINT64_MAX, 1ull << 63, 8192, 255};
    uint64_t r = next_random();
    switch (r % 4) {
    case 0:
        return handles[1 + (r >> 8) % (KINDS - 1)];
    case 1:
        return wild[(r >> 8) % (sizeof(wild) / sizeof(wild[0]))];
    case 2:
        return r >> 8 & 0xfff;
    default:
        return (uint64_t)buffer;
    }
}

/* What would end or stop the test itself, or close what it needs. */
static bool too_wild(uint64_t call, uint64_t a, uint64_t b)
{
    if (call <= SYS_reply_recv || call == SYS_exit || call == SYS_handle_close || call == SYS_wait || call == SYS_futex)
        return true;
    if (call == SYS_vm_unmap || call == SYS_vm_protect || call == SYS_vm_map)
        return a == handles[SELF];
    return false;
}

static void wild_child(struct guest_child_page *page)
{
    for (uint32_t i = 0; i < 9; i++)
        handles[1 + i] = page->handles[i % GUEST_HANDLES];
    random_state = page->values[0];
    for (uint32_t i = 0; i < 20000; i++) {
        uint64_t v[6], call = next_random() % SYS_COUNT;
        for (uint32_t j = 0; j < 6; j++)
            v[j] = random_argument();
        if (!too_wild(call, v[0], v[1]))
            os_syscall(call, v[0], v[1], v[2], v[3], v[4], v[5]);
        page->values[1] = i;
    }
}

static void wild_calls(void)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct guest_child c;
        handle_t budget;
        OK(os_create(guest.budget, OBJECT_BUDGET, 4 << 20, seed, 0, &budget));
        guest_child_create(&c, budget, wild_child);
        guest_child_give(&c, budget, RIGHT_SPEND | RIGHT_INFO | RIGHT_DUP);
        static const enum object_type types[] = {OBJECT_ENDPOINT, OBJECT_NOTIFICATION};
        for (uint32_t i = 0; i < 2; i++) {
            handle_t h;
            OK(os_create(budget, types[i], 0, 0, 0, &h));
            guest_child_give(&c, h, RIGHTS_ALL);
            guest_close(h);
        }
        guest_child_give(&c, c.page_memory, RIGHTS_ALL);
        guest_child_give(&c, c.process, RIGHT_MANAGE | RIGHT_INFO);
        guest_child_give(&c, c.thread, RIGHT_INFO | RIGHT_DUP);
        guest_child_give(&c, guest.system, RIGHT_INFO);
        ((struct guest_child_page *)c.page)->values[0] = seed * 0x9e3779b97f4a7c15ull;
        guest_child_start(&c);
        guest_child_wait(&c);
        OK(os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
        guest_close(budget);
    }
}

const struct guest_test guest_tests[] = {
    {"what each call refuses", refusals},
    {"wild calls", wild_calls},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
