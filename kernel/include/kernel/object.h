/* Objects, handles and Budgets. Kernel lock held for all of these.
 *
 * An object lives while anything refers to it. It is charged to one Budget, which can kill it: then it is `dead`, has
 * given back what it held, and only its shell waits for the last reference (charged to the parent Budget meanwhile).
 * A handle (in a process, or a loose handle_ref inside the kernel) is a reference that carries rights and, for
 * Endpoints, a badge.
 */
#pragma once

#include <abi/info.h>
#include <abi/types.h>
#include <kernel/list.h>

/* A plain queue of waiting threads; see sched.h. */
struct wait_queue {
    struct list threads;
};

struct budget;
struct gate;
struct process;

struct object {
    uint8_t type; /* enum object_type; OBJECT_NONE: internal */
    bool dead;    /* killed by its Budget, or ended: operations answer E_GONE */
    bool remote;  /* a stand-in for an object of another node */
    uint32_t refs;
    uint32_t handles; /* the refs that are handles */
    uint64_t serial;
    struct budget *budget; /* NULL: the kernel's own, never charged */
    struct list budget_node;
    uint64_t charged; /* bytes charged to the Budget for it, its shell included */
};

/* What each type does. NULL members do nothing. */
struct object_type_ops {
    void (*kill)(struct object *o); /* give back everything but the shell; wake who waits; called at most once */
    void (*free)(struct object *o); /* no reference is left: free the shell. kill ran before */
    void (*handle_added)(struct object *o, uint32_t rights);
    void (*handle_removed)(struct object *o, uint32_t rights);
    void (*last_handle)(struct object *o); /* the last handle has gone; references may remain */
};
void object_type_register(enum object_type type, const struct object_type_ops *ops);

/* Charges `bytes`, allocates them zeroed and fills in the header with one reference. E_NO_MEMORY: nothing happened. */
err_t object_create(struct budget *b, enum object_type type, size_t bytes, void *object_out);
/* The header of an object that is part of something else (Reply) or static (System). */
void object_init(struct object *o, enum object_type type);
void object_shell_free(struct object *o, size_t bytes); /* for ops->free: uncharges the shell and frees it */
static inline void object_get(struct object *o)
{
    o->refs++;
}
void object_put(struct object *o);
/* Ends it for all holders, as when its Budget is destroyed. */
void object_kill(struct object *o);
/* More, or less, memory that belongs to an object. */
err_t object_charge(struct object *o, uint64_t bytes);
void object_uncharge(struct object *o, uint64_t bytes);
uint64_t object_count(enum object_type type);
uint32_t object_rights(enum object_type type); /* all rights that mean something for the type */

/* ---- Budgets ---- */
struct budget {
    struct object object; /* charged to the parent */
    struct budget *parent;
    struct list children; /* struct budget.sibling, by rising label */
    struct list sibling;
    struct list objects;      /* struct object.budget_node */
    struct list destroy_node; /* queue of the reaper */
    struct wait_queue destroy_waiters;
    uint64_t label;
    uint64_t limit, used, peak;
    uint32_t child_count;
    uint32_t process_count; /* not ended */
    uint32_t busy;          /* processes not torn down and threads not freed: destroying waits for them */
    bool dying;
};
extern struct budget root_budget;
err_t budget_charge(struct budget *b, uint64_t bytes); /* E_NO_MEMORY */
void budget_uncharge(struct budget *b, uint64_t bytes);
err_t budget_create(struct budget *parent, uint64_t bytes, uint64_t label, struct budget **out);
struct budget *budget_next(struct budget *parent, uint64_t label); /* smallest label above; NULL: none */
struct process *budget_process(struct budget *b, uint64_t n);      /* NULL past the last */
/* Each process that there is. `found` must not end any. */
typedef void (*process_found)(struct process *p);
void budget_each_process(process_found found);
/* Kills all that is charged to it and to its children; the reaper finishes and wakes destroy_waiters. */
void budget_destroy_begin(struct budget *b);
bool budget_destroy_ready(struct budget *b);
bool budget_destroy_step(struct budget *b);

/* ---- loose handles: a handle's content outside any process, e.g. in a message on its way ---- */
struct handle_ref {
    struct object *object; /* NULL: none */
    struct gate *gate;     /* Endpoints: the badge; NULL: badge 0 */
    uint32_t rights;
};
struct handle_ref handle_ref_make(struct object *o, struct gate *gate, uint32_t rights); /* counts as a handle */
struct handle_ref handle_ref_dup(const struct handle_ref *r, uint32_t rights_mask);
void handle_ref_drop(struct handle_ref *r); /* and clears it */
/* A handle_ref that holds a Reply is known by its address (a caller that gives up must find it): never copy one that
 * outlives the present hold of the lock, move it. */
void handle_ref_move(struct handle_ref *from, struct handle_ref *to);
void object_handle_added(struct object *o, uint32_t rights); /* for code that fills in entries itself */
extern uint64_t object_counts[OBJECT_TYPES];

/* ---- handle tables ---- */
#define HANDLE_CHUNK 64u

struct handle_entry {
    struct object *object; /* NULL: free */
    union {
        struct gate *gate;
        uint32_t next_free; /* index + 1; 0 ends the list */
    };
    uint32_t rights;
    uint16_t generation; /* never 0 */
    uint16_t reserved;
};

struct handle_table {
    struct handle_entry *chunks[HANDLES_MAX / HANDLE_CHUNK];
    uint32_t capacity; /* entries that exist */
    uint32_t used;
    uint32_t free; /* index + 1 of the first free entry */
};

always_inline struct handle_entry *handle_slot(struct handle_table *t, uint32_t index)
{
    return &t->chunks[index / HANDLE_CHUNK][index % HANDLE_CHUNK];
}

/* The entry; NULL if there is none. */
always_inline struct handle_entry *handle_entry(struct handle_table *t, handle_t h)
{
    uint32_t index = h & 0xffff;
    if (index >= t->capacity)
        return NULL;
    struct handle_entry *e = handle_slot(t, index);
    return e->generation == h >> 16 && e->object ? e : NULL;
}

/* Fills the first free entry, which must be there. */
always_inline handle_t handle_slot_take(struct handle_table *t, struct object *o, struct gate *gate, uint32_t rights)
{
    uint32_t index = t->free - 1;
    struct handle_entry *e = handle_slot(t, index);
    t->free = e->next_free;
    t->used++;
    e->object = o;
    e->gate = gate;
    e->rights = rights;
    return (handle_t)e->generation << 16 | index;
}

always_inline void handle_slot_release(struct handle_table *t, struct handle_entry *e, uint32_t index)
{
    uint16_t next = (uint16_t)(e->generation + 1);
    e->object = NULL;
    e->generation = next ? next : 1;
    e->next_free = t->free;
    t->free = index + 1;
    t->used--;
}

/* The object, if `h` is one of `type`, living, with all of `rights`, and without a gate that would have to be looked
 * at; NULL: handle_decode() knows more. */
always_inline struct object *handle_plain(struct handle_table *t, uint64_t h, enum object_type type, uint32_t rights)
{
    struct handle_entry *e = likely(h >> 32 == 0) ? handle_entry(t, (handle_t)h) : NULL;
    if (unlikely(!e || e->object->type != type || (e->rights & rights) != rights || e->object->dead || e->gate))
        return NULL;
    return e->object;
}

/* Checks that `h` is a living object of `type` with all of `rights`. E_BAD_HANDLE, E_WRONG_TYPE, E_NO_RIGHT, E_GONE. */
err_t handle_decode(struct process *p, uint64_t h, enum object_type type, uint32_t rights, struct handle_entry **out);
/* The same, but answers for objects that have ended, too. */
err_t handle_decode_any(struct process *p, uint64_t h, enum object_type type, uint32_t rights,
                        struct handle_entry **out);
err_t handle_object(struct process *p, uint64_t h, enum object_type type, uint32_t rights, void *object_out);
/* Makes sure that `count` handles fit. E_FULL, E_NO_MEMORY (or the Budget's). */
err_t handle_reserve(struct process *p, uint32_t count);
/* Takes over the reference that *r is. Room must have been reserved. */
handle_t handle_install(struct process *p, struct handle_ref *r);
err_t handle_insert(struct process *p, struct handle_ref *r, handle_t *out); /* reserve and install; drops r on error */
/* Takes the handle out of the table: the caller owns what it was. */
struct handle_ref handle_take(struct process *p, handle_t h);
void handle_close(struct process *p, handle_t h);
/* Is some handle of it to such an object? Walks the whole table: for rare events. */
typedef bool (*handle_wanted)(const struct process *p, const struct object *o);
bool handle_any(struct process *p, handle_wanted wanted);
/* Closes up to `limit` handles of a process that has ended; false when none is left. */
bool handle_table_drain(struct process *p, uint32_t limit);
void handle_table_free(struct process *p);
