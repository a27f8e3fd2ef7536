/* Starting a service's process, noticing its end, and starting it again. */
#include "supervisor.h"

#include <base/format.h>
#include <idl/cluster.h>
#include <os/load.h>
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

#define BACKOFF_FIRST_MS  100u
#define BACKOFF_MOST_MS   10000u
#define STEADY_NS         30000000000ull /* having run for this long, it starts with a short back-off again */
#define ENVIRONMENT_BYTES 4096u

static uint64_t now_ns(void)
{
    return os_clock(CLOCK_ID_MONOTONIC_NS);
}

/* ---- what the process is given ---- */

static err_t give_device(const struct instance *instance, struct load *load, uint32_t *extra)
{
    if (instance->manifest->device_kind == 0)
        return E_OK;
    uint32_t slot = (*extra)++;
    if (instance->device == NO_DEVICE)
        return E_OK;
    struct sys_result r = os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_DEVICE, instance->device, 0, 0, 0);
    load->handles[slot] = r.err ? HANDLE_NONE : (handle_t)r.value;
    return r.err;
}

static err_t give_system(const struct manifest *m, struct load *load)
{
    uint32_t rights = m->system_rights | RIGHT_TRANSFER | RIGHT_DUP;
    return m->system_rights ? os_handle_dup(os_startup_handle(STARTUP_SYSTEM), rights, &load->handles[STARTUP_SYSTEM])
                            : E_OK;
}

static err_t give_cluster(const struct manifest *m, struct load *load)
{
    if (!m->cluster)
        return E_OK;
    struct sys_result r = os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_CLUSTER, 0, 0, 0, 0);
    if (r.err) /* a kernel without the cluster service is none to fail for */
        return r.err == E_NOT_SUPPORTED || r.err == E_BAD_SYSCALL ? E_OK : r.err;
    err_t err = cluster_narrow((handle_t)r.value, DEADLINE_NEVER, m->cluster, m->cluster_prefix,
                               &load->handles[STARTUP_CLUSTER]);
    os_handle_close((handle_t)r.value);
    return err;
}

/* A handle of the supervisor's own that the process gets a copy of. */
static err_t give_copy(handle_t handle, handle_t *slot)
{
    struct handle_info info;
    err_t err = os_handle_info(handle, &info);
    return err ? err : os_handle_dup(handle, info.rights, slot);
}

static err_t give_names(const struct manifest *m, struct load *load)
{
    err_t err = m->names ? give_copy(published_find("names"), &load->handles[STARTUP_NAMES]) : E_OK;
    for (uint32_t fd = 0; !err && m->terminal[0] && fd < 3; fd++) {
        err = give_copy(published_find(m->terminal), &load->handles[STARTUP_STDIN + fd]);
        load->fd_mask |= 1u << fd;
    }
    return err;
}

static err_t give_all(uint32_t index, struct load *load)
{
    const struct instance *instance = &supervisor.instances[index];
    const struct manifest *m = instance->manifest;
    uint32_t extra = STARTUP_EXTRA;
    err_t err = os_handle_mint(supervisor.endpoint, index + 1, RIGHT_CALL | RIGHT_TRANSFER | RIGHT_DUP | RIGHT_INFO,
                               &load->handles[STARTUP_SUPERVISOR]);
    if (!err)
        err = give_device(instance, load, &extra);
    if (!err && m->jobs_budget)
        err = give_copy(supervisor.jobs_budget, &load->handles[extra]);
    if (!err && m->bundle)
        err = give_copy(supervisor.bundle_memory, &load->handles[STARTUP_BUNDLE]);
    if (!err)
        err = give_system(m, load);
    if (!err)
        err = give_cluster(m, load);
    if (!err)
        err = give_names(m, load);
    return err;
}

static void close_given(struct load *load)
{
    for (uint32_t i = STARTUP_BUDGET + 1; i < STARTUP_HANDLES; i++)
        if (load->handles[i])
            os_handle_close(load->handles[i]);
}

/* ---- words: arguments and the configuration as environment ---- */

static uint32_t append(char *to, uint32_t used, uint32_t room, const char *text)
{
    uint32_t bytes = (uint32_t)strlen(text) + 1;
    if (bytes > room - used)
        return used;
    memcpy(to + used, text, bytes);
    return used + bytes;
}

static void make_words(const struct instance *instance, struct load *load)
{
    static char arguments[MANIFEST_ARGS_BYTES + 80], environment[ENVIRONMENT_BYTES + 32];
    const struct startup *own = os_startup();
    const char *word = (const char *)own + own->envv_offset;
    char restarts[32];
    uint32_t used = append(arguments, 0, sizeof arguments, instance->name);
    memcpy(arguments + used, instance->manifest->args, instance->manifest->args_bytes);
    load->arguments = arguments;
    load->arguments_bytes = used + instance->manifest->args_bytes;
    load->argc = 1 + instance->manifest->arg_count;
    used = 0;
    for (uint32_t i = 0; i < own->envc; i++, word += strlen(word) + 1) {
        uint32_t before = used;
        used = append(environment, used, ENVIRONMENT_BYTES, word);
        load->envc += used > before;
    }
    base_format(restarts, sizeof restarts, "restarts=%u", instance->restarts);
    load->environment = environment;
    load->environment_bytes = append(environment, used, sizeof environment, restarts);
    load->envc++;
}

/* ---- starting ---- */

static err_t load_program(uint32_t index, struct loaded *loaded_out, const char **why_out)
{
    const struct instance *instance = &supervisor.instances[index];
    const struct manifest *m = instance->manifest;
    char path[sizeof m->program + 1];
    base_format(path, sizeof path, "/%s", m->program);
    const struct bundle_part *part = bundle_tree_find(&supervisor.bundle, path);
    if (!part)
        return E_NO_ENTRY;
    struct load load = {.memory = supervisor.bundle_memory,
                        .memory_offset = part->offset,
                        .image = bundle_tree_bytes(&supervisor.bundle, part),
                        .image_bytes = part->bytes,
                        .budget = instance->budget,
                        .name = instance->name,
                        .level = m->level,
                        .priority = m->priority,
                        .process_id = LABEL_FIRST + index,
                        .directory = "/"};
    make_words(instance, &load);
    err_t err = give_all(index, &load);
    if (!err)
        err = os_load(&load, loaded_out, why_out);
    close_given(&load);
    return err;
}

static err_t instance_start(uint32_t index, const char **why_out)
{
    struct instance *instance = &supervisor.instances[index];
    struct loaded loaded;
    err_t err = os_create(os_budget(), OBJECT_BUDGET, instance->manifest->memory_bytes, LABEL_FIRST + index, 0,
                          &instance->budget);
    if (err)
        return err;
    err = load_program(index, &loaded, why_out);
    if (err) {
        os_control(instance->budget, OP_BUDGET_DESTROY, 0, 0, 0, 0);
        os_handle_close(instance->budget);
        return err;
    }
    instance->process = loaded.process;
    os_control(loaded.process, OP_PROCESS_WATCH, supervisor.notification, 1ull << index, 0, 0);
    err = os_load_run(&loaded);
    OS_ASSERT(err == E_OK);
    os_handle_close(loaded.thread);
    return E_OK;
}

static bool prerequisites_met(const struct manifest *m)
{
    return (!m->names || published_find("names")) && (m->terminal[0] == 0 || published_find(m->terminal));
}

static void instance_fail(struct instance *instance, err_t err, const char *why)
{
    base_format(instance->progress, sizeof instance->progress, "cannot be started: %s%s%s", os_error_text(err),
                why ? ": " : "", why ? why : "");
    os_log("supervisor: %s (%s) %s", instance->name, instance->manifest->program, instance->progress);
    instance->state = INSTANCE_FAILED;
    published_drop((uint32_t)(instance - supervisor.instances)); /* who waits for what it would have offered hears so */
}

void instance_try_start(uint32_t index)
{
    struct instance *instance = &supervisor.instances[index];
    const char *why = NULL;
    instance->state = INSTANCE_WAITING;
    if (!prerequisites_met(instance->manifest))
        return;
    instance->progress[0] = 0;
    err_t err = instance_start(index, &why);
    if (err)
        return instance_fail(instance, err, why);
    instance->state = INSTANCE_RUNNING;
    instance->started_ns = now_ns();
}

void instances_try_start(void)
{
    for (uint32_t i = 0; i < supervisor.instance_count; i++)
        if (supervisor.instances[i].state == INSTANCE_WAITING)
            instance_try_start(i);
}

/* ---- ending ---- */

static void describe_end(const struct process_info *info, char *to, size_t room)
{
    static const char *const faults[] = {"fault",      "reading",      "writing",   "executing", "an instruction",
                                         "arithmetic", "a breakpoint", "alignment", "protection"};
    if (info->cause == EXIT_EXITED)
        base_format(to, room, "exit status %u", info->code);
    else if (info->cause == EXIT_KILLED)
        base_format(to, room, "killed (%u)", info->code);
    else if (info->cause == EXIT_MEMORY)
        base_format(to, room, "out of memory");
    else if (info->cause == EXIT_FAULT)
        base_format(to, room, "fault in %s at 0x%llx, ip 0x%llx", faults[info->code < 9 ? info->code : 0],
                    (unsigned long long)info->fault_address, (unsigned long long)info->fault_ip);
    else
        base_format(to, room, "cause %u, code %u", info->cause, info->code);
}

static void take_down(uint32_t index)
{
    struct instance *instance = &supervisor.instances[index];
    published_drop(index);
    os_handle_close(instance->process);
    os_control(instance->budget, OP_BUDGET_DESTROY, 0, 0, 0, 0); /* its Devices are quieted with their last handles */
    os_handle_close(instance->budget);
    instance->process = instance->budget = HANDLE_NONE;
}

static void back_off(struct instance *instance)
{
    bool steady = now_ns() - instance->started_ns >= STEADY_NS;
    instance->backoff_ms = instance->backoff_ms == 0 || steady ? BACKOFF_FIRST_MS : instance->backoff_ms * 2;
    if (instance->backoff_ms > BACKOFF_MOST_MS)
        instance->backoff_ms = BACKOFF_MOST_MS;
    instance->restart_ns = now_ns() + instance->backoff_ms * 1000000;
    instance->state = INSTANCE_BACKING_OFF;
    instance->restarts++;
    os_log("supervisor: %s ended: %s; starting it again in %u ms", instance->name, instance->last_end,
           (unsigned)instance->backoff_ms);
}

void instance_ended(uint32_t index)
{
    struct instance *instance = &supervisor.instances[index];
    struct process_info info = {0};
    if (instance->state != INSTANCE_RUNNING)
        return;
    os_control(instance->process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0);
    if (info.cause == EXIT_RUNNING)
        return;
    describe_end(&info, instance->last_end, sizeof instance->last_end);
    instance->state = INSTANCE_ENDED;
    bool failed = info.cause != EXIT_EXITED || info.code != 0;
    enum manifest_restart restart = instance->manifest->restart;
    if (restart == RESTART_ALWAYS || (restart == RESTART_ON_FAILURE && failed))
        back_off(instance);
    else
        os_log("supervisor: %s ended: %s", instance->name, instance->last_end);
    take_down(index);
    instances_wake();
}

void instances_wake(void)
{
    uint64_t now = now_ns(), next = UINT64_MAX;
    for (uint32_t i = 0; i < supervisor.instance_count; i++) {
        struct instance *instance = &supervisor.instances[i];
        if (instance->state == INSTANCE_BACKING_OFF && instance->restart_ns <= now)
            instance_try_start(i);
        if (instance->state == INSTANCE_BACKING_OFF && instance->restart_ns < next)
            next = instance->restart_ns;
    }
    os_control(supervisor.notification, OP_NOTIFICATION_TIMER, next, next == UINT64_MAX ? 0 : BIT_TIMER, 0, 0);
}
