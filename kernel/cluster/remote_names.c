/* Endpoints of this node that peers can reach without having been passed them: well-known services by name, and numbers
 * that stand in the cluster's table of names. */
#include "remote_private.h"

struct offer {
    char name[REMOTE_NAME_MAX + 1];
    struct handle_ref ref; /* object NULL: free */
    uint64_t owner;
};

static struct offer offers[REMOTE_OFFERS];
static struct remote_export published[REMOTE_PUBLISHED];

static struct offer *offer_named(const char *name)
{
    for (uint32_t i = 0; i < REMOTE_OFFERS; i++)
        if (offers[i].ref.object && __builtin_strcmp(offers[i].name, name) == 0)
            return &offers[i];
    return NULL;
}

static struct offer *offer_free(void)
{
    for (uint32_t i = 0; i < REMOTE_OFFERS; i++)
        if (!offers[i].ref.object)
            return &offers[i];
    return NULL;
}

err_t remote_offer(const char *name, uint64_t owner, struct handle_ref *endpoint)
{
    size_t length = __builtin_strlen(name);
    assert(endpoint->object->type == OBJECT_ENDPOINT);
    struct offer *o = length > 0 && length <= REMOTE_NAME_MAX ? offer_named(name) : NULL;
    if (!o)
        o = offer_free();
    bool taken = o && o->ref.object && !o->ref.object->dead && o->owner != owner;
    if (!o || taken || length == 0 || length > REMOTE_NAME_MAX) {
        handle_ref_drop(endpoint);
        return taken ? E_EXISTS : o ? E_INVALID : E_FULL;
    }
    o->owner = owner;
    if (o->ref.object)
        handle_ref_drop(&o->ref);
    __builtin_memcpy(o->name, name, length + 1);
    handle_ref_move(endpoint, &o->ref);
    return E_OK;
}

void remote_withdraw(uint64_t owner)
{
    for (uint32_t i = 0; i < REMOTE_OFFERS; i++)
        if (offers[i].ref.object && offers[i].owner == owner)
            handle_ref_drop(&offers[i].ref);
}

/* An offer whose endpoint has died is as good as none. */
struct handle_ref *remote_offer_find(const char *name)
{
    struct offer *o = offer_named(name);
    return o && !o->ref.object->dead ? &o->ref : NULL;
}

static uint64_t number_of(const struct remote_export *e)
{
    return REMOTE_PUBLISHED_BIT | remote_name((uint32_t)(e - published), e->generation);
}

uint64_t remote_publish(struct handle_ref *endpoint)
{
    for (uint32_t i = 0; i < REMOTE_PUBLISHED; i++) {
        struct remote_export *e = &published[i];
        if (e->ref.object)
            continue;
        handle_ref_move(endpoint, &e->ref);
        e->generation++;
        return number_of(e);
    }
    handle_ref_drop(endpoint);
    return 0;
}

struct handle_ref *remote_published_find(uint64_t number)
{
    uint32_t slot = remote_slot((uint32_t)number);
    if (slot >= REMOTE_PUBLISHED || !published[slot].ref.object || number_of(&published[slot]) != number)
        return NULL;
    return &published[slot].ref;
}

void remote_unpublish(uint64_t number)
{
    struct handle_ref *ref = remote_published_find(number);
    if (ref)
        handle_ref_drop(ref);
}
