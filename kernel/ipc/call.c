/* One message, from request to answer: queued, delivered, answered, failed or given up. */
#include <kernel/debug.h>
#include <kernel/memory.h>

#include "ipc_local.h"

uint64_t reply_serial_last = 1ull << 63;
struct reply cancelled_reply = {.object = {.type = OBJECT_REPLY, .refs = 1}};

static struct call *call_of(struct object *reply)
{
    return container_of(reply, struct call, reply.object);
}

void call_init(struct call *c, const struct call_owner *owner, void *context)
{
    *c = (struct call){.owner = owner, .context = context};
    c->reply.object.type = OBJECT_REPLY;
    c->reply.object.refs = 1;
    list_init(&c->node);
}

err_t tag_decode(uint64_t tag)
{
    if (tag >> 48 || (tag >> 16 & 0xff & ~((uint64_t)TAG_SENDER_FLAGS >> 16)))
        return E_INVALID;
    if (TAG_WORDS(tag) > IPC_WORDS_MAX || TAG_HANDLES(tag) > IPC_HANDLES_MAX)
        return E_INVALID;
    return TAG_BYTES(tag) > IPC_BYTES_MAX ? E_TOO_LONG : E_OK;
}

/* ---- handles in messages ---- */

err_t message_handles_check(struct process *p, const handle_t *handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct handle_entry *e;
        err_t err = handle_decode(p, handles[i], OBJECT_NONE, RIGHT_TRANSFER, &e);
        if (err != E_OK)
            return err;
        for (uint32_t j = 0; j < i && e->object->type == OBJECT_REPLY; j++)
            if (handles[j] == handles[i])
                return E_INVALID;
    }
    return E_OK;
}

void message_handles_take(struct process *p, const handle_t *handles, uint32_t count, struct handle_ref *refs_out)
{
    for (uint32_t i = 0; i < count; i++) {
        struct handle_entry *e = handle_entry(&p->handles, handles[i]);
        if (e->object->type == OBJECT_REPLY) {
            refs_out[i] = handle_take(p, handles[i]);
            reply_moved_loose(&refs_out[i]);
        } else {
            refs_out[i] = handle_ref_make(e->object, e->gate, e->rights);
        }
    }
}

static err_t call_handles_check(const struct call *c)
{
    return c->thread ? message_handles_check(c->thread->process, c->handles, TAG_HANDLES(c->tag)) : E_OK;
}

static void call_handles_take(struct call *c, struct handle_ref *refs_out)
{
    uint32_t count = TAG_HANDLES(c->tag);
    if (c->thread) {
        message_handles_take(c->thread->process, c->handles, count, refs_out);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        handle_ref_move(&c->refs[i], &refs_out[i]);
}

err_t call_take_handles(struct call *c, struct handle_ref refs_out[IPC_HANDLES_MAX])
{
    err_t err = call_handles_check(c);
    if (err != E_OK)
        return err;
    call_handles_take(c, refs_out);
    c->tag &= ~((uint64_t)0xf << 28); /* none left to take */
    return E_OK;
}

static void install_handles(struct thread *t, struct handle_ref *refs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        t->ipc->handles[i] = handle_install(t->process, &refs[i]);
}

/* ---- delivery to a thread ---- */

const uint8_t *call_bytes(const struct call *c)
{
    return c->thread ? c->thread->ipc_bytes : c->bytes;
}

static err_t deliver_decode(const struct endpoint *e, const struct call *c, const struct thread *r)
{
    err_t err = fence_check(e, c);
    if (err != E_OK)
        return err;
    err = handle_reserve(r->process, TAG_HANDLES(c->tag) + 1);
    if (err != E_OK)
        return E_FULL;
    return call_handles_check(c);
}

static void deliver_apply(struct call *c, struct thread *r)
{
    struct handle_ref refs[IPC_HANDLES_MAX];
    struct trap_frame *f = r->arch.frame;
    call_handles_take(c, refs);
    install_handles(r, refs, TAG_HANDLES(c->tag));
    if (TAG_BYTES(c->tag))
        __builtin_memcpy(r->ipc_bytes, call_bytes(c), TAG_BYTES(c->tag));
    if (c->tag & TAG_LENT) {
        r->ipc->lent_direction = c->lent_direction;
        r->ipc->lent_length = c->lent_length;
    }
    if (c->tag & TAG_REMOTE) {
        r->ipc->sender_node = c->sender_node;
        r->ipc->sender_boot = c->sender_boot;
    }
    if (c->tag & TAG_FENCED)
        r->ipc->fence = c->fence;
    struct handle_ref reply;
    call_make_reply(c, &reply);
    f->rdi = handle_install(r->process, &reply);
    f->rsi = c->tag;
    f->rdx = c->badge;
    frame_set_words(f, c->words);
}

static void receive_kernel_message(struct thread *r, uint64_t tag, uint64_t badge, uint64_t word)
{
    struct trap_frame *f = r->arch.frame;
    f->rdi = HANDLE_NONE;
    f->rsi = tag;
    f->rdx = badge;
    f->r10 = word;
}

/* A badge whose last handle was closed meanwhile is reported closed only now, after its last call. */
static void leave_queue(struct call *c)
{
    struct gate *g = c->gate;
    list_remove(&c->node);
    c->state = CALL_DELIVERED;
    c->gate = NULL;
    if (g && --g->handles == 0)
        gate_handle_removed(g);
}

bool endpoint_receive(struct endpoint *e, struct thread *r)
{
    uint64_t value;
    if (e->bound && e->bound->bits) {
        notification_take_bound(e->bound, &value);
        receive_kernel_message(r, TAG(0, 1, 0, 0) | TAG_NOTIFICATION, 0, value);
        return true;
    }
    if (endpoint_take_closed(e, &value)) {
        receive_kernel_message(r, TAG(IPC_CLOSED, 0, 0, 0) | TAG_KERNEL, value, 0);
        return true;
    }
    while (!list_empty(&e->callers)) {
        struct call *c = container_of(e->callers.next, struct call, node);
        err_t err = deliver_decode(e, c, r);
        if (err == E_OK) {
            fence_seen(e, c);
            leave_queue(c);
            deliver_apply(c, r);
            return true;
        }
        call_fail(c, err);
    }
    return false;
}

void endpoint_pump(struct endpoint *e)
{
    while (!list_empty(&e->receivers)) {
        struct thread *r = container_of(list_pop(&e->receivers), struct thread, wait_node);
        if (!endpoint_receive(e, r)) {
            list_prepend(&e->receivers, &r->wait_node);
            return;
        }
        sched_wake(r, E_OK);
    }
}

/* ---- the caller's side ---- */

static void call_release(struct call *c)
{
    if (c->state == CALL_QUEUED)
        leave_queue(c);
    c->state = CALL_IDLE;
    if (c->lent) {
        object_put(&c->lent->object);
        c->lent = NULL;
    }
    c->lent_length = 0; /* the next call of this thread may take the fast path, which does not look here */
    c->lent_direction = 0;
    if (c->endpoint) {
        struct endpoint *e = c->endpoint;
        c->endpoint = NULL;
        object_put(&e->object);
    }
}

err_t call_submit(struct call *c, struct endpoint *e, struct gate *gate)
{
    call_attach(c, e, gate);
    if (!e->handler) {
        c->gate = gate;
        if (gate)
            gate->handles++;
        c->state = CALL_QUEUED;
        list_append(&e->callers, &c->node);
        return E_OK;
    }
    c->state = CALL_DELIVERED;
    err_t err = call_handles_check(c);
    if (err == E_OK)
        err = e->handler->request(e, c);
    if (err != E_OK)
        call_release(c);
    return err;
}

err_t call_send(struct call *c, const struct handle_ref *target)
{
    assert(c->state == CALL_IDLE && !c->thread);
    if (!target->object || target->object->type != OBJECT_ENDPOINT)
        return E_WRONG_TYPE;
    if (!(target->rights & RIGHT_CALL))
        return E_NO_RIGHT;
    if (target->object->dead || (target->gate && target->gate->revoked))
        return E_GONE;
    struct endpoint *e = container_of(target->object, struct endpoint, object);
    err_t err = call_submit(c, e, target->gate);
    if (err == E_OK && !e->handler)
        endpoint_pump(e);
    return err;
}

static void thread_learns(struct thread *t, err_t err)
{
    if (t->state == THREAD_WAITING)
        sched_wake(t, err);
    else
        t->wait_result = err; /* it has not begun to wait */
}

void call_end(struct call *c, err_t err, struct ipc_message *answer)
{
    call_release(c);
    if (c->thread)
        thread_learns(c->thread, err);
    else
        c->owner->done(c, err, answer);
}

/* The Reply, wherever it is, turns into one whose caller gave up. */
static void reply_detach(struct call *c)
{
    struct reply *r = &c->reply;
    if (r->holder)
        handle_entry(&r->holder->handles, r->handle)->object = &cancelled_reply.object;
    else if (r->loose)
        r->loose->object = &cancelled_reply.object;
    r->holder = NULL;
    r->loose = NULL;
}

/* Undoes a call that its caller no longer wants; true: the receiver had it. */
static bool call_withdraw(struct call *c)
{
    struct endpoint *e = c->endpoint;
    bool delivered = c->state == CALL_DELIVERED;
    if (delivered && c->has_reply)
        reply_detach(c);
    else if (delivered && e)
        e->handler->cancelled(e, c);
    if (delivered && c->has_reply && e && e->bound && !e->object.dead)
        notification_signal(e->bound, NOTIFY_REPLY_CANCELLED);
    c->has_reply = false;
    call_release(c);
    return delivered;
}

err_t call_cancel_error(struct call *c, err_t reason)
{
    bool delivered = call_withdraw(c);
    if (reason != E_TIMED_OUT)
        return reason;
    return delivered ? E_UNKNOWN : E_NOT_DELIVERED;
}

bool call_cancel(struct call *c)
{
    assert(!c->thread);
    if (c->state == CALL_IDLE)
        return false;
    return call_withdraw(c);
}

/* ---- the answer ---- */

static err_t answer_thread(struct call *c, struct ipc_message *answer)
{
    struct thread *t = c->thread;
    uint32_t count = TAG_HANDLES(answer->tag);
    if (count && handle_reserve(t->process, count) != E_OK) {
        for (uint32_t i = 0; i < count; i++)
            handle_ref_drop(&answer->handles[i]);
        call_end(c, E_FULL, NULL);
        return E_FULL;
    }
    install_handles(t, answer->handles, count);
    if (TAG_BYTES(answer->tag))
        __builtin_memcpy(t->ipc_bytes, answer->bytes, TAG_BYTES(answer->tag));
    if (c->fault) {
        c->tag = answer->tag;
    } else {
        t->arch.frame->rsi = answer->tag;
        frame_set_words(t->arch.frame, answer->words);
    }
    call_end(c, E_OK, NULL);
    return E_OK;
}

err_t call_answer(struct call *c, struct ipc_message *answer)
{
    assert(c->state == CALL_DELIVERED && !c->has_reply);
    if (c->thread)
        return answer_thread(c, answer);
    call_end(c, E_OK, answer);
    return E_OK;
}

void call_fail(struct call *c, err_t err)
{
    assert(c->state != CALL_IDLE && !c->has_reply);
    call_end(c, err, NULL);
}

/* ---- the Reply ---- */

void call_make_reply(struct call *c, struct handle_ref *out)
{
    if (c->state == CALL_IDLE)
        c->state = CALL_DELIVERED;
    reply_begin(c);
    *out = (struct handle_ref){&c->reply.object, NULL, REPLY_RIGHTS};
    reply_moved_loose(out);
}

void reply_moved_loose(struct handle_ref *r)
{
    if (r->object == &cancelled_reply.object)
        return;
    struct reply *reply = &call_of(r->object)->reply;
    reply->holder = NULL;
    reply->loose = r;
}

void reply_moved_into(struct object *o, struct process *p, handle_t h)
{
    if (o == &cancelled_reply.object)
        return;
    struct reply *reply = &call_of(o)->reply;
    reply->holder = p;
    reply->handle = h;
    reply->loose = NULL;
}

struct call *reply_call(struct object *o)
{
    return o == &cancelled_reply.object ? NULL : call_of(o);
}

struct call *reply_use(struct handle_ref *r)
{
    struct call *c = reply_call(r->object);
    *r = (struct handle_ref){0};
    object_counts[OBJECT_REPLY]--;
    if (c)
        reply_end(c);
    return c;
}

struct call *reply_take(struct process *p, handle_t h)
{
    struct handle_ref r = handle_take(p, h);
    return reply_use(&r);
}

void reply_drop(struct handle_ref *r)
{
    struct call *c = reply_call(r->object);
    err_t err = c && c->reply.holder && c->reply.holder->ending ? E_GONE : E_DROPPED;
    reply_use(r);
    if (c)
        call_fail(c, err);
}

/* ---- the lent range ---- */

err_t call_lent_decode(const struct call *c, uint64_t offset, uint64_t bytes, uint32_t direction)
{
    if (!(c->lent_direction & direction))
        return E_NO_RIGHT;
    if (offset > c->lent_length || bytes > c->lent_length - offset)
        return E_RANGE;
    return E_OK;
}

err_t call_lent_read(struct call *c, uint64_t offset, void *to, uint64_t bytes)
{
    err_t err = call_lent_decode(c, offset, bytes, IPC_LEND_IN);
    if (err != E_OK)
        return err;
    if (c->lent)
        return memory_read(c->lent, c->lent_offset + offset, to, bytes);
    __builtin_memcpy(to, c->lent_kernel + offset, bytes);
    return E_OK;
}

err_t call_lent_write(struct call *c, uint64_t offset, const void *from, uint64_t bytes)
{
    err_t err = call_lent_decode(c, offset, bytes, IPC_LEND_OUT);
    if (err != E_OK)
        return err;
    if (c->lent && c->lent->sealed)
        return E_NO_RIGHT;
    if (c->lent)
        return memory_write(c->lent, c->lent_offset + offset, from, bytes);
    __builtin_memcpy(c->lent_kernel + offset, from, bytes);
    call_lent_wrote(c, offset, bytes);
    return E_OK;
}

void call_lent_wrote(struct call *c, uint64_t offset, uint64_t bytes)
{
    bool first = c->lent_low == c->lent_high;
    assert(c->lent_kernel && offset + bytes <= c->lent_length);
    if (bytes == 0)
        return;
    if (first || offset < c->lent_low)
        c->lent_low = offset;
    if (first || offset + bytes > c->lent_high)
        c->lent_high = offset + bytes;
}
