/* The disk as the store sees it. The same store runs on a block driver and, in tests, on a disk that loses power. */
#pragma once

#include <abi/types.h>

#define SECTOR_BYTES 512u

/* All four return when the device has answered. Offsets and lengths are whole sectors, in bytes. What was written is
 * durable only after the next flush or commit that returns E_OK; commit is a write and then a flush. Errors are E_IO,
 * or what the way to the driver gives. */
struct disk {
    void *context;
    uint64_t bytes;
    err_t (*read)(void *context, uint64_t offset, void *to, uint32_t bytes);
    err_t (*write)(void *context, uint64_t offset, const void *from, uint32_t bytes);
    err_t (*flush)(void *context);
    err_t (*commit)(void *context, uint64_t offset, const void *from, uint32_t bytes);
};
