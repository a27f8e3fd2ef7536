/* What needs no server: strings and numbers, memory, clocks, signals. */
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static bool prints(const char *expected, const char *format, ...)
{
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return strcmp(text, expected) == 0;
}

static int compare_ints(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

void test_strings(void)
{
    CHECK(prints("-42 2a 3.500000 1e+100 x%", "%d %x %f %g %c%%", -42, 42, 3.5, 1e100, 'x'));
    CHECK(prints("9223372036854775807 0x1p+0", "%lld %a", INT64_MAX, 1.0));
    CHECK(prints("   ab|cd   |007", "%5s|%-5s|%03d", "ab", "cd", 7));
    CHECK(strtod("0x1.8p1", NULL) == 3.0 && strtol("-77", NULL, 8) == -63);
    CHECK(strtoull("18446744073709551615", NULL, 10) == UINT64_MAX);
    CHECK(fabs(sin(1.0) - 0.8414709848078965) < 1e-15 && sqrt(2.0) * sqrt(2.0) > 1.9999999);
    int numbers[] = {5, 3, 9, -1, 4};
    qsort(numbers, 5, sizeof *numbers, compare_ints);
    CHECK(numbers[0] == -1 && numbers[4] == 9);
    char words[] = "one two,three", *rest = NULL;
    CHECK(strcmp(strtok_r(words, " ,", &rest), "one") == 0 && strcmp(strtok_r(NULL, " ,", &rest), "two") == 0);
    regex_t pattern;
    CHECK(regcomp(&pattern, "^a(b+)c$", REG_EXTENDED) == 0);
    CHECK(regexec(&pattern, "abbbc", 0, NULL, 0) == 0 && regexec(&pattern, "ac", 0, NULL, 0) == REG_NOMATCH);
    regfree(&pattern);
    CHECK(fnmatch("*.lu[ab]", "x.lua", 0) == 0 && fnmatch("*.c", "x.h", 0) != 0);
    CHECK(strcmp(strerror(ENOENT), "No such file or directory") == 0);
}

void test_malloc(void)
{
    enum { COUNT = 200 };
    unsigned char *blocks[COUNT];
    unsigned seed = 1;
    size_t sizes[COUNT];
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1103515245 + 12345;
        sizes[i] = seed >> 16 & 4095;
        CHECK((blocks[i] = malloc(sizes[i] + 1)) != NULL);
        memset(blocks[i], i, sizes[i] + 1);
    }
    for (int i = 0; i < COUNT; i += 2)
        free(blocks[i]);
    for (int i = 1; i < COUNT; i += 2) {
        blocks[i] = realloc(blocks[i], sizes[i] * 2 + 1);
        CHECK(blocks[i] && blocks[i][0] == (unsigned char)i && blocks[i][sizes[i]] == (unsigned char)i);
        free(blocks[i]);
    }
    char *zeros = calloc(1000, 3);
    CHECK(zeros && zeros[0] == 0 && zeros[2999] == 0);
    free(zeros);
    char *large = malloc(600 * 1024);
    CHECK(large != NULL);
    if (large)
        large[600 * 1024 - 1] = 1;
    free(large);
    errno = 0;
    void *volatile huge = malloc(SIZE_MAX / 4); /* volatile: the compiler knows malloc, and would leave it out */
    CHECK(huge == NULL && errno == ENOMEM);
    void *aligned;
    CHECK(posix_memalign(&aligned, 256, 100) == 0 && ((uintptr_t)aligned & 255) == 0);
    free(aligned);
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && pages[8191] == 0 && munmap(pages, 8192) == 0);
}

void test_clocks(void)
{
    struct timespec before, after, nap = {.tv_nsec = 20000000};
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK(nanosleep(&nap, NULL) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    int64_t slept = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    CHECK(slept >= 20000000);
    struct timeval now;
    CHECK(gettimeofday(&now, NULL) == 0 && now.tv_sec > 1600000000); /* after 2020 */
    CHECK(labs((long)(time(NULL) - now.tv_sec)) <= 1);
    struct tm parts;
    time_t moment = 1000000000;
    char text[40];
    CHECK(gmtime_r(&moment, &parts) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts));
    CHECK(strcmp(text, "2001-09-09 01:46:40") == 0);
    CHECK(mktime(&parts) == moment);
    clock_t start = clock();
    for (volatile int i = 0; i < 5000000; i++)
        ;
    CHECK(clock() >= start);
    errno = 0;
    CHECK(clock_gettime((clockid_t)99, &before) == -1 && errno == EINVAL);
}

static volatile sig_atomic_t caught;

static void catch (int signal)
{
    caught = signal;
}

void test_signals(void)
{
    static jmp_buf back;
    sigset_t set, before;
    CHECK(signal(SIGUSR1, catch) == SIG_DFL);
    CHECK(raise(SIGUSR1) == 0 && caught == SIGUSR1);
    caught = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, &before) == 0);
    raise(SIGUSR1);
    CHECK(caught == 0);
    CHECK(sigprocmask(SIG_SETMASK, &before, NULL) == 0 && caught == SIGUSR1);
    CHECK(signal(SIGUSR1, SIG_IGN) == catch && raise(SIGUSR1) == 0);
    CHECK(kill(getpid(), 0) == 0);
    errno = 0;
    CHECK(signal(SIGKILL, catch) == SIG_ERR && errno == EINVAL);
    volatile int times = 0;
    if (setjmp(back) < 3) {
        times++;
        longjmp(back, times);
    }
    CHECK(times == 3);
}
