#include "path.h"

#include <string.h>

/* Takes the last part away; "/" stays. */
static size_t drop_part(char *text, size_t n)
{
    while (n > 0 && text[n - 1] != '/')
        n--;
    return n > 0 ? n - 1 : 0;
}

static bool is_dots(const char *part, size_t bytes, size_t dots)
{
    return bytes == dots && part[0] == '.' && part[dots - 1] == '.';
}

err_t path_normalize(const char *from, struct path *out)
{
    size_t n = 0; /* bytes of out->text; 0 means the root */
    if (from[0] != '/')
        return E_INVALID;
    out->must_be_directory = false;
    while (*from) {
        while (*from == '/')
            from++, out->must_be_directory = true;
        const char *part = from;
        while (*from && *from != '/')
            from++;
        size_t bytes = (size_t)(from - part);
        if (bytes == 0)
            break;
        out->must_be_directory = is_dots(part, bytes, 1) || is_dots(part, bytes, 2);
        if (is_dots(part, bytes, 2))
            n = drop_part(out->text, n);
        if (out->must_be_directory)
            continue;
        if (bytes > PATH_PART_MAX || n + 1 + bytes >= PATH_BYTES_MAX)
            return E_TOO_LONG;
        out->text[n++] = '/';
        memcpy(out->text + n, part, bytes);
        n += bytes;
    }
    if (n == 0)
        out->text[n++] = '/';
    out->text[n] = 0;
    return E_OK;
}

bool path_next(const char *canonical, size_t *at, const char **part_out, size_t *bytes_out)
{
    size_t i = *at;
    while (canonical[i] == '/')
        i++;
    *part_out = canonical + i;
    size_t start = i;
    while (canonical[i] && canonical[i] != '/')
        i++;
    *bytes_out = i - start;
    *at = i;
    return i > start;
}
