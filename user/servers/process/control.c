/* The control service: one child, named by the caller's badge. */
#include "process.h"

#include <os/syscall.h>

static struct child *child_of(const struct request *r)
{
    uint32_t index = (uint32_t)r->badge - 1;
    if (index >= CHILDREN_MAX || server_state.children[index].state == CHILD_FREE)
        return NULL;
    struct child *c = &server_state.children[index];
    return r->badge & BADGE_FOUND && (uint32_t)(r->badge >> 33) != c->serial ? NULL : c;
}

/* The child, if it is still being prepared and the caller is who prepares it. */
static err_t preparing(const struct request *r, struct child **out)
{
    *out = child_of(r);
    if (!*out)
        return E_GONE;
    if (r->badge & BADGE_FOUND)
        return E_ACCESS;
    return (*out)->state == CHILD_PREPARING ? E_OK : E_BUSY;
}

static err_t handle_arguments(struct request *r, const struct control_arguments_in *in,
                              struct control_arguments_out *out)
{
    struct child *c;
    err_t err = preparing(r, &c);
    return err ? err : words_append(c->preparation, in->strings, in->strings_length, in->argc, in->envc);
}

static err_t handle_give(struct request *r, const struct control_give_in *in, struct control_give_out *out)
{
    struct child *c;
    err_t err = preparing(r, &c);
    if (err)
        return err;
    if (in->slot <= STARTUP_BUDGET || in->slot >= STARTUP_HANDLES)
        return E_RANGE;
    handle_t *slot = &c->preparation->handles[in->slot];
    if (*slot)
        os_handle_close(*slot);
    *slot = request_take(r, in->object);
    return E_OK;
}

static err_t handle_limits(struct request *r, const struct control_limits_in *in, struct control_limits_out *out)
{
    struct child *c;
    err_t err = preparing(r, &c);
    if (err)
        return err;
    if (in->priority > PRIORITY_NORMAL || in->memory_bytes > 1ull << 40)
        return E_RANGE;
    if (in->memory_bytes)
        c->memory_bytes = (in->memory_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    c->priority = in->priority;
    return E_OK;
}

static err_t handle_start(struct request *r, const struct control_start_in *in, struct control_start_out *out)
{
    struct child *c;
    struct image image;
    err_t err = preparing(r, &c);
    if (err)
        return err;
    if (bundle_image(c->preparation->path, &image))
        return child_start(c, &image);
    if (!c->preparation->handles[STARTUP_NAMES])
        return E_NO_ENTRY;
    err = loader_request(c, r->reply);
    if (err)
        return err;
    request_keep(r);
    return REPLY_LATER;
}

static err_t handle_wait(struct request *r, const struct control_wait_in *in, struct control_wait_out *out)
{
    struct child *c = child_of(r);
    if (!c || c->state == CHILD_PREPARING)
        return c ? E_BUSY : E_GONE;
    if (c->state != CHILD_ENDED)
        return waiter_add(c, r);
    *out = (struct control_wait_out){c->cause, c->code, c->detail};
    c->keep = false;
    child_forget_if_unwanted(c);
    return E_OK;
}

static err_t handle_kill(struct request *r, const struct control_kill_in *in, struct control_kill_out *out)
{
    struct child *c = child_of(r);
    return c ? child_kill(c, in->code) : E_GONE;
}

static err_t handle_watch(struct request *r, const struct control_watch_in *in, struct control_watch_out *out)
{
    struct child *c = child_of(r);
    if (!c)
        return E_GONE;
    if (c->state == CHILD_ENDED)
        return os_signal(in->notification, in->bits);
    err_t err = watch_add(c, in->notification, in->bits);
    if (!err)
        request_take(r, in->notification);
    return err;
}

static err_t handle_detach(struct request *r, const struct control_detach_in *in, struct control_detach_out *out)
{
    struct child *c = child_of(r);
    if (!c || r->badge & BADGE_FOUND)
        return c ? E_ACCESS : E_GONE;
    c->attached = false;
    return E_OK;
}

const struct control_server control_handlers = {.arguments = handle_arguments,
                                                .give = handle_give,
                                                .limits = handle_limits,
                                                .start = handle_start,
                                                .wait = handle_wait,
                                                .kill = handle_kill,
                                                .watch = handle_watch,
                                                .detach = handle_detach};
