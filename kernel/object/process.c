/* Processes: what holds an address space, handles and threads together, and the record of how it ended. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sched.h>

#define MAP_BASE        0x0000100000000000ull
#define TEAR_DOWN_DEPTH 4u

err_t process_create(struct budget *b, const char *name, uint32_t priority_max, struct process **out)
{
    struct process *p;
    err_t err = object_create(b, OBJECT_PROCESS, sizeof(*p), &p);
    if (err != E_OK)
        return err;
    list_init(&p->regions);
    list_init(&p->threads);
    list_init(&p->frozen_threads);
    list_init(&p->watches);
    list_init(&p->reap_node);
    p->map_hint = MAP_BASE;
    p->priority_max = priority_max;
    for (size_t i = 0; i < PROCESS_NAME_MAX && name[i]; i++)
        p->name[i] = name[i];
    b->process_count++;
    b->busy++;
    err = object_charge(&p->object, PAGE_BYTES);
    if (err == E_OK && (err = arch_aspace_init(&p->aspace)) != E_OK)
        object_uncharge(&p->object, PAGE_BYTES);
    if (err != E_OK) {
        object_put(&p->object);
        return err;
    }
    p->has_aspace = true;
    *out = p;
    return E_OK;
}

static void kill_threads(struct process *p)
{
    struct list *node = p->threads.next;
    while (node != &p->threads) {
        struct thread *t = container_of(node, struct thread, process_node);
        node = node->next; /* killing a thread that never ran unlinks it, and only it */
        thread_kill(t);
    }
}

void process_kill(struct process *p, uint32_t cause, uint32_t code)
{
    if (p->ending)
        return;
    p->ending = true;
    p->cause_pending = cause;
    p->code = code;
    object_get(&p->object);
    kill_threads(p);
    if (p->live_threads == 0)
        process_threads_gone(p);
    object_put(&p->object);
}

void process_freeze(struct process *p)
{
    if (p->frozen || p->ending)
        return;
    p->frozen = true;
    list_for_each(node, &p->threads) thread_freeze(container_of(node, struct thread, process_node));
}

void process_thaw(struct process *p)
{
    if (!p->frozen)
        return;
    p->frozen = false;
    list_for_each(node, &p->threads) thread_thaw(container_of(node, struct thread, process_node));
}

void process_threads_gone(struct process *p)
{
    if (p->ended || list_linked(&p->reap_node))
        return;
    object_get(&p->object);
    reaper_process(p);
}

/* What is left when handles and regions are gone. */
static void release_shell_extras(struct process *p)
{
    handle_table_free(p);
    if (p->has_aspace) {
        uint64_t table_bytes = p->table_bytes + PAGE_BYTES;
        arch_aspace_free(&p->aspace);
        p->has_aspace = false;
        p->table_bytes = 0;
        object_uncharge(&p->object, table_bytes);
    }
    handle_ref_drop(&p->faults);
    p->ended = true;
    p->cause = p->cause_pending;
    p->object.budget->busy--;
    p->object.budget->process_count--;
}

static void report_end(const struct process *p)
{
    if (p->cause == EXIT_FAULT)
        klog("process %llu '%s', label %llu: ended by fault %u at %llx, ip %llx", (unsigned long long)p->object.serial,
             p->name, (unsigned long long)p->object.budget->label, p->code, (unsigned long long)p->fault_address,
             (unsigned long long)p->fault_ip);
    else if (p->cause == EXIT_MEMORY)
        klog("process %llu '%s', label %llu: out of memory at %llx, ip %llx", (unsigned long long)p->object.serial,
             p->name, (unsigned long long)p->object.budget->label, (unsigned long long)p->fault_address,
             (unsigned long long)p->fault_ip);
    if (p->vital)
        panic("%s ended: cause %u code %u", p->name, p->cause, p->code);
}

void process_finish(struct process *p)
{
    assert(p->thread_count == 0);
    release_shell_extras(p);
    report_end(p);
    if (p->on_end)
        p->on_end(p, p->on_end_context);
    watch_fire_all(&p->watches);
    if (p->started)
        p->exit_kept = true; /* the reference taken when it started stays until its end is read */
    object_put(&p->object);
}

void process_exit_read(struct process *p)
{
    if (!p->exit_kept)
        return;
    p->exit_kept = false;
    object_put(&p->object);
}

/* A process that nobody can start any more. It may hold the last handle to another such, and so on: beyond a few of
 * them the reaper goes on, since this stack is short. */
static void tear_down_unstarted(struct process *p)
{
    static uint32_t depth;
    assert(p->live_threads == 0);
    p->ending = true;
    kill_threads(p);
    if (depth == TEAR_DOWN_DEPTH) {
        process_threads_gone(p);
        return;
    }
    depth++;
    while (handle_table_drain(p, UINT32_MAX) || vm_drain(p, UINT32_MAX))
        ;
    depth--;
    release_shell_extras(p);
}

/* Either its Budget ended it, then it was torn down before; or nobody ever started it. */
static void process_object_kill(struct object *o)
{
    struct process *p = object_process(o);
    if (!p->ended)
        tear_down_unstarted(p);
    watch_fire_all(&p->watches);
    process_exit_read(p);
}

static void process_object_free(struct object *o)
{
    object_shell_free(o, sizeof(struct process));
}

static const struct object_type_ops process_ops = {.kill = process_object_kill, .free = process_object_free};

static void process_type_init(void)
{
    object_type_register(OBJECT_PROCESS, &process_ops);
}
INIT_HOOK(INIT_OBJECTS, process_type_init);

/* ---- watches ---- */

err_t watch_add(struct list *subject_watches, struct notification *n, uint64_t bits)
{
    err_t err = object_charge(&n->object, sizeof(struct watch));
    if (err != E_OK)
        return err;
    struct watch *w = kalloc(sizeof(*w));
    if (!w) {
        object_uncharge(&n->object, sizeof(*w));
        return E_NO_MEMORY;
    }
    w->notification = n;
    w->bits = bits;
    list_append(subject_watches, &w->subject_node);
    list_append(&n->watches, &w->notification_node);
    return E_OK;
}

void watch_free(struct watch *w)
{
    struct notification *n = w->notification;
    list_remove(&w->subject_node);
    list_remove(&w->notification_node);
    kfree(w, sizeof(*w));
    object_uncharge(&n->object, sizeof(*w));
}

void watch_fire_all(struct list *subject_watches)
{
    while (!list_empty(subject_watches)) {
        struct watch *w = container_of(subject_watches->next, struct watch, subject_node);
        struct notification *n = w->notification;
        uint64_t bits = w->bits;
        watch_free(w);
        notification_signal(n, bits);
    }
}
