/* A small vsnprintf: %d %i %u %x %X %p %c %s %% with width, 0, -, precision for strings, and h hh l ll z j. No floating
 * point, no allocation, no locale. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* As C's: writes at most room - 1 characters and a 0, returns how many there would have been. */
int base_vformat(char *to, size_t room, const char *format, va_list arguments);
int base_format(char *to, size_t room, const char *format, ...) __attribute__((format(printf, 3, 4)));
