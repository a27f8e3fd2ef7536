/* Entries of the replicated tables: what decodes is encoded alike; any entries, applied one after the other, leave
 * tables whose snapshot loads into the same tables. */
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

static struct tables *make(void)
{
    static const uint64_t cluster[2] = {1, 2};
    const struct tables_memory memory = {.chunk = chunk};
    struct tables *t;
    MUST(tables_init(&memory, cluster, 1, &t) == E_OK);
    return t;
}

static void check_same_bytes(const struct tables_op *op, const uint8_t *entry, size_t bytes)
{
    static uint8_t encoded[TABLES_ENTRY_MAX];
    size_t again = tables_encode(op, encoded, sizeof(encoded));
    MUST(again == bytes && memcmp(encoded, entry, bytes) == 0);
}

static void check_snapshot(struct tables *t)
{
    struct tables_saver saver;
    struct tables_loader loader;
    struct tables *other = make();
    uint8_t part[997];
    tables_save_begin(t, &saver);
    tables_load_begin(other, &loader);
    for (size_t got; (got = tables_save(t, &saver, part, sizeof(part))) > 0;)
        MUST(tables_load(other, &loader, part, got) == E_OK);
    MUST(tables_load_end(other, &loader) == E_OK);
    MUST(tables_hash(t) == tables_hash(other) && tables_applied_index(t) == tables_applied_index(other));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    struct tables *t = make();
    struct tables_result result;
    struct tables_op op;
    for (uint64_t index = 1; in.left > 0 && index < 100; index++) {
        size_t length;
        uint8_t *entry = input_piece(&in, &length);
        if (tables_decode(entry, length, &op) == E_OK)
            check_same_bytes(&op, entry, length);
        err_t err = tables_apply(t, index, 1, entry, length, &result);
        free(entry);
        MUST(err == E_OK || err == E_NO_MEMORY || (err == E_NOT_SUPPORTED && tables_level(t) > TABLES_LEVEL_NOW));
        if (err != E_OK)
            break;
    }
    if (tables_level(t) <= TABLES_LEVEL_NOW && chunk_count < sizeof(chunks) / sizeof(chunks[0]) / 2)
        check_snapshot(t);
    while (chunk_count > 0)
        free(chunks[--chunk_count]);
    return 0;
}
