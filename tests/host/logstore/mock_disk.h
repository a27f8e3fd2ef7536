/* A disk with a volatile cache that loses power. */
#pragma once

#include <disk.h>

#define MOCK_BYTES (3u * 1024u * 1024u)
#define MOCK_MOST  (9u * 1024u * 1024u)
#define MOCK_WIDE  (16u * 1024u * 1024u) /* the log is wider than the window that is searched for harm */

struct mock_disk {
    uint8_t durable[MOCK_WIDE] __attribute__((aligned(16)));
    uint8_t cache[MOCK_WIDE]; /* what reads see */
    uint8_t dirty[MOCK_WIDE / SECTOR_BYTES];
    uint64_t operations;  /* writes and flushes so far */
    uint64_t power_until; /* operation number at which the power goes; 0: never */
    uint64_t bytes_read, flushes;
    bool off;
    uint64_t random;
    uint32_t bytes;
};

void mock_start(struct mock_disk *mock, uint64_t seed, bool wipe); /* of MOCK_BYTES */
void mock_start_of(struct mock_disk *mock, uint64_t seed, uint32_t bytes);
struct disk mock_interface(struct mock_disk *mock);
uint64_t mock_random(struct mock_disk *mock);

/* The power goes: every sector written since the last flush is kept, lost or torn, by the seed. Then it comes back. */
void mock_power_cut(struct mock_disk *mock);
