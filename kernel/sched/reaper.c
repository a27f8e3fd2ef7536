/* The kernel thread that takes apart what has ended: nobody can free the stack or the address space he runs on. It
 * works in bounded pieces and lets others have the kernel lock in between. */
#include <kernel/debug.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/system.h>

#define PIECE 32u /* handles or regions in one piece */

static struct list threads = LIST_INIT(threads);
static struct list processes = LIST_INIT(processes);
static struct list budgets = LIST_INIT(budgets);
static struct wait_queue work = {LIST_INIT(work.threads)};

void reaper_thread(struct thread *t)
{
    list_append(&threads, &t->run_node);
    wait_queue_wake_all(&work);
}

void reaper_process(struct process *p)
{
    list_append(&processes, &p->reap_node);
    wait_queue_wake_all(&work);
}

void reaper_budget(struct budget *b)
{
    list_append(&budgets, &b->destroy_node);
    wait_queue_wake_all(&work);
}

static bool reap_thread(void)
{
    struct list *node = list_pop(&threads);
    if (!node)
        return false;
    struct thread *t = container_of(node, struct thread, run_node);
    thread_release(t);
    object_put(&t->object);
    return true;
}

static bool reap_process_piece(void)
{
    if (list_empty(&processes))
        return false;
    struct process *p = container_of(processes.next, struct process, reap_node);
    if (handle_table_drain(p, PIECE) || vm_drain(p, PIECE))
        return true;
    list_remove(&p->reap_node);
    process_finish(p);
    return true;
}

static bool reap_budget_step(void)
{
    list_for_each(node, &budgets)
    {
        struct budget *b = container_of(node, struct budget, destroy_node);
        if (!budget_destroy_ready(b))
            continue;
        if (list_empty(&b->children))
            list_remove(&b->destroy_node);
        if (budget_destroy_step(b))
            object_put(&b->object);
        return true;
    }
    return false;
}

static void reaper_main(void *arg)
{
    for (;;) {
        uint64_t flags = arch_irq_save();
        kernel_lock();
        bool worked = reap_thread() || reap_process_piece() || reap_budget_step();
        memory_deferred_free();
        system_log_poll();
        if (!worked)
            wait_queue_block(&work, DEADLINE_NEVER);
        kernel_unlock();
        arch_irq_restore(flags);
    }
}

void reaper_start(void)
{
    kthread_start("reaper", reaper_main, NULL, PRIORITY_MAX);
}
