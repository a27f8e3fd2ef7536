/* The console: terminals tty0 and tty1 over the serial ports, the kernel's log until somebody works there. */
#include "console.h"

#include <base/format.h>
#include <os/log.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>

struct console console;

static void on_notified(struct server *s, uint64_t bits)
{
    if (bits & NOTIFY_REPLY_CANCELLED)
        terminals_drop_cancelled();
    for (uint32_t i = 0; i < LINES; i++)
        if (bits & BIT_LINE(i))
            terminal_advance(&console.terminals[i]);
    if (bits & (BIT_LOG | BIT_LINE(0)))
        log_show();
}

static err_t publish_terminal(uint32_t number)
{
    char name[16];
    handle_t handle;
    base_format(name, sizeof name, "tty%u", number);
    err_t err = line_start(&console.terminals[number].line, number);
    if (!err)
        err =
            os_handle_mint(console.endpoint, number + 1, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &handle);
    return err ? err : os_publish(name, handle);
}

_Noreturn void os_main(const struct startup *startup)
{
    static const struct service services[] = {FILE_SERVED_BY(&terminal_handlers)};
    err_t err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &console.endpoint);
    if (!err)
        err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &console.notification);
    struct server server = {
        .endpoint = console.endpoint, .services = services, .service_count = 1, .notified = on_notified};
    if (!err)
        err = os_server_bind(&server, console.notification);
    log_start();
    for (uint32_t i = 0; i < LINES && !err; i++)
        err = publish_terminal(i);
    if (!err)
        err = os_serve(&server);
    os_panic("console: %s", os_error_text(err));
}
