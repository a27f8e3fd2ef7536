/* newlib's, with POSIX's names for its functions that read lines. */
#pragma once
#include_next <stdio.h>
ssize_t getline(char **line, size_t *room, FILE *stream);
ssize_t getdelim(char **line, size_t *room, int end, FILE *stream);
