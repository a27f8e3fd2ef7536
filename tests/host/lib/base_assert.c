/* The assert of lib/, for tests: a broken invariant ends the program with a trace of the sanitizer. */
#include <stdio.h>
#include <stdlib.h>

#include <base/assert.h>

void base_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
    abort();
}
