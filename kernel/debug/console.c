/* Where early text goes. A driver process that takes a device silences the kernel there; only a panic speaks again. */
#include <kernel/console.h>
#include <kernel/debug.h>

static bool want_serial = true, want_screen = true;
static bool serial_taken, screen_taken;

void console_configure(bool serial, bool screen)
{
    want_serial = serial;
    want_screen = screen;
}

void console_serial_taken(uint32_t com, bool taken)
{
    if (com == 1)
        serial_taken = taken;
}

void console_screen_taken(bool taken)
{
    screen_taken = taken;
}

void console_write(const char *text, size_t length)
{
    bool all = panic_in_progress();
    if (all || (want_serial && !serial_taken))
        arch_uart_write(text, length);
    if (all || (want_screen && !screen_taken))
        console_screen_write(text, length);
}
