/* sort [-nru] [FILE...]: lines of all files, in order. */
#include <cli/each_file.h>

#include <stdlib.h>
#include <string.h>

struct lines {
    char **items;
    size_t count, room;
    int out_of_memory;
};

static int numeric, reverse;

static int compare(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    int order = 0;
    if (numeric) {
        double p = strtod(x, NULL), q = strtod(y, NULL);
        order = (p > q) - (p < q);
    }
    if (order == 0)
        order = strcmp(x, y);
    return reverse ? -order : order;
}

static int add(struct lines *all, char *line)
{
    if (all->count == all->room) {
        size_t room = all->room ? 2 * all->room : 256;
        char **items = realloc(all->items, room * sizeof *items);
        if (!items)
            return 0;
        all->items = items;
        all->room = room;
    }
    all->items[all->count++] = line;
    return 1;
}

static void collect(FILE *stream, const char *name, void *context)
{
    struct lines *all = context;
    for (;;) {
        char *line = NULL;
        size_t room = 0;
        ssize_t n = getline(&line, &room, stream);
        if (n < 0) {
            free(line);
            return;
        }
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = 0;
        if (!add(all, line)) {
            free(line);
            all->out_of_memory = 1;
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct lines all = {0};
    int unique = 0, i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        for (const char *p = argv[i] + 1; *p; p++) {
            if (!strchr("nru", *p)) {
                fprintf(stderr, "sort: -%c is not known; usage: sort [-nru] [FILE...]\n", *p);
                return 2;
            }
            numeric |= *p == 'n';
            reverse |= *p == 'r';
            unique |= *p == 'u';
        }
    }
    int status = each_file("sort", argc - i, argv + i, collect, &all);
    if (all.out_of_memory) {
        fprintf(stderr, "sort: out of memory after %zu lines\n", all.count);
        return 1;
    }
    qsort(all.items, all.count, sizeof *all.items, compare);
    for (size_t n = 0; n < all.count; n++) {
        if (!unique || n == 0 || strcmp(all.items[n - 1], all.items[n]) != 0)
            puts(all.items[n]);
    }
    return fflush(stdout) == 0 ? status : 1;
}
