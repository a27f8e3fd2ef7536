/* Objects: counting references, and ending in one of two ways: nobody refers to it any more, or its Budget killed it.
 */
#include <kernel/debug.h>
#include <kernel/ipc.h>
#include <kernel/mm.h>
#include <kernel/object.h>

static const struct object_type_ops no_ops;
static const struct object_type_ops *type_ops[OBJECT_TYPES];
uint64_t object_counts[OBJECT_TYPES];
static uint64_t last_serial;

static const uint32_t type_rights[OBJECT_TYPES] = {
    [OBJECT_BUDGET] = RIGHT_MANAGE | RIGHT_SPEND,
    [OBJECT_PROCESS] = RIGHT_MANAGE,
    [OBJECT_THREAD] = RIGHT_MANAGE,
    [OBJECT_ENDPOINT] = RIGHT_CALL | RIGHT_RECV,
    [OBJECT_REPLY] = 0,
    [OBJECT_NOTIFICATION] = RIGHT_SIGNAL | RIGHT_WAIT,
    [OBJECT_MEMORY] = RIGHT_READ | RIGHT_WRITE | RIGHT_EXEC,
    [OBJECT_IRQ] = RIGHT_MANAGE,
    [OBJECT_DEVICE] = RIGHT_MANAGE,
    [OBJECT_SYSTEM] = RIGHT_LOG | RIGHT_POWER | RIGHT_DEVICES | RIGHT_CLUSTER,
};

uint32_t object_rights(enum object_type type)
{
    uint32_t every = RIGHT_TRANSFER | RIGHT_INFO | (type == OBJECT_REPLY ? 0 : RIGHT_DUP);
    return type_rights[type] | every;
}

void object_type_register(enum object_type type, const struct object_type_ops *ops)
{
    type_ops[type] = ops;
}

static const struct object_type_ops *ops_of(const struct object *o)
{
    return type_ops[o->type] ? type_ops[o->type] : &no_ops;
}

uint64_t object_count(enum object_type type)
{
    return object_counts[type];
}

void object_init(struct object *o, enum object_type type)
{
    o->type = type;
    o->refs = 1;
    o->serial = ++last_serial;
    list_init(&o->budget_node);
}

err_t object_create(struct budget *b, enum object_type type, size_t bytes, void *object_out)
{
    err_t err = budget_charge(b, bytes);
    if (err != E_OK)
        return err;
    struct object *o = kalloc(bytes);
    if (!o) {
        budget_uncharge(b, bytes);
        return E_NO_MEMORY;
    }
    object_init(o, type);
    o->budget = b;
    o->charged = bytes;
    list_append(&b->objects, &o->budget_node);
    object_counts[type]++;
    *(void **)object_out = o;
    return E_OK;
}

void object_shell_free(struct object *o, size_t bytes)
{
    assert(o->refs == 0 && o->handles == 0);
    assert(o->charged == bytes);
    object_uncharge(o, bytes);
    list_remove(&o->budget_node);
    object_counts[o->type]--;
    kfree(o, bytes);
}

void object_kill(struct object *o)
{
    if (o->dead)
        return;
    o->dead = true;
    if (ops_of(o)->kill) {
        o->refs++; /* kill may drop the references that the object holds on itself in a circle */
        ops_of(o)->kill(o);
        o->refs--;
    }
}

void object_put(struct object *o)
{
    assert(o->refs > 0);
    if (--o->refs > 0)
        return;
    object_kill(o);
    if (o->refs == 0 && ops_of(o)->free)
        ops_of(o)->free(o);
}

err_t object_charge(struct object *o, uint64_t bytes)
{
    err_t err = budget_charge(o->budget, bytes);
    if (err == E_OK)
        o->charged += bytes;
    return err;
}

void object_uncharge(struct object *o, uint64_t bytes)
{
    assert(o->charged >= bytes);
    o->charged -= bytes;
    budget_uncharge(o->budget, bytes);
}

/* ---- loose handles ---- */

void object_handle_added(struct object *o, uint32_t rights)
{
    if (o->type == OBJECT_REPLY)
        return;
    o->refs++;
    o->handles++;
    if (ops_of(o)->handle_added)
        ops_of(o)->handle_added(o, rights);
}

struct handle_ref handle_ref_make(struct object *o, struct gate *gate, uint32_t rights)
{
    object_handle_added(o, rights);
    if (gate)
        gate->handles++;
    return (struct handle_ref){o, gate, rights};
}

struct handle_ref handle_ref_dup(const struct handle_ref *r, uint32_t rights_mask)
{
    assert(r->object->type != OBJECT_REPLY);
    return handle_ref_make(r->object, r->gate, r->rights & rights_mask);
}

void handle_ref_drop(struct handle_ref *r)
{
    struct object *o = r->object;
    struct gate *gate = r->gate;
    uint32_t rights = r->rights;
    if (!o)
        return;
    if (o->type == OBJECT_REPLY) {
        reply_drop(r);
        return;
    }
    *r = (struct handle_ref){0};
    if (gate && --gate->handles == 0)
        gate_handle_removed(gate);
    if (ops_of(o)->handle_removed)
        ops_of(o)->handle_removed(o, rights);
    if (--o->handles == 0 && ops_of(o)->last_handle)
        ops_of(o)->last_handle(o);
    object_put(o);
}

void handle_ref_move(struct handle_ref *from, struct handle_ref *to)
{
    *to = *from;
    *from = (struct handle_ref){0};
    if (to->object && to->object->type == OBJECT_REPLY)
        reply_moved_loose(to);
}
