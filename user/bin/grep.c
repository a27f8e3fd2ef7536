/* grep [-cinv] PATTERN [FILE...]: prints the lines that match a POSIX extended regular expression.
 * Exit status: 0 some line matched, 1 none did, 2 trouble. */
#include <cli/each_file.h>

#include <sys/types.h>

#include <regex.h>
#include <stdlib.h>
#include <string.h>

struct search {
    regex_t pattern;
    int invert, count_only, number, many;
    unsigned long found;
};

static void search_file(FILE *stream, const char *name, void *context)
{
    struct search *s = context;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    unsigned long number = 0, found = 0;
    while ((n = getline(&line, &room, stream)) >= 0) {
        number++;
        if (n > 0 && line[n - 1] == '\n')
            line[n - 1] = 0;
        if ((regexec(&s->pattern, line, 0, NULL, 0) == 0) == s->invert)
            continue;
        found++;
        if (s->count_only)
            continue;
        if (s->many)
            printf("%s:", name);
        if (s->number)
            printf("%lu:", number);
        printf("%s\n", line);
    }
    free(line);
    if (s->count_only)
        printf(s->many ? "%s:%lu\n" : "%.0s%lu\n", name, found);
    s->found += found;
}

static int usage(const char *why)
{
    fprintf(stderr, "grep: %s; usage: grep [-cinv] PATTERN [FILE...]\n", why);
    return 2;
}

int main(int argc, char **argv)
{
    struct search s = {0};
    int flags = REG_EXTENDED | REG_NOSUB, i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        for (const char *p = argv[i] + 1; *p; p++) {
            if (!strchr("cinvE", *p))
                return usage("an option is not known");
            flags |= *p == 'i' ? REG_ICASE : 0;
            s.count_only |= *p == 'c';
            s.number |= *p == 'n';
            s.invert |= *p == 'v';
        }
    }
    if (i >= argc)
        return usage("a pattern is missing");
    int error = regcomp(&s.pattern, argv[i], flags);
    if (error) {
        char text[128];
        regerror(error, &s.pattern, text, sizeof text);
        fprintf(stderr, "grep: %s: %s\n", argv[i], text);
        return 2;
    }
    s.many = argc - i > 2;
    int status = each_file("grep", argc - i - 1, argv + i + 1, search_file, &s);
    regfree(&s.pattern);
    return status ? 2 : s.found ? 0 : 1;
}
