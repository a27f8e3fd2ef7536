/* The driver of a virtio block device. */
#include <driver/block.h>
#include <driver/virtio.h>
#include <os/log.h>

#define F_READ_ONLY (1ull << 5)
#define F_FLUSH     (1ull << 9)

enum { QUEUE = 0, QUEUE_ENTRIES = 64, VECTOR = 0 };
enum { TYPE_READ = 0, TYPE_WRITE = 1, TYPE_FLUSH = 4 };
enum { STATUS_OK = 0, STATUS_PENDING = 0xff };
enum { CONFIG_CAPACITY = 0 };

/* Beside the data of a slot: what the device reads before it and writes after it. */
struct slot_frame {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
    uint8_t pad[15];
};
_Static_assert(sizeof(struct slot_frame) == 32, "slot_frame");

static struct virtio virtio;
static struct os_memory frames_memory;
static struct slot_frame *frames;
static uint64_t frames_bus;

static err_t send(uint32_t slot, uint32_t type, uint64_t sector, uint64_t data, uint32_t bytes)
{
    uint64_t frame = frames_bus + slot * sizeof(struct slot_frame);
    frames[slot].type = type;
    frames[slot].reserved = 0;
    frames[slot].sector = sector;
    frames[slot].status = STATUS_PENDING;
    struct virtqueue_piece pieces[3] = {{frame, 16, false}};
    uint32_t count = 1;
    if (bytes > 0)
        pieces[count++] = (struct virtqueue_piece){data, bytes, type == TYPE_READ};
    pieces[count++] = (struct virtqueue_piece){frame + offsetof(struct slot_frame, status), 1, true};
    err_t err = virtqueue_add(&virtio.queues[QUEUE], pieces, count, &frames[slot]);
    if (err == E_OK)
        virtio_notify(&virtio, QUEUE);
    return err;
}

static err_t submit(void *context, uint32_t slot, enum block_kind kind, uint64_t sector, uint64_t data, uint32_t bytes)
{
    uint32_t type = kind == BLOCK_READ ? TYPE_READ : kind == BLOCK_WRITE ? TYPE_WRITE : TYPE_FLUSH;
    return send(slot, type, sector, data, bytes) == E_OK ? E_OK : E_IO;
}

static void interrupt(void *context, uint64_t bits)
{
    struct slot_frame *frame;
    void *cookie;
    uint32_t length;
    err_t err;
    while ((err = virtqueue_take(&virtio.queues[QUEUE], &cookie, &length)) == E_OK) {
        frame = cookie;
        block_done((uint32_t)(frame - frames), frame->status == STATUS_OK ? E_OK : E_IO);
    }
    if (err == E_BAD_MESSAGE) {
        os_log("virtio_blk: the device broke its queue");
        block_lost();
    }
}

const char driver_name[] = "virtio_blk";

/* A disk that cannot be told to flush is refused: nobody could promise anything on it. */
err_t driver_main(struct driver *driver)
{
    static struct block_hardware hardware = {.submit = submit, .interrupt = interrupt, .identity = "virtio"};
    err_t err = driver_dma(driver, 4096, &frames_memory, &frames_bus);
    if (err == E_OK)
        err = virtio_open(&virtio, driver, F_READ_ONLY | F_FLUSH, F_FLUSH);
    if (err == E_OK)
        err = virtio_queue(&virtio, QUEUE, QUEUE_ENTRIES, VECTOR);
    if (err == E_OK)
        err = virtio_start(&virtio);
    if (err != E_OK)
        return err;
    frames = frames_memory.at;
    virtio_config(&virtio, CONFIG_CAPACITY, &hardware.sectors, sizeof hardware.sectors);
    hardware.read_only = (virtio.features & F_READ_ONLY) != 0;
    return block_run(driver, &hardware);
}
