/* Log lines and the end of a process that met its own bug. */
#include <base/assert.h>
#include <base/format.h>
#include <idl/file.h>
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>

#define LINE_BYTES 256
#define FRAMES_MAX 24

static const char *const error_texts[E_COUNT] = {
#define ERROR(name, number, text) [number] = text,
#include "../../abi/errno.def"
#undef ERROR
};

const char *os_error_text(unsigned err)
{
    return err < E_COUNT ? error_texts[err] : "unknown error";
}

static void write_line(char *line, uint32_t length)
{
    handle_t system = os_startup_handle(STARTUP_SYSTEM), out = os_startup_handle(STARTUP_STDERR);
    if (system && os_control(system, OP_SYSTEM_LOG_WRITE, (uint64_t)line, length, 0, 0).err == E_OK)
        return;
    if (!out)
        return;
    line[length] = '\n';
    file_write(out, DEADLINE_NEVER, UINT64_MAX, line, length + 1, NULL);
}

static void log_arguments(const char *format, va_list arguments)
{
    char line[LINE_BYTES + 1];
    int length = base_vformat(line, LINE_BYTES, format, arguments);
    write_line(line, length < LINE_BYTES ? (uint32_t)length : LINE_BYTES - 1);
}

void os_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_arguments(format, arguments);
    va_end(arguments);
}

/* Return addresses along the frame pointers, as far as they stay on this thread's stack. */
static void log_backtrace(void)
{
    const struct os_thread *self = os_self();
    const uint64_t *frame = __builtin_frame_address(0);
    for (int i = 0; i < FRAMES_MAX; i++) {
        uint64_t at = (uint64_t)frame;
        if (at < self->stack_low || at + 16 > self->stack_high || (at & 7) || frame[1] == 0)
            return;
        os_log("  at 0x%llx", (unsigned long long)frame[1]);
        if (frame[0] <= at)
            return;
        frame = (const uint64_t *)frame[0];
    }
}

_Noreturn void os_panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_arguments(format, arguments);
    va_end(arguments);
    log_backtrace();
    __builtin_trap(); /* a fault, not an exit: the kernel's report has registers and cause */
}

_Noreturn void base_assert_failed(const char *condition, const char *file, int line)
{
    os_panic("assertion failed: %s (%s:%d)", condition, file, line);
}
