/* Short texts without a library. What does not fit is left out; the text always ends with 0. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct text {
    char *to;
    size_t room, used;
};

static inline struct text text_begin(char *to, size_t room)
{
    to[0] = 0;
    return (struct text){to, room, 0};
}

static inline void text_put(struct text *t, const char *string)
{
    while (*string && t->used + 1 < t->room)
        t->to[t->used++] = *string++;
    t->to[t->used] = 0;
}

static inline void text_number(struct text *t, uint64_t number)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = 0;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    text_put(t, digits + at);
}

static inline void text_hex(struct text *t, uint64_t number)
{
    char digits[17];
    for (int i = 0; i < 16; i++)
        digits[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
    digits[16] = 0;
    text_put(t, digits);
}
