/* Runs areas and reports. */
#include <stdio.h>
#include <string.h>

#include "test.h"

const struct area areas[] = {{"strings", test_strings},
                             {"malloc", test_malloc},
                             {"clocks", test_clocks},
                             {"threads", test_threads},
                             {"signals", test_signals},
                             {"stdio", test_stdio},
                             {"files", test_files},
                             {"directories", test_directories},
                             {"environment", test_environment},
                             {"pipes", test_pipes},
                             {"spawn", test_spawn},
                             {"sockets", test_sockets},
                             {0}};

static int failures;

bool check_(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        failures++;
        printf("  FAILED %s:%d: %s\n", file, line, what);
    }
    return holds;
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = argc < 2;
    for (int i = 1; i < argc; i++)
        any |= strcmp(argv[i], name) == 0;
    return any;
}

/* Children of the spawn area run this program too; their first argument says what they do. */
int spawn_child(int argc, char **argv);

int main(int argc, char **argv)
{
    int bad_areas = 0, good_areas = 0;
    if (argc > 1 && strncmp(argv[1], "child-", 6) == 0)
        return spawn_child(argc, argv);
    for (const struct area *area = areas; area->name; area++) {
        if (!wanted(area->name, argc, argv))
            continue;
        failures = 0;
        area->run();
        printf("%s %s\n", failures ? "FAILED" : "ok", area->name);
        fflush(stdout);
        bad_areas += failures != 0;
        good_areas += failures == 0;
    }
    printf("test_libc: %d passed, %d failed\n", good_areas, bad_areas);
    return bad_areas != 0;
}
