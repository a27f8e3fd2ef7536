/* Device objects: the authority over one machine device. They live for ever; the last handle gone quiets the device. */
#include <kernel/console.h>
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/memory.h>

#include "control_local.h"
#include "device_local.h"

struct device_object {
    struct object object;
    struct device *device;
};

static struct device_object objects[DEVICES_MAX];

static struct device *device_of(struct control *c)
{
    return container_of(c->object, struct device_object, object)->device;
}

struct object *device_object(uint64_t n)
{
    if (n >= device_count())
        return NULL;
    struct device_object *o = &objects[n];
    if (!o->device) {
        o->device = device_get((uint32_t)n);
        object_init(&o->object, OBJECT_DEVICE);
        object_counts[OBJECT_DEVICE]++;
    }
    return &o->object;
}

/* The early console writes again once no driver does. */
static void console_returned(struct device *d)
{
    if (d->info.kind == DEVICE_SERIAL_PORTS)
        console_serial_taken(d->info.location, false);
    else if (d->info.kind == DEVICE_FRAMEBUFFER)
        console_screen_taken(false);
}

void device_object_quiet(struct device *d)
{
    d->epoch++;
    device_quiet(d);
    console_returned(d);
}

static void device_handle_added(struct object *o, uint32_t rights)
{
    container_of(o, struct device_object, object)->device->in_use = true;
}

static void device_last_handle(struct object *o)
{
    struct device *d = container_of(o, struct device_object, object)->device;
    d->in_use = false;
    device_object_quiet(d);
}

static const struct object_type_ops device_ops = {.handle_added = device_handle_added,
                                                  .last_handle = device_last_handle};

static void device_type_init(void)
{
    object_type_register(OBJECT_DEVICE, &device_ops);
}
INIT_HOOK(INIT_OBJECTS, device_type_init);

/* ---- operations ---- */

err_t control_DEVICE_INFO(struct control *c)
{
    return copy_to_user(c->a, &device_of(c)->info, sizeof(struct device_info));
}

/* The pages of a BAR that hold the MSI-X table belong to the kernel. */
static void hide_msix(const struct device *d, uint32_t bar, struct memory *m)
{
    uint64_t base = d->bar_phys[bar], bytes = d->info.bar_bytes[bar];
    if (!d->msix_table_bytes || d->msix_table_phys < base || d->msix_table_phys >= base + bytes)
        return;
    uint64_t first = (d->msix_table_phys - base) / PAGE_BYTES;
    uint64_t end = (d->msix_table_phys - base + d->msix_table_bytes + PAGE_BYTES - 1) / PAGE_BYTES;
    m->hole_first = first;
    m->hole_pages = end - first;
}

err_t control_DEVICE_BAR(struct control *c)
{
    struct device *d = device_of(c);
    struct budget *b;
    if (c->a >= DEVICE_BARS || d->info.bar_bytes[c->a] == 0)
        return E_NOT_FOUND;
    err_t err = handle_object(c->self, c->b, OBJECT_BUDGET, RIGHT_SPEND, &b);
    if (err != E_OK)
        return err;
    uint32_t bar = (uint32_t)c->a;
    bool screen = d->info.kind == DEVICE_FRAMEBUFFER;
    struct memory *m;
    err = memory_borrow(b, d->bar_phys[bar], d->info.bar_bytes[bar], screen ? PAGE_COMBINE : PAGE_DEVICE, &m);
    if (err != E_OK)
        return err;
    hide_msix(d, bar, m);
    err = control_return_handle(c, &m->object);
    object_put(&m->object);
    if (err == E_OK && screen)
        console_screen_taken(true);
    return err;
}

err_t control_DEVICE_IRQ(struct control *c)
{
    struct device *d = device_of(c);
    struct budget *b;
    if (c->a >= d->info.irqs)
        return E_NOT_FOUND;
    err_t err = handle_object(c->self, c->b, OBJECT_BUDGET, RIGHT_SPEND, &b);
    struct object *o;
    if (err == E_OK)
        err = irq_create(b, d, (uint32_t)c->a, &o);
    if (err != E_OK)
        return err;
    err = control_return_handle(c, o);
    object_put(o);
    return err;
}

err_t control_DEVICE_ENABLE(struct control *c)
{
    struct device *d = device_of(c);
    if (c->a > 1)
        return E_INVALID;
    if (c->a)
        device_enable(d, true);
    else
        device_object_quiet(d);
    return E_OK;
}

static bool width_ok(uint64_t offset, uint64_t width, uint64_t limit)
{
    return (width == 1 || width == 2 || width == 4) && offset < limit && width <= limit - offset;
}

err_t control_DEVICE_CONFIG(struct control *c)
{
    struct device *d = device_of(c);
    if (d->info.kind != DEVICE_PCI)
        return E_NOT_SUPPORTED;
    if (!width_ok(c->a, c->b, 4096) || c->a % c->b)
        return E_RANGE;
    c->value = device_config_read(d, (uint32_t)c->a, (uint32_t)c->b);
    return E_OK;
}

err_t control_DEVICE_DMA(struct control *c)
{
    struct device *d = device_of(c);
    struct memory *m;
    err_t err = handle_object(c->self, c->a, OBJECT_MEMORY, RIGHT_READ | RIGHT_WRITE, &m);
    if (err != E_OK)
        return err;
    if (!(m->flags & MEMORY_DMA))
        return E_INVALID;
    if (c->b >= m->pages * PAGE_BYTES)
        return E_RANGE;
    if (m->dma_device && m->dma_device != d)
        return E_BUSY;
    m->dma_device = d;
    m->dma_epoch = d->epoch;
    c->value = m->base + c->b;
    return E_OK;
}

err_t control_DEVICE_PORT_READ(struct control *c)
{
    struct device *d = device_of(c);
    if (!width_ok(c->a, c->b, d->info.port_count))
        return E_RANGE;
    c->value = device_port_read(d, (uint32_t)c->a, (uint32_t)c->b);
    return E_OK;
}

err_t control_DEVICE_PORT_WRITE(struct control *c)
{
    struct device *d = device_of(c);
    if (!width_ok(c->a, c->b, d->info.port_count))
        return E_RANGE;
    if (d->info.kind == DEVICE_SERIAL_PORTS)
        console_serial_taken(d->info.location, true);
    device_port_write(d, (uint32_t)c->a, (uint32_t)c->b, (uint32_t)c->c);
    return E_OK;
}
