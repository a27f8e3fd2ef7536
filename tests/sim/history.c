/* Is what the clients saw linearizable? The state at the end gives the order of all appends to a key; every read names
 * how many of them it saw. What remains is that real time agrees: an operation that ended before another began comes
 * first. */
#include "sim.h"

struct operation {
    uint32_t client, id;
    bool read, complete;
    uint64_t invoked, completed; /* positions in one order of all invocations and completions */
    uint32_t count;
    uint64_t hash;
    char key[16];
};
static struct operation *operations;
static uint64_t count, room, order;

uint64_t history_invoke(uint32_t client, const char *key, bool read, uint32_t id)
{
    if (count == room) {
        room = room ? 2 * room : 4096;
        operations = realloc(operations, room * sizeof(*operations));
    }
    struct operation *op = &operations[count];
    *op = (struct operation){.client = client, .id = id, .read = read, .invoked = ++order};
    snprintf(op->key, sizeof(op->key), "%s", key);
    return count++;
}

void history_complete(uint64_t op, uint32_t elements, uint64_t hash)
{
    operations[op].complete = true;
    operations[op].completed = ++order;
    operations[op].count = elements;
    operations[op].hash = hash;
}

static uint64_t hash_step(uint64_t hash, uint32_t element)
{
    return (hash ^ element) * 0x100000001b3ull + 1;
}

static uint32_t element_at(const uint8_t *value, uint32_t at)
{
    uint32_t element;
    memcpy(&element, value + 4 * at, 4);
    return element;
}

uint64_t history_hash(const uint8_t *value, uint32_t elements)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < elements; i++)
        hash = hash_step(hash, element_at(value, i));
    return hash;
}

/* ---- the check, key by key ---- */

struct final {
    const uint8_t *value;
    uint32_t elements;
    uint64_t *hashes; /* of the first n */
};

static uint32_t position_of(const struct final *final, uint32_t id)
{
    uint32_t position = 0;
    for (uint32_t i = 0; i < final->elements; i++) {
        if (element_at(final->value, i) != id)
            continue;
        if (position != 0)
            violation(EXIT_CORRECTNESS, "append %u was applied twice", id);
        position = i + 1;
    }
    return position;
}

/* Turns op->count into its place: appends stand at their position, reads right after the last append they saw. */
static void place(struct operation *op, const struct final *final)
{
    if (!op->read) {
        op->count = position_of(final, op->id);
        if (op->complete && op->count == 0)
            violation(EXIT_CORRECTNESS, "append %u to %s was acknowledged and is lost", op->id, op->key);
    } else if (op->complete && (op->count > final->elements || final->hashes[op->count] != op->hash)) {
        violation(EXIT_CORRECTNESS, "a read of %s by client %u saw what never was", op->key, op->client);
    }
}

struct moment {
    uint64_t order;
    struct operation *op;
};

static int by_order(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Walks invocations and completions in real order: nobody may stand before what was complete when it began. */
static void check_order(struct moment *moments, size_t moment_count)
{
    struct {
        const struct operation *op;
        uint32_t place;
    } latest = {NULL, 0};
    uint32_t *floors = calloc(count + 1, sizeof(uint32_t));
    for (size_t i = 0; i < moment_count; i++) {
        struct operation *op = moments[i].op;
        if (moments[i].order == op->invoked) {
            floors[op - operations] = latest.place;
            continue;
        }
        uint32_t floor = floors[op - operations];
        if (op->read ? op->count < floor : op->count <= floor)
            violation(EXIT_CORRECTNESS,
                      "%s of %s by client %u stands at %u, but what was complete before it began at %u",
                      op->read ? "a read" : "an append", op->key, op->client, op->count, floor);
        if (op->count > latest.place)
            latest.place = op->count;
    }
    free(floors);
}

static void check_key(const struct tables *t, const char *key)
{
    struct tables_key_view view = {.value_bytes = 0};
    tables_key(t, (struct tables_text){.at = key, .bytes = (uint32_t)strlen(key)}, &view);
    struct final final = {.value = view.value, .elements = view.value_bytes / 4};
    final.hashes = calloc(final.elements + 1, sizeof(uint64_t));
    for (uint32_t i = 0; i < final.elements; i++)
        final.hashes[i + 1] = hash_step(final.hashes[i], element_at(final.value, i));
    struct moment *moments = malloc(2 * (count + 1) * sizeof(*moments));
    size_t moment_count = 0;
    uint32_t appends = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct operation *op = &operations[i];
        if (strcmp(op->key, key) != 0)
            continue;
        place(op, &final);
        appends += !op->read && op->count > 0;
        /* An append that nobody answered may still be seen: it then stands where it stands, and ends never. */
        moments[moment_count++] = (struct moment){op->invoked, op};
        if (op->complete)
            moments[moment_count++] = (struct moment){op->completed, op};
    }
    if (appends != final.elements)
        violation(EXIT_CORRECTNESS, "%s holds %u elements, %u of them were appended", key, final.elements, appends);
    qsort(moments, moment_count, sizeof(*moments), by_order);
    check_order(moments, moment_count);
    free(moments);
    free(final.hashes);
}

void history_check(const struct tables *t)
{
    char(*keys)[16] = calloc(count + 1, sizeof(*keys));
    size_t key_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < key_count && strcmp(keys[k], operations[i].key) != 0)
            k++;
        if (k == key_count)
            memcpy(keys[key_count++], operations[i].key, sizeof(keys[0]));
    }
    for (size_t k = 0; k < key_count; k++)
        check_key(t, keys[k]);
    free(keys);
}
