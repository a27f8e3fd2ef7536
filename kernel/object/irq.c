/* IRQ objects: an interrupt line that signals a Notification and stays masked until it is acknowledged. */
#include <kernel/debug.h>
#include <kernel/device.h>
#include <kernel/init.h>

#include "control_local.h"
#include "device_local.h"

struct irq {
    struct object object;
    uint32_t line;
    struct notification *notification; /* NULL: not bound; holds a reference */
    uint64_t bits;
};

static struct irq *lines[IRQ_LINES_MAX];

void irq_deliver(uint32_t line)
{
    struct irq *irq = line < IRQ_LINES_MAX ? lines[line] : NULL;
    if (irq && irq->notification)
        notification_signal(irq->notification, irq->bits);
}

err_t irq_create(struct budget *b, struct device *d, uint32_t n, struct object **out)
{
    struct irq *irq;
    err_t err = object_create(b, OBJECT_IRQ, sizeof(*irq), &irq);
    if (err != E_OK)
        return err;
    irq->line = IRQ_LINES_MAX;
    err = device_irq_route(d, n, &irq->line);
    if (err != E_OK) {
        irq->line = IRQ_LINES_MAX;
        object_put(&irq->object);
        return err;
    }
    assert(irq->line < IRQ_LINES_MAX && !lines[irq->line]);
    lines[irq->line] = irq;
    *out = &irq->object;
    return E_OK;
}

static struct irq *irq_of(struct object *o)
{
    return container_of(o, struct irq, object);
}

static void unbind(struct irq *irq)
{
    struct notification *n = irq->notification;
    irq->notification = NULL;
    if (n)
        object_put(&n->object);
}

err_t control_IRQ_BIND(struct control *c)
{
    struct irq *irq = irq_of(c->object);
    struct notification *n;
    err_t err = handle_object(c->self, c->a, OBJECT_NOTIFICATION, RIGHT_SIGNAL, &n);
    if (err == E_OK && c->b == 0)
        err = E_INVALID;
    if (err != E_OK)
        return err;
    object_get(&n->object);
    unbind(irq);
    irq->notification = n;
    irq->bits = c->b;
    irq_line_unmask(irq->line);
    return E_OK;
}

err_t control_IRQ_ACK(struct control *c)
{
    irq_line_unmask(irq_of(c->object)->line);
    return E_OK;
}

static void irq_kill(struct object *o)
{
    struct irq *irq = irq_of(o);
    if (irq->line < IRQ_LINES_MAX) {
        irq_line_mask(irq->line);
        irq_line_release(irq->line);
        lines[irq->line] = NULL;
    }
    unbind(irq);
}

static void irq_free(struct object *o)
{
    object_shell_free(o, sizeof(struct irq));
}

static const struct object_type_ops irq_ops = {.kill = irq_kill, .free = irq_free};

static void irq_type_init(void)
{
    object_type_register(OBJECT_IRQ, &irq_ops);
}
INIT_HOOK(INIT_OBJECTS, irq_type_init);
