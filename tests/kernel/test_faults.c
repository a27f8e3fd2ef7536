/* What a process must not do, how it ends when it does, and how somebody else can step in. */
#include "guest.h"

#include <base/mem.h>

static struct process_info run_child(void (*run)(struct guest_child_page *))
{
    struct guest_child c;
    guest_child_create(&c, guest.budget, run);
    guest_child_start(&c);
    return guest_child_wait(&c);
}

static void expect_fault(void (*run)(struct guest_child_page *), enum fault_kind kind, uint64_t address)
{
    struct process_info info = run_child(run);
    CHECK_EQ(info.cause, EXIT_FAULT);
    CHECK_EQ(info.code, kind);
    CHECK_EQ(info.fault_address, address);
}

static void write_text(struct guest_child_page *page)
{
    *(volatile uint8_t *)0x400000 = 1;
}
static uint8_t data[64] = {0xc3};
static void run_data(struct guest_child_page *page)
{
    ((void (*)(void))(uint64_t)data)();
}
static void run_stack(struct guest_child_page *page)
{
    volatile uint8_t code[16] = {0xc3};
    page->values[0] = (uint64_t)code;
    ((void (*)(void))(uint64_t)code)();
}
static void read_null(struct guest_child_page *page)
{
    (void)*(volatile uint8_t *)0x10;
}
static void read_kernel(struct guest_child_page *page)
{
    (void)*(volatile uint8_t *)0xffffffff80200000ull;
}
static void write_physmap(struct guest_child_page *page)
{
    *(volatile uint8_t *)0xffff800000001000ull = 1;
}
static void divide(struct guest_child_page *page)
{
    __asm__ volatile("xorl %%edx, %%edx; xorl %%ecx, %%ecx; movl $1, %%eax; divl %%ecx" ::: "eax", "ecx", "edx");
}
static void undefined(struct guest_child_page *page)
{
    __asm__ volatile("ud2");
}
static void halt(struct guest_child_page *page)
{
    __asm__ volatile("hlt");
}
static void interrupts_off(struct guest_child_page *page)
{
    __asm__ volatile("cli");
}
static void port(struct guest_child_page *page)
{
    __asm__ volatile("outb %%al, $0x80" ::"a"(0));
}
static void breakpoint(struct guest_child_page *page)
{
    __asm__ volatile("int3");
}
static void bad_stack(struct guest_child_page *page)
{
    __asm__ volatile("movq $0x8000000000000000, %rsp; pushq %rax");
}
static void noncanonical_return(struct guest_child_page *page)
{
    __asm__ volatile("movq $0x8000000000000000, %rax; jmp *%rax");
}
static void __attribute__((noinline)) deep(volatile uint64_t *depth)
{
    volatile uint8_t frame[1024];
    frame[0] = (uint8_t)*depth;
    ++*depth;
    if (*depth < UINT64_MAX)
        deep(depth);
    frame[1] = frame[0];
}
static void overflow(struct guest_child_page *page)
{
    deep((volatile uint64_t *)&page->values[0]);
}

static void text_is_read_only(void)
{
    expect_fault(write_text, FAULT_WRITE, 0x400000);
}
static void data_does_not_run(void)
{
    expect_fault(run_data, FAULT_EXEC, (uint64_t)data);
    CHECK_EQ(run_child(run_stack).code, FAULT_EXEC);
}
static void wild_pointers(void)
{
    expect_fault(read_null, FAULT_READ, 0x10);
    CHECK_EQ(run_child(read_kernel).code, FAULT_READ);
    CHECK_EQ(run_child(write_physmap).code, FAULT_WRITE);
    CHECK_EQ(run_child(overflow).code, FAULT_WRITE);
    CHECK_EQ(run_child(bad_stack).cause, EXIT_FAULT);
    CHECK_EQ(run_child(noncanonical_return).cause, EXIT_FAULT);
}
static void wild_instructions(void)
{
    CHECK_EQ(run_child(divide).code, FAULT_ARITHMETIC);
    CHECK_EQ(run_child(undefined).code, FAULT_INSTRUCTION);
    CHECK_EQ(run_child(halt).code, FAULT_PROTECTION);
    CHECK_EQ(run_child(interrupts_off).code, FAULT_PROTECTION);
    CHECK_EQ(run_child(port).code, FAULT_PROTECTION);
    CHECK_EQ(run_child(breakpoint).code, FAULT_BREAKPOINT);
}

/* ---- a process that takes another's faults ---- */

static void touches_a_hole(struct guest_child_page *page)
{
    volatile uint64_t *hole = (volatile uint64_t *)0x70000000ull;
    page->values[1] = *hole;
    os_exit(1, 5);
}

static void pager(void)
{
    struct guest_child c;
    struct message m;
    handle_t reply, e = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    uint64_t badge, at, done, value = 4711;
    guest_child_create(&c, guest.budget, touches_a_hole);
    OK(os_control(c.process, OP_PROCESS_FAULTS, e, 0, 0, 0).err);
    guest_child_start(&c);
    OK(os_recv(e, &m, &reply, &badge, now() + 10 * SECOND));
    CHECK(m.tag & TAG_KERNEL);
    CHECK_EQ(TAG_OP(m.tag), IPC_FAULT);
    CHECK_EQ(m.words[1], FAULT_READ);
    CHECK_EQ(m.words[2], 0x70000000ull);
    OK(os_control(c.thread, OP_THREAD_INTERRUPT, 0, 0, 0, 0).err); /* waits for its next call, the fault goes on */
    handle_t memory = guest_create(OBJECT_MEMORY, PAGE_BYTES, 0, 0);
    OK(os_memory_rw(memory, 0, &value, sizeof(value), IPC_LEND_OUT, &done));
    OK(os_vm_map(c.process, memory, 0, PAGE_BYTES, 0x70000000ull, VM_READ | VM_FIXED, &at));
    guest_close(memory);
    m.tag = TAG(E_OK, 0, 0, 0);
    OK(os_reply(reply, &m));
    uint64_t bits;
    OK(os_wait(c.ended, 1, now() + 10 * SECOND, &bits));
    CHECK_EQ(((struct guest_child_page *)c.page)->values[1], 4711);
    OK(os_signal(c.ended, 1));
    CHECK_EQ(guest_child_wait(&c).code, 5);
    guest_close(e);
}

static void fault_refused(void)
{
    struct guest_child c;
    struct message m;
    handle_t reply, e = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    uint64_t badge;
    guest_child_create(&c, guest.budget, touches_a_hole);
    OK(os_control(c.process, OP_PROCESS_FAULTS, e, 0, 0, 0).err);
    guest_child_start(&c);
    OK(os_recv(e, &m, &reply, &badge, now() + 10 * SECOND));
    m.tag = TAG(E_ACCESS, 0, 0, 0);
    OK(os_reply(reply, &m));
    struct process_info info = guest_child_wait(&c);
    CHECK_EQ(info.cause, EXIT_FAULT);
    CHECK_EQ(info.fault_address, 0x70000000ull);
    guest_close(e);
}

/* ---- more memory than its Budget pays for ---- */

static void maps_far_apart(struct guest_child_page *page)
{
    handle_t process = page->handles[0], memory = page->handles[1];
    for (uint64_t i = 0;; i++) {
        uint64_t at, address = 0x100000000000ull + (i << 30);
        if (os_vm_map(process, memory, 0, PAGE_BYTES, address, VM_READ | VM_FIXED, &at) != E_OK)
            return;
        (void)*(volatile uint8_t *)address; /* page tables are paid at the first touch */
        page->values[0] = i;
    }
}

static void out_of_budget(void)
{
    struct guest_child c;
    handle_t small, memory = guest_create(OBJECT_MEMORY, PAGE_BYTES, 0, 0);
    OK(os_create(guest.budget, OBJECT_BUDGET, 512 << 10, 1, 0, &small));
    guest_child_create(&c, small, maps_far_apart);
    guest_child_give(&c, c.process, RIGHTS_ALL);
    guest_child_give(&c, memory, RIGHTS_ALL);
    guest_child_start(&c);
    struct process_info info = guest_child_wait(&c);
    CHECK_EQ(info.cause, EXIT_MEMORY);
    CHECK_EQ(guest_used(small), 0);
    guest_close(memory);
    OK(os_control(small, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
    guest_close(small);
}

/* ---- the extended registers belong to the thread ---- */

static volatile uint32_t fpu_errors;
static void fpu_thread(void *argument, struct ipc_buffer *ipc)
{
    uint64_t mark[2] = {(uint64_t)argument * 0x0101010101010101ull, ~(uint64_t)argument}, seen[2];
    __asm__ volatile("movdqu %0, %%xmm5" ::"m"(mark) : "memory");
    for (uint32_t i = 0; i < 2000; i++) {
        os_yield();
        __asm__ volatile("movdqu %%xmm5, %0" : "=m"(seen)::"memory");
        if (memcmp(seen, mark, sizeof(mark)) != 0)
            fpu_errors++;
    }
}

static void fpu_state(void)
{
    struct guest_thread t[4];
    fpu_errors = 0;
    for (uint32_t i = 0; i < 4; i++)
        guest_thread_start(&t[i], i, fpu_thread, (void *)(uint64_t)(i + 1));
    for (uint32_t i = 0; i < 4; i++)
        guest_thread_join(&t[i]);
    CHECK_EQ(fpu_errors, 0);
}

const struct guest_test guest_tests[] = {
    {"text is read-only", text_is_read_only},
    {"data does not run", data_does_not_run},
    {"wild pointers", wild_pointers},
    {"wild instructions", wild_instructions},
    {"a fault handler maps the page", pager},
    {"a fault handler refuses", fault_refused},
    {"page tables beyond the Budget", out_of_budget},
    {"extended registers", fpu_state},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
