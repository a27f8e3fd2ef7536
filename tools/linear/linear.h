/* Is a history of operations on one object linearizable? The search of Wing and Gong: try every operation that may come
 * next, go back where none fits, and remember what was tried (Lowe), as (operations done, state).
 *
 * An object is a register (read, write, cas, delete), a lock or semaphore (acquire, release, cancel, end), a queue
 * (append, read) or a group: a lock and a few registers beside it, changed by transactions that may ask whether a fence
 * holds. Histories of several objects are checked one object at a time: linearizability is local. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum linear_kind { LINEAR_REGISTER, LINEAR_LOCK, LINEAR_QUEUE, LINEAR_GROUP };

enum linear_call {
    LINEAR_READ,    /* register: saw a (0: nothing is there); queue: saw a elements, whose hash is b */
    LINEAR_WRITE,   /* b */
    LINEAR_CAS,     /* a to b; FAIL: the value was not a */
    LINEAR_DELETE,  /* FAIL: nothing was there */
    LINEAR_APPEND,  /* b, as element number a of the queue as it is in the end; a 0: not known */
    LINEAR_ACQUIRE, /* fence a; FAIL: somebody held it */
    LINEAR_RELEASE, /* fence a; FAIL: that was no holder's */
    LINEAR_RENEW,   /* fence a is a holder's; FAIL: it is not */
    LINEAR_CANCEL,  /* the acquiring operation `of` is given up, granted or not */
    LINEAR_END,     /* the client is gone, and all that it holds or waits for */
    LINEAR_TXN      /* group: a 1: what it asks held, and `then` was done; 0: it did not, and `else` was done */
};

enum linear_outcome {
    LINEAR_OK,
    LINEAR_FAIL,
    LINEAR_DONE, /* it happened between its beginning and its end, but what it answered is not known */
    LINEAR_OPEN  /* it may happen at any time after its beginning, or never */
};

#define LINEAR_NOBODY UINT32_MAX

/* A transaction over the registers (cells) of a group: what it asks, what is done if all of that holds, and what if
 * not.
 */
#define LINEAR_CELLS 4u
#define LINEAR_STEPS 8u
enum linear_step_kind {
    LINEAR_IS,      /* the cell has that value; 0: nothing is there */
    LINEAR_PRESENT, /* something is there */
    LINEAR_FENCE,   /* that fence is a holder's of the group's lock */
    LINEAR_SET      /* 0: removes */
};
struct linear_step {
    uint8_t kind, cell; /* enum linear_step_kind */
    uint64_t value;
};
struct linear_txn {
    uint8_t ifs, thens, elses; /* so many of the steps, in this order */
    struct linear_step steps[LINEAR_STEPS];
};

struct linear_op {
    uint32_t client;
    uint8_t call, outcome; /* enum linear_call, enum linear_outcome */
    bool shared;           /* ACQUIRE */
    uint32_t permits;      /* ACQUIRE: of a semaphore, so many hold it; 0: a lock */
    uint32_t ender; /* ACQUIRE: position of an operation that gives it up; that one's: of another such; LINEAR_NOBODY:
                       none */
    uint64_t a, b;
    const struct linear_txn *txn; /* TXN; must outlive the check */
    uint64_t invoked, completed;  /* moments of one clock, all different; OPEN: completed is not looked at */
};

enum linear_verdict { LINEAR_SOUND, LINEAR_BROKEN, LINEAR_UNDECIDED /* the search took more than `limit` steps */ };

struct linear_result {
    enum linear_verdict verdict;
    uint32_t stuck; /* BROKEN: an operation that fits nowhere in the best order that was found */
    uint64_t steps;
};

struct linear_result linear_check(enum linear_kind kind, const struct linear_op *ops, uint32_t count, uint64_t limit);

/* The hash of a queue's elements, as reads name it. */
uint64_t linear_queue_hash(uint64_t before, uint64_t element);
