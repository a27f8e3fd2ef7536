/* Calls of a peer to objects here. A slot with a kernel-owned call stands in for the far thread. */
#include "remote_private.h"

static struct remote_call_in *find_free(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_CALLS; i++)
        if (!p->in[i].used)
            return &p->in[i];
    return NULL;
}

static struct remote_call_in *find_call(struct remote_peer *p, uint32_t far_call)
{
    for (uint32_t i = 0; i < REMOTE_CALLS; i++)
        if (p->in[i].used && !p->in[i].reply && p->in[i].far_call == far_call)
            return &p->in[i];
    return NULL;
}

/* Not by call.context: a kernel handler that serves the call keeps its own there. */
static struct remote_call_in *slot_of(struct call *c)
{
    return container_of(c, struct remote_call_in, call);
}

static void slot_free(struct remote_call_in *s)
{
    remote_refs_drop(s->call.refs, IPC_HANDLES_MAX); /* the call ended before its receiver took them */
    if (s->buffer)
        remote_free(s->buffer, s->buffer_bytes);
    s->buffer = NULL;
    s->used = false;
    s->peer->counts.calls_in--;
}

/* False when memory is out, and the session must end: the far caller would wait for ever. */
static bool refuse(struct remote_peer *p, uint32_t far_call, err_t outcome)
{
    struct remote_message m = {.kind = REMOTE_ANSWER, .call = far_call, .outcome = outcome};
    return remote_enqueue(p, &m, true) != NULL;
}

/* Handles of an answer that find no place in the export table make the call fail: the far caller learns E_FULL. What is
 * left of them in the answer is dropped by the caller, once the message is queued. */
static err_t export_answer(struct remote_peer *p, struct ipc_message *answer, struct remote_message *m)
{
    uint32_t count = TAG_HANDLES(answer->tag);
    err_t err = remote_can_export(p, count) ? E_OK : E_FULL;
    uint32_t done = 0;
    while (done < count && !err) {
        err = remote_export(p, &answer->handles[done], &m->handles[done]);
        done += !err;
    }
    if (err)
        remote_unexport(p, m->handles, done);
    return err;
}

static void describe_answer(struct remote_call_in *s, const struct ipc_message *answer, struct remote_message *m)
{
    struct call *c = &s->call;
    m->tag = answer->tag & TAG(0xffff, 0xf, 0xf, 0xffff);
    __builtin_memcpy(m->words, answer->words, sizeof m->words);
    m->bytes = answer->bytes;
    if (c->lent_low < c->lent_high) {
        m->data_offset = (uint32_t)c->lent_low;
        m->data_bytes = (uint32_t)(c->lent_high - c->lent_low);
        m->data = c->lent_kernel + c->lent_low;
    }
}

static void answered(struct call *c, err_t err, struct ipc_message *answer)
{
    struct remote_call_in *s = slot_of(c);
    struct remote_peer *p = s->peer;
    struct remote_message m = {.kind = REMOTE_ANSWER, .call = s->far_call, .outcome = err};
    if (!err) {
        m.outcome = export_answer(p, answer, &m);
        if (!m.outcome)
            describe_answer(s, answer, &m);
    }
    (void)remote_enqueue(p, &m, true);
    if (!err)
        remote_refs_drop(answer->handles, TAG_HANDLES(answer->tag));
    slot_free(s);
}

static const struct call_owner far_caller = {.done = answered};

static bool slot_buffer(struct remote_call_in *s, const struct remote_message *m)
{
    s->buffer_bytes = TAG_BYTES(m->tag) + m->lent_length;
    if (s->buffer_bytes == 0)
        return true;
    s->buffer = remote_alloc(s->buffer_bytes);
    if (!s->buffer)
        return false;
    if (TAG_BYTES(m->tag))
        __builtin_memcpy(s->buffer, m->bytes, TAG_BYTES(m->tag));
    if (m->data_bytes)
        __builtin_memcpy(s->buffer + TAG_BYTES(m->tag) + m->data_offset, m->data, m->data_bytes);
    return true;
}

static void slot_fill(struct remote_call_in *s, const struct remote_message *m)
{
    struct call *c = &s->call;
    call_init(c, &far_caller, NULL);
    c->tag = m->tag | TAG_REMOTE;
    __builtin_memcpy(c->words, m->words, sizeof c->words);
    c->bytes = s->buffer;
    c->lent_kernel = m->lent_length ? s->buffer + TAG_BYTES(m->tag) : NULL;
    c->lent_offset = 0;
    c->lent_length = m->lent_length;
    c->lent_direction = m->lent_direction;
    c->fence = m->fence;
    c->sender_node = s->peer->node;
    c->sender_boot = s->peer->boot[0];
}

/* Why the call cannot be made; E_OK if it was. Handles that came with it are released or moved in any case. */
static err_t begin(struct remote_peer *p, struct remote_call_in *s, const struct remote_message *m)
{
    struct handle_ref *target = remote_export_find(p, m->target);
    err_t err = !target || target->object->dead           ? E_GONE
                : target->object->type != OBJECT_ENDPOINT ? E_WRONG_TYPE
                                                          : E_OK;
    if (!err && !slot_buffer(s, m))
        err = E_NOT_DELIVERED;
    if (err) {
        remote_imports_release(p, m);
        return err;
    }
    slot_fill(s, m);
    err = remote_import_all(p, m, s->call.refs);
    if (err)
        return err;
    p->counts.calls_served++;
    return call_send(&s->call, target);
}

bool remote_receive_call(struct remote_peer *p, const struct remote_message *m)
{
    struct remote_call_in *s = find_free(p);
    if (!s) {
        remote_imports_release(p, m);
        return refuse(p, m->call, E_NOT_DELIVERED);
    }
    *s = (struct remote_call_in){.peer = p, .far_call = m->call, .used = true};
    p->counts.calls_in++;
    err_t err = begin(p, s, m);
    if (err) {
        slot_free(s);
        return refuse(p, m->call, err);
    }
    return true;
}

static void cancel(struct remote_call_in *s)
{
    (void)call_cancel(&s->call);
    slot_free(s);
}

bool remote_receive_cancel(struct remote_peer *p, const struct remote_message *m)
{
    struct remote_call_in *s = find_call(p, m->call);
    if (s) /* else the answer is on its way */
        cancel(s);
    return true;
}

void remote_calls_in_end(struct remote_peer *p)
{
    for (uint32_t i = 0; i < REMOTE_CALLS; i++)
        if (p->in[i].used)
            cancel(&p->in[i]);
}

/* ---- Replies that were passed on ---- */

/* The Reply was used, or let go of: whoever passed it must know. */
static void reply_used(struct call *c, err_t err, struct ipc_message *answer)
{
    struct remote_call_in *s = slot_of(c);
    struct remote_peer *p = s->peer;
    struct remote_message m = {.kind = REMOTE_RELEASE, .target = s->far_target, .count = 1};
    if (!err && export_answer(p, answer, &m) == E_OK) {
        m.kind = REMOTE_REPLY;
        describe_answer(s, answer, &m);
    }
    (void)remote_enqueue(p, &m, true);
    if (!err)
        remote_refs_drop(answer->handles, TAG_HANDLES(answer->tag));
    slot_free(s);
}

static const struct call_owner reply_holder = {.done = reply_used};

err_t remote_reply_import(struct remote_peer *p, uint64_t target, struct handle_ref *out)
{
    struct remote_call_in *s = find_free(p);
    if (!s) {
        struct remote_message m = {.kind = REMOTE_RELEASE, .target = target, .count = 1};
        (void)remote_enqueue(p, &m, true);
        return E_FULL;
    }
    *s = (struct remote_call_in){.peer = p, .reply = true, .far_target = target, .used = true};
    p->counts.calls_in++;
    call_init(&s->call, &reply_holder, NULL);
    call_make_reply(&s->call, out);
    return E_OK;
}

bool remote_receive_reply(struct remote_peer *p, const struct remote_message *m)
{
    struct handle_ref *export = remote_export_find(p, m->target), reply;
    if (!export || export->object->type != OBJECT_REPLY) {
        remote_imports_release(p, m);
        return export == NULL;
    }
    (void)remote_export_take(p, m->target, &reply);
    struct call *c = reply_use(&reply);
    if (!c) {
        remote_imports_release(p, m); /* its caller gave up */
        return true;
    }
    struct ipc_message answer = {.tag = m->tag, .bytes = m->bytes};
    __builtin_memcpy(answer.words, m->words, sizeof answer.words);
    err_t err = remote_import_all(p, m, answer.handles);
    if (err)
        call_fail(c, err);
    else
        (void)call_answer(c, &answer);
    return true;
}
