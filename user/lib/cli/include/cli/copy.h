/* Copying files, for cp and mv. */
#pragma once

#include <stddef.h>

/* Copies the contents of `from` to the file `to`, which is made or emptied. Reports what fails as "PROGRAM: PATH: why".
 * Returns 0, or 1 on failure. */
int copy_file(const char *program, const char *from, const char *to);

/* Where something called `from` goes when told to go to `to`: into it if that is a directory. Returns 0, or 1 after
 * reporting that the path is too long. */
int copy_target(const char *program, const char *from, const char *to, char *path_out, size_t room);
