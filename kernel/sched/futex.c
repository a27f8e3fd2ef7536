/* Futexes: threads that wait for a word of their process's memory, in buckets by process and address. */
#include <kernel/init.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

#define BUCKETS 64u

static struct list buckets[BUCKETS];

static struct list *bucket_of(const struct process *p, uint64_t address)
{
    return &buckets[((uint64_t)p / 64 ^ address / 4) % BUCKETS];
}

static err_t futex_wait(uint64_t address, uint32_t expected, uint64_t deadline)
{
    struct thread *t = thread_current();
    uint32_t value;
    err_t err = copy_from_user(&value, address, sizeof(value));
    if (err == E_OK && value != expected)
        err = E_AGAIN;
    if (err == E_OK)
        err = deadline == DEADLINE_POLL ? E_TIMED_OUT : sched_pending(t);
    if (err != E_OK)
        return err;
    t->wait = WAIT_QUEUE;
    t->wait_mask = address;
    list_append(bucket_of(t->process, address), &t->wait_node);
    return sched_block(deadline);
}

static uint64_t futex_wake(struct process *p, uint64_t address, uint64_t count)
{
    uint64_t woken = 0;
    list_for_each_safe(node, bucket_of(p, address))
    {
        struct thread *t = container_of(node, struct thread, wait_node);
        if (woken == count)
            break;
        if (t->process != p || t->wait_mask != address)
            continue;
        list_remove(node);
        sched_wake(t, E_OK);
        woken++;
    }
    return woken;
}

err_t sys_futex(struct trap_frame *f)
{
    uint64_t op = f->rdi, address = f->rsi, argument = f->rdx;
    f->rdx = 0;
    if (address % sizeof(uint32_t))
        return E_INVALID;
    if (address >= USER_END)
        return E_BAD_POINTER;
    if (op == FUTEX_OP_WAIT)
        return futex_wait(address, (uint32_t)argument, f->r10);
    if (op != FUTEX_OP_WAKE)
        return E_INVALID;
    f->rdx = futex_wake(thread_current()->process, address, argument);
    return E_OK;
}

static void futex_init(void)
{
    for (uint32_t i = 0; i < BUCKETS; i++)
        list_init(&buckets[i]);
}
INIT_HOOK(INIT_OBJECTS, futex_init);
