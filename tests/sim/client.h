/* A client and its machine; for client*.c alone. */
#pragma once

#include "sim.h"

enum phase { PHASE_JOIN, PHASE_SESSION, PHASE_RUN };
enum want {
    WANT_QUEUE_READ,
    WANT_APPEND,
    WANT_READ,
    WANT_PUT,
    WANT_CAS,
    WANT_DELETE,
    WANT_TXN,
    WANT_GROUP_READ,
    WANT_EPHEMERAL, /* a key that ends with the session */
    WANT_SEQUENCE,  /* and one with a number in its name */
    WANT_CLOSE,     /* the session */
    WANT_LOCK,
    WANT_LINE, /* is it granted by now? */
    WANT_CANCEL,
    WANT_UNLOCK,
    WANT_END /* the process that holds or waits ends */
};

#define NOWHERE UINT64_MAX /* no place in the history */

struct known { /* of a register, from an answer; revision all ones: nothing */
    uint32_t value;
    uint64_t revision;
};

struct client {
    uint32_t number, node; /* node: its number in the tables */
    uint32_t opened;       /* sessions asked for since its boot; what became of most is not known */
    uint64_t boot, sequence, session, append_number, process;
    enum phase phase;
    enum want want;
    uint64_t attempt; /* of the request under way; answers to others are late */
    uint32_t target, hint;
    bool busy, awaiting, stopped; /* busy: an operation is chosen and not over */
    uint32_t id;                  /* of the element or value being written */
    uint32_t reg;
    struct known known[REGISTERS];
    bool cells_known;
    uint32_t cells[CELLS];
    char key[16], lock[16];
    uint64_t op;           /* in the history */
    bool held, waiting;    /* the lock; a request for it stands in line */
    bool shared, try_only; /* of the newest request for a lock */
    uint32_t mode;
    bool must_end; /* what became of the request is not known */
    uint64_t fence, ticket, acquire_op, patience_ns, delay_ns, old_guard;
    struct linear_txn *txn;
    uint8_t encoded[1024], setup[256];
    uint32_t bytes, setup_bytes;
    uint32_t done, mark;
    /* its machine */
    uint64_t clock_global_ns, clock_local_ns;
    int64_t drift_ppm;
    uint64_t down_until_ns, paused_until_ns, silent_until_ns;
    uint32_t silent_to; /* bit n: node n; while it is silent */
    bool dead;          /* calm: for ever */
    bool lost;          /* its boot has ended by the tables, and it may not know */
    bool renewed;       /* calm: it was, once */
    struct lease lease;
};
extern struct client clients[CLIENTS_AT_MOST];
extern uint32_t key_generation[KEYS], key_uses[KEYS], next_element;

/* client_ops.c */
bool client_is_read(const struct client *c);
bool client_about_lock(const struct client *c);
void client_begin(struct client *c); /* chooses an operation */
void client_encode(struct client *c);
void client_encode_setup(struct client *c);
void client_finish(struct client *c, const struct reply *reply);
void client_line_over(struct client *c); /* its request for a lock is over, it does not know how */
bool client_may_be_refused(const struct client *c, err_t err);
