/* The text being edited. */
#include "buffer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool line_reserve(struct line *l, size_t length)
{
    if (length <= l->room)
        return true;
    size_t room = length + length / 2 + 16;
    char *text = realloc(l->text, room);
    if (!text)
        return false;
    l->text = text;
    l->room = room;
    return true;
}

static bool lines_reserve(struct buffer *b, size_t count)
{
    if (count <= b->room)
        return true;
    size_t room = count + count / 2 + 16;
    struct line *lines = realloc(b->lines, room * sizeof *lines);
    if (!lines)
        return false;
    b->lines = lines;
    b->room = room;
    return true;
}

static bool open_line(struct buffer *b, size_t at)
{
    if (!lines_reserve(b, b->count + 1))
        return false;
    memmove(b->lines + at + 1, b->lines + at, (b->count - at) * sizeof *b->lines);
    b->lines[at] = (struct line){0};
    b->count++;
    return true;
}

static void close_line(struct buffer *b, size_t at)
{
    free(b->lines[at].text);
    b->count--;
    memmove(b->lines + at, b->lines + at + 1, (b->count - at) * sizeof *b->lines);
}

bool buffer_init(struct buffer *b)
{
    *b = (struct buffer){0};
    return open_line(b, 0);
}

void buffer_free(struct buffer *b)
{
    while (b->count > 0)
        close_line(b, b->count - 1);
    free(b->lines);
    *b = (struct buffer){0};
}

bool buffer_insert(struct buffer *b, size_t line, size_t column, char c)
{
    struct line *l = &b->lines[line];
    if (!line_reserve(l, l->length + 1))
        return false;
    memmove(l->text + column + 1, l->text + column, l->length - column);
    l->text[column] = c;
    l->length++;
    b->changed = true;
    return true;
}

bool buffer_split(struct buffer *b, size_t line, size_t column)
{
    struct line rest = {0};
    size_t length = b->lines[line].length - column;
    if (!line_reserve(&rest, length) || !open_line(b, line + 1)) {
        free(rest.text);
        return false;
    }
    memcpy(rest.text, b->lines[line].text + column, length);
    rest.length = length;
    b->lines[line + 1] = rest;
    b->lines[line].length = column;
    b->changed = true;
    return true;
}

bool buffer_join(struct buffer *b, size_t line)
{
    struct line *l = &b->lines[line], *next = l + 1;
    if (!line_reserve(l, l->length + next->length))
        return false;
    if (next->length > 0)
        memcpy(l->text + l->length, next->text, next->length);
    l->length += next->length;
    close_line(b, line + 1);
    b->changed = true;
    return true;
}

void buffer_erase(struct buffer *b, size_t line, size_t column)
{
    struct line *l = &b->lines[line];
    memmove(l->text + column, l->text + column + 1, l->length - column - 1);
    l->length--;
    b->changed = true;
}

void buffer_cut_line(struct buffer *b, size_t line)
{
    if (b->count > 1)
        close_line(b, line);
    else
        b->lines[0].length = 0;
    b->changed = true;
}

static int load_stream(struct buffer *b, FILE *f)
{
    size_t line = 0;
    for (int c; (c = getc(f)) != EOF;) {
        bool kept = c == '\n' ? buffer_split(b, line, b->lines[line].length)
                              : buffer_insert(b, line, b->lines[line].length, (char)c);
        if (!kept)
            return ENOMEM;
        line += c == '\n';
    }
    if (ferror(f))
        return errno ? errno : EIO;
    if (line > 0 && b->lines[line].length == 0)
        close_line(b, line); /* the last line break ends the last line; it does not begin another */
    return 0;
}

int buffer_load(struct buffer *b, const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return errno;
    int error = load_stream(b, f);
    fclose(f);
    b->changed = false;
    return error;
}

int buffer_save(struct buffer *b, const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        return errno;
    int error = 0;
    for (size_t i = 0; i < b->count && !error; i++) {
        const struct line *l = &b->lines[i];
        if (i == b->count - 1 && l->length == 0)
            break;
        if (fwrite(l->text, 1, l->length, f) != l->length || putc('\n', f) == EOF)
            error = errno ? errno : EIO;
    }
    if (fclose(f) != 0 && !error)
        error = errno ? errno : EIO;
    if (!error)
        b->changed = false;
    return error;
}
