#include <driver/virtio.h>
#include <os/syscall.h>

enum { PCI_STATUS = 6, PCI_STATUS_CAPABILITIES = 0x10, PCI_CAPABILITIES = 0x34, PCI_CAP_VENDOR = 9 };
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_DEVICE = 4 };
enum { /* common configuration */
       DEVICE_FEATURE_SELECT = 0,
       DEVICE_FEATURE = 4,
       DRIVER_FEATURE_SELECT = 8,
       DRIVER_FEATURE = 12,
       CONFIG_VECTOR = 16,
       NUM_QUEUES = 18,
       DEVICE_STATUS = 20,
       CONFIG_GENERATION = 21,
       QUEUE_SELECT = 22,
       QUEUE_SIZE = 24,
       QUEUE_VECTOR = 26,
       QUEUE_ENABLE = 28,
       QUEUE_NOTIFY_OFFSET = 30,
       QUEUE_DESC = 32,
       QUEUE_DRIVER = 40,
       QUEUE_DEVICE = 48,
       COMMON_BYTES = 56
};
enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };
enum { NO_VECTOR = 0xffff, CAPABILITIES_MAX = 48, RESET_TRIES = 1000 };

static uint8_t read8(const struct virtio *v, uint32_t at)
{
    return v->common[at];
}
static uint16_t read16(const struct virtio *v, uint32_t at)
{
    return *(volatile uint16_t *)(v->common + at);
}
static uint32_t read32(const struct virtio *v, uint32_t at)
{
    return *(volatile uint32_t *)(v->common + at);
}
static void write8(struct virtio *v, uint32_t at, uint8_t value)
{
    v->common[at] = value;
}
static void write16(struct virtio *v, uint32_t at, uint16_t value)
{
    *(volatile uint16_t *)(v->common + at) = value;
}
static void write32(struct virtio *v, uint32_t at, uint32_t value)
{
    *(volatile uint32_t *)(v->common + at) = value;
}

static void write64(struct virtio *v, uint32_t at, uint64_t value)
{
    write32(v, at, (uint32_t)value);
    write32(v, at + 4, (uint32_t)(value >> 32));
}

static uint32_t config(const struct virtio *v, uint32_t offset, uint32_t width)
{
    return (uint32_t)os_control(v->driver->device, OP_DEVICE_CONFIG, offset, width, 0, 0).value;
}

struct pci_structure {
    uint32_t kind, bar, offset, bytes, capability;
};

static volatile uint8_t *map_structure(struct virtio *v, const struct pci_structure *s)
{
    if (s->bar >= DEVICE_BARS || s->offset + (uint64_t)s->bytes > v->driver->info.bar_bytes[s->bar])
        return NULL;
    if (v->bars[s->bar].at == NULL && driver_bar(v->driver, s->bar, &v->bars[s->bar]) != E_OK)
        return NULL;
    return s->offset + (uint64_t)s->bytes <= v->bars[s->bar].bytes ? (uint8_t *)v->bars[s->bar].at + s->offset : NULL;
}

/* The first capability of a kind is the one to use. */
static void take_structure(struct virtio *v, const struct pci_structure *s)
{
    if (s->kind == CAP_COMMON && !v->common && s->bytes >= COMMON_BYTES) {
        v->common = map_structure(v, s);
    } else if (s->kind == CAP_NOTIFY && !v->notify) {
        v->notify = map_structure(v, s);
        v->notify_bytes = s->bytes;
        v->notify_multiplier = config(v, s->capability + 16, 4);
    } else if (s->kind == CAP_DEVICE && !v->device) {
        v->device = map_structure(v, s);
        v->device_bytes = s->bytes;
    }
}

static err_t find_structures(struct virtio *v)
{
    if (!(config(v, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        return E_NOT_SUPPORTED;
    uint32_t at = config(v, PCI_CAPABILITIES, 1) & 0xfc;
    for (uint32_t n = 0; at != 0 && n < CAPABILITIES_MAX; n++) {
        if (config(v, at, 1) == PCI_CAP_VENDOR) {
            struct pci_structure s = {config(v, at + 3, 1), config(v, at + 4, 1), config(v, at + 8, 4),
                                      config(v, at + 12, 4), at};
            take_structure(v, &s);
        }
        at = config(v, at + 1, 1) & 0xfc;
    }
    return v->common && v->notify ? E_OK : E_NOT_SUPPORTED;
}

/* Writing 0 resets; the device says 0 when it is done. It needs no time in QEMU, microseconds elsewhere. */
static err_t reset(struct virtio *v)
{
    write8(v, DEVICE_STATUS, 0);
    for (uint32_t n = 0; n < RESET_TRIES; n++) {
        if (read8(v, DEVICE_STATUS) == 0)
            return E_OK;
        os_yield();
    }
    return E_IO;
}

static err_t agree_on_features(struct virtio *v, uint64_t wanted, uint64_t needed)
{
    uint64_t offered;
    write32(v, DEVICE_FEATURE_SELECT, 0);
    offered = read32(v, DEVICE_FEATURE);
    write32(v, DEVICE_FEATURE_SELECT, 1);
    offered |= (uint64_t)read32(v, DEVICE_FEATURE) << 32;
    needed |= VIRTIO_F_VERSION_1;
    if ((offered & needed) != needed)
        return E_NOT_SUPPORTED;
    v->features = offered & (wanted | needed);
    write32(v, DRIVER_FEATURE_SELECT, 0);
    write32(v, DRIVER_FEATURE, (uint32_t)v->features);
    write32(v, DRIVER_FEATURE_SELECT, 1);
    write32(v, DRIVER_FEATURE, (uint32_t)(v->features >> 32));
    write8(v, DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return read8(v, DEVICE_STATUS) & STATUS_FEATURES_OK ? E_OK : E_NOT_SUPPORTED;
}

err_t virtio_open(struct virtio *v, struct driver *driver, uint64_t wanted, uint64_t needed)
{
    *v = (struct virtio){.driver = driver};
    err_t err = driver->info.kind == DEVICE_PCI ? E_OK : E_NOT_SUPPORTED;
    if (err == E_OK)
        err = os_control(driver->device, OP_DEVICE_ENABLE, 1, 0, 0, 0).err;
    if (err == E_OK)
        err = find_structures(v);
    if (err == E_OK)
        err = reset(v);
    if (err != E_OK)
        return err;
    write8(v, DEVICE_STATUS, STATUS_ACKNOWLEDGE);
    write8(v, DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    write16(v, CONFIG_VECTOR, NO_VECTOR);
    return agree_on_features(v, wanted, needed);
}

err_t virtio_config_interrupt(struct virtio *v, uint32_t vector)
{
    err_t err = driver_irq(v->driver, vector);
    if (err != E_OK)
        return err;
    write16(v, CONFIG_VECTOR, (uint16_t)vector);
    return read16(v, CONFIG_VECTOR) == vector ? E_OK : E_IO;
}

/* Greatest power of two that is at most all three. */
static uint32_t queue_size(uint32_t wanted, uint32_t offered)
{
    uint32_t size = VIRTQUEUE_SIZE_MAX;
    while (size > wanted || size > offered)
        size /= 2;
    return size;
}

static err_t point_queue(struct virtio *v, uint32_t n, uint32_t vector)
{
    const struct virtqueue *q = &v->queues[n];
    uint64_t doorbell = (uint64_t)read16(v, QUEUE_NOTIFY_OFFSET) * v->notify_multiplier;
    if (doorbell + 2 > v->notify_bytes)
        return E_IO;
    v->doorbells[n] = (uint32_t)doorbell;
    write16(v, QUEUE_SIZE, (uint16_t)q->size);
    write16(v, QUEUE_VECTOR, (uint16_t)vector);
    if (read16(v, QUEUE_VECTOR) != vector)
        return E_IO;
    write64(v, QUEUE_DESC, q->desc_bus);
    write64(v, QUEUE_DRIVER, q->avail_bus);
    write64(v, QUEUE_DEVICE, q->used_bus);
    write16(v, QUEUE_ENABLE, 1);
    return E_OK;
}

err_t virtio_queue(struct virtio *v, uint32_t n, uint32_t size, uint32_t vector)
{
    struct os_memory memory;
    uint64_t bus;
    if (n >= VIRTIO_QUEUES_MAX || n >= read16(v, NUM_QUEUES))
        return E_RANGE;
    write16(v, QUEUE_SELECT, (uint16_t)n);
    uint32_t offered = read16(v, QUEUE_SIZE);
    if (offered == 0)
        return E_NOT_SUPPORTED;
    size = queue_size(size, offered);
    err_t err = driver_dma(v->driver, virtqueue_bytes(size), &memory, &bus);
    if (err == E_OK)
        err = driver_irq(v->driver, vector);
    if (err != E_OK)
        return err;
    virtqueue_init(&v->queues[n], size, memory.at, bus);
    return point_queue(v, n, vector);
}

err_t virtio_start(struct virtio *v)
{
    write8(v, DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
    return read8(v, DEVICE_STATUS) & STATUS_DRIVER_OK ? E_OK : E_IO;
}

void virtio_notify(struct virtio *v, uint32_t n)
{
    if (virtqueue_must_notify(&v->queues[n]))
        *(volatile uint16_t *)(v->notify + v->doorbells[n]) = (uint16_t)n;
}

void virtio_config(const struct virtio *v, uint32_t offset, void *to, uint32_t bytes)
{
    uint8_t *out = to, before;
    do { /* the generation says whether the device changed it meanwhile */
        before = read8(v, CONFIG_GENERATION);
        for (uint32_t i = 0; i < bytes; i++)
            out[i] = v->device && offset + i < v->device_bytes ? v->device[offset + i] : 0;
    } while (read8(v, CONFIG_GENERATION) != before);
}
