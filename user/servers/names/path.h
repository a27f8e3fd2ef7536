/* Absolute paths, made canonical by their text alone: no empty, "." or ".." parts, no slash at the end. Pure. */
#pragma once

#include <abi/types.h>

#define PATH_BYTES_MAX 1024u /* with the ending 0 */
#define PATH_PART_MAX  255u  /* bytes of one name */

struct path {
    char text[PATH_BYTES_MAX]; /* "/" or "/a/b" */
    bool must_be_directory;    /* it was written with a slash or dot at the end */
};

/* E_INVALID: not absolute. E_TOO_LONG: it, or a part of it, is too long. */
err_t path_normalize(const char *from, struct path *out);

/* The next part at or after *at ("/a/b": start with 0); false when there is none. *at is moved behind it. */
bool path_next(const char *canonical, size_t *at, const char **part_out, size_t *bytes_out);
