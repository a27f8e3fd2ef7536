#include "arena.h"

#include <string.h>

#include <base/assert.h>

/* Classes: every 16 bytes up to 256, then four to each doubling. */
static uint32_t class_of(size_t bytes, size_t *rounded_out)
{
    if (bytes <= 256) {
        uint32_t class = bytes ? (uint32_t)(bytes - 1) / 16 : 0;
        *rounded_out = (class + 1) * 16;
        return class;
    }
    uint32_t class = 16;
    for (size_t base = 256;; base *= 2) {
        for (size_t quarter = 1; quarter <= 4; quarter++, class ++) {
            *rounded_out = base + base / 4 * quarter;
            if (bytes <= *rounded_out)
                return class;
        }
    }
}

static bool add_chunk(struct arena *arena)
{
    struct arena_chunk *chunk = arena->current ? arena->current->next : NULL;
    if (!chunk) {
        chunk = arena->memory.chunk(arena->memory.context);
        if (!chunk)
            return false;
        chunk->next = NULL;
        arena->taken += TABLES_CHUNK_BYTES;
        if (arena->current)
            arena->current->next = chunk;
        else
            arena->first = chunk;
    }
    arena->current = chunk;
    arena->used = sizeof(struct arena_chunk);
    return true;
}

void *arena_init(struct arena *arena, const struct tables_memory *memory, size_t keep)
{
    memset(arena, 0, sizeof(*arena));
    arena->memory = *memory;
    ASSERT(keep % 16 == 0 && keep < TABLES_CHUNK_BYTES - sizeof(struct arena_chunk));
    if (!add_chunk(arena))
        return NULL;
    arena->keep = keep;
    arena->used += keep;
    return memset(arena->first + 1, 0, keep);
}

void arena_reset(struct arena *arena)
{
    arena->current = arena->first;
    arena->used = sizeof(struct arena_chunk) + arena->keep;
    memset(arena->free, 0, sizeof(arena->free));
}

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t rounded;
    ASSERT(bytes <= ARENA_LARGEST);
    uint32_t class = class_of(bytes, &rounded);
    ASSERT(class < ARENA_CLASSES);
    void *block = arena->free[class];
    if (block) {
        memcpy(&arena->free[class], block, sizeof(void *));
        return block;
    }
    if (TABLES_CHUNK_BYTES - arena->used < rounded && !add_chunk(arena))
        return NULL;
    block = (uint8_t *)arena->current + arena->used;
    arena->used += rounded;
    return block;
}

void arena_give(struct arena *arena, void *block, size_t bytes)
{
    size_t rounded;
    uint32_t class = class_of(bytes, &rounded);
    memcpy(block, &arena->free[class], sizeof(void *));
    arena->free[class] = block;
}
