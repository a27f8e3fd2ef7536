/* Threads: their kernel stacks, how they begin, and the switch. */
#include <base/mem.h>
#include <kernel/debug.h>
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

void arch_thread_set_fs_base(struct arch_thread *t, uint64_t address)
{
    t->fs_base = address < USER_END ? address : 0;
    if (machine_this()->running == t)
        msr_write(MSR_FS_BASE, t->fs_base);
}

void arch_thread_free(struct arch_thread *t)
{
    if (t->stack_base)
        stack_free(t->stack_base);
    fpu_forget(t);
    t->stack_base = 0;
}

static void load_aspace(struct machine_cpu *m, struct arch_aspace *as)
{
    struct cpu *cpu = &m->cpu;
    if (!as || cpu->aspace == as)
        return;
    if (cpu->aspace)
        cpu->aspace->active_cpus &= ~(1ull << cpu->index);
    as->active_cpus |= 1ull << cpu->index;
    cpu->aspace = as;
    cpu->counters[COUNTER_CR3_WRITES]++;
    cr3_write(as->root_phys);
}

void arch_switch(struct arch_thread *from, struct arch_thread *to, struct arch_aspace *as)
{
    struct machine_cpu *m = machine_this();
    assert(m->cpu.lock_depth == 1);
    m->cpu.counters[COUNTER_CONTEXT_SWITCHES]++;
    fpu_switch_out(m, from);
    load_aspace(m, as);
    if (to->frame) {
        m->cpu.kernel_entry_sp = to->stack_base + KERNEL_STACK_BYTES;
        m->tss.rsp[0] = m->cpu.kernel_entry_sp;
        m->cpu.counters[COUNTER_MSR_WRITES]++;
        msr_write(MSR_FS_BASE, to->fs_base); /* always: user mode can change it behind our back by loading FS */
    }
    m->running = to;
    switch_stacks(&from->kernel_sp, to->kernel_sp);
}

void thread_begin_user(void)
{
    kernel_unlock();
}

void thread_begin_kernel(void (*entry)(void *), void *arg)
{
    kernel_unlock();
    __asm__ volatile("sti" ::: "memory");
    entry(arg);
    panic("a kernel thread's function returned");
}
