/* From a preparation and an image to a running process. */
#include "process.h"

#include <os/load.h>
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

void preparation_free(struct child *c)
{
    struct preparation *p = c->preparation;
    if (!p)
        return;
    for (uint32_t i = 0; i < STARTUP_HANDLES; i++)
        if (p->handles[i])
            os_handle_close(p->handles[i]);
    p->used = false;
    c->preparation = NULL;
    jobs_try_again();
}

bool bundle_image(const char *path, struct image *image_out)
{
    const struct bundle_part *part = path[0] == '/' ? bundle_tree_find(&server_state.bundle, path) : NULL;
    if (part)
        *image_out = (struct image){server_state.bundle_memory, part->offset,
                                    bundle_tree_bytes(&server_state.bundle, part), part->bytes};
    return part != NULL;
}

/* What every process of this node has, unless its starter gave something else. Of the cluster it has what it was given:
 * this server's own handle would be more than its starter may have. */
static err_t give_own(struct preparation *p)
{
    return p->handles[STARTUP_CONTROL]
               ? E_OK
               : os_handle_dup(server_state.endpoint, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO,
                               &p->handles[STARTUP_CONTROL]);
}

static uint32_t descriptor_mask(const struct preparation *p)
{
    uint32_t mask = 0;
    for (uint32_t fd = 0; fd < 7; fd++)
        if (p->handles[fd < 3 ? STARTUP_STDIN + fd : STARTUP_FDS + fd - 3])
            mask |= 1u << fd;
    return mask;
}

static err_t load(struct child *c, const struct image *image, struct loaded *loaded_out)
{
    struct preparation *p = c->preparation;
    const char *directory = p->strings + p->arguments_bytes + p->environment_bytes;
    struct load load = {.memory = image->memory,
                        .memory_offset = image->offset,
                        .image = image->bytes,
                        .image_bytes = image->length,
                        .budget = c->budget,
                        .name = c->command,
                        .level = 9,
                        .priority = c->priority,
                        .stack_bytes = LOAD_PROGRAM_STACK_BYTES,
                        .process_id = child_id(c),
                        .argc = p->argc,
                        .envc = p->envc,
                        .arguments = p->strings,
                        .arguments_bytes = p->arguments_bytes,
                        .environment = p->strings + p->arguments_bytes,
                        .environment_bytes = p->environment_bytes,
                        .directory = p->taken > p->argc + p->envc ? directory : "/",
                        .fd_mask = descriptor_mask(p)};
    if (p->taken < p->argc + p->envc)
        return E_INVALID; /* fewer strings than were announced */
    memcpy(load.handles, p->handles, sizeof load.handles);
    return os_load(&load, loaded_out, NULL);
}

err_t child_start(struct child *c, const struct image *image)
{
    struct loaded loaded;
    struct handle_info info = {0};
    err_t err = os_create(server_state.jobs_budget, OBJECT_BUDGET, c->memory_bytes, child_label(c), 0, &c->budget);
    if (err)
        return c->budget = HANDLE_NONE, err;
    err = give_own(c->preparation);
    if (!err)
        err = load(c, image, &loaded);
    if (err) {
        os_control(c->budget, OP_BUDGET_DESTROY, 0, 0, 0, 0);
        os_handle_close(c->budget);
        c->budget = HANDLE_NONE;
        return err;
    }
    c->process = loaded.process;
    os_handle_info(c->process, &info);
    c->kernel_serial = (uint32_t)info.serial;
    c->state = CHILD_RUNNING;
    preparation_free(c);
    os_control(c->process, OP_PROCESS_WATCH, server_state.notification, 1ull << child_index(c) % BIT_CHILDREN, 0, 0);
    err = os_load_run(&loaded);
    OS_ASSERT(err == E_OK);
    os_handle_close(loaded.thread);
    jobs_report(c, 2);
    return E_OK;
}
