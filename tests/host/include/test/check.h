/* Checks for host test programs. A failed check prints where and what, and ends the program with status 1.
 *
 *     static void test_something(void) { CHECK_EQUAL(add(1, 2), 3); }
 *     int main(void) { RUN(test_something); return 0; }
 */
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition);                              \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Integers (pointers: compare with CHECK). */
#define CHECK_EQUAL(actual, expected)                                                                                  \
    do {                                                                                                               \
        long long check_actual = (long long)(actual), check_expected = (long long)(expected);                          \
        if (check_actual != check_expected) {                                                                          \
            fprintf(stderr, "%s:%d: %s is %lld (0x%llx), expected %lld (0x%llx)\n", __FILE__, __LINE__, #actual,       \
                    check_actual, (unsigned long long)check_actual, check_expected,                                    \
                    (unsigned long long)check_expected);                                                               \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_STRING(actual, expected)                                                                                 \
    do {                                                                                                               \
        const char *check_actual = (actual), *check_expected = (expected);                                             \
        if (strcmp(check_actual, check_expected) != 0) {                                                               \
            fprintf(stderr, "%s:%d: %s is \"%s\", expected \"%s\"\n", __FILE__, __LINE__, #actual, check_actual,       \
                    check_expected);                                                                                   \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Runs one test function and names it in the log. */
#define RUN(function)                                                                                                  \
    do {                                                                                                               \
        printf("run %s\n", #function);                                                                                 \
        fflush(stdout);                                                                                                \
        function();                                                                                                    \
    } while (0)
