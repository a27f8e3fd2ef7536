/* JSON for the host tools, one line at a time: whole numbers only, strings are bytes (\u0000 to \u00ff name one byte
 * each). What is parsed lives until the next parse. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    uint64_t number; /* BOOL: 0 or 1 */
    const char *key; /* as a part of an object; ended by 0 */
    const char *text;
    size_t bytes;
    const struct json *first, *next; /* parts, and the part after this one */
};

/* NULL, and *why_out says what is wrong. An empty text is an empty object. */
const struct json *json_parse(const char *text, size_t bytes, const char **why_out);
/* NULL: `object` has no such part (or is no object). */
const struct json *json_part(const struct json *object, const char *key);
/* The part as a number or truth; `otherwise` where it is missing. False: it is there and is something else. */
bool json_number(const struct json *object, const char *key, uint64_t otherwise, uint64_t *number_out);
bool json_truth(const struct json *object, const char *key, bool otherwise, bool *truth_out);

/* ---- writing: one text that grows ---- */

struct text {
    char *at;
    size_t bytes, room;
};

void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_string(struct text *t, const void *bytes, size_t count); /* quoted */
void text_free(struct text *t);
