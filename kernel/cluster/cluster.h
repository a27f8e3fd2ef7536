/* The cluster service mounted in the kernel: what its files share.
 *
 * One kernel thread owns the node (node.h) and works without the kernel lock. Calls, attaching servers and processes
 * that end leave things for it in `inbox`, under the kernel lock, and wake it; it takes the lock for each short
 * exchange. */
#pragma once

#include <base/mem.h>
#include <base/msg.h>
#include <base/ring.h>
#include <kernel/debug.h>
#include <kernel/ipc.h>
#include <kernel/list.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/object.h>
#include <kernel/process.h>
#include <kernel/sched.h>

#include "authority.h"
#include "node.h"
#include "remote.h"

/* The kernel lock from the cluster thread. */
static inline uint64_t cluster_enter(void)
{
    uint64_t flags = arch_irq_save();
    kernel_lock();
    return flags;
}
static inline void cluster_leave(uint64_t flags)
{
    kernel_unlock();
    arch_irq_restore(flags);
}

/* A shared Memory with two rings, and the Notifications beside it. */
struct channel {
    struct memory *memory;                        /* a reference; NULL: not attached */
    struct notification *to_server, *from_server; /* references */
    struct ring_end out, in;
};

/* What the network server did that only a broken or hostile one does. */
struct carrier_faults {
    uint64_t count, said_ns;
};

/* Things that others left for the thread; kernel lock. */
struct inbox {
    struct list requests;             /* struct request.node: new ones */
    struct list dropped;              /* struct held.node: lock handles that are gone */
    struct list ended;                /* struct owner.node: processes that ended */
    struct list cancelled;            /* struct request.cancel_node */
    struct channel peer_new, log_new; /* attached, not yet taken over */
    uint64_t log_state;
    bool woken;
    struct wait_queue sleep;
};

/* A process that has something in the tables. Kept until its end is applied. */
struct owner {
    struct list node; /* in inbox.ended, later in cluster.ending */
    struct list all;  /* in cluster.owners, while it lives */
    uint64_t serial;
    const struct process *process; /* while it is in cluster.owners */
    bool proposed;
    uint64_t token;
};

struct service_op; /* service_private.h */

/* What a request waits for. */
enum phase {
    PHASE_NEW = 0,
    PHASE_PROPOSED, /* its proposal to be applied; goes on without its caller */
    PHASE_READ,     /* leave to read */
    PHASE_ASK_READ, /* a leader to ask for that */
    PHASE_QUEUED,   /* its lock */
    PHASE_FINDING,  /* another node's answer */
    PHASE_FOUND,    /* it is here: found_err, refs[0] */
    PHASE_WAITING   /* something that is looked for in each round */
};

/* A request that the thread works on. */
struct request {
    struct list node; /* in cluster.requests */
    struct list cancel_node;
    struct call *call;            /* NULL: the caller gave up. Kernel lock */
    uint64_t token;               /* of its proposal or read; unique */
    bool taken;                   /* by the thread, out of the inbox. Kernel lock */
    uint32_t op;                  /* enum cluster_ops */
    struct permissions permitted; /* of the handle that it came by */
    const struct service_op *rule;
    enum phase phase;
    err_t found_err;
    uint64_t process_id;             /* of the caller, as the whole cluster names it */
    uint64_t ticket;                 /* LOCK: what it waits with */
    struct held *held;               /* LOCK: room for what it will be, handle or release; NULL: used */
    uint64_t published;              /* NAME_REGISTER */
    uint64_t give_up_ns;             /* PHASE_ASK_READ */
    uint64_t serial;                 /* of the calling process */
    struct tables_position position; /* WATCH_NEXT: nothing before it is of interest */
    uint32_t state;                  /* WAIT_STATE */
    bool offers;                     /* KEY: a key, with its proposal */
    struct msg in;                   /* the message as it came; handles are indices + 1 into refs */
    handle_t in_handles[IPC_HANDLES_MAX];
    struct handle_ref refs[IPC_HANDLES_MAX];
    uint8_t bytes[IPC_BYTES_MAX];
};

/* A lock held through a handle: an endpoint of its own. Kernel lock for all but node and token, which are the thread's
 * once the handle is gone. */
struct held {
    struct list node;
    struct list all; /* in cluster.held, while there is a handle */
    uint64_t ticket, token;
    struct endpoint *endpoint;
    uint64_t serial; /* of the process here that acquired it; 0: none */
    struct ipc_fence fence;
    struct list waiters; /* struct call.node: they are told when the lock is lost */
    bool lost;
};

struct answer {
    struct msg msg;
    uint8_t *bytes; /* IPC_BYTES_MAX */
    handle_t handles[IPC_HANDLES_MAX];
    struct handle_ref refs[IPC_HANDLES_MAX];
};

struct cluster {
    struct inbox inbox;
    struct endpoint *service;
    struct budget *budget;
    struct node_config config;
    bool configured;          /* there is a cluster name and a key */
    const char *unconfigured; /* why not, in words */
    bool key_awaited;         /* nothing else is missing */
    struct node *node;        /* NULL until the network card's address is known */
    struct channel peer, log;
    struct carrier_faults malformed, broken; /* the network server's: records that are none; rings that cannot be */
    struct list requests, owners, ending, releasing;
    struct list held;        /* struct held.all; kernel lock */
    uint64_t lease_until_ns; /* as the node said last; kernel lock */
    bool frozen;             /* processes that hold locks are, since the lease may be over. Kernel lock */
    bool held_since;         /* and another was granted since. Kernel lock */
    uint64_t next_token;
    uint32_t own_number;
    uint64_t load_due_ns, idle_ns, idle_since_ns;
    uint8_t *answer_bytes; /* room for the answer being made */
    uint8_t *log_bytes;    /* an answer of logstore being read */
};
extern struct cluster cluster;

void cluster_wake(void); /* kernel lock held */
void cluster_try_open(void);
bool cluster_random(void *to, size_t bytes); /* as arch_random(), from the cluster thread */

/* mount_config.c */
void cluster_configure(void);
bool cluster_take_key(const uint8_t key[32]); /* by hand, for a node that was given none; false: it needs none */
/* The own id, and the own place among the voters, now that the card's address is known. */
void cluster_identify(const uint8_t mac[6]);

/* rings.c */
err_t cluster_attach_peer(struct memory *m, struct notification *to, struct notification *from);
err_t cluster_attach_log(struct memory *m, struct notification *to, struct notification *from, uint64_t state);
void cluster_rings_take(void);      /* what was newly attached; what has ended */
void cluster_rings_introduce(void); /* tells the node, just opened, of what is attached */
void cluster_rings_receive(void);
void cluster_rings_send(void);
bool cluster_rings_quiet(void); /* nothing waits in them; the servers will signal. Kernel lock held */
bool cluster_log_put(void *context, const struct log_message *request, const void *data);

/* service.c */
void cluster_service_init(void);
void cluster_service_run(void);
void cluster_answer(struct request *r, err_t err, struct answer *a); /* a NULL when err; r is gone afterwards */
void cluster_proposed(void *context, uint64_t token, const struct tables_result *result);
void cluster_members_answered(void *context, uint64_t token, err_t err, const char *words);
void cluster_readable(void *context, uint64_t token, err_t err);
struct request *cluster_request(uint64_t token);

/* service_ops.c, and service_private.h for what lies behind it */
void cluster_begin(struct request *r);                                      /* a new request */
void cluster_finish(struct request *r, const struct tables_result *result); /* its proposal was applied */
void cluster_read(struct request *r);                                       /* its read may be done */
void cluster_recheck(struct request *r);                                    /* WAIT_STATE, JOB_NEXT */
void cluster_cancel(struct request *r);                                     /* the caller gave up */

/* owners.c: processes, and the locks that handles hold */
err_t cluster_own(struct call *c);         /* the caller's process has something from now on. Kernel lock held */
bool cluster_owner_lives(uint64_t serial); /* one that cluster_own() was called for. Kernel lock held */
void cluster_owners_run(void);
bool cluster_process_ending(uint64_t serial);                    /* its end is proposed, or will be. Kernel lock held */
void cluster_release_ticket(struct request *r, uint64_t ticket); /* nobody wants that place in the line any more */
void cluster_event(void *context, const struct tables_event *event);
void cluster_replaced(void *context);
bool cluster_owner_proposed(uint64_t token);

/* held.c: handles of locks, and what becomes of who holds them when the lease may be over */
void cluster_lock_id(struct tables_text name, uint64_t id_out[2]);
/* The lock of that request, which waited with r->ticket: r->held becomes it. Kernel lock held. */
err_t cluster_held_make(struct request *r, const struct ipc_fence *fence, struct handle_ref *out);
void cluster_held_lost(uint64_t ticket);
void cluster_held_given_back(uint64_t fence); /* by unlock: its handle is no right to act any more */
void cluster_held_recheck(void);              /* the tables came from a snapshot */
void cluster_held_run(void);
uint64_t cluster_held_deadline(void);
