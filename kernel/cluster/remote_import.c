/* Stand-ins for objects of a peer: Endpoints and Notifications whose receiver is this part of the kernel. */
#include "remote_private.h"

static err_t stand_in_request(struct endpoint *e, struct call *c)
{
    struct remote_import *i = e->context;
    return i ? remote_call_begin(i, c) : E_GONE;
}

static void stand_in_cancelled(struct endpoint *e, struct call *c)
{
    remote_call_cancelled(c); /* by the call: the stand-in may have lost its last handle since */
}

/* Tells the peer that we no longer hold what it passed. */
static void release_passings(struct remote_peer *p, uint64_t target, uint32_t count)
{
    if (count == 0 || !p->up)
        return;
    struct remote_message m = {.kind = REMOTE_RELEASE, .target = target, .count = count};
    (void)remote_enqueue(p, &m, true);
}

static void import_end(struct remote_import *i)
{
    if (i->signal)
        i->signal->signal = NULL; /* it is still sent */
    release_passings(i->peer, i->target, i->passings);
    i->peer->counts.imports--;
    *i = (struct remote_import){0};
}

static void stand_in_unused(struct endpoint *e)
{
    struct remote_import *i = e->context;
    e->context = NULL;
    if (i) {
        import_end(i);
        endpoint_drop(e);
    }
}

static const struct endpoint_handler stand_in_endpoint = {
    .request = stand_in_request, .cancelled = stand_in_cancelled, .unused = stand_in_unused};

static void stand_in_signal(struct notification *n, uint64_t bits)
{
    struct remote_import *i = n->context;
    if (!i || !i->peer->up)
        return;
    struct remote_message m = {.kind = REMOTE_SIGNAL, .target = i->target, .bits = bits};
    if (i->signal) { /* not fetched yet: one message carries all bits */
        struct remote_message waiting;
        const char *wrong = remote_decode(i->signal->data, i->signal->bytes, &waiting);
        assert(!wrong);
        m.bits |= waiting.bits;
        i->signal->bytes = remote_encode(&m, i->signal->data, i->signal->room);
        assert(i->signal->bytes > 0);
        return;
    }
    i->signal = remote_enqueue(i->peer, &m, true);
    if (i->signal)
        i->signal->signal = i;
}

static void stand_in_notification_unused(struct notification *n)
{
    struct remote_import *i = n->context;
    n->context = NULL;
    if (i) {
        import_end(i);
        notification_drop(n);
    }
}

static const struct notification_handler stand_in_notification = {.signal = stand_in_signal,
                                                                  .unused = stand_in_notification_unused};

static struct remote_import *find(struct remote_peer *p, uint64_t target, uint8_t type)
{
    for (uint32_t i = 0; i < REMOTE_IMPORTS; i++)
        if (p->imports[i].object && p->imports[i].target == target && p->imports[i].type == type)
            return &p->imports[i];
    return NULL;
}

static struct remote_import *find_free(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_IMPORTS; i++)
        if (!p->imports[i].object)
            return &p->imports[i];
    return NULL;
}

static err_t make(struct remote_peer *p, uint64_t target, uint8_t type, struct remote_import **out)
{
    struct remote_import *i = find_free(p);
    if (!i)
        return E_FULL;
    *i = (struct remote_import){.peer = p, .target = target, .type = type};
    err_t err;
    if (type == OBJECT_ENDPOINT) {
        struct endpoint *e;
        err = endpoint_create_kernel(remote_budget(), &stand_in_endpoint, i, true, &e);
        i->object = err ? NULL : &e->object;
    } else {
        struct notification *n;
        err = notification_create_kernel(remote_budget(), &stand_in_notification, i, true, &n);
        i->object = err ? NULL : &n->object;
    }
    if (err)
        return err;
    p->counts.imports++;
    *out = i;
    return E_OK;
}

err_t remote_import_target(struct remote_peer *p, uint64_t target, uint8_t type, uint32_t rights, bool passed,
                           struct handle_ref *out)
{
    if (type == OBJECT_REPLY)
        return remote_reply_import(p, target, out);
    struct remote_import *i = find(p, target, type);
    if (!i) {
        err_t err = make(p, target, type, &i);
        if (err) {
            release_passings(p, target, passed);
            return err;
        }
    }
    i->passings += passed;
    uint32_t meaningful =
        RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO | (type == OBJECT_ENDPOINT ? RIGHT_CALL : RIGHT_SIGNAL);
    *out = handle_ref_make(i->object, NULL, rights & meaningful);
    return E_OK;
}

/* This node's own service, with what the sender was permitted: it is local, and outlives the session. */
static err_t import_service(const struct remote_peer *p, const struct remote_handle *h, struct handle_ref *out)
{
    struct handle_ref own;
    err_t err = authority_receive(p->node, &h->permitted, &own);
    if (err)
        return err;
    *out = handle_ref_dup(&own, h->rights);
    handle_ref_drop(&own);
    return E_OK;
}

err_t remote_import_handle(struct remote_peer *p, const struct remote_handle *h, struct handle_ref *out)
{
    if (h->whose == REMOTE_SERVICE)
        return import_service(p, h, out);
    if (h->whose == REMOTE_MINE)
        return remote_import_target(p, h->index, h->type, h->rights, true, out);
    struct handle_ref *own = remote_export_find(p, h->index);
    if (!own || own->object->type != h->type || h->type == OBJECT_REPLY)
        return E_GONE;
    *out = handle_ref_dup(own, h->rights);
    return E_OK;
}

void remote_refs_drop(struct handle_ref *refs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (refs[i].object)
            handle_ref_drop(&refs[i]);
}

err_t remote_import_all(struct remote_peer *p, const struct remote_message *m, struct handle_ref out[IPC_HANDLES_MAX])
{
    err_t err = E_OK;
    for (uint32_t i = 0; i < TAG_HANDLES(m->tag); i++) {
        out[i] = (struct handle_ref){0};
        if (!err)
            err = remote_import_handle(p, &m->handles[i], &out[i]);
        else if (m->handles[i].whose == REMOTE_MINE)
            release_passings(p, m->handles[i].index, 1);
    }
    if (err)
        remote_refs_drop(out, TAG_HANDLES(m->tag));
    return err;
}

void remote_imports_release(struct remote_peer *p, const struct remote_message *m)
{
    for (uint32_t i = 0; i < TAG_HANDLES(m->tag); i++)
        if (m->handles[i].whose == REMOTE_MINE)
            release_passings(p, m->handles[i].index, 1);
}

bool remote_import_target_of(const struct remote_peer *p, const struct object *o, uint64_t *target_out)
{
    if (!o->remote)
        return false;
    for (uint32_t i = 0; i < REMOTE_IMPORTS; i++) {
        if (p->imports[i].object == o) {
            *target_out = p->imports[i].target;
            return true;
        }
    }
    return false;
}

void remote_imports_clear(struct remote_peer *p)
{
    for (uint32_t n = 0; n < REMOTE_IMPORTS; n++) {
        struct remote_import *i = &p->imports[n];
        if (!i->object)
            continue;
        struct object *o = i->object;
        i->passings = 0;
        if (i->type == OBJECT_ENDPOINT) {
            struct endpoint *e = container_of(o, struct endpoint, object);
            e->context = NULL;
            import_end(i);
            endpoint_drop(e);
        } else {
            struct notification *notification = container_of(o, struct notification, object);
            notification->context = NULL;
            import_end(i);
            notification_drop(notification);
        }
    }
}
