/* Closing and unmapping under the feet of other CPUs, ten thousand times; afterwards the Budget is whole. */
#include "guest.h"

#define ROUNDS  10000u
#define BATCH   50u /* rounds between two meetings of the threads */
#define THREADS 3u

/* What one round is about. The others use the numbers while the first thread takes them back. */
struct target {
    handle_t endpoint, notification, memory, badged;
    uint64_t address;
};
static volatile struct target targets[BATCH];
static uint32_t meeting, arrived; /* futexes */
static volatile bool stop;
static uint64_t outcomes[THREADS][E_COUNT];

/* Waits for the next batch; false: there is none. */
static bool await_batch(uint32_t *seen)
{
    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == THREADS)
        os_futex_wake(&arrived, 1);
    while (__atomic_load_n(&meeting, __ATOMIC_SEQ_CST) == *seen)
        os_futex_wait(&meeting, *seen, DEADLINE_NEVER);
    *seen = __atomic_load_n(&meeting, __ATOMIC_SEQ_CST);
    return !stop;
}

static void await_others(void)
{
    uint32_t n;
    uint64_t give_up = now() + 60 * SECOND;
    while ((n = __atomic_load_n(&arrived, __ATOMIC_SEQ_CST)) < THREADS && now() < give_up)
        os_futex_wait(&arrived, n, give_up);
    CHECK_EQ(n, THREADS);
    arrived = 0;
}

static void begin_batch(void)
{
    __atomic_add_fetch(&meeting, 1, __ATOMIC_SEQ_CST);
    os_futex_wake(&meeting, THREADS);
}

/* Lets the others get ahead by ever other amounts. An emulator that runs the CPUs by turns takes pause as a turn's end.
 */
static void linger(uint32_t *random)
{
    *random = *random * 1103515245u + 12345u;
    for (uint32_t i = (*random >> 16) % 24; i > 0; i--)
        __asm__ volatile("pause");
}

static void note(uint32_t who, err_t err)
{
    if (err < E_COUNT)
        outcomes[who][err]++;
}

static void call_one(const volatile struct target *t, struct ipc_buffer *ipc)
{
    ipc->handles[0] = t->notification;
    ipc->lent_memory = t->memory;
    ipc->lent_offset = 0;
    ipc->lent_length = PAGE_BYTES;
    ipc->lent_direction = IPC_LEND_IN;
    struct message m = {TAG(1, 2, 1, 64) | TAG_LENT, {1, 2}};
    err_t err = os_call(t->badged, &m, now() + MS / 4);
    note(0, err);
    if (err == E_OK && TAG_HANDLES(m.tag) == 1)
        os_handle_close(ipc->handles[0]);
}

static void receive_one(const volatile struct target *t, struct ipc_buffer *ipc)
{
    static uint8_t bytes[PAGE_BYTES];
    struct message m;
    handle_t reply;
    uint64_t badge, done;
    err_t err = os_recv(t->endpoint, &m, &reply, &badge, now() + MS / 4);
    note(1, err);
    if (err != E_OK || !reply)
        return;
    os_memory_rw(reply, 0, bytes, PAGE_BYTES, IPC_LEND_IN, &done);
    handle_t got = ipc->handles[0];
    m.tag = TAG(E_OK, 1, 1, 16);
    os_reply(reply, &m);
    os_handle_close(got);
}

/* The kernel copies through what the others unmap; never a fault of our own. */
static void touch_one(const volatile struct target *t, struct ipc_buffer *ipc)
{
    static uint8_t bytes[2 * PAGE_BYTES];
    uint64_t done;
    note(2, os_memory_rw(t->memory, 0, (void *)t->address, 2 * PAGE_BYTES, IPC_LEND_OUT, &done));
    os_memory_rw(t->memory, 0, bytes, 2 * PAGE_BYTES, IPC_LEND_IN, &done);
    os_signal(t->notification, 1);
    os_vm_unmap(guest.process, t->address, PAGE_BYTES);
}

static void racer(void *argument, struct ipc_buffer *ipc)
{
    uint32_t seen = 0, random = (uint32_t)(uint64_t)argument;
    void (*one)(const volatile struct target *, struct ipc_buffer *) = argument;
    while (await_batch(&seen))
        for (uint32_t i = 0; i < BATCH; i++) {
            linger(&random);
            one(&targets[i], ipc);
        }
}

static void make(volatile struct target *t)
{
    handle_t h;
    uint64_t at = 0;
    t->endpoint = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    t->notification = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    t->memory = guest_create(OBJECT_MEMORY, 4 * PAGE_BYTES, 0, 0);
    OK(os_handle_mint(t->endpoint, 7, RIGHTS_ALL, &h));
    t->badged = h;
    OK(os_vm_map(guest.process, t->memory, 0, 4 * PAGE_BYTES, 0, VM_READ | VM_WRITE, &at));
    t->address = at;
}

static void take_back(const volatile struct target *t, uint32_t *random)
{
    linger(random);
    guest_close(t->notification);
    if (*random >> 20 & 1)
        os_vm_unmap(guest.process, t->address, 4 * PAGE_BYTES);
    guest_close(t->memory);
    os_vm_unmap(guest.process, t->address, 4 * PAGE_BYTES);
    guest_close(t->badged);
    guest_close(t->endpoint);
}

static void races(void)
{
    struct guest_thread t[THREADS];
    static void *const ones[THREADS] = {call_one, receive_one, touch_one};
    uint32_t random = 1;
    meeting = arrived = 0;
    stop = false;
    for (uint32_t i = 0; i < THREADS; i++)
        guest_thread_start(&t[i], i, racer, ones[i]);
    await_others();
    for (uint32_t round = 0; round < ROUNDS; round += BATCH) {
        for (uint32_t i = 0; i < BATCH; i++)
            make(&targets[i]);
        begin_batch();
        for (uint32_t i = 0; i < BATCH; i++) {
            take_back(&targets[i], &random);
        }
        await_others();
    }
    stop = true;
    begin_batch();
    for (uint32_t i = 0; i < THREADS; i++)
        guest_thread_join(&t[i]);
    say("# calls: %llu ok, %llu gone, %llu not delivered, %llu bad handle; receives: %llu ok; copies: %llu ok, %llu "
        "bad pointer",
        (unsigned long long)outcomes[0][E_OK], (unsigned long long)outcomes[0][E_GONE],
        (unsigned long long)outcomes[0][E_NOT_DELIVERED], (unsigned long long)outcomes[0][E_BAD_HANDLE],
        (unsigned long long)outcomes[1][E_OK], (unsigned long long)outcomes[2][E_OK],
        (unsigned long long)outcomes[2][E_BAD_POINTER]);
}

/* ---- processes that are killed while they do all kinds of things ---- */

static void busy_child(struct guest_child_page *page)
{
    handle_t budget = page->handles[0], process = page->handles[1], endpoint = page->handles[2];
    for (;;) {
        handle_t m, e, n;
        uint64_t at;
        os_create(budget, OBJECT_MEMORY, 8 * PAGE_BYTES, 0, 0, &m);
        os_create(budget, OBJECT_ENDPOINT, 0, 0, 0, &e);
        os_create(budget, OBJECT_NOTIFICATION, 0, 0, 0, &n);
        if (os_vm_map(process, m, 0, 8 * PAGE_BYTES, 0, VM_READ | VM_WRITE, &at) == E_OK) {
            for (uint32_t i = 0; i < 8; i++)
                ((volatile uint8_t *)at)[i * PAGE_BYTES] = 1;
            os_vm_unmap(process, at, 8 * PAGE_BYTES);
        }
        page->ipc->handles[0] = n;
        struct message msg = {TAG(1, 1, 1, 100), {1}};
        os_call(endpoint, &msg, now() + MS / 10);
        os_handle_close(m);
        os_handle_close(e);
        os_handle_close(n);
        page->values[0]++;
    }
}

/* Its end told by the process itself; then the Budget is empty. */
static void end_by_kill(struct guest_child *c, handle_t budget)
{
    OK(os_control(c->process, OP_PROCESS_KILL, EXIT_KILLED, 9, 0, 0).err);
    CHECK_EQ(guest_child_wait(c).cause, EXIT_KILLED);
    CHECK_EQ(guest_used(budget), 0);
    OK(os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
}

/* With the Budget goes all that was charged to it, what we see of it included. */
static void end_by_budget(struct guest_child *c, handle_t budget)
{
    struct process_info info;
    uint64_t bits;
    OK(os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
    OK(os_control(c->process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0).err);
    CHECK_EQ(info.cause, EXIT_KILLED);
    CHECK_EQ(os_wait(c->ended, 1, DEADLINE_POLL, &bits), E_GONE);
    CHECK_EQ(os_vm_unmap(guest.process, (uint64_t)c->page, PAGE_BYTES), E_NOT_FOUND);
    guest_close(c->page_memory);
    guest_close(c->ended);
    guest_close(c->thread);
    guest_close(c->process);
}

static void kills(void)
{
    for (uint32_t round = 0; round < 60; round++) {
        struct guest_child c;
        handle_t budget, e = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
        OK(os_create(guest.budget, OBJECT_BUDGET, 2 << 20, 1, 0, &budget));
        guest_child_create(&c, budget, busy_child);
        guest_child_give(&c, budget, RIGHTS_ALL);
        guest_child_give(&c, c.process, RIGHTS_ALL);
        guest_child_give(&c, e, RIGHT_CALL);
        guest_child_start(&c);
        struct guest_child_page *page = c.page;
        while (*(volatile uint64_t *)&page->values[0] < 1 + round % 5)
            os_futex_wait((uint32_t *)&page->values[1], 0, now() + MS);
        for (volatile uint32_t i = 0; i < round * 400; i++) /* dies at ever other points */
            ;
        if (round % 2)
            end_by_kill(&c, budget);
        else
            end_by_budget(&c, budget);
        guest_close(budget);
        guest_close(e);
    }
}

const struct guest_test guest_tests[] = {
    {"10,000 rounds of closing and unmapping", races},
    {"killed while busy", kills},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
