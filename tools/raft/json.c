#include "json.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16u

/* ---- memory of what was parsed: blocks that are used again at the next parse ---- */

struct block {
    struct block *next;
    size_t bytes;
    _Alignas(16) char data[];
};
static struct block *blocks;
static char *room_at, *room_end;

static void forget_all(void)
{
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
    room_at = room_end = NULL;
}

static void *take(size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if ((size_t)(room_end - room_at) < bytes) {
        size_t size = bytes > 65536 ? bytes : 65536;
        struct block *block = malloc(sizeof(*block) + size);
        if (block == NULL)
            abort();
        block->next = blocks;
        blocks = block;
        room_at = block->data;
        room_end = room_at + size;
    }
    void *taken = room_at;
    room_at += bytes;
    return taken;
}

/* ---- reading ---- */

struct input {
    const char *at, *end;
    const char *why;
};

static const struct json *wrong(struct input *in, const char *why)
{
    if (in->why == NULL)
        in->why = why;
    return NULL;
}

static void skip_space(struct input *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\r'))
        in->at++;
}

static bool next_is(struct input *in, char c)
{
    skip_space(in);
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool word_is(struct input *in, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* The byte that four hexadecimal digits name; -1: none. */
static int hex_byte(struct input *in)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        if (in->at == in->end || !isxdigit((unsigned char)*in->at))
            return -1;
        char c = *in->at++;
        value = value * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return value <= 0xff ? (int)value : -1;
}

static int escaped(struct input *in)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (in->at == in->end)
        return -1;
    char c = *in->at++;
    if (c == 'u')
        return hex_byte(in);
    const char *known = c == 0 ? NULL : strchr(from, c);
    return known == NULL ? -1 : (unsigned char)to[known - from];
}

/* After the opening quote. The text is ended by a 0 that does not count. */
static char *read_string(struct input *in, size_t *bytes_out)
{
    char *text = take((size_t)(in->end - in->at) + 1);
    size_t bytes = 0;
    while (in->at < in->end && *in->at != '"') {
        int c = (unsigned char)*in->at++;
        if (c < 0x20 || (c == '\\' && (c = escaped(in)) < 0)) {
            wrong(in, "a string is malformed");
            return NULL;
        }
        text[bytes++] = (char)c;
    }
    if (in->at == in->end) {
        wrong(in, "a string does not end");
        return NULL;
    }
    in->at++;
    text[bytes] = 0;
    *bytes_out = bytes;
    return text;
}

static const struct json *read_number(struct input *in, struct json *value)
{
    const char *from = in->at;
    while (in->at < in->end && isdigit((unsigned char)*in->at)) {
        if (__builtin_mul_overflow(value->number, 10u, &value->number) ||
            __builtin_add_overflow(value->number, (unsigned)(*in->at - '0'), &value->number))
            return wrong(in, "a number is too large");
        in->at++;
    }
    if (in->at == from)
        return wrong(in, "a value is malformed");
    if (in->at < in->end && strchr(".eE", *in->at) != NULL)
        return wrong(in, "numbers are whole");
    value->kind = JSON_NUMBER;
    return value;
}

static const struct json *read_value(struct input *in, unsigned depth);

static const struct json *read_part(struct input *in, bool named, unsigned depth)
{
    size_t bytes = 0;
    const char *key = NULL;
    if (named) {
        if (!next_is(in, '"'))
            return wrong(in, "a name was expected");
        key = read_string(in, &bytes);
        if (key == NULL || !next_is(in, ':'))
            return wrong(in, "a name is malformed");
        if (strlen(key) != bytes)
            return wrong(in, "a name has a byte 0");
    }
    struct json *part = (struct json *)read_value(in, depth);
    if (part != NULL)
        part->key = key;
    return part;
}

static const struct json *read_parts(struct input *in, struct json *value, char end, unsigned depth)
{
    const struct json **place = &value->first;
    value->kind = end == '}' ? JSON_OBJECT : JSON_ARRAY;
    if (next_is(in, end))
        return value;
    do {
        const struct json *part = read_part(in, end == '}', depth);
        if (part == NULL)
            return NULL;
        *place = part;
        place = &((struct json *)part)->next;
    } while (next_is(in, ','));
    return next_is(in, end) ? value : wrong(in, "a list or an object does not end");
}

static const struct json *read_value(struct input *in, unsigned depth)
{
    struct json *value = take(sizeof(*value));
    *value = (struct json){.kind = JSON_NULL};
    if (depth == 0)
        return wrong(in, "it is nested too deeply");
    if (next_is(in, '{'))
        return read_parts(in, value, '}', depth - 1);
    if (next_is(in, '['))
        return read_parts(in, value, ']', depth - 1);
    if (next_is(in, '"')) {
        value->kind = JSON_STRING;
        value->text = read_string(in, &value->bytes);
        return value->text != NULL ? value : NULL;
    }
    if (word_is(in, "null"))
        return value;
    bool truth = word_is(in, "true");
    if (truth || word_is(in, "false")) {
        value->kind = JSON_BOOL;
        value->number = truth;
        return value;
    }
    return read_number(in, value);
}

const struct json *json_parse(const char *text, size_t bytes, const char **why_out)
{
    struct input in = {.at = text, .end = text + bytes};
    forget_all();
    skip_space(&in);
    if (in.at == in.end) {
        struct json *nothing = take(sizeof(*nothing));
        *nothing = (struct json){.kind = JSON_OBJECT};
        return nothing;
    }
    const struct json *value = read_value(&in, DEPTH_MAX);
    skip_space(&in);
    if (value != NULL && in.at != in.end)
        value = wrong(&in, "something follows its end");
    *why_out = in.why;
    return value;
}

const struct json *json_part(const struct json *object, const char *key)
{
    if (object == NULL || object->kind != JSON_OBJECT)
        return NULL;
    for (const struct json *part = object->first; part != NULL; part = part->next)
        if (strcmp(part->key, key) == 0)
            return part;
    return NULL;
}

bool json_number(const struct json *object, const char *key, uint64_t otherwise, uint64_t *number_out)
{
    const struct json *part = json_part(object, key);
    *number_out = part == NULL ? otherwise : part->number;
    return part == NULL || part->kind == JSON_NUMBER;
}

bool json_truth(const struct json *object, const char *key, bool otherwise, bool *truth_out)
{
    const struct json *part = json_part(object, key);
    *truth_out = part == NULL ? otherwise : part->number != 0;
    return part == NULL || part->kind == JSON_BOOL;
}

/* ---- writing ---- */

static void make_room(struct text *t, size_t more)
{
    if (t->room - t->bytes > more)
        return;
    t->room = 2 * t->room + more + 256;
    t->at = realloc(t->at, t->room);
    if (t->at == NULL)
        abort();
}

void text_add(struct text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    make_room(t, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(t->at + t->bytes, (size_t)length + 1, format, arguments);
    va_end(arguments);
    t->bytes += (size_t)length;
}

void text_string(struct text *t, const void *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *from = bytes;
    make_room(t, 6 * count + 3);
    char *to = t->at + t->bytes;
    *to++ = '"';
    for (size_t i = 0; i < count; i++) {
        if (from[i] >= 0x20 && from[i] < 0x7f && from[i] != '"' && from[i] != '\\') {
            *to++ = (char)from[i];
            continue;
        }
        memcpy(to, "\\u00", 4);
        to[4] = digits[from[i] >> 4];
        to[5] = digits[from[i] & 15];
        to += 6;
    }
    *to++ = '"';
    *to = 0;
    t->bytes = (size_t)(to - t->at);
}

void text_free(struct text *t)
{
    free(t->at);
    *t = (struct text){NULL, 0, 0};
}
