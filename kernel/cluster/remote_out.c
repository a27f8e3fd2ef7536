/* Calls of processes here to objects of a peer. The caller's own call is held by the stand-in's handler until the
 * answer comes, the caller gives up, or the session ends. */
#include "remote_private.h"

#include <kernel/process.h>
#include <kernel/sched.h>

static struct remote_call_out *find_free(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_CALLS; i++)
        if (!p->out[i].call)
            return &p->out[i];
    return NULL;
}

static uint32_t number_of(struct remote_call_out *o)
{
    return remote_name((uint32_t)(o - o->peer->out), o->generation);
}

static const struct object *object_of_handle(const struct call *c, uint32_t i)
{
    if (!c->thread)
        return c->refs[i].object;
    struct handle_entry *e = handle_entry(&c->thread->process->handles, c->handles[i]);
    return e ? e->object : NULL;
}

/* Whether the handles that come with the call can travel; looked at before anything moves. What decides how long the
 * message is, is filled in. */
static err_t check_handles(struct remote_peer *p, const struct call *c, struct remote_message *m)
{
    uint32_t count = TAG_HANDLES(c->tag);
    for (uint32_t i = 0; i < count; i++) {
        const struct object *o = object_of_handle(c, i);
        if (!o)
            return E_BAD_HANDLE;
        if (o->type != OBJECT_ENDPOINT && o->type != OBJECT_REPLY && o->type != OBJECT_NOTIFICATION)
            return E_NODE_BOUND;
        const struct permissions *permitted = authority_permissions(o);
        if (permitted) {
            m->handles[i].whose = REMOTE_SERVICE;
            m->handles[i].permitted = *permitted;
        }
    }
    return remote_can_export(p, count) ? E_OK : E_FULL;
}

/* The handles of a call that is queued already, into its message: from here on nothing can fail. */
static void send_handles(struct remote_peer *p, struct remote_queued *q, struct remote_message *m,
                         struct handle_ref *refs)
{
    uint32_t count = TAG_HANDLES(m->tag);
    for (uint32_t i = 0; i < count; i++) {
        err_t err = remote_export(p, &refs[i], &m->handles[i]);
        assert(err == E_OK); /* check_handles looked */
    }
    size_t bytes = remote_encode(m, q->data, q->room); /* the data stays in its place */
    assert(bytes == q->bytes);
    remote_refs_drop(refs, count);
}

static void describe(struct remote_message *m, const struct call *c, uint64_t target)
{
    m->kind = REMOTE_CALL;
    m->target = target;
    m->time_left_ns = UINT64_MAX;
    m->tag = c->tag & (TAG(0xffff, 0xf, 0xf, 0xffff) | (uint64_t)TAG_SENDER_FLAGS);
    m->fence = c->fence;
    for (uint32_t i = 0; i < TAG_WORDS(m->tag); i++)
        m->words[i] = c->words[i];
    m->bytes = TAG_BYTES(m->tag) ? call_bytes(c) : NULL;
    if (c->lent_length > 0) {
        m->tag |= TAG_LENT;
        m->lent_length = (uint32_t)c->lent_length;
        m->lent_direction = c->lent_direction;
        m->data_bytes = c->lent_direction & IPC_LEND_IN ? (uint32_t)c->lent_length : 0;
    } else {
        m->tag &= ~(uint64_t)TAG_LENT;
    }
}

err_t remote_call_begin(struct remote_import *target, struct call *c)
{
    struct remote_peer *p = target->peer;
    struct remote_call_out *o = p->up ? find_free(p) : NULL;
    if (!o) {
        p->counts.calls_not_delivered++;
        return E_NOT_DELIVERED;
    }
    struct remote_message m = {0};
    err_t err = check_handles(p, c, &m);
    if (err)
        return err;
    struct handle_ref refs[IPC_HANDLES_MAX] = {0};
    describe(&m, c, target->target);
    o->peer = p;
    o->generation++;
    m.call = number_of(o);
    struct remote_queued *q = remote_enqueue(p, &m, false);
    /* The data comes last in the message: read it straight into its place. */
    if (!q || (m.data_bytes && call_lent_read(c, 0, q->data + q->bytes - m.data_bytes, m.data_bytes) != E_OK)) {
        if (q)
            remote_dequeue(p, q);
        p->counts.calls_not_delivered++;
        return E_NOT_DELIVERED;
    }
    err = TAG_HANDLES(m.tag) ? call_take_handles(c, refs) : E_OK;
    if (err) {
        remote_dequeue(p, q);
        return err;
    }
    if (TAG_HANDLES(m.tag))
        send_handles(p, q, &m, refs);
    o->call = c;
    o->queued = q;
    q->call = o;
    c->context = o;
    p->counts.calls_out++;
    p->counts.calls_sent++;
    return E_OK;
}

static void finish(struct remote_call_out *o)
{
    o->peer->counts.calls_out--;
    if (o->queued)
        o->queued->call = NULL;
    o->call = NULL;
    o->queued = NULL;
}

void remote_call_cancelled(struct call *c)
{
    struct remote_call_out *o = c->context;
    assert(o && o->call == c);
    struct remote_peer *p = o->peer;
    struct remote_message m = {.kind = REMOTE_CANCEL, .call = number_of(o)};
    finish(o);
    (void)remote_enqueue(p, &m, true);
}

/* Gives the answer to the caller. False: it brought data that does not fit what was lent. That what was lent has ended
 * meanwhile, or was sealed, is the caller's own doing and news to it alone. */
static bool deliver(struct remote_peer *p, struct call *c, const struct remote_message *m)
{
    struct ipc_message answer = {.tag = m->tag, .bytes = m->bytes};
    if (m->data_bytes && call_lent_write(c, m->data_offset, m->data, m->data_bytes) != E_OK) {
        bool fits = call_lent_decode(c, m->data_offset, m->data_bytes, IPC_LEND_OUT) == E_OK;
        remote_imports_release(p, m);
        call_fail(c, E_UNKNOWN);
        return fits;
    }
    err_t err = remote_import_all(p, m, answer.handles);
    if (err) {
        call_fail(c, err);
        return true;
    }
    __builtin_memcpy(answer.words, m->words, sizeof answer.words);
    (void)call_answer(c, &answer); /* E_FULL is the caller's news, not ours */
    return true;
}

bool remote_receive_answer(struct remote_peer *p, const struct remote_message *m)
{
    uint32_t slot = remote_slot(m->call);
    if (slot >= REMOTE_CALLS)
        return false;
    struct remote_call_out *o = &p->out[slot];
    if (!o->call || number_of(o) != m->call) { /* its caller gave up */
        remote_imports_release(p, m);
        return true;
    }
    if (o->queued)
        return false; /* answered before it was sent */
    struct call *c = o->call;
    finish(o);
    if (m->outcome == E_OK)
        return deliver(p, c, m);
    call_fail(c, m->outcome < E_COUNT ? m->outcome : E_UNKNOWN);
    return true;
}

void remote_calls_out_end(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_CALLS; i++) {
        struct remote_call_out *o = &p->out[i];
        if (!o->call)
            continue;
        struct call *c = o->call;
        bool sent = o->queued == NULL;
        finish(o);
        p->counts.calls_unknown += sent;
        p->counts.calls_not_delivered += !sent;
        call_fail(c, sent ? E_UNKNOWN : E_NOT_DELIVERED);
    }
}
