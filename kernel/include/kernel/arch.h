/* What the rest of the kernel may ask of the machine. Implemented in kernel/arch/<machine>; only there: assembly,
 * model-specific registers, page-table bits, interrupt controllers.
 *
 * The kernel runs under one lock (kernel_lock), taken on entry from user mode and from interrupts that need it,
 * released on the way out. Code that holds it runs with interrupts off. A kernel thread (cluster) runs without it,
 * interrupts on, and is preemptible there.
 */
#pragma once

#include <abi/info.h>
#include <abi/types.h>

struct thread;
struct process;

#define CPUS_MAX           32u
#define KERNEL_STACK_BYTES 16384u /* per thread, with a guard page below */
#define PHYSMAP_BASE       0xffff800000000000ull
#define USER_END           0x00007ffffffff000ull /* first address no process may use */

static inline void *phys_to_virt(uint64_t phys)
{
    return (void *)(PHYSMAP_BASE + phys);
}

/* All user registers at kernel entry, on the kernel stack of the thread. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* The machine's part of a thread, embedded in struct thread. Opaque outside arch but for `frame`. */
struct arch_thread {
    uint64_t kernel_sp;       /* saved while switched out */
    uint64_t stack_base;      /* lowest usable address of the kernel stack */
    struct trap_frame *frame; /* user registers; NULL for kernel threads */
    uint64_t fs_base, gs_base;
    void *fpu;        /* extended state area, one page; NULL until the first use of the FPU */
    uint32_t fpu_cpu; /* CPU whose registers hold it, or CPUS_MAX */
};

/* Pages that arch may take for a thread (kernel stack, extended state), charged by the caller when it makes one. */
#define ARCH_THREAD_PAGES (KERNEL_STACK_BYTES / PAGE_BYTES + 1)

/* ---- processors ---- */

/* Per-CPU data. `arch` hides the machine's own part behind it. */
struct cpu {
    struct cpu *self;
    uint64_t kernel_entry_sp; /* this and the next: of the entry assembly, at fixed offsets */
    uint64_t user_sp_scratch;
    uint32_t index;         /* 0 = boot CPU; dense */
    uint32_t lock_depth;    /* 1 while this CPU holds the kernel lock */
    uint64_t bit;           /* 1 << index */
    struct thread *current; /* never NULL after INIT_THREADS */
    struct thread *idle;
    struct arch_aspace *aspace; /* whose page tables are loaded; NULL: the kernel's. Kernel threads leave it alone */
    uint64_t counters[COUNTER_COUNT];

    /* the scheduler's, here since every switch uses them */
    bool reschedule;          /* sched_check() has something to do at the next way out */
    uint32_t ready;           /* bit per priority of which threads wait to run here */
    uint64_t switched_ticks;  /* when the current thread got this CPU */
    uint64_t slice_end_ticks; /* 0: its slice is not timed */
    uint64_t timer_at_ticks;  /* when the one-shot timer fires; UINT64_MAX: never */
};

/* Interrupts must be off, or the caller pinned. In line, since nearly every path asks for it. */
static inline struct cpu *cpu_this(void)
{
    struct cpu *cpu;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
    return cpu;
}
struct cpu *cpu_get(uint32_t index);
uint32_t cpu_count(void);           /* running CPUs */
uint32_t cpu_failed_count(void);    /* present, but they did not start */
void cpu_interrupt(uint32_t index); /* make it pass through sched_check() soon */

void kernel_lock(void); /* interrupts off first; nobody starves; not recursive */
void kernel_unlock(void);
bool kernel_lock_held(void); /* by this CPU */
uint64_t arch_irq_save(void);
void arch_irq_restore(uint64_t flags);

static inline void arch_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
} /* in a spinning loop */

/* Sleeps until an interrupt, interrupts on meanwhile; kernel lock not held. The idle thread's body. */
void arch_idle(void);

/* ---- threads ---- */

/* Allocates the kernel stack (guard page below) and prepares `t` so that the first switch to it either enters user mode
 * with ip/sp/arg (arg in rdi) or, for a kernel thread, calls entry(arg) without the kernel lock and with interrupts on.
 * E_NO_MEMORY when no pages. The pages are charged by the caller. */
err_t arch_thread_init(struct arch_thread *t, void (*kernel_entry)(void *), void *kernel_arg);
void arch_thread_set_user(struct arch_thread *t, uint64_t ip, uint64_t sp, uint64_t arg);
void arch_thread_set_fs_base(struct arch_thread *t, uint64_t address); /* below USER_END; also of the running thread */
void arch_thread_free(struct arch_thread *t);                          /* never the running one */

/* Switches stacks, address space, FS base and FPU ownership; returns when `from` runs again, maybe on another CPU.
 * Kernel lock held across. `as` is the address space of `to`, NULL for kernel threads (what is loaded stays loaded).
 * The caller has set cpu_this()->current to `to` before. `from` may be a zeroed arch_thread: the context that runs now
 * becomes it (that is how each CPU's boot context turns into its idle thread). */
void arch_switch(struct arch_thread *from, struct arch_thread *to, struct arch_aspace *as);
/* The same, from a system call that has nothing left to do: `from` goes on where its system call leaves the kernel,
 * with what is in its frame then. */
_Noreturn void arch_rest(struct arch_thread *from, struct arch_thread *to, struct arch_aspace *as);

/* ---- address spaces ---- */

struct arch_aspace {
    uint64_t root_phys;
    uint64_t active_cpus; /* bit per CPU that may cache its translations */
    uint32_t table_pages; /* pages the tables use, charged by the caller through the callback below */
};

enum { PAGE_READ = 1, PAGE_WRITE = 2, PAGE_EXEC = 4, PAGE_DEVICE = 8 /* uncached */, PAGE_COMBINE = 16 };

err_t arch_aspace_init(struct arch_aspace *as);
void arch_aspace_free(struct arch_aspace *as); /* the tables, not the pages mapped; unloads it from every CPU first */

/* How many new table pages mapping `address` would need (0..3); lets the caller charge first. */
uint32_t arch_aspace_tables_needed(const struct arch_aspace *as, uint64_t address);
err_t arch_aspace_map(struct arch_aspace *as, uint64_t address, uint64_t phys, uint32_t page_flags); /* replaces */
bool arch_aspace_lookup(const struct arch_aspace *as, uint64_t address, uint64_t *phys_out, uint32_t *flags_out);
void arch_aspace_unmap(struct arch_aspace *as, uint64_t address, uint64_t bytes);
void arch_aspace_protect(struct arch_aspace *as, uint64_t address, uint64_t bytes, uint32_t page_flags);
/* No CPU uses old translations of the range when it returns. Kernel lock held (waiting CPUs answer while they spin). */
void arch_aspace_flush(struct arch_aspace *as, uint64_t address, uint64_t bytes);

/* Copies between kernel memory and the current address space. E_BAD_POINTER for anything that is not mapped user memory
 * with the needed permission, after asking vm_fault() to bring lazily mapped pages in. Never panics. */
err_t copy_from_user(void *to, uint64_t from, size_t bytes);
err_t copy_to_user(uint64_t to, const void *from, size_t bytes);

/* ---- time ---- */
uint64_t time_now_ns(void); /* monotonic, the same on all CPUs to within a microsecond */
uint64_t time_realtime_ns(void);
/* The raw counter behind it; in line, so that a trace event costs next to nothing. */
static inline uint64_t arch_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
uint64_t arch_ticks_to_ns(uint64_t ticks); /* as a time */
uint64_t arch_ns_to_ticks(uint64_t ns);
uint64_t arch_ticks_span_ns(uint64_t ticks); /* as a difference of two times */
void arch_timer_arm(uint64_t at_ns);         /* one shot on this CPU; UINT64_MAX: none */

/* ---- entropy, power, devices ---- */
bool arch_random(void *to, size_t bytes); /* false: no source on this machine. Kernel lock held */
_Noreturn void arch_power(bool restart, uint32_t exit_code);

/* For panics: halt for ever, halt all other CPUs, the emulator's exit device, the fault's address and table root, the
 * stack that `address` lies in (false: none), and text pushed out of the caches. */
_Noreturn void arch_halt(void);
void arch_stop_others(void);
_Noreturn void arch_emulator_exit(uint32_t code);
uint64_t arch_fault_address(void);
uint64_t arch_table_root(void);
bool arch_stack_bounds(uint64_t address, uint64_t *low_out, uint64_t *high_out);
void arch_cache_flush(const void *start, size_t bytes);

/* Called by arch from the entry paths, all with the kernel lock held and interrupts off: */
void syscall_dispatch(struct trap_frame *frame);
/* A fault of user code that vm_fault did not cure. FAULT_NO_MEMORY in `error`: the Budget could not pay for the page
 * (EXIT_MEMORY); the low 32 bits are the processor's error code. */
void trap_user_fault(struct trap_frame *frame, enum fault_kind kind, uint64_t address, uint64_t error);
#define FAULT_NO_MEMORY (1ull << 32)
/* Page fault of the current thread's user code or of copy_*_user on its behalf: true if the page is there now.
 * write/exec say what was tried; *memory_out (always written): it failed since the Budget could not pay. */
bool vm_fault(uint64_t address, bool write, bool exec, bool *memory_out);
void sched_timer_tick(uint64_t now_ns); /* the one-shot timer of this CPU fired */
void sched_check(void); /* on every way out of the kernel, a thread's first way to user mode included: it ends the
                         * thread if it is to die, and switches when another should run */
void irq_deliver(uint32_t irq_line); /* a device interrupt, already masked at its source */

/* Own page tables; pages can be allocated. Called by kernel_main at INIT_EARLY. */
void arch_early_init(void);

/* ---- the list of what is called before INIT_THREADS is over ----
 * Up to then the boot CPU runs on its boot stack with the kernel lock held and interrupts off, cpu_this()->current is
 * NULL, and nothing may block. */
