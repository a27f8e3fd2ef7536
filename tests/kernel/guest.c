#include "guest.h"

#include <abi/bundle.h>
#include <base/elf.h>
#include <base/format.h>
#include <base/mem.h>

#define CHILD_STACK_BYTES 65536ull
#define CHILD_STACK       0x60000000ull
#define CHILD_PAGE        STARTUP_VA
#define BUDGET_BYTES      (24ull << 20)

struct guest guest;
static uint32_t checks_failed;
static uint8_t stacks[GUEST_THREADS][GUEST_STACK_BYTES] __attribute__((aligned(4096)));

__asm__(".section .text.start, \"ax\", @progbits\n"
        ".globl _start\n"
        "_start:\n"
        "    xorl %ebp, %ebp\n"
        "    andq $-16, %rsp\n"
        "    call guest_start\n"
        "    ud2\n"
        ".previous\n");
_Noreturn void guest_start(struct startup *s);

/* ---- words ---- */

void say(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = base_vformat(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > (int)sizeof(line) - 1)
        length = sizeof(line) - 1;
    os_control(guest.system, OP_SYSTEM_LOG_WRITE, (uint64_t)line, (uint64_t)length, 0, 0);
}

void check_failed(const char *file, int line, const char *what, uint64_t got, uint64_t expected)
{
    checks_failed++;
    say("# %s:%d: %s: got %llu (0x%llx), expected %llu", file, line, what, (unsigned long long)got,
        (unsigned long long)got, (unsigned long long)expected);
}

/* ---- figures ---- */

uint64_t guest_objects(enum object_type type)
{
    return os_control(guest.system, OP_SYSTEM_OBJECTS, type, 0, 0, 0).value;
}

uint64_t guest_used(handle_t budget)
{
    struct budget_info info;
    OK(os_control(budget, OP_BUDGET_INFO, (uint64_t)&info, 0, 0, 0).err);
    return info.used_bytes;
}

uint32_t guest_cpus(void)
{
    struct system_info info;
    OK(os_control(guest.system, OP_SYSTEM_INFO, (uint64_t)&info, 0, 0, 0).err);
    return info.cpus;
}

/* ---- small helpers ---- */

handle_t guest_create(enum object_type type, uint64_t a, uint64_t b, uint64_t c)
{
    handle_t h;
    OK(os_create(guest.budget, type, a, b, c, &h));
    return h;
}

void guest_close(handle_t h)
{
    OK(os_handle_close(h));
}

void *guest_map(handle_t memory, uint64_t bytes, uint32_t flags)
{
    uint64_t at = 0;
    OK(os_vm_map(guest.process, memory, 0, bytes, 0, flags, &at));
    return (void *)at;
}

void guest_unmap(void *at, uint64_t bytes)
{
    OK(os_vm_unmap(guest.process, (uint64_t)at, bytes));
}

/* ---- threads ---- */

static void thread_main(struct guest_thread *t)
{
    t->run(t->argument, t->ipc);
    os_exit(0, 0);
}

void guest_thread_create(struct guest_thread *t, uint32_t slot, void (*run)(void *, struct ipc_buffer *),
                         void *argument)
{
    t->slot = slot;
    uint64_t ipc_address = 0x50000000ull + slot * 0x10000ull;
    t->run = run;
    t->argument = argument;
    t->ipc = (struct ipc_buffer *)ipc_address;
    t->handle = guest_create(OBJECT_THREAD, guest.process, ipc_address, PRIORITY_NORMAL);
    t->ended = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    OK(os_control(t->handle, OP_THREAD_WATCH, t->ended, 1, 0, 0).err);
}

void guest_thread_run(struct guest_thread *t)
{
    uint64_t sp = (uint64_t)&stacks[t->slot][GUEST_STACK_BYTES] - 8;
    OK(os_control(t->handle, OP_THREAD_START, (uint64_t)thread_main, sp, (uint64_t)t, 0).err);
}

void guest_thread_start(struct guest_thread *t, uint32_t slot, void (*run)(void *, struct ipc_buffer *), void *argument)
{
    guest_thread_create(t, slot, run, argument);
    guest_thread_run(t);
}

void guest_thread_pin(struct guest_thread *t, uint32_t cpu)
{
    OK(os_control(t->handle, OP_THREAD_AFFINITY, 1ull << cpu, 0, 0, 0).err);
}

void guest_thread_join(struct guest_thread *t)
{
    uint64_t bits;
    OK(os_wait(t->ended, 1, now() + 60 * SECOND, &bits));
    guest_close(t->ended);
    guest_close(t->handle);
}

/* ---- processes ---- */

static const uint8_t *bundle_bytes(void)
{
    static const uint8_t *at;
    struct memory_info info;
    if (at)
        return at;
    OK(os_control(guest.bundle, OP_MEMORY_INFO, (uint64_t)&info, 0, 0, 0).err);
    at = guest_map(guest.bundle, info.bytes, VM_READ);
    return at;
}

/* The part of the bundle that this program was loaded from. */
static const struct bundle_part *own_part(void)
{
    const struct bundle_header *h = (const void *)bundle_bytes();
    const struct bundle_part *parts = (const void *)(bundle_bytes() + h->table_offset);
    const char *name = (const char *)guest.startup + guest.startup->argv_offset;
    for (uint32_t i = 0; i < h->part_count; i++)
        if (strcmp(parts[i].name, name) == 0)
            return &parts[i];
    check_failed(__FILE__, __LINE__, "own program in the bundle", 0, 1);
    return NULL;
}

static void child_segment(struct guest_child *c, handle_t budget, const struct bundle_part *part,
                          const struct elf_segment *s)
{
    uint64_t at;
    if (!(s->vm_flags & VM_WRITE)) {
        OK(os_vm_map(c->process, guest.bundle, part->offset + s->file_offset, s->bytes, s->address,
                     s->vm_flags | VM_FIXED, &at));
        return;
    }
    handle_t m;
    uint64_t done;
    OK(os_create(budget, OBJECT_MEMORY, s->bytes, 0, 0, &m));
    OK(os_memory_rw(m, 0, (void *)(bundle_bytes() + part->offset + s->file_offset), s->file_bytes, IPC_LEND_OUT,
                    &done));
    OK(os_vm_map(c->process, m, 0, s->bytes, s->address, s->vm_flags | VM_FIXED, &at));
    guest_close(m);
}

static void child_program(struct guest_child *c, handle_t budget)
{
    const struct bundle_part *part = own_part();
    struct elf_plan plan;
    OK(elf_plan(bundle_bytes() + part->offset, part->bytes, &plan, NULL));
    for (uint32_t i = 0; i < plan.count; i++)
        child_segment(c, budget, part, &plan.segments[i]);
}

static void child_main(struct guest_child_page *page)
{
    page->run(page);
    os_exit(1, 0);
}

static void child_map(struct guest_child *c, handle_t memory, uint64_t bytes, uint64_t address)
{
    uint64_t at;
    OK(os_vm_map(c->process, memory, 0, bytes, address, VM_READ | VM_WRITE | VM_FIXED, &at));
}

void guest_child_create(struct guest_child *c, handle_t budget, void (*run)(struct guest_child_page *))
{
    handle_t stack;
    *c = (struct guest_child){0};
    OK(os_create(budget, OBJECT_PROCESS, (uint64_t) "child", 5, PRIORITY_MAX, &c->process));
    child_program(c, budget);
    OK(os_create(budget, OBJECT_MEMORY, CHILD_STACK_BYTES, 0, 0, &stack));
    child_map(c, stack, CHILD_STACK_BYTES, CHILD_STACK);
    guest_close(stack);
    OK(os_create(budget, OBJECT_MEMORY, PAGE_BYTES, 0, 0, &c->page_memory));
    child_map(c, c->page_memory, PAGE_BYTES, CHILD_PAGE);
    c->page = guest_map(c->page_memory, PAGE_BYTES, VM_READ | VM_WRITE);
    OK(os_create(budget, OBJECT_THREAD, c->process, 0x50000000ull, PRIORITY_NORMAL, &c->thread));
    OK(os_create(budget, OBJECT_NOTIFICATION, 0, 0, 0, &c->ended));
    OK(os_control(c->process, OP_PROCESS_WATCH, c->ended, 1, 0, 0).err);
    struct guest_child_page *page = c->page;
    page->run = run;
    page->ipc = (struct ipc_buffer *)0x50000000ull;
}

handle_t guest_child_give(struct guest_child *c, handle_t h, uint32_t rights)
{
    struct sys_result r = os_control(c->process, OP_PROCESS_GRANT, h, rights, 0, 0);
    OK(r.err);
    ((struct guest_child_page *)c->page)->handles[c->handle_count] = (handle_t)r.value;
    return c->handles[c->handle_count++] = (handle_t)r.value;
}

void guest_child_start(struct guest_child *c)
{
    OK(os_control(c->thread, OP_THREAD_START, (uint64_t)child_main, CHILD_STACK + CHILD_STACK_BYTES - 8, CHILD_PAGE, 0)
           .err);
}

struct process_info guest_child_wait(struct guest_child *c)
{
    struct process_info info = {0};
    uint64_t bits;
    OK(os_wait(c->ended, 1, now() + 60 * SECOND, &bits));
    OK(os_control(c->process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0).err);
    guest_unmap(c->page, PAGE_BYTES);
    guest_close(c->page_memory);
    guest_close(c->ended);
    guest_close(c->thread);
    guest_close(c->process);
    return info;
}

/* ---- the run ---- */

static void count_objects(uint64_t counts[OBJECT_TYPES])
{
    for (uint32_t type = 1; type < OBJECT_TYPES; type++)
        counts[type] = guest_objects((enum object_type)type);
}

static void check_leaks(const uint64_t before[OBJECT_TYPES])
{
    uint64_t after[OBJECT_TYPES];
    count_objects(after);
    for (uint32_t type = 1; type < OBJECT_TYPES; type++)
        if (after[type] != before[type]) {
            say("# objects of type %u leaked:", type);
            CHECK_EQ(after[type], before[type]);
        }
}

static bool run_test(uint32_t n, const struct guest_test *test)
{
    uint64_t before[OBJECT_TYPES];
    uint32_t failed_before = checks_failed;
    bundle_bytes();
    count_objects(before);
    OK(os_create(guest.root, OBJECT_BUDGET, BUDGET_BYTES, 1000 + n, 0, &guest.budget));
    test->run();
    CHECK_EQ(guest_used(guest.budget), 0);
    OK(os_control(guest.budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
    guest_close(guest.budget);
    check_leaks(before);
    bool passed = checks_failed == failed_before;
    say("%s %u %s", passed ? "ok" : "not ok", n + 1, test->name);
    return passed;
}

_Noreturn void guest_start(struct startup *s)
{
    uint32_t passed = 0;
    guest = (struct guest){
        .startup = s,
        .process = s->handles[STARTUP_PROCESS],
        .thread = s->handles[STARTUP_THREAD],
        .root = s->handles[STARTUP_BUDGET],
        .system = s->handles[STARTUP_SYSTEM],
        .bundle = s->handles[STARTUP_BUNDLE],
        .ipc = (struct ipc_buffer *)s->ipc_buffer,
    };
    for (uint32_t i = 0; i < guest_test_count; i++)
        passed += run_test(i, &guest_tests[i]);
    say("%u passed, %u failed", passed, guest_test_count - passed);
    for (;;)
        os_control(guest.system, OP_SYSTEM_POWER, 0, passed == guest_test_count ? 0 : 1, 0, 0);
}
