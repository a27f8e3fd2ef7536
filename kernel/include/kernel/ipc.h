/* Endpoints, calls, Replies and Notifications, also where the kernel itself is caller or receiver.
 *
 * A `call` is one message under way: made, queued at its endpoint or delivered, and at last answered or failed, once.
 * Each thread has one inside it; kernel code that calls on behalf of others (a peer node) allocates its own and gives
 * `owner`. An endpoint's receiver is a process, or a kernel handler: a service of the kernel, or the stand-in for an
 * endpoint of another node. Kernel lock held for everything here; no callback may block.
 */
#pragma once

#include <abi/ipc.h>
#include <kernel/arch.h>
#include <kernel/list.h>
#include <kernel/object.h>
#include <kernel/timer.h>

struct thread;
struct memory;
struct endpoint;
struct notification;
struct call;

/* A message as it is handed over inside the kernel. */
struct ipc_message {
    uint64_t tag;
    uint64_t words[IPC_WORDS_MAX];
    const uint8_t *bytes;                       /* TAG_BYTES(tag) of them; may change under us if a process owns them */
    struct handle_ref handles[IPC_HANDLES_MAX]; /* TAG_HANDLES(tag) of them */
};

enum call_state {
    CALL_IDLE = 0,
    CALL_QUEUED = 1,   /* at call.endpoint, not seen by its receiver */
    CALL_DELIVERED = 2 /* the receiver holds the Reply, or a kernel handler holds the call */
};

/* The Reply object. It is in exactly one place; call_cancel() finds it there. */
struct reply {
    struct object object;
    struct process *holder; /* NULL: held by a kernel handler, or in a loose handle_ref */
    handle_t handle;
    struct handle_ref *loose; /* the handle_ref that holds it; NULL: only for the length of one hold of the lock */
};

/* For calls whose caller is kernel code. */
struct call_owner {
    /* The end of the call. E_OK: *answer holds tag, words, bytes (valid until return) and handles, which now belong to
     * the owner. Other errors: answer is NULL. The call is idle again and may be reused or freed. */
    void (*done)(struct call *c, err_t err, struct ipc_message *answer);
};

struct call {
    struct reply reply;
    struct list node;          /* endpoint.callers while queued; free for a kernel handler's use once delivered */
    struct endpoint *endpoint; /* holds a reference unless idle */
    struct gate *gate;         /* while queued: the badge it came by; counts as one of its handles */
    uint8_t state;             /* enum call_state */
    bool has_reply;            /* a Reply handle to it exists */
    bool fault;                /* a fault of the thread: the answer is read from `tag` */
    uint64_t badge;
    uint64_t tag;
    uint64_t words[IPC_WORDS_MAX];
    handle_t handles[IPC_HANDLES_MAX]; /* of the calling process; checked again at delivery */

    /* lent range; length 0: none */
    struct memory *lent;  /* a process's: holds a reference */
    uint8_t *lent_kernel; /* a kernel caller's */
    uint64_t lent_offset, lent_length;
    uint32_t lent_direction;
    uint64_t lent_low, lent_high; /* lent_kernel: what lies between the first and the last byte written so far */

    struct ipc_fence fence; /* with TAG_FENCED in the tag */

    struct thread *thread; /* the caller; NULL: kernel code */

    /* kernel callers only */
    const struct call_owner *owner;
    const uint8_t *bytes;
    struct handle_ref refs[IPC_HANDLES_MAX]; /* given to the receiver at delivery; left here if it fails before */
    uint64_t sender_node, sender_boot;       /* stamped into the receiver's buffer with TAG_REMOTE */
    void *context;                           /* the owner's, or once delivered to a kernel handler, the handler's */
};

/* ---- endpoints ---- */

/* A kernel receiver. */
struct endpoint_handler {
    /* A call came: the handler holds it (state CALL_DELIVERED) until it calls call_answer() or call_fail(), now or
     * later. Anything but E_OK: refused, the caller gets that error and nothing has moved. */
    err_t (*request)(struct endpoint *e, struct call *c);
    /* The caller gave up a call that the handler holds; it must forget it before it returns. */
    void (*cancelled)(struct endpoint *e, struct call *c);
    void (*closed)(struct endpoint *e, uint64_t badge); /* no handle of one handle_mint is left */
    void (*unused)(struct endpoint *e); /* no handle at all is left: endpoint_drop() it if nobody can name it again */
    /* NULL unless the endpoint is the handle of a lock: by what right calls under it are made. E_STALE_FENCE: it is not
     * held any more. */
    err_t (*fence)(struct endpoint *e, struct ipc_fence *fence_out);
    bool (*freezes)(struct endpoint *e); /* with `fence`: who acts under the lock is frozen now */
};

/* What an endpoint that is bound to a lock has seen of its fences. A later exclusive grant voids every earlier one, a
 * later shared grant only the exclusive ones. */
struct endpoint_guard {
    uint64_t lock[2];
    uint64_t exclusive, shared; /* the highest seen of each kind */
};

struct endpoint {
    struct object object;
    struct list callers;   /* struct call.node, first come first served */
    struct list receivers; /* struct thread.wait_node */
    struct list gates;     /* struct gate.node */
    struct list closed;    /* struct gate.closed_node: IPC_CLOSED not yet received */
    struct notification *bound;
    uint32_t recv_handles;
    const struct endpoint_handler *handler; /* NULL: processes receive */
    void *context;                          /* the handler's */
    struct endpoint_guard *guard;           /* charged to the endpoint; NULL: takes any call */
};

/* A minted badge. Exists until its handles are gone and IPC_CLOSED has been received. Charged to its endpoint. */
struct gate {
    struct endpoint *endpoint; /* holds a reference */
    struct list node;
    struct list closed_node;
    uint64_t badge;
    uint32_t handles;
    bool revoked;
};

err_t endpoint_create(struct budget *b, struct endpoint **out);
/* One reference is returned. Handles are made with handle_ref_make / endpoint_mint. `remote`: a stand-in. */
err_t endpoint_create_kernel(struct budget *b, const struct endpoint_handler *handler, void *context, bool remote,
                             struct endpoint **out);
/* The kernel handler lets go: its reference is dropped, callers get E_GONE from now on. */
void endpoint_drop(struct endpoint *e);
/* A loose handle with `badge`. E_NO_MEMORY, E_GONE. */
err_t endpoint_mint(struct endpoint *e, uint64_t badge, uint32_t rights, struct handle_ref *out);
void endpoint_revoke(struct endpoint *e, uint64_t badge);
err_t endpoint_bind(struct endpoint *e, struct notification *n); /* NULL unbinds. E_BUSY: n is bound elsewhere */
/* From now on only calls under `guard->lock` with a fence that is not void by what was seen reach the receiver; also
 * those that wait already. Another lock's guard is refused (E_BUSY), the same lock's adds what it has seen.
 * E_WRONG_TYPE: the receiver is the kernel. E_NO_MEMORY. */
err_t endpoint_guard(struct endpoint *e, const struct endpoint_guard *guard);

/* ---- calls: the caller's side, for kernel code ---- */
/* Prepares a call slot that kernel code owns (zeroed memory or a finished call). */
void call_init(struct call *c, const struct call_owner *owner, void *context);
/* Sends it: tag, words, bytes, refs, lent_kernel/length/direction and sender_* are filled in. `target` is an Endpoint
 * handle with RIGHT_CALL. E_OK: done() will be called exactly once, perhaps already was. Other errors: it never will,
 * nothing moved. The owner arms its own timer for a deadline and uses call_cancel(). */
err_t call_send(struct call *c, const struct handle_ref *target);
/* The caller gives up; done() is not called. True: the receiver had got the message already (E_UNKNOWN). */
bool call_cancel(struct call *c);

/* ---- calls: the receiver's side, for kernel handlers ---- */
/* The inline bytes of a call that the handler holds; copy before checking. */
const uint8_t *call_bytes(const struct call *c);
/* Takes the handles that came with it, all or nothing: duplicates (Replies move) now owned by the caller. */
err_t call_take_handles(struct call *c, struct handle_ref refs_out[IPC_HANDLES_MAX]);
/* The lent range. E_NO_RIGHT against its direction, E_RANGE outside it. */
err_t call_lent_read(struct call *c, uint64_t offset, void *to, uint64_t bytes);
err_t call_lent_write(struct call *c, uint64_t offset, const void *from, uint64_t bytes);
/* Answers; the message's handles are taken over, also on error (E_FULL: no room, the caller got E_FULL). */
err_t call_answer(struct call *c, struct ipc_message *answer);
void call_fail(struct call *c, err_t err);
err_t call_lent_decode(const struct call *c, uint64_t offset, uint64_t bytes, uint32_t direction);
/* Notes that bytes were written to lent_kernel. */
void call_lent_wrote(struct call *c, uint64_t offset, uint64_t bytes);
/* The Reply to a call, as a handle that can be handed on: for one that a kernel handler holds (it then answers no more
 * itself), or for an idle one of a kernel owner (the stand-in for a Reply of another node: done() tells what its holder
 * does with it, E_DROPPED if nothing). *out must stay where it is, or be moved with handle_ref_move. */
void call_make_reply(struct call *c, struct handle_ref *out);
struct call *reply_call(struct object *reply_object); /* NULL: its caller gave up */
/* Uses up a loose Reply handle: the call to answer with call_answer() or call_fail(). NULL: its caller gave up. */
struct call *reply_use(struct handle_ref *r);

/* ---- notifications ---- */

struct notification_handler {
    void (*signal)(struct notification *n, uint64_t bits);
    void (*unused)(struct notification *n); /* no handle is left: notification_drop() it */
};

struct notification {
    struct object object;
    uint64_t bits;
    struct list waiters;    /* struct thread.wait_node, wait_mask says for which bits */
    struct endpoint *bound; /* recv on it also returns our bits; no reference: the endpoint unbinds when it goes */
    struct list watches;    /* struct watch.notification_node */
    struct timer timer;
    uint64_t timer_bits;
    const struct notification_handler *handler; /* NULL: an ordinary one */
    void *context;
};
err_t notification_create(struct budget *b, struct notification **out);
err_t notification_create_kernel(struct budget *b, const struct notification_handler *handler, void *context,
                                 bool remote, struct notification **out);
void notification_drop(struct notification *n);
void notification_signal(struct notification *n, uint64_t bits);
err_t notification_timer(struct notification *n, uint64_t deadline_ns, uint64_t bits);
/* The current thread waits for any of `mask` and takes what is set of it. */
/* Takes those bits of `mask` that are set; false: none is. */
static inline bool notification_take(struct notification *n, uint64_t mask, uint64_t *bits_out)
{
    uint64_t bits = n->bits & mask;
    n->bits ^= bits;
    *bits_out = bits;
    return bits != 0;
}
/* The last act of sys_wait(): the thread rests until some bit of `mask` is signalled, and finds them in rdx. */
_Noreturn void notification_rest(struct notification *n, uint64_t mask, uint64_t deadline_ns);

/* ---- for sched and object only ---- */
void reply_drop(struct handle_ref *r);        /* unused: its caller gets E_DROPPED */
void reply_moved_loose(struct handle_ref *r); /* it lies in *r now */
void reply_moved_into(struct object *reply, struct process *p, handle_t h);
void ipc_fault(struct thread *t, const uint64_t words[5], bool *resume_out);
void gate_handle_removed(struct gate *g);
err_t call_cancel_error(struct call *c, err_t reason); /* cancels; what the caller shall see */
