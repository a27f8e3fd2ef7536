/* System calls: the registers that lead to syscall_entry, and what wraps every call. */
#include <kernel/arch.h>

#include "cpu.h"
#include "machine.h"

extern char syscall_entry[];
void syscall_enter(struct trap_frame *frame); /* called by trap_entry.S */

void syscall_init(void)
{
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE);
    msr_write(MSR_STAR, (uint64_t)SELECTOR_USER_BASE << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    msr_write(MSR_LSTAR, (uint64_t)syscall_entry);
    msr_write(MSR_SFMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT);
}

void syscall_enter(struct trap_frame *frame)
{
    kernel_lock();
    syscall_dispatch(frame);
    sched_check();
    kernel_unlock();
}
