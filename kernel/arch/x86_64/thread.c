/* Threads: their kernel stacks, how they begin, and the switch. */
#include <base/mem.h>
#include <kernel/debug.h>
#include <kernel/fast.h>
#include <kernel/mm.h>
#include <kernel/trace.h>

#include "cpu.h"
#include "fpu.h"
#include "layout.h"
#include "machine.h"
#include "paging.h"

/* What switch_stacks() pops. */
struct switch_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp, ip;
};

extern char thread_enter_user[], thread_enter_kernel[];
void switch_stacks(uint64_t *save_sp, uint64_t load_sp);
_Noreturn void load_stack(uint64_t load_sp);
void thread_begin_user(void);
_Noreturn void thread_begin_kernel(void (*entry)(void *), void *arg);

err_t arch_thread_init(struct arch_thread *t, void (*kernel_entry)(void *), void *kernel_arg)
{
    memset(t, 0, sizeof *t);
    t->fpu_cpu = CPUS_MAX;
    t->stack_base = stack_alloc();
    if (!t->stack_base)
        return E_NO_MEMORY;
    uint64_t top = t->stack_base + KERNEL_STACK_BYTES;
    if (!kernel_entry) {
        t->frame = (struct trap_frame *)(top - sizeof(struct trap_frame));
        memset(t->frame, 0, sizeof *t->frame);
        top = (uint64_t)t->frame;
    }
    struct switch_frame *s =
        (struct switch_frame *)(top - (kernel_entry ? 8 : 0)) - 1; /* calls keep 16-byte alignment */
    *s = (struct switch_frame){.ip = (uint64_t)(kernel_entry ? thread_enter_kernel : thread_enter_user),
                               .rbx = (uint64_t)kernel_entry,
                               .r12 = (uint64_t)kernel_arg};
    t->kernel_sp = (uint64_t)s;
    return E_OK;
}

void arch_thread_set_user(struct arch_thread *t, uint64_t ip, uint64_t sp, uint64_t arg)
{
    struct trap_frame *f = t->frame;
    memset(f, 0, sizeof *f);
    f->rip = ip < USER_END ? ip : USER_END; /* never non-canonical: there it faults in user mode, not in iret */
    f->rsp = sp;
    f->rdi = arg;
    f->cs = SELECTOR_USER_CODE;
    f->ss = SELECTOR_USER_DATA;
    f->rflags = RFLAGS_FIXED | RFLAGS_IF;
}

always_inline void load_fs_base(struct machine_cpu *m, uint64_t address)
{
    m->fs_base = address;
    m->cpu.counters[COUNTER_MSR_WRITES]++;
    msr_write(MSR_FS_BASE, address);
}

void arch_thread_set_fs_base(struct arch_thread *t, uint64_t address)
{
    t->fs_base = address < USER_END ? address : 0;
    if (machine_this()->running == t)
        load_fs_base(machine_this(), t->fs_base);
}

void arch_thread_free(struct arch_thread *t)
{
    if (t->stack_base)
        stack_free(t->stack_base);
    fpu_forget(t);
    t->stack_base = 0;
}

always_inline void load_aspace(struct cpu *cpu, struct arch_aspace *as)
{
    if (!as || cpu->aspace == as)
        return;
    if (cpu->aspace)
        cpu->aspace->active_cpus &= ~cpu->bit;
    as->active_cpus |= cpu->bit;
    cpu->aspace = as;
    cpu->counters[COUNTER_CR3_WRITES]++;
    cr3_write(as->root_phys);
}

/* All of a switch but the stack. */
always_inline void switch_but_stack(struct machine_cpu *m, struct arch_thread *from, struct arch_thread *to,
                                    struct arch_aspace *as)
{
    assert(m->cpu.lock_depth == 1);
    m->cpu.counters[COUNTER_CONTEXT_SWITCHES]++;
    if (unlikely(m->fpu_enabled))
        fpu_switch_out(m, from);
    load_aspace(&m->cpu, as);
    m->running = to;
    if (!to->frame)
        return;
    m->cpu.kernel_entry_sp = to->stack_base + KERNEL_STACK_BYTES;
    m->tss.rsp[0] = m->cpu.kernel_entry_sp;
    /* User mode can make the base 0 behind our back, by loading FS, but nothing else: every selector's base is 0. So
     * only from 0 to 0 is there nothing to do. */
    if (m->fs_base | to->fs_base)
        load_fs_base(m, to->fs_base);
}

void arch_switch(struct arch_thread *from, struct arch_thread *to, struct arch_aspace *as)
{
    switch_but_stack(machine_this(), from, to, as);
    switch_stacks(&from->kernel_sp, to->kernel_sp);
}

/* Below a frame that a system call made lies the return address of syscall_entry's call, where nothing but rsp is
 * expected: so the stack needs no saving. It looks as if the registers that switch_stacks() pops had been pushed. */
void arch_rest(struct arch_thread *from, struct arch_thread *to, struct arch_aspace *as)
{
    assert(from->frame->vector == VECTOR_SYSCALL);
    switch_but_stack(machine_this(), from, to, as);
    from->kernel_sp = (uint64_t)from->frame - sizeof(struct switch_frame);
    load_stack(to->kernel_sp);
}

void thread_begin_user(void)
{
    cpu_this()->counters[COUNTER_IRETS]++;
    kernel_unlock();
}

void thread_begin_kernel(void (*entry)(void *), void *arg)
{
    kernel_unlock();
    __asm__ volatile("sti" ::: "memory");
    entry(arg);
    panic("a kernel thread's function returned");
}
