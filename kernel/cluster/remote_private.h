/* What the files of remote calls share. Kernel lock held for everything. */
#pragma once

#include "authority.h"
#include "remote.h"
#include "remote_wire.h"

#include <kernel/debug.h>
#include <kernel/ipc.h>
#include <kernel/list.h>
#include <kernel/object.h>

#define REMOTE_EXPORTS     256u
#define REMOTE_IMPORTS     256u
#define REMOTE_CALLS       32u /* in each direction, per peer */
#define REMOTE_FINDS       16u
#define REMOTE_OFFERS      16u
#define REMOTE_PUBLISHED   256u
#define REMOTE_QUEUE_BYTES (1024u * 1024u)
#define REMOTE_QUEUE_MOST                                                                                              \
    (4096u * 1024u) /* answers and the like included: 32 answers of the largest kind, and as much again */

/* A number that outlives links: see remote_publish(). */
#define REMOTE_PUBLISHED_BIT (1ull << 63)

/* Slots are named by index and a generation that changes with each use, so that a late message names nothing. */
static inline uint32_t remote_name(uint32_t slot, uint32_t generation)
{
    return slot | generation << 16;
}
static inline uint32_t remote_slot(uint32_t name)
{
    return name & 0xffff;
}

struct remote_export {
    struct handle_ref ref; /* object NULL: free */
    uint32_t passings;     /* how often the peer was given it and has not let go */
    uint16_t generation;
};

/* A stand-in for an object of the peer. */
struct remote_import {
    struct object *object; /* NULL: free; the reference that endpoint_drop / notification_drop gives back */
    struct remote_peer *peer;
    uint64_t target;
    uint32_t passings;
    uint8_t type;
    struct remote_queued *signal; /* a SIGNAL that waits to be sent: further bits join it */
};

struct remote_call_out {
    struct call *call;            /* NULL: free */
    struct remote_queued *queued; /* not fetched yet */
    struct remote_peer *peer;
    uint16_t generation;
    uint8_t kind; /* REMOTE_CALL */
};

struct remote_call_in {
    struct call call;
    struct remote_peer *peer;
    uint32_t far_call; /* the peer's number of it */
    bool used;
    bool reply; /* it stands for a Reply that was passed to us: far_target instead of far_call */
    uint64_t far_target;
    uint8_t *buffer; /* inline bytes, then the lent range */
    size_t buffer_bytes;
};

struct remote_find_slot {
    remote_found_fn *done; /* NULL: free */
    void *context;
    uint16_t generation;
    bool given_up; /* the answer, if it brings a handle, is let go of */
};

struct remote_queued {
    struct list node;
    struct remote_call_out *call; /* the call it carries, to be told when it is fetched */
    struct remote_import *signal;
    size_t bytes, room;
    uint8_t data[];
};

struct remote_peer {
    uint32_t node;
    bool up;
    bool broken; /* something that must not be lost was: the session has to end */
    uint64_t boot[2];
    struct list queue;
    struct remote_queued *fetched; /* handed to the link, not yet taken over by it */
    size_t queued_bytes;
    struct remote_export exports[REMOTE_EXPORTS];
    struct remote_import imports[REMOTE_IMPORTS];
    struct remote_call_out out[REMOTE_CALLS];
    struct remote_call_in in[REMOTE_CALLS];
    struct remote_find_slot finds[REMOTE_FINDS];
    struct remote_counts counts;
};

/* ---- remote_peer.c ---- */
struct remote_peer *remote_peer_get(uint32_t node); /* NULL: never had a session */
struct budget *remote_budget(void);
void remote_wake_thread(void);
void *remote_alloc(size_t bytes); /* zeroed, charged; NULL when out */
void remote_free(void *p, size_t bytes);
bool remote_is_self(uint32_t node);

/* ---- remote_queue.c ---- */
/* A message with room for `data_room` bytes that the caller fills in behind what is encoded (m->data NULL). Answers,
 * which are bounded by the calls under way, pass the limit of the queue (`always`); all else is refused when it is
 * full. NULL: refused; with `always` the session is broken, and ends soon. */
struct remote_queued *remote_enqueue(struct remote_peer *p, const struct remote_message *m, bool always);
void remote_dequeue(struct remote_peer *p, struct remote_queued *q);
void remote_queue_clear(struct remote_peer *p);

/* ---- remote_export.c: what the peer may name ---- */
/* Says how *ref travels to the peer; on E_OK the reference is kept as an export, unless one stands already or the
 * object is the peer's own, or the cluster service: then it stays in *ref, to be dropped once the message is queued,
 * lest a RELEASE that this brings about overtake it. E_NODE_BOUND, E_FULL: *ref is untouched. */
err_t remote_export(struct remote_peer *p, struct handle_ref *ref, struct remote_handle *out);
/* Takes back what remote_export() gave, for a message that is not sent after all. */
void remote_unexport(struct remote_peer *p, const struct remote_handle *handles, uint32_t count);
bool remote_can_export(const struct remote_peer *p, uint32_t count);
/* What the peer means by `target`; NULL: nothing (any more). The reference stays the table's. */
struct handle_ref *remote_export_find(struct remote_peer *p, uint64_t target);
/* The export itself leaves the table and is moved to *out. False: it is not there. */
bool remote_export_take(struct remote_peer *p, uint64_t target, struct handle_ref *out);
bool remote_export_release(struct remote_peer *p, uint64_t target, uint32_t count); /* false: malformed */
void remote_exports_clear(struct remote_peer *p);

/* ---- remote_import.c: stand-ins ---- */
/* A handle for what arrived as *h. E_GONE, E_FULL, E_NO_MEMORY: the passing has been let go of. */
err_t remote_import_handle(struct remote_peer *p, const struct remote_handle *h, struct handle_ref *out);
/* All of a message's handles, or none. */
err_t remote_import_all(struct remote_peer *p, const struct remote_message *m, struct handle_ref out[IPC_HANDLES_MAX]);
void remote_imports_release(struct remote_peer *p, const struct remote_message *m); /* unseen: let all go */
err_t remote_import_target(struct remote_peer *p, uint64_t target, uint8_t type, uint32_t rights, bool passed,
                           struct handle_ref *out);
/* If `o` is a stand-in of an object of `p`: its target there. */
bool remote_import_target_of(const struct remote_peer *p, const struct object *o, uint64_t *target_out);
void remote_imports_clear(struct remote_peer *p);
void remote_refs_drop(struct handle_ref *refs, uint32_t count);

/* ---- remote_out.c: calls of ours ---- */
err_t remote_call_begin(struct remote_import *target, struct call *c);
void remote_call_cancelled(struct call *c);
bool remote_receive_answer(struct remote_peer *p, const struct remote_message *m);
void remote_calls_out_end(struct remote_peer *p);

/* ---- remote_in.c: calls of the peer ---- */
bool remote_receive_call(struct remote_peer *p, const struct remote_message *m);
bool remote_receive_cancel(struct remote_peer *p, const struct remote_message *m);
bool remote_receive_reply(struct remote_peer *p, const struct remote_message *m);
err_t remote_reply_import(struct remote_peer *p, uint64_t target, struct handle_ref *out);
void remote_calls_in_end(struct remote_peer *p);

/* ---- remote_find.c and remote_names.c ---- */
bool remote_receive_find(struct remote_peer *p, const struct remote_message *m);
bool remote_receive_found(struct remote_peer *p, const struct remote_message *m);
void remote_finds_end(struct remote_peer *p);
struct handle_ref *remote_published_find(uint64_t number);
struct handle_ref *remote_offer_find(const char *name);
