/* Threads: made, started, interrupted, ended. What ended is taken apart by the reaper. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sched.h>

/* Beside the struct: kernel stack and room for the extended registers. */
#define THREAD_EXTRA_BYTES (KERNEL_STACK_BYTES + PAGE_BYTES)

void thread_init_plain(struct thread *t, const char *name)
{
    if (!t->object.refs)
        object_init(&t->object, OBJECT_THREAD);
    list_init(&t->run_node);
    list_init(&t->wait_node);
    list_init(&t->process_node);
    list_init(&t->watches);
    call_init(&t->call, NULL, NULL);
    t->call.thread = t;
    t->affinity = UINT64_MAX;
    t->name = name;
}

struct thread *kthread_start(const char *name, void (*entry)(void *), void *arg, uint32_t priority)
{
    struct thread *t = kalloc(sizeof(*t));
    if (!t || arch_thread_init(&t->arch, entry, arg) != E_OK)
        panic("no memory for kernel thread %s", name);
    thread_init_plain(t, name);
    t->priority = (uint8_t)priority;
    t->started = true;
    sched_start(t);
    return t;
}

/* The two pages of its IPC buffer: resident from the start, so that messages never wait for memory. */
static err_t ipc_buffer_create(struct thread *t, struct budget *b, uint64_t address)
{
    struct memory *m;
    err_t err = memory_create(b, sizeof(struct ipc_buffer), 0, &m);
    if (err != E_OK)
        return err;
    t->ipc = memory_page_address(m, 0);
    t->ipc_bytes = memory_page_address(m, 1);
    err = t->ipc && t->ipc_bytes ? vm_map_pinned(t->process, m, address, &t->ipc_address) : E_NO_MEMORY;
    object_put(&m->object); /* the region holds it */
    return err;
}

static err_t thread_furnish(struct thread *t, struct budget *b, uint64_t ipc_address)
{
    err_t err = object_charge(&t->object, THREAD_EXTRA_BYTES);
    if (err != E_OK)
        return err;
    err = arch_thread_init(&t->arch, NULL, NULL);
    if (err == E_OK) {
        err = ipc_buffer_create(t, b, ipc_address);
        if (err != E_OK)
            arch_thread_free(&t->arch);
    }
    if (err != E_OK)
        object_uncharge(&t->object, THREAD_EXTRA_BYTES);
    return err;
}

err_t thread_create(struct budget *b, struct process *p, uint64_t ipc_address, uint32_t priority, struct thread **out)
{
    if (p->ending)
        return E_GONE;
    if (priority > p->priority_max)
        return E_RANGE;
    struct thread *t;
    err_t err = object_create(b, OBJECT_THREAD, sizeof(*t), &t);
    if (err != E_OK)
        return err;
    thread_init_plain(t, NULL);
    t->priority = (uint8_t)priority;
    t->process = p;
    err = thread_furnish(t, b, ipc_address);
    if (err != E_OK) {
        t->process = NULL;
        t->state = THREAD_ENDED;
        object_put(&t->object);
        return err;
    }
    object_get(&p->object);
    list_append(&p->threads, &t->process_node);
    t->pending = p->frozen ? THREAD_FROZEN : 0;
    p->thread_count++;
    b->busy++;
    *out = t;
    return E_OK;
}

/* Gives back all but the shell. It never ran, or has been switched away from for good. */
void thread_release(struct thread *t)
{
    struct process *p = t->process;
    if (!p)
        return;
    t->state = THREAD_ENDED;
    t->process = NULL;
    t->ipc = NULL;
    t->ipc_bytes = NULL;
    vm_unmap_pinned(p, t->ipc_address);
    arch_thread_free(&t->arch);
    object_uncharge(&t->object, THREAD_EXTRA_BYTES);
    list_remove(&t->process_node);
    p->thread_count--;
    p->ended_cpu_ns += sched_thread_ns(t);
    t->object.budget->busy--;
    watch_fire_all(&t->watches);
    object_put(&p->object);
}

err_t thread_start(struct thread *t, uint64_t ip, uint64_t sp, uint64_t arg)
{
    struct process *p = t->process;
    if (t->state == THREAD_ENDED || !p || p->ending)
        return E_GONE;
    if (t->state != THREAD_NEW)
        return E_BUSY;
    if (ip >= USER_END || sp > USER_END)
        return E_BAD_POINTER;
    arch_thread_set_user(&t->arch, ip, sp, arg);
    object_get(&t->object);
    if (!p->started) {
        p->started = true;
        object_get(&p->object); /* becomes the exit record's */
    }
    p->live_threads++;
    sched_start(t);
    return E_OK;
}

/* It will run no more. The last one takes its process along. */
static void thread_ended(struct thread *t)
{
    struct process *p = t->process;
    t->state = THREAD_ENDED;
    reaper_thread(t);
    if (--p->live_threads > 0)
        return;
    if (p->ending)
        process_threads_gone(p);
    else
        process_kill(p, EXIT_EXITED, 0);
}

_Noreturn void thread_exit(void)
{
    thread_ended(thread_current());
    sched_leave();
}

void thread_kill(struct thread *t)
{
    if (!t->process || t->state == THREAD_ENDED || (t->pending & THREAD_DYING))
        return;
    t->pending |= THREAD_DYING;
    if (t->state == THREAD_NEW) {
        thread_release(t);
    } else if (t->state == THREAD_READY && !t->started) {
        sched_unready(t);
        thread_ended(t);
    } else if (t->state == THREAD_WAITING) {
        sched_cancel(t, E_INTERRUPTED);
    } else {
        sched_poke(t);
    }
}

void thread_interrupt(struct thread *t)
{
    bool blocks = t->state == THREAD_WAITING && t->wait != WAIT_FROZEN;
    if (blocks && !t->call.fault) /* the handling of a fault is no call of its own */
        sched_cancel(t, E_INTERRUPTED);
    else if (t->state != THREAD_ENDED)
        t->pending |= THREAD_INTERRUPTED;
}

void thread_freeze(struct thread *t)
{
    t->pending |= THREAD_FROZEN;
    sched_poke(t);
}

void thread_thaw(struct thread *t)
{
    t->pending &= ~(uint32_t)THREAD_FROZEN;
    if (t->state == THREAD_WAITING && t->wait == WAIT_FROZEN)
        sched_cancel(t, E_OK);
}

static void thread_object_kill(struct object *o)
{
    thread_kill(container_of(o, struct thread, object));
}

static void thread_object_free(struct object *o)
{
    struct thread *t = container_of(o, struct thread, object);
    assert(!t->process && t->state == THREAD_ENDED && list_empty(&t->watches));
    object_shell_free(o, sizeof(*t));
}

static const struct object_type_ops thread_ops = {.kill = thread_object_kill, .free = thread_object_free};

static void thread_type_init(void)
{
    object_type_register(OBJECT_THREAD, &thread_ops);
}
INIT_HOOK(INIT_OBJECTS, thread_type_init);
