/* Exceptions and interrupts: who asked, and who answers. */
#include <kernel/debug.h>
#include <kernel/trace.h>

#include "apic.h"
#include "cpu.h"
#include "features.h"
#include "flush.h"
#include "fpu.h"
#include "layout.h"
#include "machine.h"
#include "paging.h"

enum {
    DIVIDE = 0,
    DEBUG = 1,
    NMI = 2,
    BREAKPOINT = 3,
    INVALID = 6,
    NO_FPU = 7,
    DOUBLE_FAULT = 8,
    STACK = 12,
    PROTECTION = 13,
    PAGE = 14,
    X87 = 16,
    ALIGNMENT = 17,
    MACHINE_CHECK = 18,
    SIMD = 19,
    EXCEPTIONS = 32
};

#define PF_PRESENT 1
#define PF_WRITE   2
#define PF_EXEC    16

struct fixup {
    uint64_t fault_ip, resume_ip;
};
extern const struct fixup fault_fixups_start[], fault_fixups_end[];

void trap_dispatch(struct trap_frame *frame);          /* called by trap_entry.S */
void trap_dispatch_paranoid(struct trap_frame *frame); /* NMI, #DB, #DF, #MC */

static const char *const names[EXCEPTIONS] = {
    [DIVIDE] = "divide error",
    [DEBUG] = "debug trap",
    [BREAKPOINT] = "breakpoint",
    [INVALID] = "invalid opcode",
    [NO_FPU] = "no FPU",
    [DOUBLE_FAULT] = "double fault",
    [STACK] = "stack fault",
    [PROTECTION] = "general protection fault",
    [PAGE] = "page fault",
    [X87] = "x87 error",
    [ALIGNMENT] = "alignment check",
    [MACHINE_CHECK] = "machine check",
    [SIMD] = "SIMD error",
};

static bool from_user(const struct trap_frame *f)
{
    return f->cs & 3;
}

static enum fault_kind fault_kind(const struct trap_frame *f)
{
    switch (f->vector) {
    case DIVIDE:
    case X87:
    case SIMD:
        return FAULT_ARITHMETIC;
    case DEBUG:
    case BREAKPOINT:
        return FAULT_BREAKPOINT;
    case INVALID:
        return FAULT_INSTRUCTION;
    case ALIGNMENT:
        return FAULT_ALIGNMENT;
    case PAGE:
        return f->error & PF_EXEC ? FAULT_EXEC : f->error & PF_WRITE ? FAULT_WRITE : FAULT_READ;
    default:
        return FAULT_PROTECTION;
    }
}

extern char boot_stack_guard[], boot_stack_bottom[];

static bool is_guard(uint64_t address)
{
    uint64_t low, high;
    if (address >= (uint64_t)boot_stack_guard && address < (uint64_t)boot_stack_bottom)
        return true;
    return address >= STACK_WINDOW && address < STACK_WINDOW + STACK_SLOTS * STACK_SLOT_BYTES &&
           !arch_stack_bounds(address, &low, &high);
}

static _Noreturn void kernel_fault(const struct trap_frame *f, uint64_t address)
{
    const char *name = f->vector < EXCEPTIONS && names[f->vector] ? names[f->vector] : "unexpected trap";
    /* A stack that ran into its guard page faults again when the first fault is to be pushed on it. */
    if (f->vector == DOUBLE_FAULT && is_guard(address))
        panic_trap(f, "kernel stack overflow at %lx", address);
    if (f->vector != PAGE)
        panic_trap(f, "%s in the kernel (error %lx)", name, f->error);
    const char *what = f->error & PF_EXEC ? "execution of" : f->error & PF_WRITE ? "write to" : "read of";
    panic_trap(f, "page fault in the kernel: %s %lx%s", what, address,
               f->error & PF_PRESENT ? ", which is forbidden there" : "");
}

static const struct fixup *find_fixup(uint64_t ip)
{
    for (const struct fixup *x = fault_fixups_start; x < fault_fixups_end; x++)
        if (x->fault_ip == ip)
            return x;
    return NULL;
}

/* A page fault of copy_to_user or copy_from_user: bring the page in, or let the copy end early. */
static void copy_fault(struct trap_frame *f, uint64_t address)
{
    const struct fixup *x = find_fixup(f->rip);
    bool memory;
    if (!x || address >= USER_END || !kernel_lock_held())
        kernel_fault(f, address);
    if (!vm_fault(address, f->error & PF_WRITE, false, &memory))
        f->rip = x->resume_ip;
}

static void user_page_fault(struct trap_frame *f, uint64_t address)
{
    bool memory = false;
    if (address < USER_END && vm_fault(address, f->error & PF_WRITE, f->error & PF_EXEC, &memory))
        return;
    trace(TRACE_FAULT, address, f->rip);
    trap_user_fault(f, fault_kind(f), address, f->error | (memory ? FAULT_NO_MEMORY : 0));
}

static void user_exception(struct trap_frame *f, uint64_t address)
{
    if (f->vector == PAGE) {
        user_page_fault(f, address);
    } else if (f->vector == NO_FPU) {
        if (!fpu_use())
            trap_user_fault(f, FAULT_PROTECTION, 0, FAULT_NO_MEMORY);
    } else {
        trace(TRACE_FAULT, f->vector, f->rip);
        trap_user_fault(f, fault_kind(f), 0, f->error);
    }
}

static void exception(struct trap_frame *f)
{
    uint64_t address = cr2_read();
    if (!from_user(f) && f->vector == PAGE) {
        copy_fault(f, address);
        return;
    }
    if (!from_user(f))
        kernel_fault(f, address);
    kernel_lock();
    user_exception(f, address);
    sched_check();
    kernel_unlock();
}

static void interrupt(struct trap_frame *f)
{
    cpu_this()->counters[COUNTER_INTERRUPTS]++;
    if (f->vector == VECTOR_FLUSH) { /* must not wait for the lock: its holder waits for us */
        flush_answer();
        apic_end();
        return;
    }
    if (f->vector == VECTOR_SPURIOUS)
        return;
    kernel_lock();
    trace(TRACE_INTERRUPT, f->vector, f->rip);
    if (f->vector == VECTOR_TIMER)
        timer_interrupt();
    else if (f->vector >= VECTOR_DEVICES && f->vector < VECTOR_TIMER)
        irq_interrupt((uint32_t)f->vector - VECTOR_DEVICES);
    apic_end();
    sched_check();
    kernel_unlock();
}

void trap_dispatch(struct trap_frame *f)
{
    bool user = from_user(f);
    if (features.smap)
        __asm__ volatile("clac" ::: "cc"); /* user mode may have set AC; a trap keeps it */
    if (f->vector < EXCEPTIONS)
        exception(f);
    else
        interrupt(f);
    if (user)
        cpu_this()->counters[COUNTER_IRETS]++;
}

void trap_dispatch_paranoid(struct trap_frame *f)
{
    if (f->vector == NMI) {
        if (panic_in_progress())
            arch_halt();
        return; /* some firmware sends stray ones */
    }
    if (f->vector == DEBUG && from_user(f)) {
        exception(f);
        return;
    }
    kernel_fault(f, cr2_read());
}

uint64_t arch_fault_address(void)
{
    return cr2_read();
}
uint64_t arch_table_root(void)
{
    return cr3_read();
}

void arch_cache_flush(const void *start, size_t bytes)
{
    for (const char *p = start; p < (const char *)start + bytes; p += 64)
        __asm__ volatile("clflush (%0)" ::"r"(p) : "memory");
}
