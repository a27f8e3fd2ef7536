/* The breadth of it: each kind of object does what it is for. */
#include "guest.h"

static void clocks_run(void)
{
    uint64_t a = now(), b = now();
    CHECK(b >= a);
    CHECK(os_clock(CLOCK_ID_THREAD_NS) > 0);
    CHECK_EQ(os_syscall(SYS_clock, 99, 0, 0, 0, 0, 0).err, E_INVALID);
    CHECK_EQ(os_syscall(SYS_COUNT, 0, 0, 0, 0, 0, 0).err, E_BAD_SYSCALL);
    CHECK_EQ(os_syscall(UINT64_MAX, 0, 0, 0, 0, 0, 0).err, E_BAD_SYSCALL);
    os_yield();
}

static void handles_and_rights(void)
{
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0), signal_only, copy;
    struct handle_info info;
    OK(os_handle_info(n, &info));
    CHECK_EQ(info.type, OBJECT_NOTIFICATION);
    CHECK_EQ(info.rights, RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO | RIGHT_SIGNAL | RIGHT_WAIT);
    CHECK_EQ(info.refs, 1);
    OK(os_handle_dup(n, RIGHT_SIGNAL, &signal_only));
    OK(os_signal(signal_only, 4));
    uint64_t bits;
    CHECK_EQ(os_wait(signal_only, 4, DEADLINE_POLL, &bits), E_NO_RIGHT);
    CHECK_EQ(os_handle_dup(signal_only, RIGHTS_ALL, &copy), E_NO_RIGHT);
    CHECK_EQ(os_handle_info(signal_only, &info), E_NO_RIGHT);
    OK(os_wait(n, 4, DEADLINE_POLL, &bits));
    CHECK_EQ(bits, 4);
    CHECK_EQ(os_wait(n, 4, DEADLINE_POLL, &bits), E_TIMED_OUT);
    guest_close(signal_only);
    CHECK_EQ(os_signal(signal_only, 1), E_BAD_HANDLE); /* its generation is over */
    guest_close(n);
}

static void wait_with_deadline(void)
{
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    uint64_t bits, start = now();
    CHECK_EQ(os_wait(n, 1, start + 20 * MS, &bits), E_TIMED_OUT);
    CHECK(now() >= start + 20 * MS);
    OK(os_control(n, OP_NOTIFICATION_TIMER, now() + 10 * MS, 2, 0, 0).err);
    OK(os_wait(n, 2, now() + SECOND, &bits));
    CHECK_EQ(bits, 2);
    OK(os_control(n, OP_NOTIFICATION_TIMER, now() + 10 * MS, 2, 0, 0).err);
    OK(os_control(n, OP_NOTIFICATION_TIMER, 0, 0, 0, 0).err);
    CHECK_EQ(os_wait(n, 2, now() + 30 * MS, &bits), E_TIMED_OUT);
    guest_close(n);
}

static void memory_is_paid_and_zero(void)
{
    uint64_t before = guest_used(guest.budget);
    handle_t m = guest_create(OBJECT_MEMORY, 1 << 20, 0, 0);
    CHECK(guest_used(guest.budget) >= before + (1 << 20));
    uint64_t *words = guest_map(m, 1 << 20, VM_READ | VM_WRITE);
    for (uint32_t i = 0; i < (1 << 20) / 8; i += 512)
        CHECK_EQ(words[i], 0);
    words[0] = 42;
    uint64_t done, value = 0;
    OK(os_memory_rw(m, 0, &value, sizeof(value), IPC_LEND_IN, &done));
    CHECK_EQ(done, sizeof(value));
    CHECK_EQ(value, 42);
    value = 43;
    OK(os_memory_rw(m, 8, &value, sizeof(value), IPC_LEND_OUT, &done));
    CHECK_EQ(words[1], 43);
    guest_unmap(words, 1 << 20);
    guest_close(m);
    CHECK_EQ(guest_used(guest.budget), before);
}

static volatile uint32_t thread_ran;
static void set_ran(void *argument, struct ipc_buffer *ipc)
{
    thread_ran = (uint32_t)(uint64_t)argument;
}

static void a_thread_runs(void)
{
    struct guest_thread t;
    thread_ran = 0;
    guest_thread_start(&t, 0, set_ran, (void *)7);
    guest_thread_join(&t);
    CHECK_EQ(thread_ran, 7);
}

/* Answers every call with the sum of its words until it gets op 0xffff. */
static void sum_server(void *argument, struct ipc_buffer *ipc)
{
    handle_t endpoint = (handle_t)(uint64_t)argument, reply = HANDLE_NONE;
    struct message m = {0};
    uint64_t badge;
    while (os_reply_recv(reply, endpoint, &m, &reply, &badge, DEADLINE_NEVER) == E_OK) {
        bool last = TAG_OP(m.tag) == 0xffff;
        for (uint32_t i = 1; i < IPC_WORDS_MAX; i++)
            m.words[0] += m.words[i];
        m.words[1] = badge;
        m.tag = TAG(E_OK, 2, 0, 0);
        if (last) {
            os_reply(reply, &m);
            return;
        }
    }
}

static void call_and_answer(void)
{
    struct guest_thread t;
    handle_t e = guest_create(OBJECT_ENDPOINT, 0, 0, 0), badged;
    guest_thread_start(&t, 0, sum_server, (void *)(uint64_t)e);
    for (uint64_t i = 0; i < 1000; i++) {
        struct message m = {TAG(1, 6, 0, 0), {i, 1, 2, 3, 4, 5}};
        OK(os_call(e, &m, DEADLINE_NEVER));
        CHECK_EQ(m.tag, TAG(E_OK, 2, 0, 0));
        CHECK_EQ(m.words[0], i + 15);
        CHECK_EQ(m.words[1], 0);
    }
    OK(os_handle_mint(e, 77, RIGHTS_ALL, &badged));
    struct message m = {TAG(0xffff, 1, 0, 0), {5}};
    OK(os_call(badged, &m, now() + SECOND));
    CHECK_EQ(m.words[1], 77);
    guest_thread_join(&t);
    guest_close(badged);
    guest_close(e);
}

static void child_adds(struct guest_child_page *page)
{
    page->values[1] = page->values[0] + 1;
    os_exit(1, 23);
}

static void a_process_runs(void)
{
    struct guest_child c;
    guest_child_create(&c, guest.budget, child_adds);
    struct guest_child_page *page = c.page;
    page->values[0] = 41;
    guest_child_start(&c);
    uint64_t bits;
    OK(os_wait(c.ended, 1, now() + 10 * SECOND, &bits));
    CHECK_EQ(page->values[1], 42);
    OK(os_signal(c.ended, 1));
    struct process_info info = guest_child_wait(&c);
    CHECK_EQ(info.cause, EXIT_EXITED);
    CHECK_EQ(info.code, 23);
}

const struct guest_test guest_tests[] = {
    {"clocks run", clocks_run},
    {"handles and rights", handles_and_rights},
    {"waits end at their deadline", wait_with_deadline},
    {"Memory is paid for and zero", memory_is_paid_and_zero},
    {"a thread runs", a_thread_runs},
    {"call and answer", call_and_answer},
    {"a process runs", a_process_runs},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
