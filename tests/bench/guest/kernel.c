/* What the kernel's operations cost, in instructions: run under -icount shift=0,sleep=off, where the time stamp counter
 * counts exactly those. One JSON line a figure, with the expensive events per operation beside it. */
#include "guest.h"

#define ROUNDS 1000u

static uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t counters[COUNTER_COUNT], reading[COUNTER_COUNT]; /* at the start, and what reading them adds itself */

static void read_counters(uint64_t out[COUNTER_COUNT])
{
    for (uint32_t i = 0; i < COUNTER_COUNT; i++)
        out[i] = os_control(guest.system, OP_SYSTEM_COUNTER, i, 0, 0, 0).value;
}

struct figure {
    const char *name;
    uint64_t start;
};

static struct figure begin(const char *name)
{
    read_counters(reading);
    read_counters(counters);
    for (uint32_t i = 0; i < COUNTER_COUNT; i++)
        reading[i] = counters[i] - reading[i];
    return (struct figure){name, ticks()};
}

/* The expensive events of all rounds, for each round; swapgs is in every way in and every way out. */
static void end(const struct figure *f, uint32_t rounds)
{
    uint64_t spent = ticks() - f->start, after[COUNTER_COUNT];
    read_counters(after);
    for (uint32_t i = 0; i < COUNTER_COUNT; i++)
        after[i] = (after[i] - counters[i] - reading[i]) / rounds;
    uint64_t ways_out = after[COUNTER_SYSRETS] + after[COUNTER_IRETS];
    say("{\"figure\": \"%s\", \"instructions\": %llu, \"rounds\": %u, \"cr3\": %llu, \"wrmsr\": %llu, \"sysret\": "
        "%llu, "
        "\"iretq\": %llu, \"swapgs\": %llu, \"fpu\": %llu, \"switches\": %llu, \"fastpath\": %llu}",
        f->name, (unsigned long long)(spent / rounds), rounds, (unsigned long long)after[COUNTER_CR3_WRITES],
        (unsigned long long)after[COUNTER_MSR_WRITES], (unsigned long long)after[COUNTER_SYSRETS],
        (unsigned long long)after[COUNTER_IRETS], (unsigned long long)(2 * ways_out),
        (unsigned long long)after[COUNTER_FPU_SWITCHES], (unsigned long long)after[COUNTER_CONTEXT_SWITCHES],
        (unsigned long long)after[COUNTER_FASTPATH]);
}

static void null_call(void)
{
    struct figure f = begin("null system call");
    for (uint32_t i = 0; i < ROUNDS; i++)
        os_yield();
    end(&f, ROUNDS);
    f = begin("refused system call");
    for (uint32_t i = 0; i < ROUNDS; i++)
        os_handle_close(HANDLE_NONE);
    end(&f, ROUNDS);
    f = begin("clock");
    for (uint32_t i = 0; i < ROUNDS; i++)
        os_clock(CLOCK_ID_MONOTONIC_NS);
    end(&f, ROUNDS);
}

static volatile bool stop_yielding;
static void yields(void *argument, struct ipc_buffer *ipc)
{
    while (!stop_yielding)
        os_yield();
}

static void yield_pair(void)
{
    struct guest_thread t;
    stop_yielding = false;
    guest_thread_start(&t, 0, yields, NULL);
    os_yield();
    struct figure f = begin("yield to another thread and back");
    for (uint32_t i = 0; i < ROUNDS; i++)
        os_yield();
    end(&f, ROUNDS);
    stop_yielding = true;
    guest_thread_join(&t);
}

/* ---- messages to another process ---- */

static void echo_child(struct guest_child_page *page)
{
    struct message m = {0};
    handle_t reply = HANDLE_NONE;
    uint64_t badge;
    while (os_reply_recv(reply, page->handles[0], &m, &reply, &badge, DEADLINE_NEVER) == E_OK)
        m.tag = TAG(E_OK, TAG_WORDS(m.tag), 0, TAG_BYTES(m.tag));
}

static void measure_calls(handle_t e, const char *name, uint32_t words, uint32_t bytes, uint64_t deadline)
{
    struct message m;
    for (uint32_t i = 0; i < 10; i++) {
        m = (struct message){TAG(1, words, 0, bytes), {1, 2, 3, 4, 5, 6}};
        OK(os_call(e, &m, deadline));
    }
    struct figure f = begin(name);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        m.tag = TAG(1, words, 0, bytes);
        os_call(e, &m, deadline);
    }
    end(&f, ROUNDS);
}

static void messages(void)
{
    struct guest_child c;
    handle_t e = guest_create(OBJECT_ENDPOINT, 0, 0, 0), caller;
    OK(os_handle_dup(e, RIGHT_CALL, &caller));
    guest_child_create(&c, guest.budget, echo_child);
    guest_child_give(&c, e, RIGHTS_ALL);
    guest_close(e);
    guest_child_start(&c);
    measure_calls(caller, "call and reply, 0 words", 0, 0, DEADLINE_NEVER);
    measure_calls(caller, "call and reply, 4 words", 4, 0, DEADLINE_NEVER);
    measure_calls(caller, "call and reply, 6 words", 6, 0, DEADLINE_NEVER);
    /* An FS base is what threads of the C library have, and costs two writes of it. */
    OK(os_control(guest.thread, OP_THREAD_FS_BASE, (uint64_t)&c, 0, 0, 0).err);
    OK(os_control(c.thread, OP_THREAD_FS_BASE, (uint64_t)&c, 0, 0, 0).err);
    measure_calls(caller, "call and reply, 4 words, both with an FS base", 4, 0, DEADLINE_NEVER);
    OK(os_control(guest.thread, OP_THREAD_FS_BASE, 0, 0, 0, 0).err);
    OK(os_control(c.thread, OP_THREAD_FS_BASE, 0, 0, 0, 0).err);
    measure_calls(caller, "call and reply, 4 words, with a deadline", 4, 0, now() + 3600 * SECOND);
    measure_calls(caller, "call and reply, 64 bytes", 4, 64, DEADLINE_NEVER);
    measure_calls(caller, "call and reply, 4 KiB", 4, 4096, DEADLINE_NEVER);
    OK(os_control(c.process, OP_PROCESS_KILL, EXIT_KILLED, 9, 0, 0).err);
    guest_child_wait(&c);
    guest_close(caller);
}

/* ---- notifications ---- */

static void wake_child(struct guest_child_page *page)
{
    uint64_t bits;
    while (os_wait(page->handles[0], 1, DEADLINE_NEVER, &bits) == E_OK)
        os_signal(page->handles[1], 1);
}

static void notifications(void)
{
    struct guest_child c;
    handle_t there = guest_create(OBJECT_NOTIFICATION, 0, 0, 0), back = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    uint64_t bits;
    guest_child_create(&c, guest.budget, wake_child);
    guest_child_give(&c, there, RIGHTS_ALL);
    guest_child_give(&c, back, RIGHTS_ALL);
    guest_child_start(&c);
    struct figure f = begin("signal and wake, there and back");
    for (uint32_t i = 0; i < ROUNDS; i++) {
        os_signal(there, 1);
        os_wait(back, 1, DEADLINE_NEVER, &bits);
    }
    end(&f, ROUNDS);
    f = begin("signal, nobody waits");
    for (uint32_t i = 0; i < ROUNDS; i++)
        os_signal(back, 1);
    end(&f, ROUNDS);
    OK(os_control(c.process, OP_PROCESS_KILL, EXIT_KILLED, 9, 0, 0).err);
    guest_child_wait(&c);
    guest_close(there);
    guest_close(back);
}

static void page_faults(void)
{
    const uint32_t pages = 512;
    handle_t m = guest_create(OBJECT_MEMORY, pages * PAGE_BYTES, 0, 0);
    volatile uint8_t *at = guest_map(m, pages * PAGE_BYTES, VM_READ | VM_WRITE);
    struct figure f = begin("page fault, page zeroed and mapped");
    for (uint32_t i = 0; i < pages; i++)
        at[i * PAGE_BYTES] = 1;
    end(&f, pages);
    guest_unmap((void *)at, pages * PAGE_BYTES);
    at = guest_map(m, pages * PAGE_BYTES, VM_READ | VM_WRITE);
    f = begin("page fault, page there");
    for (uint32_t i = 0; i < pages; i++)
        at[i * PAGE_BYTES] = 1;
    end(&f, pages);
    f = begin("unmap of 2 MiB");
    guest_unmap((void *)at, pages * PAGE_BYTES);
    end(&f, 1);
    guest_close(m);
}

static void nothing(void *argument, struct ipc_buffer *ipc) {}

static void threads(void)
{
    const uint32_t rounds = 100;
    struct figure f = begin("thread create, start, exit, join");
    for (uint32_t i = 0; i < rounds; i++) {
        struct guest_thread t;
        guest_thread_start(&t, 0, nothing, NULL);
        guest_thread_join(&t);
    }
    end(&f, rounds);
}

static void ends_at_once(struct guest_child_page *page) {}

static void processes(void)
{
    const uint32_t rounds = 20;
    struct figure f = begin("process create, load, start, exit, wait");
    for (uint32_t i = 0; i < rounds; i++) {
        struct guest_child c;
        guest_child_create(&c, guest.budget, ends_at_once);
        guest_child_start(&c);
        guest_child_wait(&c);
    }
    end(&f, rounds);
}

const struct guest_test guest_tests[] = {
    {"null call", null_call},     {"yields", yield_pair}, {"messages", messages},   {"notifications", notifications},
    {"page faults", page_faults}, {"threads", threads},   {"processes", processes},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
