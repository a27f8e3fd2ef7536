/* A disk: the library checks requests, copies through slots of DMA memory and keeps the callers; the hardware's
 * callbacks start requests and report their ends. */
#pragma once

#include <driver/driver.h>

#define BLOCK_SECTOR_BYTES 512u
#define BLOCK_SLOTS        8u     /* requests in flight */
#define BLOCK_SLOT_BYTES   65536u /* data of one */

enum block_kind { BLOCK_READ = 1, BLOCK_WRITE = 2, BLOCK_FLUSH = 3 };

struct block_hardware {
    void *context;
    uint64_t sectors;
    bool read_only;
    char identity[41];
    /* Starts request `slot`: its data lies, or goes, at bus address `data` of the slot. Its end is told with
     * block_done. An error: it was not started. */
    err_t (*submit)(void *context, uint32_t slot, enum block_kind kind, uint64_t sector, uint64_t data, uint32_t bytes);
    /* Interrupts `bits` came: call block_done for what ended. */
    void (*interrupt)(void *context, uint64_t bits);
};

/* The request in `slot` ended with E_OK or E_IO. Called from within `interrupt`. */
void block_done(uint32_t slot, err_t err);

/* All requests in flight end with E_IO, and every later one: the device is lost. */
void block_lost(void);

/* Serves the disk for ever; returns only an error. */
err_t block_run(struct driver *driver, const struct block_hardware *hardware);
