/* call, recv, reply and reply_recv. The common case, words and bytes to a receiver that waits, goes straight from
 * registers to registers and from thread to thread; everything else takes the general path in call.c. */
#include <kernel/debug.h>
#include <kernel/memory.h>
#include <kernel/syscall.h>

#include "ipc_local.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Nothing but an op, words and inline bytes. */
static inline bool tag_is_plain(uint64_t tag)
{
    uint32_t low = (uint32_t)tag, high = (uint32_t)(tag >> 32);
    return (low & ~0x0f00ffffu) == 0 && low <= TAG(0xffff, IPC_WORDS_MAX, 0, 0) && high <= IPC_BYTES_MAX;
}

/* Apart, so that messages without bytes need not save registers for it. */
static __attribute__((noinline)) void copy_bytes(const struct trap_frame *f, struct thread *to)
{
    __builtin_memcpy(to->ipc_bytes, thread_current()->ipc_bytes, TAG_BYTES(f->rsi));
}

static inline bool endpoint_usable(const struct handle_entry *h, uint32_t right)
{
    return h && h->object->type == OBJECT_ENDPOINT && (h->rights & right) && !h->object->dead &&
           !(h->gate && h->gate->revoked);
}

static inline void copy_words(struct trap_frame *to, const struct trap_frame *from)
{
    to->r10 = from->r10;
    to->r8 = from->r8;
    to->r9 = from->r9;
    to->r12 = from->r12;
    to->r13 = from->r13;
    to->r14 = from->r14;
}

/* ---- the fast paths ---- */

/* The Reply handle for a call delivered to `p`; there is a free entry. */
static inline handle_t reply_handle_new(struct call *c, struct process *p)
{
    struct handle_table *t = &p->handles;
    uint32_t index = t->free - 1;
    struct handle_entry *e = &t->chunks[index / HANDLE_CHUNK][index % HANDLE_CHUNK];
    t->free = e->next_free;
    t->used++;
    e->object = &c->reply.object;
    e->gate = NULL;
    e->rights = RIGHT_TRANSFER | RIGHT_INFO;
    handle_t h = (handle_t)e->generation << 16 | index;
    c->has_reply = true;
    c->reply.holder = p;
    c->reply.handle = h;
    object_counts[OBJECT_REPLY]++;
    return h;
}

static inline void reply_handle_end(struct call *c, struct process *p, struct handle_entry *e, handle_t h)
{
    struct handle_table *t = &p->handles;
    e->object = NULL;
    e->generation = e->generation == 0xffff ? 1 : e->generation + 1;
    e->next_free = t->free;
    t->free = (h & 0xffff) + 1;
    t->used--;
    c->has_reply = false;
    c->reply.holder = NULL;
    object_counts[OBJECT_REPLY]--;
}

static inline bool call_fast(struct trap_frame *f, struct thread *t, struct handle_entry *h)
{
    struct endpoint *e = container_of(h->object, struct endpoint, object);
    if (unlikely(!tag_is_plain(f->rsi) || list_empty(&e->receivers) || t->pending || f->rdx == DEADLINE_POLL))
        return false;
    struct thread *r = container_of(e->receivers.next, struct thread, wait_node);
    if (unlikely(!r->process->handles.free || r->process->ending))
        return false;
    struct trap_frame *rf = r->arch.frame;
    struct call *c = &t->call;
    list_remove(&r->wait_node);
    e->object.refs++;
    c->endpoint = e;
    c->tag = f->rsi;
    c->badge = h->gate ? h->gate->badge : 0;
    c->state = CALL_DELIVERED;
    rf->rdi = reply_handle_new(c, r->process);
    rf->rsi = f->rsi;
    rf->rdx = c->badge;
    copy_words(rf, f);
    t->wait = WAIT_CALL;
    cpu_this()->counters[COUNTER_FASTPATH]++;
    if (unlikely(TAG_BYTES(f->rsi)))
        copy_bytes(f, r);
    f->rax = sched_block_switch(f->rdx, r, E_OK);
    return true;
}

/* Answers and goes to wait in one step, if nothing is there to receive. */
static inline bool reply_recv_fast(struct trap_frame *f, struct thread *t)
{
    struct process *p = t->process;
    struct handle_entry *rh = handle_entry(&p->handles, (handle_t)f->rdi);
    struct handle_entry *eh = handle_entry(&p->handles, (handle_t)f->r15);
    if (unlikely(!rh || (f->rdi | f->r15) >> 32 || rh->object->type != OBJECT_REPLY || !tag_is_plain(f->rsi) ||
                 t->pending))
        return false;
    struct call *c = container_of(rh->object, struct call, reply.object);
    if (unlikely(rh->object == &cancelled_reply.object || !c->thread || c->fault || c->lent || !c->endpoint ||
                 !endpoint_usable(eh, RIGHT_RECV)))
        return false;
    struct endpoint *e = container_of(eh->object, struct endpoint, object);
    if (unlikely(!list_empty(&e->callers) || !list_empty(&e->closed) || (e->bound && e->bound->bits) ||
                 f->rdx == DEADLINE_POLL || c->endpoint->object.refs == 1 || c->thread->state != THREAD_WAITING))
        return false;
    struct thread *caller = c->thread;
    reply_handle_end(c, p, rh, (handle_t)f->rdi);
    c->state = CALL_IDLE;
    c->endpoint->object.refs--;
    c->endpoint = NULL;
    caller->arch.frame->rsi = f->rsi;
    copy_words(caller->arch.frame, f);
    t->wait = WAIT_QUEUE;
    list_append(&e->receivers, &t->wait_node);
    cpu_this()->counters[COUNTER_FASTPATH]++;
    if (unlikely(TAG_BYTES(f->rsi)))
        copy_bytes(f, caller);
    f->rax = sched_block_switch(f->rdx, caller, E_OK);
    return true;
}

/* ---- the general path: decode ---- */

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
    return message_handles_check(t->process, c->handles, TAG_HANDLES(c->tag));
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
        return t->wait_result;
    }
    if (deadline == DEADLINE_POLL && c->state == CALL_QUEUED)
        return call_cancel_error(c, E_TIMED_OUT);
    t->wait = WAIT_CALL;
    return r ? sched_block_switch(deadline, r, E_OK) : sched_block(deadline);
}

static err_t call_general(struct trap_frame *f, struct thread *t)
{
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

void sys_call(struct trap_frame *f)
{
    struct thread *t = thread_current();
    struct handle_entry *h = handle_entry(&t->process->handles, (handle_t)f->rdi);
    if (likely(f->rdi >> 32 == 0 && endpoint_usable(h, RIGHT_CALL)) && likely(call_fast(f, t, h)))
        return;
    f->rax = call_general(f, t);
}

static err_t recv(struct trap_frame *f, struct thread *t, uint64_t endpoint, uint64_t deadline)
{
    struct endpoint *e;
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
    return sched_block(deadline);
}

void sys_recv(struct trap_frame *f)
{
    struct thread *t = thread_current();
    err_t err = recv(f, t, f->rdi, f->rdx);
    if (err != E_OK)
        f->rdi = HANDLE_NONE;
    f->rax = err;
}

/* Copies of what the answer names, checked; the Reply handle itself cannot be among them. */
static err_t answer_decode(struct trap_frame *f, struct thread *t, handle_t *handles)
{
    err_t err = tag_decode(f->rsi);
    if (err == E_OK && (f->rsi & TAG_LENT))
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

void sys_reply_recv(struct trap_frame *f)
{
    struct thread *t = thread_current();
    if (likely(reply_recv_fast(f, t)))
        return;
    reply(f, t);
    err_t err = recv(f, t, f->r15, f->rdx);
    if (err != E_OK)
        f->rdi = HANDLE_NONE;
    f->rax = err;
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
