/* A test program for the C library: `test_libc` runs every area, `test_libc AREA...` some. One line an area, and an
 * exit status of 0 only if all held. */
#pragma once

#include <stdbool.h>

struct area {
    const char *name;
    void (*run)(void);
};

extern const struct area areas[];

/* Counts and reports; the area goes on, so that one run tells all. */
bool check_(bool holds, const char *what, const char *file, int line);
#define CHECK(condition) check_((condition), #condition, __FILE__, __LINE__)

void test_stdio(void);
void test_malloc(void);
void test_files(void);
void test_directories(void);
void test_spawn(void);
void test_pipes(void);
void test_environment(void);
void test_clocks(void);
void test_threads(void);
void test_signals(void);
void test_sockets(void);
void test_strings(void);
