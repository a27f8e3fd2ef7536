#include <driver/driver.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

struct loop {
    void (*notified)(void *context, uint64_t bits);
    void (*closed)(void *context, uint64_t badge);
    void *context;
};

static err_t open_device(struct driver *driver)
{
    *driver = (struct driver){.name = driver_name, .device = os_startup_handle(STARTUP_EXTRA)};
    err_t err = os_control(driver->device, OP_DEVICE_INFO, (uint64_t)&driver->info, 0, 0, 0).err;
    if (err == E_OK)
        err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &driver->notification);
    if (err == E_OK)
        err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &driver->endpoint);
    return err;
}

err_t driver_irq(struct driver *driver, uint32_t n)
{
    if (n >= DRIVER_IRQS_MAX)
        return E_RANGE;
    struct sys_result irq = os_control(driver->device, OP_DEVICE_IRQ, n, os_budget(), 0, 0);
    if (irq.err != E_OK)
        return irq.err;
    driver->irqs[n] = (handle_t)irq.value;
    if (n >= driver->irq_count)
        driver->irq_count = n + 1;
    err_t err = os_control(driver->irqs[n], OP_IRQ_BIND, driver->notification, DRIVER_IRQ_BIT(n), 0, 0).err;
    return err == E_OK ? os_control(driver->irqs[n], OP_IRQ_ACK, 0, 0, 0, 0).err : err;
}

void driver_irq_again(struct driver *driver, uint64_t bits)
{
    for (uint32_t n = 0; n < driver->irq_count; n++)
        if ((bits & DRIVER_IRQ_BIT(n)) && driver->irqs[n])
            os_control(driver->irqs[n], OP_IRQ_ACK, 0, 0, 0, 0);
}

err_t driver_bar(struct driver *driver, uint32_t bar, struct os_memory *memory_out)
{
    struct sys_result memory = os_control(driver->device, OP_DEVICE_BAR, bar, os_budget(), 0, 0);
    if (memory.err != E_OK)
        return memory.err;
    return os_memory_attach((handle_t)memory.value, VM_READ | VM_WRITE, memory_out);
}

err_t driver_dma(struct driver *driver, uint64_t bytes, struct os_memory *memory_out, uint64_t *bus_out)
{
    err_t err = os_memory_create(bytes, MEMORY_DMA, memory_out);
    if (err != E_OK)
        return err;
    struct sys_result bus = os_control(driver->device, OP_DEVICE_DMA, memory_out->handle, 0, 0, 0);
    *bus_out = bus.value;
    return bus.err;
}

static void loop_notified(struct server *server, uint64_t bits)
{
    struct loop *loop = server->context;
    loop->notified(loop->context, bits);
}

static void loop_closed(struct server *server, uint64_t badge)
{
    struct loop *loop = server->context;
    if (loop->closed)
        loop->closed(loop->context, badge);
}

err_t driver_run(struct driver *driver, const struct service *service, void (*notified)(void *context, uint64_t bits),
                 void (*closed)(void *context, uint64_t badge), void *context)
{
    struct loop loop = {notified, closed, context};
    struct server server = {.endpoint = driver->endpoint,
                            .services = service,
                            .service_count = 1,
                            .notified = loop_notified,
                            .closed = loop_closed,
                            .context = &loop};
    err_t err = os_server_bind(&server, driver->notification);
    if (err == E_OK)
        err = os_publish(driver->name, driver->endpoint);
    return err == E_OK ? os_serve(&server) : err;
}

_Noreturn void os_main(const struct startup *startup)
{
    static struct driver driver;
    err_t err = open_device(&driver);
    if (err == E_OK)
        err = driver_main(&driver);
    os_log("%s: %s", driver_name, os_error_text(err));
    os_exit(1, 1);
}
