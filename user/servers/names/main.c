/* The names server: files of the boot bundle, /tmp in memory, endpoints under paths, pipes. */
#include "names.h"

#include <os/log.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

struct names names;

/* Kept free of the Budget: stack, handles, message buffers, page tables. */
#define RESERVE_BYTES (768u * 1024u)

static void on_notified(struct server *s, uint64_t bits)
{
    if (bits & NOTIFY_REPLY_CANCELLED)
        pipes_drop_cancelled();
}

static void on_closed(struct server *s, uint64_t badge)
{
    open_closed(badge);
}

/* Files and pipes get what the Budget can pay for beyond the server's own tables. */
static void make_pages(void)
{
    struct budget_info budget;
    void *base;
    if (os_control(os_budget(), OP_BUDGET_INFO, (uint64_t)&budget, 0, 0, 0).err != E_OK)
        os_panic("names: no Budget to live on");
    uint64_t taken = budget.used_bytes + sizeof names + sizeof names_bulk + RESERVE_BYTES;
    if (budget.limit_bytes < taken + 64 * PAGE_BYTES)
        os_panic("names: %lu KiB are not enough", (unsigned long)(budget.limit_bytes / 1024));
    uint64_t bytes = (budget.limit_bytes - taken) & ~(PAGE_BYTES - 1);
    if (os_pages(bytes, &base) != E_OK)
        os_panic("names: no memory for files");
    pages_init(&names.pages, base, bytes);
}

static void make_bundle(void)
{
    struct os_memory memory;
    if (os_memory_attach(os_startup_handle(STARTUP_BUNDLE), VM_READ, &memory) != E_OK ||
        bundle_tree_init(&names.bundle, memory.at, memory.bytes) != E_OK)
        os_panic("names: the boot bundle cannot be read");
}

/* Arguments: PATH=SERVICE for each service that programs may reach by a path. */
static void add_services(const struct startup *startup)
{
    const char *word = (const char *)startup + startup->argv_offset;
    for (uint32_t i = 0; i < startup->argc; i++, word += strlen(word) + 1) {
        const char *equals = strchr(word, '=');
        struct path path;
        char text[64];
        if (!equals || (size_t)(equals - word) >= sizeof text)
            continue;
        memcpy(text, word, (size_t)(equals - word));
        text[equals - word] = 0;
        if (path_normalize(text, &path) == E_OK)
            tree_add_service(path.text, equals + 1);
    }
}

_Noreturn void os_main(const struct startup *startup)
{
    static const struct service services[] = {NAMES_SERVED_BY(&tree_handlers), FILE_SERVED_BY(&file_handlers)};
    make_bundle();
    make_pages();
    tree_init();
    add_services(startup);
    if (os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &names.endpoint) != E_OK ||
        os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &names.notification) != E_OK)
        os_panic("names: no endpoint");
    struct server server = {.endpoint = names.endpoint,
                            .services = services,
                            .service_count = 2,
                            .notified = on_notified,
                            .closed = on_closed};
    err_t err = os_server_bind(&server, names.notification);
    if (!err)
        err = os_publish("names", names.endpoint);
    if (!err)
        err = os_serve(&server);
    os_panic("names: %s", os_error_text(err));
}
