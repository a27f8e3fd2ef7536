/* Text for the log: lib/base's formatter under the kernel's names. */
#include <base/format.h>
#include <kernel/debug.h>

size_t kvformat(char *buffer, size_t length, const char *format, va_list args)
{
    return (size_t)base_vformat(buffer, length, format, args);
}

size_t kformat(char *buffer, size_t length, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = kvformat(buffer, length, format, args);
    va_end(args);
    return n;
}
