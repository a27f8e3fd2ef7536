/* The supervisor: the first process. Its death ends the node. */
#include "supervisor.h"

#include <base/format.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

struct supervisor supervisor;

const char *configuration_get(const char *key)
{
    const struct startup *own = os_startup();
    const char *word = (const char *)own + own->envv_offset;
    size_t bytes = strlen(key);
    for (uint32_t i = 0; i < own->envc; i++, word += strlen(word) + 1)
        if (strncmp(word, key, bytes) == 0 && word[bytes] == '=')
            return word + bytes + 1;
    return NULL;
}

/* ---- the supervisor service ---- */

static struct instance *caller_of(const struct request *r)
{
    return r->badge >= 1 && r->badge <= supervisor.instance_count ? &supervisor.instances[r->badge - 1] : NULL;
}

static err_t handle_publish(struct request *r, const struct supervisor_publish_in *in,
                            struct supervisor_publish_out *out)
{
    struct instance *caller = caller_of(r);
    if (!caller || !manifest_may_publish(caller->manifest, caller->name, in->name))
        return E_ACCESS;
    err_t err = published_add((uint32_t)r->badge - 1, in->name, in->endpoint);
    if (err)
        return err;
    request_take(r, in->endpoint);
    instances_try_start();
    return E_OK;
}

static err_t keep_lookup(struct request *r, const char *name)
{
    for (uint32_t i = 0; i < LOOKUPS_MAX; i++) {
        struct waiting_lookup *lookup = &supervisor.lookups[i];
        if (lookup->reply)
            continue;
        strcpy(lookup->name, name);
        lookup->reply = request_keep(r);
        return REPLY_LATER;
    }
    return E_FULL;
}

static err_t handle_lookup(struct request *r, const struct supervisor_lookup_in *in, struct supervisor_lookup_out *out)
{
    const struct instance *caller = caller_of(r);
    if (!caller || !manifest_may_lookup(caller->manifest, in->name))
        return E_ACCESS;
    out->endpoint = published_find(in->name);
    if (out->endpoint)
        return E_OK;
    return published_possible(in->name) ? keep_lookup(r, in->name) : E_NOT_FOUND;
}

static err_t handle_find(struct request *r, const struct supervisor_find_in *in, struct supervisor_find_out *out)
{
    const struct instance *caller = caller_of(r);
    if (!caller || !manifest_may_lookup(caller->manifest, in->name))
        return E_ACCESS;
    out->endpoint = published_find(in->name);
    return out->endpoint ? E_OK : E_NOT_FOUND;
}

static void fill_row(uint32_t index, struct service_row *row)
{
    const struct instance *instance = &supervisor.instances[index];
    struct process_info info = {0};
    bool runs = instance->state == INSTANCE_RUNNING;
    if (runs)
        os_control(instance->process, OP_PROCESS_INFO, (uint64_t)&info, 0, 0, 0);
    *row = (struct service_row){.memory_bytes = info.memory_bytes,
                                .cpu_ns = info.cpu_ns,
                                .kernel_serial = info.serial,
                                .serial = LABEL_FIRST + index,
                                .kind = instance->manifest->terminal[0] ? PROCESS_TERMINAL : PROCESS_SERVER,
                                .state = instance->state,
                                .restarts = instance->restarts,
                                .threads = info.threads};
    strcpy(row->name, instance->name);
    strcpy(row->progress, instance->progress);
    strcpy(row->last_end, instance->last_end);
}

_Static_assert(sizeof((struct instance *)0)->name <= sizeof((struct service_row *)0)->name &&
                   sizeof((struct instance *)0)->progress <= sizeof((struct service_row *)0)->progress &&
                   sizeof((struct instance *)0)->last_end <= sizeof((struct service_row *)0)->last_end,
               "texts fit");

static err_t handle_services(struct request *r, const struct supervisor_services_in *in,
                             struct supervisor_services_out *out)
{
    static struct service_row rows[SUPERVISOR_SERVICES_ROWS_MAX / sizeof(struct service_row)];
    uint32_t count = 0;
    out->next = in->position;
    while (out->next < supervisor.instance_count && count < sizeof rows / sizeof rows[0])
        fill_row(out->next++, &rows[count++]);
    out->rows = rows;
    out->rows_length = count * (uint32_t)sizeof rows[0];
    return E_OK;
}

static err_t handle_stop(struct request *r, const struct supervisor_stop_in *in, struct supervisor_stop_out *out)
{
    const struct instance *caller = caller_of(r);
    if (!caller || !manifest_may_lookup(caller->manifest, "supervisor"))
        return E_ACCESS;
    for (uint32_t i = 0; i < supervisor.instance_count; i++) {
        const struct instance *instance = &supervisor.instances[i];
        if (instance->state != INSTANCE_RUNNING || strcmp(instance->name, in->name) != 0)
            continue;
        return os_control(instance->process, OP_PROCESS_KILL, EXIT_KILLED, 15, 0, 0).err;
    }
    return E_NOT_FOUND;
}

static err_t handle_state(struct request *r, const struct supervisor_state_in *in, struct supervisor_state_out *out)
{
    struct instance *caller = caller_of(r);
    if (!caller)
        return E_ACCESS;
    strcpy(caller->progress, in->text);
    os_log("%s: %s", caller->name, in->text);
    return E_OK;
}

const struct supervisor_server supervisor_handlers = {.publish = handle_publish,
                                                      .lookup = handle_lookup,
                                                      .services = handle_services,
                                                      .stop = handle_stop,
                                                      .state = handle_state,
                                                      .find = handle_find};

/* ---- the loop ---- */

static void drop_cancelled_lookups(void)
{
    for (uint32_t i = 0; i < LOOKUPS_MAX; i++) {
        struct waiting_lookup *lookup = &supervisor.lookups[i];
        if (!lookup->reply || reply_wanted(lookup->reply))
            continue;
        os_handle_close(lookup->reply);
        lookup->reply = HANDLE_NONE;
    }
}

static void on_notified(struct server *s, uint64_t bits)
{
    if (bits & NOTIFY_REPLY_CANCELLED)
        drop_cancelled_lookups();
    for (uint32_t i = 0; i < supervisor.instance_count; i++)
        if (bits >> i & 1)
            instance_ended(i);
    if (bits & BIT_TIMER)
        instances_wake();
}

/* What no service needs is for programs. A part stays with the supervisor for what starting a process costs. */
static void make_jobs_budget(void)
{
    struct budget_info root;
    uint64_t services = 0;
    if (os_control(os_budget(), OP_BUDGET_INFO, (uint64_t)&root, 0, 0, 0).err)
        os_panic("supervisor: the root Budget cannot be asked");
    for (uint32_t i = 0; i < supervisor.instance_count; i++)
        services += supervisor.instances[i].manifest->memory_bytes;
    uint64_t kept = services + root.used_bytes + (2ull << 20) + root.limit_bytes / 64;
    if (root.limit_bytes < kept + (4ull << 20))
        os_panic("supervisor: %u MiB of memory are too little: the services need %u MiB",
                 (unsigned)(root.limit_bytes >> 20), (unsigned)(kept >> 20));
    uint64_t bytes = (root.limit_bytes - kept) & ~(PAGE_BYTES - 1);
    if (os_create(os_budget(), OBJECT_BUDGET, bytes, 1, 0, &supervisor.jobs_budget))
        os_panic("supervisor: no Budget for programs");
}

static void make_bundle(void)
{
    struct os_memory memory;
    supervisor.bundle_memory = os_startup_handle(STARTUP_BUNDLE);
    if (os_memory_attach(supervisor.bundle_memory, VM_READ, &memory) ||
        bundle_tree_init(&supervisor.bundle, memory.at, memory.bytes))
        os_panic("supervisor: the boot bundle cannot be read");
}

_Noreturn void os_main(const struct startup *startup)
{
    static const struct service services[] = {SUPERVISOR_SERVED_BY(&supervisor_handlers)};
    make_bundle();
    plan_make();
    make_jobs_budget();
    if (os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &supervisor.endpoint) ||
        os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &supervisor.notification))
        os_panic("supervisor: no endpoint");
    struct server server = {
        .endpoint = supervisor.endpoint, .services = services, .service_count = 1, .notified = on_notified};
    err_t err = os_server_bind(&server, supervisor.notification);
    if (!err) {
        instances_try_start();
        err = os_serve(&server);
    }
    os_panic("supervisor: %s", os_error_text(err));
}
