/* What the info operations fill in. All fields are zeroed where they do not apply. */
#pragma once

#include <abi/types.h>

struct handle_info { /* handle_info(handle, ptr) */
    uint32_t type;   /* enum object_type */
    uint32_t rights;
    uint64_t serial; /* of the object, unique on this node since power-on */
    uint64_t badge;  /* Endpoint handles */
    uint32_t remote; /* 1: the object lives on another node */
    uint32_t refs;   /* handles to it on this node */
};

struct budget_info {
    uint64_t label;
    uint64_t limit_bytes;
    uint64_t used_bytes; /* child Budgets count with their limits */
    uint64_t peak_bytes;
    uint32_t children;
    uint32_t processes;
};

/* How a process ended. */
enum exit_cause {
    EXIT_RUNNING = 0,
    EXIT_EXITED = 1,   /* code = its exit status */
    EXIT_KILLED = 2,   /* code = POSIX signal number it stands for */
    EXIT_FAULT = 3,    /* code = enum fault_kind */
    EXIT_MEMORY = 4,   /* it touched memory that its Budget could not pay for */
    EXIT_FENCED = 5,   /* its lock session ended */
    EXIT_NODE_LOST = 6 /* its node ended (only ever told by other nodes) */
};

enum fault_kind {
    FAULT_READ = 1,
    FAULT_WRITE = 2,
    FAULT_EXEC = 3,
    FAULT_INSTRUCTION = 4, /* undefined or privileged */
    FAULT_ARITHMETIC = 5,
    FAULT_BREAKPOINT = 6,
    FAULT_ALIGNMENT = 7,
    FAULT_PROTECTION = 8 /* any other */
};

struct process_info {
    uint64_t serial;
    uint32_t cause; /* enum exit_cause */
    uint32_t code;
    uint32_t threads;
    uint32_t handles;
    uint64_t memory_bytes; /* resident, its page tables included */
    uint64_t cpu_ns;
    uint64_t fault_address;
    uint64_t fault_ip;
    char name[32];
};

struct thread_info {
    uint64_t serial;
    uint64_t cpu_ns;
    uint32_t priority;
    uint32_t cpu;
    uint32_t state; /* 0 new, 1 ready or running, 2 waiting, 3 ended */
    uint32_t reserved;
};

struct memory_info {
    uint64_t bytes;
    uint64_t resident_bytes;
    uint32_t flags;
    uint32_t sealed;
};

#define DEVICE_BARS 6

enum device_kind { DEVICE_PCI = 1, DEVICE_SERIAL_PORTS = 2, DEVICE_FRAMEBUFFER = 3 };

struct device_info {
    uint32_t kind;     /* enum device_kind */
    uint32_t location; /* PCI: segment << 16 | bus << 8 | device << 3 | function; serial: 1 = COM1, 2 = COM2 */
    uint16_t vendor, device, subsystem_vendor, subsystem_device;
    uint8_t class_code, subclass, interface, revision;
    uint32_t irqs;                   /* MSI-X vectors, or 1 for a line */
    uint64_t bar_bytes[DEVICE_BARS]; /* memory BARs; 0 = none or I/O */
    uint32_t port_count;             /* I/O ports reachable with DEVICE_PORT_* */
    /* framebuffer: its Memory is bar 0 */
    uint32_t width, height, stride_bytes, format; /* 0 = BGRX, 1 = RGBX */
};

struct system_info {
    uint64_t usable_bytes; /* memory the machine gave the kernel */
    uint64_t free_bytes;
    uint64_t boot_ns; /* from the loader's or door's first instruction to the first process, as far as clocks tell */
    uint32_t cpus;    /* running */
    uint32_t cpus_failed; /* present but did not start */
    uint32_t has_entropy;
    uint32_t dma_protected;
    uint64_t idle_ns; /* summed over CPUs */
    uint64_t boot_id[2];
    char version[32];
};

/* SYSTEM_COUNTER */
enum system_counter {
    COUNTER_CR3_WRITES = 0,
    COUNTER_CONTEXT_SWITCHES = 1,
    COUNTER_FPU_SWITCHES = 2, /* save or restore of the extended state */
    COUNTER_MSR_WRITES = 3,
    COUNTER_TLB_SHOOTDOWNS = 4,
    COUNTER_INTERRUPTS = 5,
    COUNTER_FASTPATH = 6,
    COUNTER_SYSRETS = 7, /* returns to user mode, by sysret and by iretq */
    COUNTER_IRETS = 8,
    COUNTER_COUNT = 9
};
