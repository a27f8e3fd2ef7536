/* Snapshots of the tables: any bytes are refused, or they are a snapshot, and then these tables write those bytes. If
 * the first byte is odd the hash at the end is mended, so that what is before it decides. */
#include <tables/tables.h>

#include "fuzz.h"

static void *chunks[64];
static uint32_t chunk_count;

static void *chunk(void *context)
{
    if (chunk_count == sizeof(chunks) / sizeof(chunks[0]))
        return NULL;
    return chunks[chunk_count++] = aligned_alloc(16, TABLES_CHUNK_BYTES);
}

static void check_same_bytes(struct tables *t, const uint8_t *data, size_t bytes)
{
    struct tables_saver saver;
    uint8_t part[512];
    size_t at = 0;
    tables_save_begin(t, &saver);
    for (size_t got; (got = tables_save(t, &saver, part, sizeof(part))) > 0; at += got)
        MUST(at + got <= bytes && memcmp(data + at, part, got) == 0);
    MUST(at == bytes);
}

static void mend(uint8_t *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i + 13 < bytes; i++) /* the last record: length, part, hash */
        hash = (hash ^ data[i]) * 0x100000001b3ull;
    memcpy(data + bytes - 8, &hash, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const uint64_t cluster[2] = {1, 2};
    const struct tables_memory memory = {.chunk = chunk};
    struct input in = {data, bytes};
    struct tables_loader loader;
    struct tables *t;
    size_t step = (size_t)input_byte(&in) + 1;
    err_t err = E_OK;
    uint8_t *whole = malloc(in.left + 1);
    memcpy(whole, in.at, in.left);
    if (step % 2 == 0 && in.left >= 13)
        mend(whole, in.left);
    MUST(tables_init(&memory, cluster, 1, &t) == E_OK);
    tables_load_begin(t, &loader);
    for (size_t at = 0; at < in.left && err == E_OK; at += step) {
        size_t now = in.left - at < step ? in.left - at : step;
        uint8_t *exact = malloc(now);
        memcpy(exact, whole + at, now);
        err = tables_load(t, &loader, exact, now);
        free(exact);
    }
    if (err == E_OK && tables_load_end(t, &loader) == E_OK)
        check_same_bytes(t, whole, in.left);
    else
        MUST(tables_applied_index(t) == 0);
    free(whole);
    while (chunk_count > 0)
        free(chunks[--chunk_count]);
    return 0;
}
