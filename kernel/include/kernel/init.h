/* The boot, as a list one can read aloud. A module attaches with INIT_HOOK(level, function); hooks of one level run in
 * link order, on the boot CPU, before the next level. */
#pragma once

enum init_level {
    INIT_EARLY = 1,   /* own page tables, panic and the early console work; no allocation */
    INIT_MEMORY = 2,  /* pages and kernel objects can be allocated */
    INIT_ARCH = 3,    /* traps, ACPI tables, interrupt controllers, the calibrated clock */
    INIT_OBJECTS = 4, /* object types, the root Budget, the syscall table */
    INIT_THREADS = 5, /* the scheduler runs; kernel threads can be made */
    INIT_CPUS = 6,    /* the other processors run, or are reported and left out */
    INIT_DEVICES = 7, /* PCI is enumerated, every endpoint's bus mastering is off, Devices exist */
    INIT_CLUSTER = 8, /* the cluster service is there (kernel/cluster attaches here; the kernel boots without it) */
    INIT_USER = 9     /* the supervisor is started */
};

struct init_hook {
    enum init_level level;
    void (*run)(void);
    const char *name;
};

#define INIT_HOOK(level_, function_)                                                                                   \
    static const struct init_hook init_hook_##function_                                                                \
        __attribute__((used, section(".init_hooks"), aligned(8))) = {level_, function_, #function_}

/* Runs all hooks in order of level; returns when the supervisor is ready to run. Boot CPU only. */
void init_run_all(void);
