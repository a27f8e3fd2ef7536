/* The text being edited: lines in an array. No terminal here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct line {
    char *text; /* not ended by 0 */
    size_t length, room;
};

struct buffer {
    struct line *lines; /* at least one */
    size_t count, room;
    bool changed;
};

/* All return false when out of memory, leaving the text as it was. Positions must be within the text. */
bool buffer_init(struct buffer *b);
void buffer_free(struct buffer *b);
bool buffer_insert(struct buffer *b, size_t line, size_t column, char c);
bool buffer_split(struct buffer *b, size_t line, size_t column); /* a line break at that place */
bool buffer_join(struct buffer *b, size_t line);                 /* the next line is appended to this one */
void buffer_erase(struct buffer *b, size_t line, size_t column); /* the character at that place */
void buffer_cut_line(struct buffer *b, size_t line);

/* Files: 0, or errno of what failed. A file that does not exist gives ENOENT and an empty buffer. */
int buffer_load(struct buffer *b, const char *path);
int buffer_save(struct buffer *b, const char *path);
