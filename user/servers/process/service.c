/* The process service: what concerns no single child yet. */
#include "process.h"

#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

#define SAMPLE_NS 200000000ull

static err_t handle_prepare(struct request *r, const struct process_prepare_in *in, struct process_prepare_out *out)
{
    struct image image;
    if (r->badge != 0)
        return E_ACCESS;
    if (in->path[0] != '/' || in->flags & ~(uint32_t)PROCESS_ATTACHED)
        return E_INVALID;
    if (strncmp(in->path, "/bin/", 5) == 0 && !bundle_image(in->path, &image))
        return E_NO_ENTRY;
    struct child *c = child_make(in->path, in->flags, r->remote ? r->sender_node : 0);
    if (!c)
        return E_FULL;
    err_t err = os_handle_mint(server_state.endpoint, child_index(c) + 1,
                               RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &out->control);
    if (err) {
        child_owner_gone(c);
        return err;
    }
    out->control_give = true;
    out->process_id = child_id(c);
    return E_OK;
}

static void fill_row(const struct child *c, struct process_row *row)
{
    struct process_info info = {0};
    if (c->state == CHILD_RUNNING)
        os_control(c->process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0);
    *row = (struct process_row){.id = child_id(c),
                                .memory_bytes = info.memory_bytes,
                                .cpu_ns = info.cpu_ns,
                                .state = c->state == CHILD_ENDED     ? 2
                                         : c->state == CHILD_RUNNING ? 1
                                                                     : 0,
                                .cause = c->cause,
                                .code = c->code,
                                .threads = info.threads,
                                .owner_node = (uint32_t)c->owner_node,
                                .job = c->job};
    memcpy(row->command, c->command, sizeof row->command);
}

static err_t handle_list(struct request *r, const struct process_list_in *in, struct process_list_out *out)
{
    static struct process_row rows[PROCESS_LIST_ROWS_MAX / sizeof(struct process_row)];
    uint32_t count = 0;
    out->next = in->position;
    for (; out->next < CHILDREN_MAX && count < sizeof rows / sizeof rows[0]; out->next++)
        if (server_state.children[out->next].state != CHILD_FREE)
            fill_row(&server_state.children[out->next], &rows[count++]);
    if (count == 0) /* an empty answer ends the list */
        count = services_rows(out->next - CHILDREN_MAX, rows, sizeof rows / sizeof rows[0], &out->next);
    out->rows = rows;
    out->rows_length = count * (uint32_t)sizeof rows[0];
    return E_OK;
}

static err_t handle_kill(struct request *r, const struct process_kill_in *in, struct process_kill_out *out)
{
    struct child *c = child_by_serial(PROCESS_ID_SERIAL(in->process_id));
    if (PROCESS_ID_NODE(in->process_id) == own_node() && PROCESS_ID_SERIAL(in->process_id) < PROCESS_SERIAL_FIRST)
        return E_ACCESS; /* the supervisor's */
    if (!c || c->state == CHILD_ENDED || child_id(c) != in->process_id)
        return E_NOT_FOUND;
    return child_kill(c, in->code);
}

static err_t handle_find(struct request *r, const struct process_find_in *in, struct process_find_out *out)
{
    struct child *c = child_by_serial(PROCESS_ID_SERIAL(in->process_id));
    if (!c || child_id(c) != in->process_id)
        return E_NOT_FOUND;
    out->control_give = true;
    return os_handle_mint(server_state.endpoint, (child_index(c) + 1) | BADGE_FOUND | (uint64_t)c->serial << 33,
                          RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &out->control);
}

static err_t handle_number(struct request *r, const struct process_number_in *in, struct process_number_out *out)
{
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &server_state.children[i];
        bool meant =
            c->state != CHILD_FREE && c->kernel_serial && PROCESS_ID(own_node(), c->kernel_serial) == in->kernel_id;
        if (!meant)
            continue;
        out->process_id = child_id(c);
        return E_OK;
    }
    return services_number(in->kernel_id, &out->process_id);
}

/* How busy the processors were since the last sample, which is at least SAMPLE_NS old. */
static uint32_t busy_percent(const struct system_info *system)
{
    static uint64_t sampled_ns, sampled_idle_ns;
    static uint32_t percent;
    uint64_t now = os_clock(CLOCK_ID_MONOTONIC_NS), span = (now - sampled_ns) * system->cpus;
    if (now - sampled_ns < SAMPLE_NS || span == 0)
        return percent;
    uint64_t idle = system->idle_ns - sampled_idle_ns;
    percent = idle >= span ? 0 : (uint32_t)(100 - idle * 100 / span);
    sampled_ns = now;
    sampled_idle_ns = system->idle_ns;
    return percent;
}

static err_t handle_load(struct request *r, const struct process_load_in *in, struct process_load_out *out)
{
    struct system_info system = {0};
    err_t err = os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_INFO, (uint64_t)&system, 0, 0, 0).err;
    if (err)
        return err;
    out->free_bytes = system.free_bytes;
    out->cpus = system.cpus;
    out->busy_percent = busy_percent(&system);
    for (uint32_t i = 0; i < CHILDREN_MAX; i++)
        out->running += server_state.children[i].state == CHILD_RUNNING;
    return E_OK;
}

const struct process_server process_handlers = {
    .prepare = handle_prepare,
    .list = handle_list,
    .kill = handle_kill,
    .find = handle_find,
    .load = handle_load,
    .number = handle_number,
};
