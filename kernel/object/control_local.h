/* Between control.c and the files that carry out its operations, one file a type. */
#pragma once

#include <abi/info.h>
#include <kernel/ipc.h>
#include <kernel/process.h>
#include <kernel/sched.h>

/* An operation whose handle has been checked for type and right. */
struct control {
    struct process *self;
    struct object *object;
    uint64_t a, b, c, d;
    uint64_t value; /* result */
};

/* One function for each line of abi/ops.def, named after it. */
#define OP(name, type, number, right, text) err_t control_##name(struct control *c);
#include <abi/../../ops.def>
#undef OP

/* A handle with all rights to `o` for the caller, in c->value. */
err_t control_return_handle(struct control *c, struct object *o);
/* Arguments a, b of the watch operations: to be told at once if `ended`. */
err_t control_watch(struct control *c, struct list *watches, bool ended);
err_t process_name_decode(uint64_t from, uint64_t length, char name_out[PROCESS_NAME_MAX + 1]);
