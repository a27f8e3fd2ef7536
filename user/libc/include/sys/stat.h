/* newlib's, with lstat: there are no symbolic links, so it is stat. */
#pragma once
#include_next <sys/stat.h>
int lstat(const char *restrict path, struct stat *restrict status);
