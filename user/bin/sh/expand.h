/* Words as they are used: quotes and backslashes taken away, $NAME, ${NAME}, $?, $#, $$, $1.. replaced by their values
 * (not split at blanks), and words with an unquoted * ? or [ replaced by the files they match. */
#pragma once

#include <stdbool.h>

struct expander {
    /* Value of a variable; NULL: none. */
    const char *(*value)(const char *name, void *context);
    /* Calls add(name) for each entry of a directory; may be NULL: no file names are matched. */
    void (*entries)(const char *directory, void (*add)(const char *name, void *list), void *list, void *context);
    void *context;
};

struct words {
    char **word; /* ended by NULL; each, and the array, freed by words_free */
    int count;
};

/* One word that stays one word. NULL: no memory. Freed by the caller. */
char *expand_one(const struct expander *e, const char *word);
/* A command's words. False: no memory. */
bool expand_all(const struct expander *e, char *const *from, struct words *out);
void words_free(struct words *words);
/* Does text match the pattern (* ? [a-z] [!a])? */
bool pattern_matches(const char *pattern, const char *text);
