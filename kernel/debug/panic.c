/* The end of a node, told well: cause, registers, backtrace with names, last trace events; the text is kept in memory
 * that survives a restart, for the next boot to print. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/debug.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/trace.h>

#define TRACE_EVENTS_SHOWN 12u
#define FRAMES_MAX         24u
#define EXIT_CODE_PANIC    0x7f

static uint32_t panicking; /* 1 + index of the CPU that panicked first */
static enum panic_action action = PANIC_RESTART;

bool panic_in_progress(void)
{
    return __atomic_load_n(&panicking, __ATOMIC_RELAXED) != 0;
}
void panic_configure(enum panic_action a)
{
    action = a;
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    size_t n = kvformat(line, sizeof line, format, args);
    va_end(args);
    if (n >= sizeof line)
        n = sizeof line - 1;
    panic_keep(line, n);
    klog_raw(line, n);
}

static void say_registers(const struct trap_frame *f)
{
    say("  rip %016lx rsp %016lx rflags %08lx cs %04lx vector %lu error %lx\n", f->rip, f->rsp, f->rflags, f->cs,
        f->vector, f->error);
    say("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    say("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    say("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    say("  r13 %016lx r14 %016lx r15 %016lx cr2 %016lx cr3 %lx\n", f->r13, f->r14, f->r15, arch_fault_address(),
        arch_table_root());
}

static void say_frame(uint64_t ip)
{
    uint64_t offset;
    const char *name = symbol_name(ip, &offset);
    if (name[0] == '?')
        say("  %016lx\n", ip);
    else
        say("  %016lx %s+0x%lx\n", ip, name, offset);
}

/* Frame pointers are followed only upwards inside one stack, so a damaged chain ends the walk and nothing worse. */
static void say_backtrace(uint64_t ip, uint64_t bp)
{
    uint64_t low, high;
    say("backtrace:\n");
    if (ip)
        say_frame(ip);
    if (!arch_stack_bounds(bp, &low, &high))
        return;
    for (uint32_t n = 0; n < FRAMES_MAX && bp >= low && bp + 16 <= high && bp % 8 == 0; n++) {
        const uint64_t *frame = (const uint64_t *)bp;
        if (!frame[1])
            return;
        say_frame(frame[1] - 1); /* the call, not what follows it */
        if (frame[0] <= bp)
            return;
        bp = frame[0];
    }
}

static _Noreturn void finish(void)
{
    if (action == PANIC_HALT) {
        say("halted\n");
        arch_halt();
    }
    if (action == PANIC_EXIT)
        arch_emulator_exit(EXIT_CODE_PANIC);
    arch_power(true, EXIT_CODE_PANIC);
}

static void say_running(void)
{
    const struct thread *t = cpu_this()->current;
    if (t && t->process)
        say("running: %s\n", t->process->name);
    else
        say("running: %s\n", t && t->name ? t->name : "the kernel's boot or idle");
}

static bool enter(void)
{
    uint32_t none = 0, me = cpu_this()->index + 1;
    arch_irq_save();
    if (!__atomic_compare_exchange_n(&panicking, &none, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        if (none != me)
            arch_halt(); /* another CPU tells its story */
        return false;    /* a panic in the panic */
    }
    arch_stop_others();
    panic_keep_begin();
    return true;
}

static _Noreturn void tell(const struct trap_frame *frame, uint64_t bp, const char *format, va_list args)
{
    char cause[256];
    bool first = enter();
    kvformat(cause, sizeof cause, format, args);
    say("\n*** panic on cpu %u: %s\n", cpu_this()->index, cause);
    if (!first)
        finish();
    say_running();
    if (frame)
        say_registers(frame);
    if (frame)
        say_backtrace(frame->rip, frame->rbp);
    else
        say_backtrace(0, bp);
    say("last events:\n");
    trace_print(cpu_this()->index, TRACE_EVENTS_SHOWN, say);
    panic_keep_end();
    finish();
}

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(NULL, (uint64_t)__builtin_frame_address(0), format, args);
}

void panic_trap(const struct trap_frame *frame, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(frame, 0, format, args);
}

/* lib/'s invariants are the kernel's too. */
_Noreturn void base_assert_failed(const char *condition, const char *file, int line);
void base_assert_failed(const char *condition, const char *file, int line)
{
    panic("assertion failed: %s (%s:%d)", condition, file, line);
}
