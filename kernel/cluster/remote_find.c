/* Asking a peer for one of its well-known endpoints. */
#include "remote_private.h"

static struct remote_find_slot *find_free(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_FINDS; i++)
        if (!p->finds[i].done && !p->finds[i].given_up)
            return &p->finds[i];
    return NULL;
}

static void find_here(const char *name, remote_found_fn *done, void *context)
{
    struct handle_ref *offer = remote_offer_find(name);
    struct handle_ref found = {0};
    if (offer)
        found = handle_ref_dup(offer, offer->rights);
    done(context, offer ? E_OK : E_NOT_FOUND, &found);
}

void remote_find(uint32_t node, const char *name, remote_found_fn *done, void *context)
{
    struct handle_ref none = {0};
    if (remote_is_self(node)) {
        find_here(name, done, context);
        return;
    }
    struct remote_peer *p = remote_peer_get(node);
    struct remote_find_slot *f = p && p->up ? find_free(p) : NULL;
    if (!f) {
        done(context, E_NOT_DELIVERED, &none);
        return;
    }
    f->generation++;
    struct remote_message m = {.kind = REMOTE_FIND, .call = remote_name((uint32_t)(f - p->finds), f->generation)};
    for (uint32_t i = 0; i < REMOTE_NAME_MAX && name[i]; i++)
        m.name[i] = name[i];
    if (!remote_enqueue(p, &m, false)) {
        done(context, E_NOT_DELIVERED, &none);
        return;
    }
    f->done = done;
    f->context = context;
}

void remote_find_cancel(void *context)
{
    for (uint32_t node = 1; node <= NODES_MAX; node++) {
        struct remote_peer *p = remote_peer_get(node);
        for (uint32_t i = 0; p && i < REMOTE_FINDS; i++) {
            struct remote_find_slot *f = &p->finds[i];
            if (f->done && f->context == context) {
                f->done = NULL;
                f->given_up = true;
            }
        }
    }
}

bool remote_receive_find(struct remote_peer *p, const struct remote_message *m)
{
    struct remote_message answer = {.kind = REMOTE_FOUND, .call = m->call, .outcome = E_NOT_FOUND};
    struct handle_ref *offer = remote_offer_find(m->name);
    if (offer) {
        struct handle_ref ref = handle_ref_dup(offer, offer->rights);
        answer.outcome = remote_export(p, &ref, &answer.handles[0]);
        bool queued = remote_enqueue(p, &answer, true) != NULL;
        handle_ref_drop(&ref);
        return queued;
    }
    return remote_enqueue(p, &answer, true) != NULL;
}

bool remote_receive_found(struct remote_peer *p, const struct remote_message *m)
{
    uint32_t slot = remote_slot(m->call);
    struct remote_find_slot *f = slot < REMOTE_FINDS ? &p->finds[slot] : NULL;
    if (!f || f->generation != m->call >> 16 || (!f->done && !f->given_up))
        return false;
    struct handle_ref found = {0};
    err_t err = m->outcome < E_COUNT ? m->outcome : E_UNKNOWN;
    if (err == E_OK)
        err = remote_import_handle(p, &m->handles[0], &found);
    remote_found_fn *done = f->done;
    f->done = NULL;
    f->given_up = false;
    if (done)
        done(f->context, err, &found);
    else if (found.object)
        handle_ref_drop(&found);
    return true;
}

void remote_finds_end(struct remote_peer *p)
{
    struct handle_ref none = {0};
    for (uint32_t i = 0; i < REMOTE_FINDS; i++) {
        struct remote_find_slot *f = &p->finds[i];
        remote_found_fn *done = f->done;
        f->done = NULL;
        f->given_up = false;
        if (done)
            done(f->context, E_NOT_DELIVERED, &none);
    }
}
