/* The machine's own part of a processor, around struct cpu. */
#pragma once

#include <kernel/arch.h>

#define GDT_ENTRIES          8 /* null, kernel code and data, user 32 (unused), user data, user code, TSS (two) */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_BASE   0x18 /* what sysret counts from */
#define SELECTOR_USER_DATA   0x23
#define SELECTOR_USER_CODE   0x2b
#define SELECTOR_TSS         0x30

enum { IST_DOUBLE_FAULT = 1, IST_NMI = 2, IST_MACHINE_CHECK = 3, IST_COUNT = 3 };

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

/* How far a processor's start is; the starter and it settle by compare-and-swap whether it came in time. */
enum { START_ASKED = 1, START_ARRIVED = 2, START_REFUSED = 3 };

struct machine_cpu {
    struct cpu cpu; /* first: GS points here */
    uint32_t apic_id;
    volatile uint32_t start;
    volatile uint32_t online;
    struct arch_thread *running;   /* NULL before the first switch */
    uint64_t fs_base;              /* what was last loaded; user mode may have made it 0 since */
    struct arch_thread *fpu_owner; /* whose state the registers hold; see fpu.c */
    bool fpu_enabled;              /* TS is clear */
    bool waits_for_lock;           /* between flush_wait_begin() and _end(): cannot go on without the kernel lock */
    bool flush_owed;               /* flush everything when that wait is over; kernel lock held */
    uint64_t timer_deadline_ns;
    uint64_t ist_stacks[IST_COUNT]; /* lowest addresses */
    uint64_t boot_stack;            /* lowest address; the idle thread's later */
    uint64_t gdt[GDT_ENTRIES];
    struct tss tss;
};

extern struct machine_cpu machine_cpus[CPUS_MAX];
extern uint32_t machine_cpu_count;

static inline struct machine_cpu *machine_this(void)
{
    return (struct machine_cpu *)cpu_this();
}

/* GS base of the boot CPU: from here on cpu_this() works. */
void machine_init_boot_cpu(void);
/* The same for CPU n, on that CPU. */
void machine_init_cpu(uint32_t index);

/* GDT, TSS, IDT, system call entry, FPU of this CPU. Needs paging and pages. */
void descriptors_load(struct machine_cpu *m);
bool tables_prepare(struct machine_cpu *m); /* stacks for the IST; false without memory */
void syscall_init(void);
void fpu_init(void);

/* A kernel stack with a guard page; lowest usable address, 0 without memory. */
uint64_t stack_alloc(void);
void stack_free(uint64_t base);

/* Interrupt vectors. */
enum {
    VECTOR_DEVICES = 0x30, /* lines 0.. */
    VECTOR_TIMER = 0xf0,
    VECTOR_RESCHEDULE = 0xf1,
    VECTOR_FLUSH = 0xf2,
    VECTOR_SPURIOUS = 0xff,
    VECTOR_SYSCALL = 0x100 /* in trap_frame.vector: not an interrupt */
};
