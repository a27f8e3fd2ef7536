/* Arguments, environment and working directory, as they come in parts. */
#include "process.h"

#include <string.h>

/* Counts the strings that end in this part and notes where arguments and environment end. */
static err_t count_strings(struct preparation *p, uint32_t from)
{
    for (uint32_t i = from; i < p->bytes; i++) {
        if (p->strings[i] != 0)
            continue;
        if (++p->taken == p->argc)
            p->arguments_bytes = i + 1;
        if (p->taken == p->argc + p->envc)
            p->environment_bytes = i + 1 - p->arguments_bytes;
        if (p->taken > p->argc + p->envc + 1)
            return E_INVALID;
    }
    return E_OK;
}

err_t words_append(struct preparation *p, const char *strings, uint32_t bytes, uint32_t argc, uint32_t envc)
{
    if (p->bytes > 0 && (argc != p->argc || envc != p->envc))
        return E_INVALID;
    if (argc > STRINGS_MAX || envc > STRINGS_MAX || bytes > STRINGS_MAX - p->bytes)
        return E_TOO_LONG;
    uint32_t from = p->bytes;
    p->argc = argc;
    p->envc = envc;
    memcpy(p->strings + from, strings, bytes);
    p->bytes += bytes;
    return count_strings(p, from);
}
