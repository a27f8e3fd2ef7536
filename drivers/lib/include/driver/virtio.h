/* Modern virtio over PCI: finding the structures, agreeing on features, queues with an MSI-X vector each. */
#pragma once

#include <driver/driver.h>
#include <driver/virtqueue.h>

#define VIRTIO_QUEUES_MAX  4u
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtio {
    struct driver *driver;
    struct os_memory bars[DEVICE_BARS];
    volatile uint8_t *common, *notify, *device; /* into the BARs */
    uint32_t notify_bytes, device_bytes, notify_multiplier;
    uint64_t features; /* agreed */
    struct virtqueue queues[VIRTIO_QUEUES_MAX];
    uint32_t doorbells[VIRTIO_QUEUES_MAX]; /* offsets from notify */
};

/* Resets the device, agrees on those of `wanted` that it has (VIRTIO_F_VERSION_1 always) and stops before its queues.
 * E_NOT_SUPPORTED: no modern virtio device, or it lacks one of `needed`. */
err_t virtio_open(struct virtio *virtio, struct driver *driver, uint64_t wanted, uint64_t needed);

/* Sets queue n up with at most `size` entries; its interrupt is DRIVER_IRQ_BIT(vector). */
err_t virtio_queue(struct virtio *virtio, uint32_t n, uint32_t size, uint32_t vector);

/* Vector for changes of the device's configuration. */
err_t virtio_config_interrupt(struct virtio *virtio, uint32_t vector);

/* The device may work from now on. */
err_t virtio_start(struct virtio *virtio);

/* Rings the doorbell of queue n if the device wants to hear it. */
void virtio_notify(struct virtio *virtio, uint32_t n);

/* Reads the device's own configuration; all zero beyond its end. */
void virtio_config(const struct virtio *virtio, uint32_t offset, void *to, uint32_t bytes);
