/* Notifications: 64 bits that stay set until somebody takes them. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/process.h>
#include <kernel/sched.h>

#include "ipc_local.h"

err_t notification_create(struct budget *b, struct notification **out)
{
    struct notification *n;
    err_t err = object_create(b, OBJECT_NOTIFICATION, sizeof(*n), &n);
    if (err != E_OK)
        return err;
    list_init(&n->waiters);
    list_init(&n->watches);
    *out = n;
    return E_OK;
}

err_t notification_create_kernel(struct budget *b, const struct notification_handler *handler, void *context,
                                 bool remote, struct notification **out)
{
    err_t err = notification_create(b, out);
    if (err != E_OK)
        return err;
    (*out)->handler = handler;
    (*out)->context = context;
    (*out)->object.remote = remote;
    return E_OK;
}

void notification_drop(struct notification *n)
{
    object_kill(&n->object);
    object_put(&n->object);
}

static void give_to_waiters(struct notification *n)
{
    list_for_each_safe(node, &n->waiters)
    {
        struct thread *t = container_of(node, struct thread, wait_node);
        uint64_t taken = n->bits & t->wait_mask;
        if (!taken)
            continue;
        n->bits &= ~taken;
        list_remove(node);
        t->arch.frame->rdx = taken;
        sched_wake(t, E_OK);
    }
}

void notification_signal(struct notification *n, uint64_t bits)
{
    if (n->object.dead || !bits)
        return;
    if (n->handler) {
        n->handler->signal(n, bits);
        return;
    }
    n->bits |= bits;
    give_to_waiters(n);
    if (n->bits && n->bound)
        endpoint_pump(n->bound);
}

void notification_take_bound(struct notification *n, uint64_t *bits_out)
{
    *bits_out = n->bits;
    n->bits = 0;
}

static void timer_fired(struct timer *timer)
{
    struct notification *n = container_of(timer, struct notification, timer);
    notification_signal(n, n->timer_bits);
}

err_t notification_timer(struct notification *n, uint64_t deadline_ns, uint64_t bits)
{
    if (n->handler)
        return E_NOT_SUPPORTED;
    timer_disarm(&n->timer);
    n->timer_bits = bits;
    if (bits && deadline_ns != DEADLINE_NEVER)
        timer_arm(&n->timer, deadline_ns, timer_fired);
    return E_OK;
}

void notification_rest(struct notification *n, uint64_t mask, uint64_t deadline_ns)
{
    struct thread *t = thread_current();
    t->wait = WAIT_QUEUE;
    t->wait_mask = mask;
    list_append(&n->waiters, &t->wait_node);
    sched_rest(deadline_ns);
}

static void notification_kill(struct object *o)
{
    struct notification *n = container_of(o, struct notification, object);
    struct list *node;
    timer_disarm(&n->timer);
    if (n->bound)
        endpoint_bind(n->bound, NULL);
    while ((node = list_pop(&n->waiters)))
        sched_wake(container_of(node, struct thread, wait_node), E_GONE);
    while (!list_empty(&n->watches))
        watch_free(container_of(n->watches.next, struct watch, notification_node));
}

static void notification_last_handle(struct object *o)
{
    struct notification *n = container_of(o, struct notification, object);
    if (n->handler && n->handler->unused)
        n->handler->unused(n);
}

static void notification_free(struct object *o)
{
    object_shell_free(o, sizeof(struct notification));
}

static const struct object_type_ops notification_ops = {
    .kill = notification_kill, .free = notification_free, .last_handle = notification_last_handle};

static void notification_init(void)
{
    object_type_register(OBJECT_NOTIFICATION, &notification_ops);
}
INIT_HOOK(INIT_OBJECTS, notification_init);
