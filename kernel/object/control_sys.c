/* control: from operation number to function, with the checks that abi/ops.def states. */
#include <kernel/syscall.h>

#include "control_local.h"

#define OPS_OF_A_TYPE 16u

struct control_row {
    uint32_t right;
    err_t (*function)(struct control *c);
};

/* An operation's number is its type and a count. */
static const struct control_row rows[OBJECT_TYPES][OPS_OF_A_TYPE] = {
#define OP(name, type, number, right, text) [OBJECT_##type][(number)&0xff] = {right, control_##name},
#include <abi/../../ops.def>
#undef OP
};

#define OP(name, type, number, right, text)                                                                            \
    _Static_assert((number) >> 8 == OBJECT_##type && ((number)&0xff) < OPS_OF_A_TYPE, "number of " #name);
#include <abi/../../ops.def>
#undef OP

/* Asks only, so also about what has ended. */
static bool answers_for_ended(uint64_t op)
{
    return op == OP_PROCESS_INFO || op == OP_PROCESS_WATCH || op == OP_THREAD_INFO || op == OP_THREAD_WATCH ||
           op == OP_REPLY_INFO;
}

err_t sys_control(struct trap_frame *f)
{
    uint64_t op = f->rsi;
    struct control c = {.self = thread_current()->process, .a = f->rdx, .b = f->r10, .c = f->r8, .d = f->r9};
    f->rdx = 0;
    if (op >> 8 >= OBJECT_TYPES || (op & 0xff) >= OPS_OF_A_TYPE || !rows[op >> 8][op & 0xff].function)
        return E_BAD_SYSCALL;
    const struct control_row *row = &rows[op >> 8][op & 0xff];
    struct handle_entry *e;
    err_t err = handle_decode_any(c.self, f->rdi, (enum object_type)(op >> 8), row->right, &e);
    if (err == E_OK && e->object->dead && !answers_for_ended(op))
        err = E_GONE;
    if (err != E_OK)
        return err;
    c.object = e->object;
    err = row->function(&c);
    f->rdx = c.value;
    return err;
}

err_t control_return_handle(struct control *c, struct object *o)
{
    handle_t h;
    struct handle_ref r = handle_ref_make(o, NULL, object_rights((enum object_type)o->type));
    err_t err = handle_insert(c->self, &r, &h);
    if (err == E_OK)
        c->value = h;
    return err;
}

err_t control_watch(struct control *c, struct list *watches, bool ended)
{
    struct notification *n;
    err_t err = handle_object(c->self, c->a, OBJECT_NOTIFICATION, RIGHT_SIGNAL, &n);
    if (err == E_OK && c->b == 0)
        err = E_INVALID;
    if (err == E_OK && n->handler) /* the kernel's own, or another node's: the caller would not pay for the watch */
        err = E_NOT_SUPPORTED;
    if (err != E_OK)
        return err;
    if (!ended)
        return watch_add(watches, n, c->b);
    notification_signal(n, c->b);
    return E_OK;
}
