#include "expand.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Text that grows. In a pattern, characters that were quoted have a backslash before them. */
struct text {
    char *at;
    size_t used, room;
    bool failed, pattern, has_wildcard, was_quoted;
};

static void add(struct text *t, char c)
{
    if (t->used + 2 > t->room) {
        char *grown = realloc(t->at, t->room = t->room * 2 + 32);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->at = grown;
    }
    t->at[t->used++] = c;
    t->at[t->used] = 0;
}

static void add_quoted(struct text *t, char c)
{
    if (t->pattern && strchr("*?[\\", c))
        add(t, '\\');
    add(t, c);
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* What follows a $; returns behind it. */
static const char *expand_variable(const struct expander *e, struct text *t, const char *at)
{
    char name[64];
    size_t n = 0;
    bool braces = *at == '{';
    const char *start = at - 1;
    at += braces;
    if (*at == '?' || *at == '#' || *at == '$' || isdigit((unsigned char)*at))
        name[n++] = *at++;
    else
        while (is_name(*at) && n < sizeof name - 1)
            name[n++] = *at++;
    name[n] = 0;
    if (n == 0 || (braces && *at != '}')) { /* a plain dollar */
        add_quoted(t, '$');
        return start + 1;
    }
    const char *value = e->value(name, e->context);
    for (; value && *value; value++)
        add_quoted(t, *value);
    return at + braces;
}

static const char *expand_double(const struct expander *e, struct text *t, const char *at)
{
    while (*at && *at != '"') {
        if (*at == '$')
            at = expand_variable(e, t, at + 1);
        else if (at[0] == '\\' && at[1] && strchr("\"\\$`\n", at[1]))
            add_quoted(t, at[1]), at += 2;
        else
            add_quoted(t, *at++);
    }
    return *at ? at + 1 : at;
}

static const char *expand_single(struct text *t, const char *at)
{
    while (*at && *at != '\'')
        add_quoted(t, *at++);
    return *at ? at + 1 : at;
}

static void expand_text(const struct expander *e, struct text *t, const char *at)
{
    while (*at) {
        char c = *at++;
        if (c == '\'' || c == '"') {
            t->was_quoted = true;
            at = c == '"' ? expand_double(e, t, at) : expand_single(t, at);
        } else if (c == '\\' && *at) {
            add_quoted(t, *at++);
        } else if (c == '$') {
            at = expand_variable(e, t, at);
        } else {
            t->has_wildcard |= strchr("*?[", c) != NULL;
            add(t, c);
        }
    }
}

char *expand_one(const struct expander *e, const char *word)
{
    struct text t = {0};
    expand_text(e, &t, word);
    if (t.failed) {
        free(t.at);
        return NULL;
    }
    return t.at ? t.at : calloc(1, 1);
}

/* ---- file names ---- */

static bool class_matches(const char **pattern, char c)
{
    const char *p = *pattern + 1;
    bool negated = *p == '!', found = false;
    p += negated;
    do {
        if (p[0] && p[1] == '-' && p[2] && p[2] != ']') {
            found |= c >= p[0] && c <= p[2];
            p += 3;
        } else {
            found |= *p == c;
            p += *p != 0;
        }
    } while (*p && *p != ']');
    *pattern = *p ? p + 1 : p;
    return found != negated;
}

/* One character of the pattern against one of the text; *pattern moves behind it. */
static bool character_matches(const char **pattern, char c)
{
    if (**pattern == '[')
        return class_matches(pattern, c);
    if (**pattern == '?')
        return (*pattern)++, true;
    if (**pattern == '\\' && (*pattern)[1])
        (*pattern)++;
    return *(*pattern)++ == c;
}

bool pattern_matches(const char *pattern, const char *text)
{
    for (; *pattern && *pattern != '*'; text++)
        if (!*text || !character_matches(&pattern, *text))
            return false;
    if (!*pattern)
        return *text == 0;
    while (*pattern == '*')
        pattern++;
    for (;; text++) {
        if (pattern_matches(pattern, text))
            return true;
        if (!*text)
            return false;
    }
}

struct matches {
    struct words *words;
    const char *directory, *pattern; /* directory as it was written, with its slash; may be empty */
    bool failed;
};

static bool words_add(struct words *words, char *word)
{
    char **grown = word ? realloc(words->word, (size_t)(words->count + 2) * sizeof *grown) : NULL;
    if (!grown) {
        free(word);
        return false;
    }
    words->word = grown;
    words->word[words->count++] = word;
    words->word[words->count] = NULL;
    return true;
}

static void add_match(const char *name, void *context)
{
    struct matches *m = context;
    if ((name[0] == '.' && m->pattern[0] != '.') || !pattern_matches(m->pattern, name))
        return;
    char *word = malloc(strlen(m->directory) + strlen(name) + 1);
    if (word)
        strcat(strcpy(word, m->directory), name);
    m->failed |= !words_add(m->words, word);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Matches the last part of a path; false when nothing did. The directory before it is taken as it is. */
static bool add_files(const struct expander *e, const char *pattern, struct words *words, bool *failed)
{
    char directory[1024];
    const char *slash = strrchr(pattern, '/');
    size_t bytes = slash ? (size_t)(slash - pattern) + 1 : 0;
    int before = words->count;
    if (!e->entries || bytes >= sizeof directory)
        return false;
    memcpy(directory, pattern, bytes);
    directory[bytes] = 0;
    struct matches m = {words, directory, pattern + bytes, false};
    e->entries(bytes ? directory : ".", add_match, &m, e->context);
    *failed |= m.failed;
    if (words->count > before)
        qsort(words->word + before, (size_t)(words->count - before), sizeof *words->word, compare);
    return words->count > before;
}

static bool expand_into(const struct expander *e, const char *from, struct words *out)
{
    struct text t = {.pattern = true};
    bool failed = false;
    expand_text(e, &t, from);
    if (!t.failed && t.has_wildcard && t.at && add_files(e, t.at, out, &failed)) {
        free(t.at);
        return !failed;
    }
    bool vanishes = !t.used && !t.was_quoted; /* an unquoted variable without a value is no word at all */
    free(t.at);
    return !t.failed && !failed && (vanishes || words_add(out, expand_one(e, from)));
}

bool expand_all(const struct expander *e, char *const *from, struct words *out)
{
    *out = (struct words){0};
    for (; *from; from++) {
        if (!expand_into(e, *from, out)) {
            words_free(out);
            return false;
        }
    }
    return true;
}

void words_free(struct words *words)
{
    for (int i = 0; i < words->count; i++)
        free(words->word[i]);
    free(words->word);
    *words = (struct words){0};
}
