/* System calls: the registers that lead to syscall_entry, and what wraps every call. */
#include <kernel/arch.h>

#include "cpu.h"
#include "lock.h"

extern char syscall_entry[];
/* Called by trap_entry.S, one after the other. A thread that rests goes on between the two. */
void syscall_enter(struct trap_frame *frame);
void syscall_leave(void);

void syscall_init(void)
{
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE);
    msr_write(MSR_STAR, (uint64_t)SELECTOR_USER_BASE << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    msr_write(MSR_LSTAR, (uint64_t)syscall_entry);
    msr_write(MSR_SFMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT);
}

void syscall_enter(struct trap_frame *frame)
{
    lock_take(cpu_this());
    syscall_dispatch(frame);
}

void syscall_leave(void)
{
    struct cpu *cpu = cpu_this();
    if (unlikely(cpu->reschedule)) {
        sched_check();
        cpu = cpu_this(); /* perhaps another than before */
    }
    cpu->counters[COUNTER_SYSRETS]++;
    lock_leave(cpu);
}
