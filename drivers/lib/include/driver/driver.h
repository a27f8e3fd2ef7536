/* What every driver has: its Device, one Notification for all that happens, and a service it publishes.
 *
 * A driver is a struct of callbacks; the loop is here (driver_run) and in the kind's own file: driver/serial.h,
 * driver/block.h, driver/netdev.h. drivers/example is one to copy. All callbacks run in the one thread of the driver.
 */
#pragma once

#include <abi/info.h>
#include <os/memory.h>
#include <os/serve.h>

#define DRIVER_IRQS_MAX 8u

/* Bits of the driver's Notification: the low 32 belong to clients of rings, interrupt n signals this one. */
#define DRIVER_IRQ_BIT(n) (1ull << (32 + (n)))

struct driver {
    const char *name; /* of its manifest: under this it is published */
    handle_t device;
    struct device_info info;
    handle_t notification;
    handle_t endpoint;
    handle_t irqs[DRIVER_IRQS_MAX];
    uint32_t irq_count;
};

/* Written by the driver: its name, and how it starts its device and serves it. The library calls it once it has the
 * Device the supervisor gave, a Notification and an Endpoint. Returns only an error, which is logged; the process then
 * ends. */
extern const char driver_name[];
err_t driver_main(struct driver *driver);

/* Interrupt n of the Device (an MSI-X vector, or 0 for its line) arrives as DRIVER_IRQ_BIT(n). */
err_t driver_irq(struct driver *driver, uint32_t n);

/* Lets those of `bits` that are interrupts come again. Before their causes are looked at: an edge that comes meanwhile
 * is then not lost. */
void driver_irq_again(struct driver *driver, uint64_t bits);

/* Maps a memory BAR. */
err_t driver_bar(struct driver *driver, uint32_t bar, struct os_memory *memory_out);

/* Contiguous, zeroed memory that the device may reach, and its bus address. Whole pages. */
err_t driver_dma(struct driver *driver, uint64_t bytes, struct os_memory *memory_out, uint64_t *bus_out);

/* Publishes the service and serves it for ever; `notified` gets the Notification's bits. Returns only an error. */
err_t driver_run(struct driver *driver, const struct service *service, void (*notified)(void *context, uint64_t bits),
                 void (*closed)(void *context, uint64_t badge), void *context);
