/* The process server. */
#include "process.h"

#include <os/log.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

struct process_server_state server_state;

static void on_notified(struct server *s, uint64_t bits)
{
    if (bits & NOTIFY_REPLY_CANCELLED)
        waiters_drop_cancelled();
    if (bits & BIT_LOADED)
        loader_finished();
    if (bits & ((1ull << BIT_CHILDREN) - 1))
        children_check(bits);
    if (bits & BIT_PLACED)
        jobs_placed();
    if (bits & BIT_STOP) {
        jobs_stop();
        jobs_adopt();
    }
}

static void on_closed(struct server *s, uint64_t badge)
{
    if (badge >= 1 && badge <= CHILDREN_MAX && server_state.children[badge - 1].owned)
        child_owner_gone(&server_state.children[badge - 1]);
}

static void make_bundle(void)
{
    struct os_memory memory;
    server_state.bundle_memory = os_startup_handle(STARTUP_BUNDLE);
    if (os_memory_attach(server_state.bundle_memory, VM_READ, &memory) ||
        bundle_tree_init(&server_state.bundle, memory.at, memory.bytes))
        os_panic("process: the boot bundle cannot be read");
}

/* Numbers are not used twice, also not after a restart of this server: each life has its own range. */
static uint32_t first_serial(const struct startup *startup)
{
    const char *word = (const char *)startup + startup->envv_offset;
    uint32_t restarts = 0;
    for (uint32_t i = 0; i < startup->envc; i++, word += strlen(word) + 1)
        if (strncmp(word, "restarts=", 9) == 0)
            for (const char *digit = word + 9; *digit >= '0' && *digit <= '9'; digit++)
                restarts = restarts * 10 + (uint32_t)(*digit - '0');
    return restarts * 1000000u + PROCESS_SERIAL_FIRST;
}

_Noreturn void os_main(const struct startup *startup)
{
    static const struct service services[] = {PROCESS_SERVED_BY(&process_handlers),
                                              CONTROL_SERVED_BY(&control_handlers)};
    server_state.jobs_budget = os_startup_handle(STARTUP_EXTRA);
    server_state.next_serial = first_serial(startup);
    server_state.restarted = server_state.next_serial > PROCESS_SERIAL_FIRST;
    make_bundle();
    err_t err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &server_state.endpoint);
    if (!err)
        err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &server_state.notification);
    struct server server = {.endpoint = server_state.endpoint,
                            .services = services,
                            .service_count = 2,
                            .notified = on_notified,
                            .closed = on_closed};
    if (!err)
        err = os_server_bind(&server, server_state.notification);
    children_recover();
    if (!err)
        err = loader_start();
    if (!err)
        err = os_publish("process", server_state.endpoint);
    jobs_start();
    if (!err)
        err = os_serve(&server);
    os_panic("process: %s", os_error_text(err));
}
