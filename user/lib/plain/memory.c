/* Copying and comparing memory, a word at a time where that is possible. Compiled without builtins, lest the compiler
 * make calls to these very functions of the loops. */
#include <stdint.h>
#include <string.h>

typedef uint64_t __attribute__((may_alias, aligned(1))) word;

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    for (; bytes >= 8; bytes -= 8, t += 8, f += 8)
        *(word *)t = *(const word *)f;
    while (bytes--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= bytes)
        return memcpy(to, from, bytes);
    for (; bytes >= 8; bytes -= 8)
        *(word *)(t + bytes - 8) = *(const word *)(f + bytes - 8);
    while (bytes--)
        t[bytes] = f[bytes];
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *t = to;
    uint64_t pattern = 0x0101010101010101ull * (uint8_t)value;
    for (; bytes >= 8; bytes -= 8, t += 8)
        *(word *)t = pattern;
    while (bytes--)
        *t++ = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;
    for (; bytes >= 8 && *(const word *)x == *(const word *)y; bytes -= 8)
        x += 8, y += 8;
    for (; bytes > 0; bytes--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

void *memchr(const void *from, int value, size_t bytes)
{
    const uint8_t *f = from;
    for (; bytes > 0; bytes--, f++)
        if (*f == (uint8_t)value)
            return (void *)f;
    return NULL;
}
