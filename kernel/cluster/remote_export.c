/* Handles that a peer was given: the only things here that it can name. */
#include "remote_private.h"

static bool remotable(const struct object *o)
{
    return o->type == OBJECT_ENDPOINT || o->type == OBJECT_NOTIFICATION || o->type == OBJECT_REPLY;
}

static uint64_t target_of(struct remote_peer *p, struct remote_export *e)
{
    return remote_name((uint32_t)(e - p->exports), e->generation);
}

static bool same(const struct handle_ref *a, const struct handle_ref *b)
{
    return a->object == b->object && a->gate == b->gate && a->rights == b->rights;
}

/* The entry that shows *ref already, or a free one, or NULL. Replies are never shared: each is moved once. */
static struct remote_export *place_for(struct remote_peer *p, const struct handle_ref *ref)
{
    struct remote_export *unused = NULL;
    for (uint32_t i = 0; i < REMOTE_EXPORTS; i++) {
        struct remote_export *e = &p->exports[i];
        if (e->ref.object && ref->object->type != OBJECT_REPLY && same(&e->ref, ref))
            return e;
        if (!e->ref.object && !unused)
            unused = e;
    }
    return unused;
}

err_t remote_export(struct remote_peer *p, struct handle_ref *ref, struct remote_handle *out)
{
    uint64_t target;
    if (!remotable(ref->object))
        return E_NODE_BOUND;
    *out = (struct remote_handle){.type = ref->object->type, .rights = (uint16_t)ref->rights};
    const struct permissions *permitted = authority_permissions(ref->object);
    if (permitted) {
        out->whose = REMOTE_SERVICE;
        out->permitted = *permitted;
        return E_OK;
    }
    if (remote_import_target_of(p, ref->object, &target) && !(target & REMOTE_PUBLISHED_BIT)) {
        out->whose = REMOTE_YOURS;
        out->index = (uint32_t)target;
        return E_OK;
    }
    struct remote_export *e = place_for(p, ref);
    if (!e)
        return E_FULL;
    if (!e->ref.object) {
        handle_ref_move(ref, &e->ref);
        e->generation++;
        p->counts.exports++;
    }
    e->passings++;
    out->index = (uint32_t)target_of(p, e);
    return E_OK;
}

void remote_unexport(struct remote_peer *p, const struct remote_handle *handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (handles[i].whose == REMOTE_MINE)
            (void)remote_export_release(p, handles[i].index, 1);
}

bool remote_can_export(const struct remote_peer *p, uint32_t count)
{
    for (uint32_t i = 0; i < REMOTE_EXPORTS && count > 0; i++)
        count -= p->exports[i].ref.object == NULL;
    return count == 0;
}

static struct remote_export *find(struct remote_peer *p, uint64_t target)
{
    uint32_t slot = remote_slot((uint32_t)target);
    if (target >> 32 || slot >= REMOTE_EXPORTS)
        return NULL;
    struct remote_export *e = &p->exports[slot];
    return e->ref.object && target_of(p, e) == target ? e : NULL;
}

struct handle_ref *remote_export_find(struct remote_peer *p, uint64_t target)
{
    if (target & REMOTE_PUBLISHED_BIT)
        return remote_published_find(target);
    struct remote_export *e = find(p, target);
    return e ? &e->ref : NULL;
}

bool remote_export_take(struct remote_peer *p, uint64_t target, struct handle_ref *out)
{
    struct remote_export *e = find(p, target);
    if (!e)
        return false;
    handle_ref_move(&e->ref, out);
    e->passings = 0;
    p->counts.exports--;
    return true;
}

/* Out of the table first, then closed: closing may lead back here. */
static void drop(struct remote_peer *p, struct remote_export *e)
{
    struct handle_ref ref;
    if (remote_export_take(p, target_of(p, e), &ref))
        handle_ref_drop(&ref);
}

bool remote_export_release(struct remote_peer *p, uint64_t target, uint32_t count)
{
    struct remote_export *e = find(p, target);
    if (!e || e->passings < count)
        return e == NULL; /* a Reply that was answered meanwhile is no longer there */
    e->passings -= count;
    if (e->passings == 0)
        drop(p, e);
    return true;
}

/* A Reply that the peer was passed: whether it was used there nobody knows. */
static void reply_lost(struct remote_peer *p, struct remote_export *e)
{
    struct handle_ref ref;
    (void)remote_export_take(p, target_of(p, e), &ref);
    struct call *c = reply_use(&ref);
    if (c)
        call_fail(c, E_UNKNOWN);
}

void remote_exports_clear(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_EXPORTS; i++) {
        struct remote_export *e = &p->exports[i];
        if (e->ref.object && e->ref.object->type == OBJECT_REPLY)
            reply_lost(p, e);
        else if (e->ref.object)
            drop(p, e);
    }
}
