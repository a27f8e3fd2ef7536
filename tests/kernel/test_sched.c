/* Who runs when: priorities, slices, affinity, futexes. */
#include "guest.h"

static volatile uint32_t order[8];
static volatile uint32_t order_count;
static uint32_t word;

static void append_to_order(void *argument, struct ipc_buffer *ipc)
{
    order[order_count++] = (uint32_t)(uint64_t)argument;
}

/* All on one CPU: the higher priority runs first, whatever the order of starting. */
static void higher_runs_first(void)
{
    struct guest_thread t[3];
    static const uint32_t priorities[3] = {10, 20, 15};
    order_count = 0;
    OK(os_control(guest.thread, OP_THREAD_PRIORITY, 31, 0, 0, 0).err);
    OK(os_control(guest.thread, OP_THREAD_AFFINITY, 1, 0, 0, 0).err);
    for (uint32_t i = 0; i < 3; i++) {
        guest_thread_create(&t[i], i, append_to_order, (void *)(uint64_t)priorities[i]);
        OK(os_control(t[i].handle, OP_THREAD_PRIORITY, priorities[i], 0, 0, 0).err);
        guest_thread_pin(&t[i], 0);
        guest_thread_run(&t[i]);
    }
    for (uint32_t i = 0; i < 3; i++)
        guest_thread_join(&t[i]);
    CHECK_EQ(order[0], 20);
    CHECK_EQ(order[1], 15);
    CHECK_EQ(order[2], 10);
    CHECK_EQ(order_count, 3);
    OK(os_control(guest.thread, OP_THREAD_PRIORITY, PRIORITY_NORMAL, 0, 0, 0).err);
    OK(os_control(guest.thread, OP_THREAD_AFFINITY, UINT64_MAX, 0, 0, 0).err);
}

static volatile bool stop_spinning;
static volatile uint64_t spins[2];
static void spin(void *argument, struct ipc_buffer *ipc)
{
    while (!stop_spinning)
        spins[(uint64_t)argument]++;
}

/* Two that never wait share one CPU by slices, and a third still gets it. */
static void slices(void)
{
    struct guest_thread t[2];
    stop_spinning = false;
    spins[0] = spins[1] = 0;
    for (uint32_t i = 0; i < 2; i++) {
        guest_thread_start(&t[i], i, spin, (void *)(uint64_t)i);
        guest_thread_pin(&t[i], 0);
    }
    handle_t n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    uint64_t bits;
    CHECK_EQ(os_wait(n, 1, now() + 200 * MS, &bits), E_TIMED_OUT);
    CHECK(spins[0] > 0 && spins[1] > 0);
    stop_spinning = true;
    for (uint32_t i = 0; i < 2; i++)
        guest_thread_join(&t[i]);
    guest_close(n);
}

/* ---- two that hand the CPU to each other ---- */

static handle_t pair_endpoint;
static void pair_server(void *argument, struct ipc_buffer *ipc)
{
    struct message m = {0};
    handle_t reply = HANDLE_NONE;
    uint64_t badge;
    while (os_reply_recv(reply, pair_endpoint, &m, &reply, &badge, DEADLINE_NEVER) == E_OK && TAG_OP(m.tag) == 1)
        m.tag = TAG(E_OK, 0, 0, 0);
    os_reply(reply, &(struct message){.tag = TAG(E_OK, 0, 0, 0)});
}

static void pair_client(void *argument, struct ipc_buffer *ipc)
{
    bool stop = false;
    while (!stop) {
        stop = stop_spinning;
        struct message m = {.tag = TAG(stop ? 2 : 1, 0, 0, 0)};
        OK(os_call(pair_endpoint, &m, DEADLINE_NEVER));
    }
}

static void ends_the_pair(void *argument, struct ipc_buffer *ipc)
{
    stop_spinning = true;
}

/* Calls go from thread to thread without a queue between; that does not keep others of their priority out, nor does it
 * when the server is more important than its client. */
static void a_pair_keeps_nobody_out(void)
{
    for (uint32_t priority = PRIORITY_NORMAL; priority <= PRIORITY_NORMAL + 5; priority += 5) {
        struct guest_thread server, client, third;
        stop_spinning = false;
        pair_endpoint = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
        guest_thread_create(&server, 0, pair_server, NULL);
        guest_thread_create(&client, 1, pair_client, NULL);
        guest_thread_create(&third, 2, ends_the_pair, NULL);
        OK(os_control(server.handle, OP_THREAD_PRIORITY, priority, 0, 0, 0).err);
        guest_thread_pin(&server, 0);
        guest_thread_pin(&client, 0);
        guest_thread_pin(&third, 0);
        guest_thread_run(&server);
        guest_thread_run(&client);
        guest_thread_run(&third);
        guest_thread_join(&third);
        guest_thread_join(&server);
        guest_thread_join(&client);
        guest_close(pair_endpoint);
    }
}

/* ---- one that is pushed aside ---- */

static volatile bool went_on;
static void pushes_aside(void *argument, struct ipc_buffer *ipc)
{
    uint64_t bits;
    CHECK_EQ(os_wait(*(handle_t *)argument, 1, now() + 50 * MS, &bits),
             E_TIMED_OUT); /* all others wait or spin by then */
    uint64_t begin = spins[0], limit = now() + 10 * SECOND;
    while (spins[0] < begin + 1000 && now() < limit)
        ;
    went_on = spins[0] >= begin + 1000;
    stop_spinning = true;
}

/* Who has to leave its CPU to a more important thread goes on at another that has nothing to do. */
static void pushed_aside(void)
{
    if (guest_cpus() == 1)
        return;
    struct guest_thread spinner, other;
    handle_t never = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    stop_spinning = went_on = false;
    spins[0] = 0;
    guest_thread_create(&spinner, 0, spin, NULL);
    guest_thread_create(&other, 1, pushes_aside, &never);
    OK(os_control(other.handle, OP_THREAD_PRIORITY, PRIORITY_NORMAL + 5, 0, 0, 0).err);
    guest_thread_pin(&spinner, 0);
    guest_thread_pin(&other, 0);
    guest_thread_run(&spinner);
    while (!spins[0])
        os_yield();
    OK(os_control(spinner.handle, OP_THREAD_AFFINITY, UINT64_MAX, 0, 0, 0).err);
    guest_thread_run(&other);
    guest_thread_join(&other);
    guest_thread_join(&spinner);
    CHECK(went_on);
    guest_close(never);
}

static void says_its_cpu(void *argument, struct ipc_buffer *ipc)
{
    struct thread_info info;
    handle_t self = *(volatile handle_t *)argument;
    while (!self)
        self = *(volatile handle_t *)argument;
    for (uint32_t i = 0; i < 100; i++) {
        os_yield();
        OK(os_control(self, OP_THREAD_INFO, (uint64_t)&info, 0, 0, 0).err);
    }
    order[0] = info.cpu;
}

static void affinity(void)
{
    uint32_t cpus = guest_cpus();
    for (uint32_t cpu = 0; cpu < cpus; cpu++) {
        struct guest_thread t;
        static volatile handle_t self;
        self = 0;
        guest_thread_start(&t, 0, says_its_cpu, (void *)&self);
        guest_thread_pin(&t, cpu);
        self = t.handle;
        guest_thread_join(&t);
        CHECK_EQ(order[0], cpu);
    }
    CHECK_EQ(os_control(guest.thread, OP_THREAD_AFFINITY, 1ull << 63, 0, 0, 0).err, E_RANGE);
}

static volatile uint32_t woken;
static void futex_sleeper(void *argument, struct ipc_buffer *ipc)
{
    while (__atomic_load_n(&word, __ATOMIC_SEQ_CST) == 0)
        os_futex_wait(&word, 0, DEADLINE_NEVER);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
}

static void futexes(void)
{
    struct guest_thread t[4];
    word = 1;
    CHECK_EQ(os_futex_wait(&word, 0, DEADLINE_NEVER), E_AGAIN);
    CHECK_EQ(os_futex_wait(&word, 1, now() + 5 * MS), E_TIMED_OUT);
    CHECK_EQ(os_futex_wait(&word, 1, DEADLINE_POLL), E_TIMED_OUT);
    CHECK_EQ(os_futex_wake(&word, 10), 0);
    word = 0;
    woken = 0;
    for (uint32_t i = 0; i < 4; i++)
        guest_thread_start(&t[i], i, futex_sleeper, NULL);
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    while (woken < 4) {
        os_futex_wake(&word, 4);
        os_yield();
    }
    for (uint32_t i = 0; i < 4; i++)
        guest_thread_join(&t[i]);
}

static void pong(void *argument, struct ipc_buffer *ipc)
{
    handle_t *n = argument;
    uint64_t bits;
    while (os_wait(n[0], 3, DEADLINE_NEVER, &bits) == E_OK && !(bits & 2))
        os_signal(n[1], 1);
}

/* Wake-ups across CPUs are never lost. */
static void ping_pong(void)
{
    handle_t n[2] = {guest_create(OBJECT_NOTIFICATION, 0, 0, 0), guest_create(OBJECT_NOTIFICATION, 0, 0, 0)};
    struct guest_thread t;
    uint64_t bits;
    guest_thread_start(&t, 0, pong, n);
    guest_thread_pin(&t, guest_cpus() - 1);
    for (uint32_t i = 0; i < 3000; i++) {
        OK(os_signal(n[0], 1));
        err_t err = os_wait(n[1], 1, now() + 10 * SECOND, &bits);
        CHECK_EQ(err, E_OK);
        if (err != E_OK)
            break;
    }
    OK(os_signal(n[0], 2));
    guest_thread_join(&t);
    guest_close(n[0]);
    guest_close(n[1]);
}

const struct guest_test guest_tests[] = {
    {"higher priority runs first", higher_runs_first},
    {"slices", slices},
    {"a pair keeps nobody out", a_pair_keeps_nobody_out},
    {"pushed aside", pushed_aside},
    {"affinity", affinity},
    {"futexes", futexes},
    {"wake-ups across CPUs", ping_pong},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
