/* call, recv, reply and reply_recv. The common case, words and bytes to a receiver that waits, goes straight from
 * registers to registers and from thread to thread; everything else takes the general path in call.c. */
#include <kernel/debug.h>
#include <kernel/memory.h>
#include <kernel/syscall.h>

#include "ipc_local.h"

/* Nothing but an op, words and inline bytes. */
always_inline bool tag_is_plain(uint64_t tag)
{
    uint32_t low = (uint32_t)tag, high = (uint32_t)(tag >> 32);
    return (low & ~0x0f00ffffu) == 0 && low <= TAG(0xffff, IPC_WORDS_MAX, 0, 0) && high <= IPC_BYTES_MAX;
}

always_inline bool endpoint_usable(const struct handle_entry *h, uint32_t right)
{
    return h->object->type == OBJECT_ENDPOINT && (h->rights & right) && !h->object->dead &&
           !(h->gate && h->gate->revoked);
}

/* ---- the fast paths ----
 * Each looks at everything first, in fast_..._decode(), and goes the general way if anything is out of the ordinary;
 * the general way alone knows which error that is. What is done then is what the general way does, by the same inline
 * functions where a step has more than one line. The thread rests afterwards: see sched_rest_switch(). */

static called_rarely void copy_bytes(const struct thread *from, struct thread *to, uint64_t bytes)
{
    __builtin_memcpy(to->ipc_bytes, from->ipc_bytes, bytes);
}

/* The receiver that can have this call at once; NULL: the general way. */
always_inline struct thread *fast_call_decode(const struct trap_frame *f, struct thread *t, struct handle_entry **out)
{
    struct handle_entry *h = handle_entry(&t->process->handles, (handle_t)f->rdi);
    if (unlikely(!h || f->rdi >> 32 || !endpoint_usable(h, RIGHT_CALL) || !tag_is_plain(f->rsi) || t->pending ||
                 f->rdx == DEADLINE_POLL))
        return NULL;
    const struct endpoint *e = container_of(h->object, struct endpoint, object);
    if (unlikely(list_empty(&e->receivers) || e->guard))
        return NULL;
    struct thread *r = container_of(e->receivers.next, struct thread, wait_node);
    if (unlikely(!r->process->handles.free || r->process->ending))
        return NULL;
    *out = h;
    return r;
}

always_inline _Noreturn void fast_call(const struct trap_frame *f, struct thread *t, struct thread *r,
                                       const struct handle_entry *h)
{
    struct call *c = &t->call;
    struct process *p = r->process;
    struct trap_frame *rf = r->arch.frame;
    uint64_t tag = f->rsi;
    list_remove(&r->wait_node);
    call_attach(c, container_of(h->object, struct endpoint, object), h->gate);
    c->tag = tag;
    c->state = CALL_DELIVERED;
    reply_begin(c);
    handle_t reply = handle_slot_take(&p->handles, &c->reply.object, NULL, REPLY_RIGHTS);
    c->reply.holder = p;
    c->reply.handle = reply;
    rf->rdi = reply;
    rf->rsi = tag;
    rf->rdx = c->badge;
    frame_copy_words(rf, f);
    if (unlikely(TAG_BYTES(tag)))
        copy_bytes(t, r, TAG_BYTES(tag));
    t->wait = WAIT_CALL;
    cpu_this()->counters[COUNTER_FASTPATH]++;
    sched_rest_switch(f->rdx, r, E_OK);
}

/* A Reply of this process whose caller waits for nothing but a plain answer, and an endpoint with nothing to receive:
 * answers and goes to wait in one step. NULL: the general way. */
always_inline struct call *fast_reply_decode(const struct trap_frame *f, struct thread *t,
                                             struct handle_entry **reply_out, struct endpoint **endpoint_out)
{
    struct handle_table *handles = &t->process->handles;
    struct handle_entry *rh = handle_entry(handles, (handle_t)f->rdi), *eh = handle_entry(handles, (handle_t)f->r15);
    if (unlikely(!rh || !eh || (f->rdi | f->r15) >> 32 || rh->object->type != OBJECT_REPLY ||
                 !endpoint_usable(eh, RIGHT_RECV) || !tag_is_plain(f->rsi) || t->pending || f->rdx == DEADLINE_POLL))
        return NULL;
    struct endpoint *e = container_of(eh->object, struct endpoint, object);
    if (unlikely(!list_empty(&e->callers) || !list_empty(&e->closed) || (e->bound && e->bound->bits)))
        return NULL;
    struct call *c = container_of(rh->object, struct call, reply.object);
    if (unlikely(rh->object == &cancelled_reply.object || !c->thread || c->thread->state != THREAD_WAITING ||
                 c->fault || c->lent || !c->endpoint || c->endpoint->object.refs == 1))
        return NULL;
    *reply_out = rh;
    *endpoint_out = e;
    return c;
}

always_inline _Noreturn void fast_reply(struct trap_frame *f, struct thread *t, struct call *c, struct handle_entry *rh,
                                        struct endpoint *e)
{
    struct thread *caller = c->thread;
    struct trap_frame *cf = caller->arch.frame;
    uint64_t tag = f->rsi;
    handle_slot_release(&t->process->handles, rh, f->rdi & 0xffff);
    reply_end(c);
    object_counts[OBJECT_REPLY]--;
    c->state = CALL_IDLE;
    c->endpoint->object.refs--; /* not the last: nothing follows from it */
    c->endpoint = NULL;
    cf->rsi = tag;
    frame_copy_words(cf, f);
    if (unlikely(TAG_BYTES(tag)))
        copy_bytes(t, caller, TAG_BYTES(tag));
    f->rdi = HANDLE_NONE; /* unless a message comes */
    t->wait = WAIT_QUEUE;
    list_append(&e->receivers, &t->wait_node);
    cpu_this()->counters[COUNTER_FASTPATH]++;
    sched_rest_switch(f->rdx, caller, E_OK);
}

/* ---- the general path: decode ---- */

/* Stamps a call that names a lock. E_WRONG_TYPE: the handle is no lock's; E_STALE_FENCE: that is lost. */
static err_t fence_stamp(struct thread *t, struct call *c)
{
    struct endpoint *lock;
    err_t err = handle_object(t->process, t->ipc->lock, OBJECT_ENDPOINT, 0, &lock);
    if (err != E_OK)
        return err == E_GONE ? E_STALE_FENCE : err;
    return lock->handler && lock->handler->fence ? lock->handler->fence(lock, &c->fence) : E_WRONG_TYPE;
}

/* Reads tag, words, handles and the lent range of the current thread's message into its call. */
static err_t request_decode(struct trap_frame *f, struct thread *t)
{
    struct call *c = &t->call;
    err_t err = tag_decode(f->rsi);
    if (err != E_OK)
        return err;
    c->tag = f->rsi;
    frame_get_words(f, c->words);
    for (uint32_t i = 0; i < TAG_HANDLES(c->tag); i++)
        c->handles[i] = t->ipc->handles[i];
    err = message_handles_check(t->process, c->handles, TAG_HANDLES(c->tag));
    return err == E_OK && (c->tag & TAG_FENCED) ? fence_stamp(t, c) : err;
}

static err_t lent_decode(struct thread *t, struct memory **memory_out)
{
    struct call *c = &t->call;
    *memory_out = NULL;
    c->lent_length = 0;
    c->lent_direction = 0;
    if (!(c->tag & TAG_LENT))
        return E_OK;
    uint32_t direction = t->ipc->lent_direction;
    uint64_t offset = t->ipc->lent_offset, length = t->ipc->lent_length;
    if (direction == 0 || (direction & ~(uint32_t)(IPC_LEND_IN | IPC_LEND_OUT)))
        return E_INVALID;
    uint32_t rights = (direction & IPC_LEND_IN ? RIGHT_READ : 0) | (direction & IPC_LEND_OUT ? RIGHT_WRITE : 0);
    struct memory *m;
    err_t err = handle_object(t->process, t->ipc->lent_memory, OBJECT_MEMORY, rights, &m);
    if (err != E_OK)
        return err;
    uint64_t size = m->pages * PAGE_BYTES;
    if (length > IPC_LENT_MAX || offset > size || length > size - offset)
        return E_RANGE;
    if (m->sealed && (direction & IPC_LEND_OUT))
        return E_NO_RIGHT;
    c->lent_direction = direction;
    c->lent_offset = offset;
    c->lent_length = length;
    *memory_out = m;
    return E_OK;
}

/* ---- the general path: apply ---- */

/* Takes a call that waits at its endpoint to the first receiver there; that thread, not yet woken, or NULL. */
static struct thread *meet_receiver(struct call *c, struct endpoint *e)
{
    if (list_empty(&e->receivers))
        return NULL;
    struct thread *r = container_of(list_pop(&e->receivers), struct thread, wait_node);
    if (endpoint_receive(e, r))
        return r;
    list_prepend(&e->receivers, &r->wait_node);
    return NULL;
}

/* The current thread's call is under way: waits for its end. */
static err_t call_wait(struct thread *t, uint64_t deadline)
{
    struct call *c = &t->call;
    struct thread *r = c->state == CALL_QUEUED ? meet_receiver(c, c->endpoint) : NULL;
    if (c->state == CALL_IDLE) {
        if (r)
            sched_wake(r, E_OK);
        return (err_t)t->wait_result;
    }
    if (deadline == DEADLINE_POLL && c->state == CALL_QUEUED)
        return call_cancel_error(c, E_TIMED_OUT);
    t->wait = WAIT_CALL;
    return r ? sched_block_switch(deadline, r, E_OK) : sched_block(deadline);
}

static err_t call_general(struct trap_frame *f)
{
    struct thread *t = thread_current();
    struct handle_entry *h;
    err_t err = handle_decode(t->process, f->rdi, OBJECT_ENDPOINT, RIGHT_CALL, &h);
    if (err == E_OK)
        err = sched_pending(t);
    if (err == E_OK)
        err = request_decode(f, t);
    struct memory *lent;
    if (err == E_OK)
        err = lent_decode(t, &lent);
    if (err != E_OK)
        return err;
    if (lent)
        object_get(&lent->object);
    t->call.lent = lent;
    err = call_submit(&t->call, container_of(h->object, struct endpoint, object), h->gate);
    return err == E_OK ? call_wait(t, f->rdx) : err;
}

static __attribute__((noinline)) void sys_call_general(struct trap_frame *f)
{
    f->rax = call_general(f);
}

void sys_call(struct trap_frame *f)
{
    struct thread *t = thread_current();
    struct handle_entry *h;
    struct thread *r = fast_call_decode(f, t, &h);
    if (likely(r))
        fast_call(f, t, r, h);
    sys_call_general(f);
}

/* The last act of a system call: it may rest. */
static err_t recv(struct trap_frame *f, struct thread *t, uint64_t endpoint, uint64_t deadline)
{
    struct endpoint *e;
    f->rdi = HANDLE_NONE; /* unless a message comes */
    err_t err = handle_object(t->process, endpoint, OBJECT_ENDPOINT, RIGHT_RECV, &e);
    if (err != E_OK)
        return err;
    if (endpoint_receive(e, t))
        return E_OK;
    err = deadline == DEADLINE_POLL ? E_TIMED_OUT : sched_pending(t);
    if (err != E_OK)
        return err;
    t->wait = WAIT_QUEUE;
    list_append(&e->receivers, &t->wait_node);
    sched_rest(deadline);
}

void sys_recv(struct trap_frame *f)
{
    f->rax = recv(f, thread_current(), f->rdi, f->rdx);
}

/* Copies of what the answer names, checked; the Reply handle itself cannot be among them. */
static err_t answer_decode(struct trap_frame *f, struct thread *t, handle_t *handles)
{
    err_t err = tag_decode(f->rsi);
    if (err == E_OK && (f->rsi & TAG_SENDER_FLAGS))
        err = E_INVALID;
    if (err != E_OK)
        return err;
    for (uint32_t i = 0; i < TAG_HANDLES(f->rsi); i++) {
        handles[i] = t->ipc->handles[i];
        if (handles[i] == (handle_t)f->rdi)
            return E_INVALID;
    }
    return message_handles_check(t->process, handles, TAG_HANDLES(f->rsi));
}

static err_t reply(struct trap_frame *f, struct thread *t)
{
    struct handle_entry *h;
    handle_t handles[IPC_HANDLES_MAX];
    err_t err = handle_decode(t->process, f->rdi, OBJECT_REPLY, 0, &h);
    if (err != E_OK)
        return err;
    err = answer_decode(f, t, handles);
    struct call *c = reply_take(t->process, (handle_t)f->rdi);
    if (!c)
        return E_GONE;
    if (err != E_OK) {
        call_fail(c, E_DROPPED);
        return err;
    }
    struct ipc_message answer = {.tag = f->rsi, .bytes = t->ipc_bytes};
    frame_get_words(f, answer.words);
    message_handles_take(t->process, handles, TAG_HANDLES(f->rsi), answer.handles);
    return call_answer(c, &answer);
}

void sys_reply(struct trap_frame *f)
{
    f->rax = reply(f, thread_current());
}

static __attribute__((noinline)) void sys_reply_recv_general(struct trap_frame *f)
{
    struct thread *t = thread_current();
    reply(f, t);
    f->rax = recv(f, t, f->r15, f->rdx);
}

void sys_reply_recv(struct trap_frame *f)
{
    struct thread *t = thread_current();
    struct handle_entry *rh;
    struct endpoint *e;
    struct call *c = fast_reply_decode(f, t, &rh, &e);
    if (likely(c))
        fast_reply(f, t, c, rh, e);
    sys_reply_recv_general(f);
}

/* ---- faults ---- */

void ipc_fault(struct thread *t, const uint64_t words[5], bool *resume_out)
{
    struct call *c = &t->call;
    struct handle_ref *target = &t->process->faults;
    *resume_out = false;
    if (!target->object || target->object->dead || (target->gate && target->gate->revoked) ||
        (t->pending & THREAD_DYING))
        return;
    c->fault = true;
    c->tag = TAG(IPC_FAULT, 5, 0, 0) | TAG_KERNEL;
    for (uint32_t i = 0; i < IPC_WORDS_MAX; i++)
        c->words[i] = i < 5 ? words[i] : 0;
    err_t err = call_submit(c, container_of(target->object, struct endpoint, object), target->gate);
    if (err == E_OK)
        err = call_wait(t, DEADLINE_NEVER);
    *resume_out = err == E_OK && TAG_OP(c->tag) == E_OK;
    c->fault = false;
}
