/* The block kind. */
#include <driver/block.h>
#include <idl/block.h>
#include <os/syscall.h>

enum { WAITING_MAX = 64 };

struct block_request {
    handle_t reply;
    uint32_t op;          /* BLOCK_OP_..., as the client called it */
    enum block_kind kind; /* what the hardware is to do now */
    uint64_t sector;
    uint32_t bytes;
};

struct disk {
    const struct block_hardware *hardware;
    struct driver *driver;
    bool lost;
    struct {
        struct os_memory memory;
        uint64_t bus;
        bool busy;
        struct block_request request;
    } slots[BLOCK_SLOTS];
    struct block_request waiting[WAITING_MAX]; /* a ring */
    uint32_t waiting_first, waiting_count;
};

static struct disk disk;

static void answer(const struct block_request *request, err_t err)
{
    if (request->op == BLOCK_OP_READ)
        block_read_reply(request->reply, err, NULL);
    else if (request->op == BLOCK_OP_WRITE)
        block_write_reply(request->reply, err, NULL);
    else if (request->op == BLOCK_OP_COMMIT)
        block_commit_reply(request->reply, err, NULL);
    else
        block_flush_reply(request->reply, err, NULL);
}

static err_t start_in_slot(uint32_t n, const struct block_request *request)
{
    err_t err = E_OK;
    if (disk.lost)
        return E_IO;
    if (request->kind == BLOCK_WRITE)
        err = lent_read(request->reply, 0, disk.slots[n].memory.at, request->bytes);
    if (err == E_OK)
        err = disk.hardware->submit(disk.hardware->context, n, request->kind, request->sector, disk.slots[n].bus,
                                    request->bytes);
    disk.slots[n].busy = err == E_OK;
    disk.slots[n].request = *request;
    return err;
}

static void start_waiting(void)
{
    for (uint32_t n = 0; n < BLOCK_SLOTS && disk.waiting_count > 0; n++) {
        while (!disk.slots[n].busy && disk.waiting_count > 0) {
            struct block_request request = disk.waiting[disk.waiting_first];
            disk.waiting_first = (disk.waiting_first + 1) % WAITING_MAX;
            disk.waiting_count--;
            err_t err = start_in_slot(n, &request);
            if (err != E_OK)
                answer(&request, err);
        }
    }
}

static err_t enter(struct request *r, uint32_t op, enum block_kind kind, uint64_t sector, uint64_t bytes)
{
    uint64_t sectors = bytes / BLOCK_SECTOR_BYTES;
    if (bytes % BLOCK_SECTOR_BYTES != 0 || bytes > BLOCK_SLOT_BYTES || (kind != BLOCK_FLUSH && bytes == 0))
        return E_INVALID;
    if (sector > disk.hardware->sectors || sectors > disk.hardware->sectors - sector)
        return E_RANGE;
    if (kind == BLOCK_WRITE && disk.hardware->read_only)
        return E_READ_ONLY;
    if (disk.lost)
        return E_IO;
    if (disk.waiting_count == WAITING_MAX)
        return E_FULL;
    disk.waiting[(disk.waiting_first + disk.waiting_count++) % WAITING_MAX] =
        (struct block_request){request_keep(r), op, kind, sector, (uint32_t)bytes};
    start_waiting();
    return REPLY_LATER;
}

static err_t handle_info(struct request *r, const struct block_info_in *in, struct block_info_out *out)
{
    out->sectors = disk.hardware->sectors;
    out->read_only = disk.hardware->read_only;
    out->identity = disk.hardware->identity;
    out->identity_length = (uint32_t)__builtin_strlen(disk.hardware->identity);
    return E_OK;
}

static err_t handle_read(struct request *r, const struct block_read_in *in, struct block_read_out *out)
{
    return enter(r, BLOCK_OP_READ, BLOCK_READ, in->sector, in->data_length);
}

static err_t handle_write(struct request *r, const struct block_write_in *in, struct block_write_out *out)
{
    return enter(r, BLOCK_OP_WRITE, BLOCK_WRITE, in->sector, in->data_length);
}

static err_t handle_flush(struct request *r, const struct block_flush_in *in, struct block_flush_out *out)
{
    return enter(r, BLOCK_OP_FLUSH, BLOCK_FLUSH, 0, 0);
}

static err_t handle_commit(struct request *r, const struct block_commit_in *in, struct block_commit_out *out)
{
    return enter(r, BLOCK_OP_COMMIT, BLOCK_WRITE, in->sector, in->data_length);
}

/* The second half of a commit, in the slot of the first: a flush promises only what had ended before it began. */
static err_t flush_written(uint32_t n)
{
    disk.slots[n].request.kind = BLOCK_FLUSH;
    return disk.lost ? E_IO : disk.hardware->submit(disk.hardware->context, n, BLOCK_FLUSH, 0, disk.slots[n].bus, 0);
}

void block_done(uint32_t n, err_t err)
{
    struct block_request *request = &disk.slots[n].request;
    if (err == E_OK && request->kind == BLOCK_READ)
        err = lent_write(request->reply, 0, disk.slots[n].memory.at, request->bytes);
    if (err == E_OK && request->op == BLOCK_OP_COMMIT && request->kind == BLOCK_WRITE) {
        err = flush_written(n);
        if (err == E_OK)
            return;
    }
    disk.slots[n].busy = false;
    answer(request, err);
}

void block_lost(void)
{
    disk.lost = true;
    for (uint32_t n = 0; n < BLOCK_SLOTS; n++)
        if (disk.slots[n].busy)
            block_done(n, E_IO);
    start_waiting();
}

static void notified(void *context, uint64_t bits)
{
    driver_irq_again(disk.driver, bits);
    disk.hardware->interrupt(disk.hardware->context, bits);
    start_waiting();
}

err_t block_run(struct driver *driver, const struct block_hardware *hardware)
{
    static const struct block_server handlers = {.info = handle_info,
                                                 .read = handle_read,
                                                 .write = handle_write,
                                                 .flush = handle_flush,
                                                 .commit = handle_commit};
    static const struct service service = BLOCK_SERVED_BY(&handlers);
    disk.driver = driver;
    disk.hardware = hardware;
    for (uint32_t n = 0; n < BLOCK_SLOTS; n++) {
        err_t err = driver_dma(driver, BLOCK_SLOT_BYTES, &disk.slots[n].memory, &disk.slots[n].bus);
        if (err != E_OK)
            return err;
    }
    return driver_run(driver, &service, notified, NULL, NULL);
}
