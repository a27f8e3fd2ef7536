/* Memory of the tables: size classes over chunks that only ever grow. */
#pragma once

#include <tables/tables.h>

#define ARENA_CLASSES 48
#define ARENA_LARGEST 8192u

struct arena_chunk {
    struct arena_chunk *next;
    uint64_t reserved;
};

struct arena {
    struct tables_memory memory;
    struct arena_chunk *first, *current;
    size_t used; /* of the current chunk */
    size_t keep; /* bytes of the first chunk that outlive arena_reset() */
    uint64_t taken;
    void *free[ARENA_CLASSES];
};

/* Takes the first chunk and keeps `keep` zeroed bytes of it for the caller. NULL: no memory. */
void *arena_init(struct arena *arena, const struct tables_memory *memory, size_t keep);
/* All blocks are void; the chunks stay. */
void arena_reset(struct arena *arena);
/* Not zeroed, aligned to 16; NULL: no memory. bytes <= ARENA_LARGEST. */
void *arena_take(struct arena *arena, size_t bytes);
void arena_give(struct arena *arena, void *block, size_t bytes);
