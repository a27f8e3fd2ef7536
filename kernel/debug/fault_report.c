/* How a program died: into the log, with registers and a backtrace. Its names come from the bundle's sym/ parts. */
#include <base/mem.h>
#include <base/symtab.h>
#include <kernel/arch.h>
#include <kernel/bundle.h>
#include <kernel/debug.h>
#include <kernel/fault_report.h>
#include <kernel/process.h>
#include <kernel/sched.h>

#define FRAMES_MAX 16u

static const char *const kinds[] = {
    [FAULT_READ] = "read of forbidden memory",      [FAULT_WRITE] = "write to forbidden memory",
    [FAULT_EXEC] = "execution of forbidden memory", [FAULT_INSTRUCTION] = "undefined or privileged instruction",
    [FAULT_ARITHMETIC] = "arithmetic error",        [FAULT_BREAKPOINT] = "breakpoint",
    [FAULT_ALIGNMENT] = "misaligned access",        [FAULT_PROTECTION] = "protection fault",
};

struct names {
    const void *table; /* NULL: none */
    size_t bytes;
};

static struct names find_names(const char *process)
{
    static const char *const places[] = {"sym/%s", "sym/bin/%s", "sym/test/%s"};
    char path[64];
    const void *table;
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        kformat(path, sizeof path, places[i], process);
        const struct bundle_part *part = bundle_find(path, &table);
        if (part)
            return (struct names){table, part->bytes};
    }
    return (struct names){NULL, 0};
}

static void report_frame(const struct names *names, uint64_t ip)
{
    uint64_t offset;
    const char *name = names->table ? symtab_find(names->table, names->bytes, ip, &offset) : NULL;
    if (name)
        klog("  %016lx %s+0x%lx", ip, name, offset);
    else
        klog("  %016lx", ip);
}

/* Frame pointers, upwards only; whatever the program left there is read with copy_from_user. */
static void report_backtrace(const struct names *names, uint64_t ip, uint64_t bp)
{
    uint64_t frame[2];
    report_frame(names, ip);
    for (uint32_t n = 0; n < FRAMES_MAX; n++) {
        if (bp % 8 || copy_from_user(frame, bp, sizeof frame) != E_OK || !frame[1])
            return;
        report_frame(names, frame[1] - 1);
        if (frame[0] <= bp)
            return;
        bp = frame[0];
    }
}

void fault_report(const struct trap_frame *f, enum fault_kind kind, uint64_t address)
{
    const struct process *p = thread_current()->process;
    struct names names = find_names(p->name);
    const char *what = kind < sizeof kinds / sizeof kinds[0] && kinds[kind] ? kinds[kind] : "fault";
    klog("process %lu '%s', label %lu: %s at %lx, ip %lx", p->object.serial, p->name, p->object.budget->label, what,
         address, f->rip);
    klog("  rsp %lx rbp %lx rax %lx rbx %lx rcx %lx rdx %lx", f->rsp, f->rbp, f->rax, f->rbx, f->rcx, f->rdx);
    klog("  rsi %lx rdi %lx r8 %lx r9 %lx r10 %lx r11 %lx", f->rsi, f->rdi, f->r8, f->r9, f->r10, f->r11);
    klog("  r12 %lx r13 %lx r14 %lx r15 %lx rflags %lx", f->r12, f->r13, f->r14, f->r15, f->rflags);
    report_backtrace(&names, f->rip, f->rbp);
}
