#include "state.h"

void *take(struct link *l, size_t bytes)
{
    if (l->statistics.memory_bytes + bytes > l->config.memory.limit)
        return NULL;
    void *block = l->config.memory.take(l->config.memory.context, bytes);
    if (!block)
        return NULL;
    l->statistics.memory_bytes += bytes;
    return memset(block, 0, bytes);
}

/* What links carry, keys among it, is nobody's afterwards. */
void give(struct link *l, void *block, size_t bytes)
{
    memset(block, 0, bytes);
    l->statistics.memory_bytes -= bytes;
    l->config.memory.give(l->config.memory.context, block, bytes);
}
