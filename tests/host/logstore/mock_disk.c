#include "mock_disk.h"

#include <string.h>

uint64_t mock_random(struct mock_disk *mock)
{
    mock->random += 0x9e3779b97f4a7c15ull;
    uint64_t z = mock->random;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

void mock_start_of(struct mock_disk *mock, uint64_t seed, uint32_t bytes)
{
    memset(mock->durable, 0, bytes);
    memset(mock->cache, 0, bytes);
    memset(mock->dirty, 0, sizeof *mock - offsetof(struct mock_disk, dirty));
    mock->random = seed;
    mock->bytes = bytes;
}

void mock_start(struct mock_disk *mock, uint64_t seed, bool wipe)
{
    if (wipe)
        mock_start_of(mock, seed, MOCK_BYTES);
    mock->random = seed;
}

static bool power_fails(struct mock_disk *mock)
{
    mock->operations++;
    if (mock->power_until != 0 && mock->operations >= mock->power_until)
        mock->off = true;
    return mock->off;
}

static err_t mock_read(void *context, uint64_t offset, void *to, uint32_t bytes)
{
    struct mock_disk *mock = context;
    if (mock->off || offset > mock->bytes || bytes > mock->bytes - offset || offset % SECTOR_BYTES ||
        bytes % SECTOR_BYTES)
        return E_IO;
    memcpy(to, mock->cache + offset, bytes);
    mock->bytes_read += bytes;
    return E_OK;
}

static err_t mock_write(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    struct mock_disk *mock = context;
    if (mock->off || offset > mock->bytes || bytes > mock->bytes - offset || offset % SECTOR_BYTES ||
        bytes % SECTOR_BYTES)
        return E_IO;
    memcpy(mock->cache + offset, from, bytes);
    memset(mock->dirty + offset / SECTOR_BYTES, 1, bytes / SECTOR_BYTES);
    return power_fails(mock) ? E_IO : E_OK;
}

static err_t mock_flush(void *context)
{
    struct mock_disk *mock = context;
    if (mock->off || power_fails(mock))
        return E_IO;
    for (uint32_t s = 0; s < mock->bytes / SECTOR_BYTES; s++)
        if (mock->dirty[s])
            memcpy(mock->durable + s * SECTOR_BYTES, mock->cache + s * SECTOR_BYTES, SECTOR_BYTES);
    memset(mock->dirty, 0, sizeof mock->dirty);
    mock->flushes++;
    return E_OK;
}

static err_t mock_commit(void *context, uint64_t offset, const void *from, uint32_t bytes)
{
    err_t err = mock_write(context, offset, from, bytes);
    return err == E_OK ? mock_flush(context) : err;
}

struct disk mock_interface(struct mock_disk *mock)
{
    mock->bytes = mock->bytes ? mock->bytes : MOCK_BYTES;
    return (struct disk){mock, mock->bytes, mock_read, mock_write, mock_flush, mock_commit};
}

static void settle_sector(struct mock_disk *mock, uint32_t sector, uint32_t mood)
{
    uint8_t *durable = mock->durable + sector * SECTOR_BYTES;
    const uint8_t *written = mock->cache + sector * SECTOR_BYTES;
    uint32_t fate = mood < 2 ? mood : (uint32_t)(mock_random(mock) % 3);
    if (fate == 1)
        memcpy(durable, written, SECTOR_BYTES);
    else if (fate == 2)
        memcpy(durable, written, mock_random(mock) % SECTOR_BYTES);
}

void mock_power_cut(struct mock_disk *mock)
{
    uint32_t mood = (uint32_t)(mock_random(mock) % 4); /* all lost, all kept, or each for itself */
    for (uint32_t s = 0; s < mock->bytes / SECTOR_BYTES; s++)
        if (mock->dirty[s])
            settle_sector(mock, s, mood);
    memcpy(mock->cache, mock->durable, mock->bytes);
    memset(mock->dirty, 0, sizeof mock->dirty);
    mock->off = false;
    mock->power_until = 0;
}
