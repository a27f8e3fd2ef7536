/* The formatter for where there is no C library. */
#include <base/format.h>
#include <stdbool.h>
#include <stdint.h>

struct sink {
    char *to;
    size_t room, count;
};

struct spec {
    bool left, zero;
    int width, precision, longs; /* precision -1: none */
};

static void put(struct sink *s, char c)
{
    if (s->count + 1 < s->room)
        s->to[s->count] = c;
    s->count++;
}

static void put_padded(struct sink *s, const struct spec *spec, const char *text, int length)
{
    int fill = spec->width > length ? spec->width - length : 0;
    for (int i = 0; !spec->left && i < fill; i++)
        put(s, ' ');
    for (int i = 0; i < length; i++)
        put(s, text[i]);
    for (int i = 0; spec->left && i < fill; i++)
        put(s, ' ');
}

static void put_number(struct sink *s, const struct spec *spec, uint64_t value, unsigned base, bool negative,
                       const char *digits)
{
    char text[72];
    int at = sizeof text;
    do
        text[--at] = digits[value % base];
    while (value /= base);
    while (spec->zero && !spec->left && (int)sizeof text - at + negative < spec->width && at > 1)
        text[--at] = '0';
    if (negative)
        text[--at] = '-';
    put_padded(s, spec, text + at, (int)sizeof text - at);
}

static void put_string(struct sink *s, const struct spec *spec, const char *text)
{
    int length = 0;
    text = text ? text : "(null)";
    while (length != spec->precision && text[length])
        length++;
    put_padded(s, spec, text, length);
}

static int64_t take_signed(va_list *arguments, int longs)
{
    return longs > 0 ? va_arg(*arguments, long long) : va_arg(*arguments, int);
}

static uint64_t take_unsigned(va_list *arguments, int longs)
{
    return longs > 0 ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned);
}

static int read_number(const char **at, va_list *arguments)
{
    int value = 0;
    if (**at == '*') {
        (*at)++;
        return va_arg(*arguments, int);
    }
    while (**at >= '0' && **at <= '9' && value < 10000)
        value = value * 10 + *(*at)++ - '0';
    return value;
}

static struct spec read_spec(const char **at, va_list *arguments)
{
    struct spec spec = {.precision = -1};
    for (;; (*at)++) {
        if (**at == '-')
            spec.left = true;
        else if (**at == '0')
            spec.zero = true;
        else
            break;
    }
    spec.width = read_number(at, arguments);
    if (**at == '.') {
        (*at)++;
        spec.precision = read_number(at, arguments);
    }
    for (;; (*at)++) {
        if (**at == 'l' || **at == 'z' || **at == 'j' || **at == 't')
            spec.longs++;
        else if (**at != 'h')
            break;
    }
    return spec;
}

static void put_argument(struct sink *s, const struct spec *spec, char kind, va_list *arguments)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    char c;
    int64_t value;
    switch (kind) {
    case 'd':
    case 'i':
        value = take_signed(arguments, spec->longs);
        put_number(s, spec, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, value < 0, lower);
        return;
    case 'u':
        put_number(s, spec, take_unsigned(arguments, spec->longs), 10, false, lower);
        return;
    case 'x':
    case 'X':
        put_number(s, spec, take_unsigned(arguments, spec->longs), 16, false, kind == 'x' ? lower : upper);
        return;
    case 'p':
        put(s, '0'), put(s, 'x');
        put_number(s, spec, (uint64_t)va_arg(*arguments, void *), 16, false, lower);
        return;
    case 'c':
        c = (char)va_arg(*arguments, int);
        put_padded(s, spec, &c, 1);
        return;
    case 's':
        put_string(s, spec, va_arg(*arguments, const char *));
        return;
    default:
        put(s, kind);
    }
}

int base_vformat(char *to, size_t room, const char *format, va_list arguments)
{
    struct sink s = {.to = to, .room = room};
    va_list copy;
    va_copy(copy, arguments);
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            put(&s, *at);
            continue;
        }
        at++;
        struct spec spec = read_spec(&at, &copy);
        if (!*at)
            break;
        put_argument(&s, &spec, *at, &copy);
    }
    va_end(copy);
    if (room)
        to[s.count < room ? s.count : room - 1] = 0;
    return (int)s.count;
}

int base_format(char *to, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = base_vformat(to, room, format, arguments);
    va_end(arguments);
    return count;
}
