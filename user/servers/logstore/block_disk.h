/* A block driver as a struct disk. */
#pragma once

#include "disk.h"

struct block_disk {
    uint64_t sectors;
    bool read_only;
};

/* Uses the driver behind `endpoint` (taken over) from now on; the one before is given up. */
err_t block_disk_use(handle_t endpoint, struct block_disk *about_out, struct disk *disk_out);
/* Whether it was found to have ended: errors since then say nothing about the disk. */
bool block_disk_driver_ended(void);
