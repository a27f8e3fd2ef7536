/* shoal.conf: lines `key = value`, `#` begins a comment, the last line for a key wins. Every line is checked here,
 * once, so that whoever uses a value need not. Pure; the text may be anything at all. */
#pragma once

#include <abi/types.h>

#define CONFIG_KEYS_MAX   24u
#define CONFIG_BYTES_MAX  16384u
#define CONFIG_ERROR_TEXT 320u

struct config {
    const char *values[CONFIG_KEYS_MAX]; /* by the key's place in the list; NULL: not given. Into pool */
    uint32_t used;
    char pool[CONFIG_BYTES_MAX];
};

struct config_error {
    uint32_t line;                /* counted from 1 */
    char text[CONFIG_ERROR_TEXT]; /* what is wrong with it, and what would be right */
};

/* E_INVALID for the first line at fault (told in *error_out); the good lines are taken all the same. E_TOO_LONG if the
 * text is longer than CONFIG_BYTES_MAX. */
err_t config_parse(const char *text, size_t bytes, struct config *out, struct config_error *error_out);

/* Value of a key; NULL: not given, or no such key. */
const char *config_value(const struct config *c, const char *key);
/* Value of a key that takes numbers. False, and *out as it was: not given. */
bool config_number(const struct config *c, const char *key, int64_t *out);
/* Name and value of the key at that place of the list; value NULL: not given. False past the last. */
bool config_at(const struct config *c, uint32_t place, const char **key_out, const char **value_out);
/* True if `word` is one of the words of a list separated by commas or blanks. */
bool config_word(const char *list, const char *word);
