/* For programs that read the files they are given, or standard input when given none. */
#pragma once

#include <stdio.h>

/* Calls visit(stream, name, context) for each name ("-": standard input) and closes what it opened. A file that cannot
 * be opened or read is reported as "PROGRAM: NAME: why". Returns the exit status: 0, or 1 if any failed. */
int each_file(const char *program, int count, char **names, void (*visit)(FILE *, const char *, void *), void *context);
