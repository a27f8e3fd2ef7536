/* newlib's, with its function. */
#pragma once
#include <sys/types.h>
#include_next <utime.h>
int utime(const char *path, const struct utimbuf *times);
