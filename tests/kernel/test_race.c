/* Closing and unmapping under the feet of other CPUs, ten thousand times; afterwards the Budget is whole. */
#include "guest.h"

#define ROUNDS 10000u

/* What one round's threads share. The numbers are replaced while others use them. */
struct arena {
    handle_t endpoint, notification, memory, badged;
    uint64_t address;
    uint32_t round; /* all start on a new round */
    uint32_t ready;
    bool stop;
};
static volatile struct arena arena;
static uint64_t outcomes[4][E_COUNT];

static void await_round(uint32_t *round)
{
    __atomic_add_fetch(&arena.ready, 1, __ATOMIC_SEQ_CST);
    while (arena.round == *round && !arena.stop)
        os_yield();
    *round = arena.round;
}

static void note(uint32_t who, err_t err)
{
    if (err < E_COUNT)
        outcomes[who][err]++;
}

static void caller(void *argument, struct ipc_buffer *ipc)
{
    uint32_t round = 0;
    for (await_round(&round); !arena.stop; await_round(&round)) {
        ipc->handles[0] = arena.notification;
        ipc->lent_memory = arena.memory;
        ipc->lent_offset = 0;
        ipc->lent_length = PAGE_BYTES;
        ipc->lent_direction = IPC_LEND_IN;
        struct message m = {TAG(1, 2, 1, 64) | TAG_LENT, {1, 2}};
        note(0, os_call(arena.badged, &m, now() + 2 * MS));
        if (TAG_HANDLES(m.tag) == 1)
            os_handle_close(ipc->handles[0]);
    }
}

static void receiver(void *argument, struct ipc_buffer *ipc)
{
    static uint8_t bytes[PAGE_BYTES];
    uint32_t round = 0;
    for (await_round(&round); !arena.stop; await_round(&round)) {
        struct message m;
        handle_t reply;
        uint64_t badge, done;
        err_t err = os_recv(arena.endpoint, &m, &reply, &badge, now() + 2 * MS);
        note(1, err);
        if (err != E_OK || !reply)
            continue;
        os_memory_rw(reply, 0, bytes, PAGE_BYTES, IPC_LEND_IN, &done);
        handle_t got = ipc->handles[0];
        m.tag = TAG(E_OK, 1, 1, 16);
        os_reply(reply, &m);
        os_handle_close(got);
    }
}

static void toucher(void *argument, struct ipc_buffer *ipc)
{
    uint32_t round = 0;
    for (await_round(&round); !arena.stop; await_round(&round)) {
        static uint8_t bytes[2 * PAGE_BYTES];
        uint64_t done;
        /* The kernel reads what the others unmap: a copy through the mapping, never a fault of ours. */
        note(2, os_memory_rw(arena.memory, 0, (void *)arena.address, 2 * PAGE_BYTES, IPC_LEND_OUT, &done));
        os_memory_rw(arena.memory, 0, bytes, 2 * PAGE_BYTES, IPC_LEND_IN, &done);
        os_signal(arena.notification, 1);
        os_vm_unmap(guest.process, arena.address, PAGE_BYTES);
    }
}

static void make_round(void)
{
    handle_t h;
    uint64_t at = 0;
    arena.endpoint = guest_create(OBJECT_ENDPOINT, 0, 0, 0);
    arena.notification = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    arena.memory = guest_create(OBJECT_MEMORY, 4 * PAGE_BYTES, 0, 0);
    OK(os_handle_mint(arena.endpoint, 7, RIGHTS_ALL, &h));
    arena.badged = h;
    OK(os_vm_map(guest.process, arena.memory, 0, 4 * PAGE_BYTES, 0, VM_READ | VM_WRITE, &at));
    arena.address = at;
}

static void await_ready(uint32_t count)
{
    uint64_t give_up = now() + 20 * SECOND;
    while (arena.ready < count && now() < give_up)
        os_yield();
    CHECK_EQ(arena.ready, count);
    arena.ready = 0;
}

static void races(void)
{
    struct guest_thread t[3];
    static void (*const runs[3])(void *, struct ipc_buffer *) = {caller, receiver, toucher};
    arena = (struct arena){0};
    for (uint32_t i = 0; i < 3; i++)
        guest_thread_start(&t[i], i, runs[i], NULL);
    uint32_t random = 1;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        make_round();
        await_ready(3);
        arena.round = round;
        random = random * 1103515245u + 12345u;
        for (volatile uint32_t i = 0; i < (random >> 16) % 500; i++) /* meet them at ever other points */
            ;
        guest_close(arena.notification);
        guest_close(arena.memory);
        os_vm_unmap(guest.process, arena.address, 4 * PAGE_BYTES);
        guest_close(arena.badged);
        guest_close(arena.endpoint);
    }
    await_ready(3);
    arena.stop = true;
    for (uint32_t i = 0; i < 3; i++)
        guest_thread_join(&t[i]);
    say("# calls: %llu ok, %llu gone, %llu not delivered, %llu bad handle; receives %llu ok; copies %llu ok",
        (unsigned long long)outcomes[0][E_OK], (unsigned long long)outcomes[0][E_GONE],
        (unsigned long long)outcomes[0][E_NOT_DELIVERED], (unsigned long long)outcomes[0][E_BAD_HANDLE],
        (unsigned long long)outcomes[1][E_OK], (unsigned long long)outcomes[2][E_OK]);
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
        while (((struct guest_child_page *)c.page)->values[0] < 1 + round % 5)
            os_yield();
        for (volatile uint32_t i = 0; i < round * 400; i++)
            ;
        if (round % 2)
            OK(os_control(c.process, OP_PROCESS_KILL, EXIT_KILLED, 9, 0, 0).err);
        else
            OK(os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
        guest_child_wait(&c);
        if (round % 2) {
            CHECK_EQ(guest_used(budget), 0);
            OK(os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
        }
        guest_close(budget);
        guest_close(e);
    }
}

const struct guest_test guest_tests[] = {
    {"10,000 rounds of closing and unmapping", races},
    {"killed while busy", kills},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
