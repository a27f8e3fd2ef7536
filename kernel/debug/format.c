/* snprintf of the kernel: what klog and panic print with. No floating point, no allocation. */
#include <base/mem.h>
#include <kernel/debug.h>

struct sink {
    char *buffer;
    size_t room, used;
};

struct spec {
    bool left, zero;
    unsigned width, precision;
    unsigned longs; /* how many 'l', 'z' counts as one */
};

static void put(struct sink *s, char c)
{
    if (s->used + 1 < s->room)
        s->buffer[s->used] = c;
    s->used++;
}

static void put_padded(struct sink *s, const struct spec *f, const char *prefix, const char *text, size_t length)
{
    size_t total = strlen(prefix) + length;
    size_t pad = f->width > total ? f->width - total : 0;
    if (!f->left && !f->zero)
        for (; pad; pad--)
            put(s, ' ');
    while (*prefix)
        put(s, *prefix++);
    if (!f->left)
        for (; pad; pad--)
            put(s, '0');
    for (size_t i = 0; i < length; i++)
        put(s, text[i]);
    for (; pad; pad--)
        put(s, ' ');
}

static void put_number(struct sink *s, const struct spec *f, uint64_t value, unsigned base, const char *prefix)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    put_padded(s, f, prefix, digits + at, sizeof digits - at);
}

static void put_text(struct sink *s, struct spec *f, const char *text)
{
    size_t length = 0;
    if (!text)
        text = "(null)";
    while (length < f->precision && text[length])
        length++;
    f->zero = false;
    put_padded(s, f, "", text, length);
}

static const char *parse_spec(const char *p, struct spec *f, va_list *args)
{
    *f = (struct spec){.precision = UINT32_MAX};
    for (; *p == '-' || *p == '0'; p++)
        *p == '-' ? (f->left = true) : (f->zero = true);
    for (; *p >= '0' && *p <= '9'; p++)
        f->width = f->width * 10 + (unsigned)(*p - '0');
    if (p[0] == '.' && p[1] == '*') {
        f->precision = (unsigned)va_arg(*args, int);
        p += 2;
    } else if (*p == '.') {
        for (f->precision = 0, p++; *p >= '0' && *p <= '9'; p++)
            f->precision = f->precision * 10 + (unsigned)(*p - '0');
    }
    for (; *p == 'l' || *p == 'z'; p++)
        f->longs++;
    return p;
}

static void put_signed(struct sink *s, const struct spec *f, int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    put_number(s, f, magnitude, 10, value < 0 ? "-" : "");
}

size_t kvformat(char *buffer, size_t length, const char *format, va_list args_in)
{
    struct sink s = {buffer, length, 0};
    struct spec f;
    va_list args;
    va_copy(args, args_in);
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            put(&s, *p);
            continue;
        }
        p = parse_spec(p + 1, &f, &args);
        switch (*p) {
        case 'd':
        case 'i':
            put_signed(&s, &f, f.longs ? va_arg(args, int64_t) : va_arg(args, int));
            break;
        case 'u':
            put_number(&s, &f, f.longs ? va_arg(args, uint64_t) : va_arg(args, unsigned), 10, "");
            break;
        case 'x':
            put_number(&s, &f, f.longs ? va_arg(args, uint64_t) : va_arg(args, unsigned), 16, "");
            break;
        case 'p':
            put_number(&s, &f, (uint64_t)va_arg(args, void *), 16, "0x");
            break;
        case 's':
            put_text(&s, &f, va_arg(args, const char *));
            break;
        case 'c':
            put(&s, (char)va_arg(args, int));
            break;
        case 0:
            p--;
            break;
        default:
            put(&s, *p);
        }
    }
    va_end(args);
    if (length)
        buffer[s.used < length ? s.used : length - 1] = 0;
    return s.used;
}

size_t kformat(char *buffer, size_t length, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = kvformat(buffer, length, format, args);
    va_end(args);
    return n;
}
