/* Who pays, what happens when it is used up, and that everything comes back. */
#include "guest.h"

#include <base/mem.h>

static handle_t make_budget(uint64_t bytes, uint64_t label)
{
    handle_t h;
    OK(os_create(guest.budget, OBJECT_BUDGET, bytes, label, 0, &h));
    return h;
}

static void destroy(handle_t budget)
{
    OK(os_control(budget, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
    guest_close(budget);
}

static void tree(void)
{
    uint64_t before = guest_used(guest.budget);
    handle_t a = make_budget(1 << 20, 20), b = make_budget(1 << 20, 10), again;
    CHECK(guest_used(guest.budget) >= before + (2 << 20));
    CHECK_EQ(os_create(guest.budget, OBJECT_BUDGET, 4096, 20, 0, &again), E_EXISTS);
    struct sys_result r = os_control(guest.budget, OP_BUDGET_NEXT, 0, 0, 0, 0);
    struct budget_info info;
    OK(r.err);
    OK(os_control((handle_t)r.value, OP_BUDGET_INFO, (uint64_t)&info, 0, 0, 0).err);
    CHECK_EQ(info.label, 10);
    CHECK_EQ(info.limit_bytes, 1 << 20);
    guest_close((handle_t)r.value);
    r = os_control(guest.budget, OP_BUDGET_NEXT, 10, 0, 0, 0);
    OK(r.err);
    OK(os_control((handle_t)r.value, OP_BUDGET_INFO, (uint64_t)&info, 0, 0, 0).err);
    CHECK_EQ(info.label, 20);
    guest_close((handle_t)r.value);
    CHECK_EQ(os_control(guest.budget, OP_BUDGET_NEXT, 20, 0, 0, 0).err, E_NOT_FOUND);
    handle_t inner;
    OK(os_create(a, OBJECT_BUDGET, 1 << 19, 1, 0, &inner));
    CHECK_EQ(os_create(inner, OBJECT_MEMORY, 1 << 20, 0, 0, &again), E_NO_MEMORY);
    destroy(a); /* takes the inner one along */
    CHECK_EQ(os_create(inner, OBJECT_ENDPOINT, 0, 0, 0, &again), E_GONE);
    CHECK_EQ(os_control(inner, OP_BUDGET_DESTROY, 0, 0, 0, 0).err, E_GONE);
    guest_close(inner);
    destroy(b);
    CHECK_EQ(guest_used(guest.budget), before);
}

/* Handles to what a Budget took along answer E_GONE, and closing the last gives its shell back. */
static void shells(void)
{
    uint64_t before = guest_used(guest.budget), bits, done, word, at;
    handle_t b = make_budget(1 << 20, 1), e, n, m, badged;
    OK(os_create(b, OBJECT_ENDPOINT, 0, 0, 0, &e));
    OK(os_create(b, OBJECT_NOTIFICATION, 0, 0, 0, &n));
    OK(os_create(b, OBJECT_MEMORY, 8 * PAGE_BYTES, 0, 0, &m));
    OK(os_handle_mint(e, 3, RIGHTS_ALL, &badged));
    OK(os_vm_map(guest.process, m, 0, 8 * PAGE_BYTES, 0, VM_READ | VM_WRITE, &at));
    *(volatile uint64_t *)at = 1;
    OK(os_control(b, OP_BUDGET_DESTROY, 0, 0, 0, 0).err);
    struct message msg = {TAG(1, 0, 0, 0), {0}};
    CHECK_EQ(os_call(badged, &msg, DEADLINE_NEVER), E_GONE);
    CHECK_EQ(os_wait(n, 1, DEADLINE_NEVER, &bits), E_GONE);
    CHECK_EQ(os_memory_rw(m, 0, &word, sizeof(word), IPC_LEND_IN, &done), E_GONE);
    CHECK_EQ(os_vm_unmap(guest.process, at, 8 * PAGE_BYTES), E_NOT_FOUND); /* it was taken out of our sight */
    CHECK(guest_used(guest.budget) > before);
    CHECK(guest_used(guest.budget) < before + 8192);
    guest_close(badged);
    guest_close(e);
    guest_close(n);
    guest_close(m);
    guest_close(b);
    CHECK_EQ(guest_used(guest.budget), before);
}

/* Every size of Budget from nothing to enough: each create either works or leaves nothing behind. */
static void scarce(handle_t b, enum object_type type, uint64_t a, uint64_t extra)
{
    handle_t h;
    uint64_t used = guest_used(b);
    err_t err = os_create(b, type, a, extra, type == OBJECT_PROCESS ? 1 : 0, &h);
    if (err != E_OK)
        CHECK_EQ(err, E_NO_MEMORY);
    else if (type == OBJECT_BUDGET)
        destroy(h); /* closing would not end it */
    else
        guest_close(h);
    CHECK_EQ(guest_used(b), used);
}

static void every_size(void)
{
    static const char name[] = "scarce";
    bool all = false;
    handle_t home, process;
    home = make_budget(1 << 20, 99);
    OK(os_create(home, OBJECT_PROCESS, (uint64_t)name, 6, 5, &process));
    for (uint64_t bytes = 64; !all; bytes += bytes < 2048 ? 32 : 256) {
        handle_t b = make_budget(bytes, 1);
        scarce(b, OBJECT_ENDPOINT, 0, 0);
        scarce(b, OBJECT_NOTIFICATION, 0, 0);
        scarce(b, OBJECT_MEMORY, 3 * PAGE_BYTES, 0);
        scarce(b, OBJECT_MEMORY, 3 * PAGE_BYTES, MEMORY_DMA);
        scarce(b, OBJECT_BUDGET, 512, 7);
        scarce(b, OBJECT_PROCESS, (uint64_t)name, sizeof(name) - 1);
        scarce(b, OBJECT_THREAD, process, 0);
        handle_t t;
        all = os_create(b, OBJECT_THREAD, process, 0, 0, &t) == E_OK;
        if (all)
            guest_close(t);
        destroy(b);
    }
    guest_close(process);
    destroy(home);
}

/* A process that gets by with ever more: it ends well or for want of memory, and its Budget is whole every time. */
static void works_hard(struct guest_child_page *page)
{
    handle_t budget = page->handles[0], self = page->handles[1];
    for (uint32_t i = 0; i < 3; i++) {
        handle_t m, e, badged, copies[70];
        uint64_t at;
        if (os_create(budget, OBJECT_MEMORY, 3 * PAGE_BYTES, 0, 0, &m) == E_OK) {
            if (os_vm_map(self, m, 0, 3 * PAGE_BYTES, 0, VM_READ | VM_WRITE, &at) == E_OK) {
                memset((void *)at, 1, 3 * PAGE_BYTES);
                os_vm_protect(self, at + PAGE_BYTES, PAGE_BYTES, VM_READ);
                os_vm_unmap(self, at + PAGE_BYTES, PAGE_BYTES);
                os_vm_unmap(self, at, 3 * PAGE_BYTES);
            }
            for (uint32_t j = 0; j < 70; j++)
                if (os_handle_dup(m, RIGHTS_ALL, &copies[j]) != E_OK)
                    copies[j] = HANDLE_NONE;
            for (uint32_t j = 0; j < 70; j++)
                os_handle_close(copies[j]);
            os_handle_close(m);
        }
        if (os_create(budget, OBJECT_ENDPOINT, 0, 0, 0, &e) == E_OK) {
            if (os_handle_mint(e, 1, RIGHTS_ALL, &badged) == E_OK)
                os_handle_close(badged);
            os_handle_close(e);
        }
    }
}

/* What a child costs before it runs. */
static uint64_t child_cost(void)
{
    handle_t b = make_budget(2 << 20, 1);
    struct guest_child c;
    guest_child_create(&c, b, works_hard);
    guest_child_give(&c, b, RIGHTS_ALL);
    guest_child_give(&c, c.process, RIGHTS_ALL);
    uint64_t used = guest_used(b);
    guest_child_start(&c);
    guest_child_wait(&c);
    destroy(b);
    return used;
}

static void scarce_processes(void)
{
    uint32_t ended_well = 0, ended_badly = 0;
    uint64_t cost = child_cost();
    for (uint64_t extra = 0; extra < 60; extra++) {
        handle_t b = make_budget(cost + extra * 1024, 1);
        struct guest_child c;
        guest_child_create(&c, b, works_hard);
        guest_child_give(&c, b, RIGHTS_ALL);
        guest_child_give(&c, c.process, RIGHTS_ALL);
        guest_child_start(&c);
        uint32_t cause = guest_child_wait(&c).cause;
        CHECK(cause == EXIT_EXITED || cause == EXIT_MEMORY);
        ended_well += cause == EXIT_EXITED;
        ended_badly += cause == EXIT_MEMORY;
        CHECK_EQ(guest_used(b), 0);
        destroy(b);
    }
    say("# %u ended well, %u for want of memory", ended_well, ended_badly);
    CHECK(ended_well > 0 && ended_badly > 0);
}

/* Processes that were never started, each holding the last handle to the next. */
static void a_chain_of_processes(void)
{
    handle_t b = make_budget(8 << 20, 1), n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0), last = HANDLE_NONE;
    uint64_t bits;
    for (uint32_t i = 0; i < 300; i++) {
        handle_t p;
        OK(os_create(b, OBJECT_PROCESS, (uint64_t) "link", 4, 1, &p));
        if (last) {
            OK(os_control(p, OP_PROCESS_GRANT, last, RIGHTS_ALL, 0, 0).err);
            guest_close(last);
        } else {
            OK(os_control(p, OP_PROCESS_WATCH, n, 1, 0, 0).err);
        }
        last = p;
    }
    guest_close(last);
    OK(os_wait(n, 1, now() + 10 * SECOND, &bits)); /* the far end has gone too */
    destroy(b);
    guest_close(n);
}

static void runs_for_ever(struct guest_child_page *page)
{
    for (;;)
        page->values[0]++;
}

/* Its server gone, a process and how it ended are found through the Budget. */
static void found_again(void)
{
    handle_t b = make_budget(4 << 20, 5);
    struct guest_child c;
    struct process_info info;
    uint64_t bits;
    guest_child_create(&c, b, runs_for_ever);
    guest_child_start(&c);
    guest_close(c.process);
    guest_close(c.thread);
    struct sys_result r = os_control(b, OP_BUDGET_PROCESS, 0, 0, 0, 0);
    OK(r.err);
    handle_t process = (handle_t)r.value;
    OK(os_control(process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0).err);
    CHECK_EQ(info.cause, EXIT_RUNNING);
    CHECK_EQ(info.threads, 1);
    CHECK_EQ(memcmp(info.name, "child", 6), 0);
    OK(os_control(process, OP_PROCESS_KILL, EXIT_KILLED, 2, 0, 0).err);
    guest_close(process);
    OK(os_wait(c.ended, 1, now() + 10 * SECOND, &bits));
    r = os_control(b, OP_BUDGET_PROCESS, 0, 0, 0, 0); /* nobody held it, and it is still there to be read */
    OK(r.err);
    process = (handle_t)r.value;
    OK(os_control(process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0).err);
    CHECK_EQ(info.cause, EXIT_KILLED);
    CHECK_EQ(info.code, 2);
    OK(os_control(process, OP_PROCESS_WATCH, c.ended, 2, 0, 0).err); /* told at once */
    OK(os_wait(c.ended, 2, DEADLINE_POLL, &bits));
    guest_close(process);
    CHECK_EQ(os_control(b, OP_BUDGET_PROCESS, 0, 0, 0, 0).err, E_NOT_FOUND);
    guest_unmap(c.page, PAGE_BYTES);
    guest_close(c.page_memory);
    guest_close(c.ended);
    CHECK_EQ(guest_used(b), 0);
    destroy(b);
}

static void destroys_itself(struct guest_child_page *page)
{
    os_control(page->handles[0], OP_BUDGET_DESTROY, 0, 0, 0, 0);
}

static void suicide(void)
{
    handle_t b = make_budget(4 << 20, 5), n = guest_create(OBJECT_NOTIFICATION, 0, 0, 0);
    struct guest_child c;
    uint64_t bits;
    guest_child_create(&c, b, destroys_itself);
    guest_child_give(&c, b, RIGHTS_ALL);
    OK(os_control(c.process, OP_PROCESS_WATCH, n, 1, 0, 0).err);
    guest_child_start(&c);
    OK(os_wait(n, 1, now() + 10 * SECOND, &bits));
    handle_t unused;
    CHECK_EQ(os_create(b, OBJECT_ENDPOINT, 0, 0, 0, &unused), E_GONE);
    while (os_vm_unmap(guest.process, (uint64_t)c.page, PAGE_BYTES) == E_OK)
        ;
    guest_close(c.page_memory);
    guest_close(c.ended);
    guest_close(c.thread);
    guest_close(c.process);
    guest_close(b);
    guest_close(n);
}

/* Memory of many pages is freed in pieces, and wholly. */
static void large_memory(void)
{
    uint64_t before = guest_used(guest.budget), done;
    handle_t m = guest_create(OBJECT_MEMORY, 16 << 20, 0, 0);
    static uint8_t bytes[3 * PAGE_BYTES];
    memset(bytes, 5, sizeof(bytes));
    for (uint64_t at = 100; at + sizeof(bytes) < 16 << 20; at += 1 << 20)
        OK(os_memory_rw(m, at, bytes, sizeof(bytes), IPC_LEND_OUT, &done));
    struct memory_info info;
    OK(os_control(m, OP_MEMORY_INFO, (uint64_t)&info, 0, 0, 0).err);
    CHECK_EQ(info.bytes, 16 << 20);
    CHECK_EQ(info.resident_bytes, 16 * 4 * PAGE_BYTES);
    guest_close(m);
    CHECK_EQ(guest_used(guest.budget), before);
}

/* ---- permissions of mappings ---- */

static bool can_write(uint64_t at) /* the kernel tries it for us */
{
    return os_handle_info(guest.process, (struct handle_info *)at) == E_OK;
}

static void protection(void)
{
    handle_t m = guest_create(OBJECT_MEMORY, 4 * PAGE_BYTES, 0, 0);
    uint64_t at = (uint64_t)guest_map(m, 4 * PAGE_BYTES, VM_READ | VM_WRITE), other;
    CHECK(can_write(at) && can_write(at + 3 * PAGE_BYTES));
    CHECK_EQ(os_control(m, OP_MEMORY_SEAL, 0, 0, 0, 0).err, E_BUSY);
    OK(os_vm_protect(guest.process, at + PAGE_BYTES, 2 * PAGE_BYTES, VM_READ));
    CHECK(can_write(at));
    CHECK(!can_write(at + PAGE_BYTES));
    CHECK(!can_write(at + 2 * PAGE_BYTES));
    CHECK(can_write(at + 3 * PAGE_BYTES));
    CHECK_EQ(os_vm_protect(guest.process, at, 4 * PAGE_BYTES, VM_READ | VM_WRITE), E_NO_RIGHT);
    OK(os_vm_protect(guest.process, at, 4 * PAGE_BYTES, VM_READ));
    CHECK(!can_write(at));
    OK(os_control(m, OP_MEMORY_SEAL, 0, 0, 0, 0).err);
    CHECK_EQ(os_vm_map(guest.process, m, 0, PAGE_BYTES, 0, VM_READ | VM_WRITE, &other), E_NO_RIGHT);
    OK(os_vm_unmap(guest.process, at + PAGE_BYTES, PAGE_BYTES));
    OK(os_vm_map(guest.process, m, 0, PAGE_BYTES, at + PAGE_BYTES, VM_READ | VM_FIXED, &other));
    CHECK_EQ(os_vm_map(guest.process, m, 0, PAGE_BYTES, at, VM_READ | VM_FIXED, &other), E_EXISTS);
    OK(os_vm_unmap(guest.process, at, 4 * PAGE_BYTES));
    CHECK(!can_write(at));
    CHECK_EQ(os_vm_unmap(guest.process, (uint64_t)guest.ipc, sizeof(struct ipc_buffer)), E_BUSY);
    guest_close(m);
}

#define LONG_WRITE_BYTES (4u << 20) /* the kernel lets others in now and then */
static uint8_t *ones;

static void writes_long(void *argument, struct ipc_buffer *ipc)
{
    uint64_t done;
    err_t err = os_memory_rw(*(handle_t *)argument, 0, ones, LONG_WRITE_BYTES, IPC_LEND_OUT, &done);
    CHECK(err == (done == LONG_WRITE_BYTES ? E_OK : E_NO_RIGHT));
}

/* What is sealed stays as it is, also when a write was under way. */
static void sealed_under_a_write(void)
{
    handle_t source = guest_create(OBJECT_MEMORY, LONG_WRITE_BYTES, 0, 0);
    ones = guest_map(source, LONG_WRITE_BYTES, VM_READ | VM_WRITE);
    memset(ones, 1, LONG_WRITE_BYTES);
    for (uint32_t i = 0; i < 5; i++) {
        handle_t m = guest_create(OBJECT_MEMORY, LONG_WRITE_BYTES, 0, 0);
        volatile uint8_t *at = guest_map(m, LONG_WRITE_BYTES, VM_READ);
        struct guest_thread t;
        guest_thread_start(&t, 0, writes_long, &m);
        while (!at[0])
            os_yield();
        OK(os_control(m, OP_MEMORY_SEAL, 0, 0, 0, 0).err);
        uint8_t last = at[LONG_WRITE_BYTES - 1];
        guest_thread_join(&t);
        CHECK_EQ(at[LONG_WRITE_BYTES - 1], last);
        guest_unmap((void *)at, LONG_WRITE_BYTES);
        guest_close(m);
    }
    guest_unmap(ones, LONG_WRITE_BYTES);
    guest_close(source);
}

const struct guest_test guest_tests[] = {
    {"a tree of Budgets", tree},
    {"what is left of what ended", shells},
    {"every size of Budget", every_size},
    {"scarce processes", scarce_processes},
    {"a chain of processes", a_chain_of_processes},
    {"found again through the Budget", found_again},
    {"a process destroys its own Budget", suicide},
    {"large Memory", large_memory},
    {"protection and sealing", protection},
    {"sealed under a write", sealed_under_a_write},
};
const uint32_t guest_test_count = sizeof(guest_tests) / sizeof(guest_tests[0]);
