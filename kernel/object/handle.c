/* Handle tables: index and generation to object and rights. Chunks are added on demand, charged to the process. */
#include <kernel/debug.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/process.h>

#define CHUNK_BYTES (HANDLE_CHUNK * sizeof(struct handle_entry))

static err_t table_grow(struct process *p)
{
    struct handle_table *t = &p->handles;
    if (t->capacity == HANDLES_MAX)
        return E_FULL;
    err_t err = object_charge(&p->object, CHUNK_BYTES);
    if (err != E_OK)
        return err;
    struct handle_entry *chunk = kalloc(CHUNK_BYTES);
    if (!chunk) {
        object_uncharge(&p->object, CHUNK_BYTES);
        return E_NO_MEMORY;
    }
    t->chunks[t->capacity / HANDLE_CHUNK] = chunk;
    for (uint32_t i = HANDLE_CHUNK; i-- > 0;) {
        chunk[i].generation = 1;
        chunk[i].next_free = t->free;
        t->free = t->capacity + i + 1;
    }
    t->capacity += HANDLE_CHUNK;
    return E_OK;
}

err_t handle_reserve(struct process *p, uint32_t count)
{
    if (p->ending)
        return E_GONE;
    while (p->handles.capacity - p->handles.used < count) {
        err_t err = table_grow(p);
        if (err != E_OK)
            return err;
    }
    return E_OK;
}

err_t handle_decode_any(struct process *p, uint64_t h, enum object_type type, uint32_t rights,
                        struct handle_entry **out)
{
    struct handle_entry *e = h >> 32 ? NULL : handle_entry(&p->handles, (handle_t)h);
    if (!e)
        return E_BAD_HANDLE;
    if (type != OBJECT_NONE && e->object->type != type)
        return E_WRONG_TYPE;
    if ((e->rights & rights) != rights)
        return E_NO_RIGHT;
    *out = e;
    return E_OK;
}

err_t handle_decode(struct process *p, uint64_t h, enum object_type type, uint32_t rights, struct handle_entry **out)
{
    err_t err = handle_decode_any(p, h, type, rights, out);
    if (err != E_OK)
        return err;
    if ((*out)->object->dead || ((*out)->gate && (*out)->gate->revoked)) /* only Endpoints have a gate */
        return E_GONE;
    return E_OK;
}

err_t handle_object(struct process *p, uint64_t h, enum object_type type, uint32_t rights, void *object_out)
{
    struct object *o = handle_plain(&p->handles, h, type, rights);
    struct handle_entry *e;
    err_t err = E_OK;
    if (unlikely(!o)) {
        err = handle_decode(p, h, type, rights, &e);
        if (err != E_OK)
            return err;
        o = e->object;
    }
    *(struct object **)object_out = o;
    return err;
}

handle_t handle_install(struct process *p, struct handle_ref *r)
{
    struct handle_table *t = &p->handles;
    assert(t->free != 0 && r->object);
    handle_t h = handle_slot_take(t, r->object, r->gate, r->rights);
    if (r->object->type == OBJECT_REPLY)
        reply_moved_into(r->object, p, h);
    *r = (struct handle_ref){0};
    return h;
}

err_t handle_insert(struct process *p, struct handle_ref *r, handle_t *out)
{
    err_t err = handle_reserve(p, 1);
    if (err != E_OK) {
        handle_ref_drop(r);
        return err;
    }
    *out = handle_install(p, r);
    return E_OK;
}

struct handle_ref handle_take(struct process *p, handle_t h)
{
    struct handle_entry *e = handle_entry(&p->handles, h);
    assert(e);
    struct handle_ref r = {e->object, e->gate, e->rights};
    handle_slot_release(&p->handles, e, h & 0xffff);
    return r;
}

void handle_close(struct process *p, handle_t h)
{
    struct handle_ref r = handle_take(p, h);
    handle_ref_drop(&r);
}

bool handle_any(struct process *p, handle_wanted wanted)
{
    for (uint32_t i = 0; i < p->handles.capacity; i++) {
        const struct object *o = handle_slot(&p->handles, i)->object;
        if (o && wanted(p, o))
            return true;
    }
    return false;
}

bool handle_table_drain(struct process *p, uint32_t limit)
{
    struct handle_table *t = &p->handles;
    for (uint32_t i = t->capacity; t->used > 0 && i-- > 0 && limit > 0;) {
        struct handle_entry *e = handle_slot(t, i);
        if (!e->object)
            continue;
        struct handle_ref r = {e->object, e->gate, e->rights};
        handle_slot_release(t, e, i);
        handle_ref_drop(&r);
        limit--;
    }
    return t->used > 0;
}

void handle_table_free(struct process *p)
{
    struct handle_table *t = &p->handles;
    assert(t->used == 0);
    for (uint32_t i = 0; i < t->capacity; i += HANDLE_CHUNK) {
        kfree(t->chunks[i / HANDLE_CHUNK], CHUNK_BYTES);
        object_uncharge(&p->object, CHUNK_BYTES);
    }
    *t = (struct handle_table){0};
}
