/* Between the files of ipc/. */
#pragma once

#include <kernel/ipc.h>
#include <kernel/process.h>
#include <kernel/sched.h>

static inline void frame_get_words(const struct trap_frame *f, uint64_t *words)
{
    words[0] = f->r10;
    words[1] = f->r8;
    words[2] = f->r9;
    words[3] = f->r12;
    words[4] = f->r13;
    words[5] = f->r14;
}

static inline void frame_set_words(struct trap_frame *f, const uint64_t *words)
{
    f->r10 = words[0];
    f->r8 = words[1];
    f->r9 = words[2];
    f->r12 = words[3];
    f->r13 = words[4];
    f->r14 = words[5];
}

always_inline void frame_copy_words(struct trap_frame *to, const struct trap_frame *from)
{
    to->r10 = from->r10;
    to->r8 = from->r8;
    to->r9 = from->r9;
    to->r12 = from->r12;
    to->r13 = from->r13;
    to->r14 = from->r14;
}

#define REPLY_RIGHTS (RIGHT_TRANSFER | RIGHT_INFO)

/* The call goes to `e`. */
always_inline void call_attach(struct call *c, struct endpoint *e, struct gate *gate)
{
    object_get(&e->object);
    c->endpoint = e;
    c->badge = gate ? gate->badge : 0;
}

/* Apart from those of objects: process ids have the lower half of those, which a busy hour of calls would use up. */
extern uint64_t reply_serial_last;

/* It has a Reply now, each with a number of its own; where that is, reply_moved_...() tells. */
always_inline void reply_begin(struct call *c)
{
    c->has_reply = true;
    c->reply.object.serial = ++reply_serial_last;
    object_counts[OBJECT_REPLY]++;
}

/* No handle is its Reply any more. */
always_inline void reply_end(struct call *c)
{
    c->has_reply = false;
    c->reply.holder = NULL;
    c->reply.loose = NULL;
}

/* What a Reply handle refers to once its caller has given up. */
extern struct reply cancelled_reply;

/* Hands what waits at `e` to threads that wait there. */
void endpoint_pump(struct endpoint *e);
/* Gives thread `r` the next thing to receive, into its registers and buffer; false: nothing there. */
bool endpoint_receive(struct endpoint *e, struct thread *r);
bool endpoint_take_closed(struct endpoint *e, uint64_t *badge_out);

/* Hands in a call whose message is filled in. E_OK: under way, or ended already (state CALL_IDLE; a thread's result is
 * in wait_result). Other errors: nothing happened. */
err_t call_submit(struct call *c, struct endpoint *e, struct gate *gate);
/* A user's tag is well formed. */
err_t tag_decode(uint64_t tag);
/* Checks the handles that a process names in a message, without taking them. */
err_t message_handles_check(struct process *p, const handle_t *handles, uint32_t count);
/* Duplicates them, and moves Replies. They were checked in the same hold of the lock. */
void message_handles_take(struct process *p, const handle_t *handles, uint32_t count, struct handle_ref *refs_out);
/* The call ends: bookkeeping, then its caller learns. `answer` only with E_OK. */
void call_end(struct call *c, err_t err, struct ipc_message *answer);
/* Uses up the Reply handle; NULL: its caller gave up. */
struct call *reply_take(struct process *p, handle_t h);

/* Whether the endpoint's guard lets the call through: E_OK, E_NOT_FENCED, E_STALE_FENCE. */
err_t fence_check(const struct endpoint *e, const struct call *c);
/* The call goes through: what it carries has been seen. */
void fence_seen(struct endpoint *e, const struct call *c);

void notification_take_bound(struct notification *n, uint64_t *bits_out);
