/* Operations of Memory. */
#include "control_local.h"

static struct memory *memory_of(struct control *c)
{
    return container_of(c->object, struct memory, object);
}

err_t control_MEMORY_INFO(struct control *c)
{
    const struct memory *m = memory_of(c);
    struct memory_info info = {
        .bytes = m->pages * PAGE_BYTES,
        .resident_bytes = m->resident * PAGE_BYTES,
        .flags = m->flags,
        .sealed = m->sealed,
    };
    return copy_to_user(c->a, &info, sizeof(info));
}

err_t control_MEMORY_SEAL(struct control *c)
{
    return memory_seal(memory_of(c));
}
