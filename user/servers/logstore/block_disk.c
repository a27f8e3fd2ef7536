#include "block_disk.h"

#include <idl/block.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/syscall.h>

#include <string.h>

enum { PART_BYTES = 65536, PATIENCE_MS = 30000 /* longer than any disk takes; then it counts as failed */ };

static handle_t driver;
static struct os_memory part;
static bool driver_ended;

static err_t noted(err_t err)
{
    driver_ended |= err == E_GONE || err == E_DROPPED || err == E_UNKNOWN;
    return err;
}

bool block_disk_driver_ended(void)
{
    return driver_ended;
}

static err_t block_read_part(void *context, uint64_t offset, void *to, uint32_t bytes)
{
    uint8_t *out = to;
    while (bytes > 0) {
        uint32_t now = bytes < PART_BYTES ? bytes : PART_BYTES;
        err_t err = noted(block_read(driver, os_deadline_ms(PATIENCE_MS), offset / SECTOR_BYTES, part.handle, 0, now));
        if (err != E_OK)
            return err;
        memcpy(out, part.at, now);
        out += now;
        offset += now;
        bytes -= now;
    }
    return E_OK;
}

/* The driver does the flush after the last part by itself, which saves its being asked. */
static err_t write_parts(uint64_t offset, const void *from, uint32_t bytes, bool commit)
{
    const uint8_t *in = from;
    while (bytes > 0) {
        uint32_t now = bytes < PART_BYTES ? bytes : PART_BYTES;
        uint64_t sector = offset / SECTOR_BYTES, deadline = os_deadline_ms(PATIENCE_MS);
        memcpy(part.at, in, now);
        err_t err = commit && now == bytes ? block_commit(driver, deadline, sector, part.handle, 0, now)
                                           : block_write(driver, deadline, sector, part.handle, 0, now);
        if (err != E_OK)
            return err;
        in += now;
        offset += now;
        bytes -= now;
    }
    return E_OK;
}

static err_t block_write_all(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    return write_parts(offset, from, bytes, false);
}

static err_t block_commit_all(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    return write_parts(offset, from, bytes, true);
}

static err_t block_flush_all(void *context)
{
    return block_flush(driver, os_deadline_ms(PATIENCE_MS));
}

err_t block_disk_use(handle_t endpoint, struct block_disk *about_out, struct disk *disk_out)
{
    uint32_t read_only;
    err_t err = part.at ? E_OK : os_memory_create(PART_BYTES, 0, &part);
    if (err == E_OK)
        err = noted(block_info(endpoint, os_deadline_ms(PATIENCE_MS), &about_out->sectors, &read_only, NULL));
    if (err != E_OK)
        return err;
    if (driver)
        os_handle_close(driver);
    driver = endpoint;
    about_out->read_only = read_only != 0;
    *disk_out = (struct disk){.bytes = about_out->sectors * SECTOR_BYTES,
                              .read = block_read_part,
                              .write = block_write_all,
                              .flush = block_flush_all,
                              .commit = block_commit_all};
    return E_OK;
}
