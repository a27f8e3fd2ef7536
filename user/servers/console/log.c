/* The kernel's log on the first terminal, from where the kernel stopped showing it itself. */
#include "console.h"

#include <os/startup.h>
#include <os/syscall.h>

static uint32_t log_next(uint8_t *to, uint32_t room)
{
    uint64_t next = console.log_position;
    struct sys_result r = os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_LOG_READ, console.log_position,
                                     (uint64_t)to, room, (uint64_t)&next);
    console.log_position = next;
    return r.err ? 0 : (uint32_t)r.value;
}

void log_start(void)
{
    uint8_t text[1024];
    while (log_next(text, sizeof text) > 0) {
    }
    os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_LOG_WATCH, console.notification, BIT_LOG, 0, 0);
}

void log_show(void)
{
    struct terminal *t = &console.terminals[0];
    uint8_t text[1024];
    while (!t->in_use) {
        os_mutex_lock(&t->line.lock);
        uint32_t room = tty_output_room(&t->line.tty) / 2; /* each line feed takes two */
        os_mutex_unlock(&t->line.lock);
        uint32_t count = log_next(text, room < sizeof text ? room : sizeof text);
        if (count == 0)
            return;
        os_mutex_lock(&t->line.lock);
        tty_write(&t->line.tty, text, count);
        os_cond_signal(&t->line.written);
        os_mutex_unlock(&t->line.lock);
    }
}
