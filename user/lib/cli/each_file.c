/* Visiting the files named on a command line. */
#include <cli/each_file.h>

#include <errno.h>
#include <string.h>

static int visit_one(const char *program, const char *name, void (*visit)(FILE *, const char *, void *), void *context)
{
    int is_stdin = strcmp(name, "-") == 0;
    FILE *stream = is_stdin ? stdin : fopen(name, "r");
    if (!stream) {
        fprintf(stderr, "%s: %s: %s\n", program, name, strerror(errno));
        return 1;
    }
    errno = 0;
    visit(stream, name, context);
    int failed = ferror(stream);
    if (failed)
        fprintf(stderr, "%s: %s: %s\n", program, name, errno ? strerror(errno) : "read error");
    if (!is_stdin)
        fclose(stream);
    return failed ? 1 : 0;
}

int each_file(const char *program, int count, char **names, void (*visit)(FILE *, const char *, void *), void *context)
{
    static char *standard_input[] = {"-"};
    if (count == 0) {
        count = 1;
        names = standard_input;
    }
    int status = 0;
    for (int i = 0; i < count; i++)
        status |= visit_one(program, names[i], visit, context);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "%s: standard output: %s\n", program, strerror(errno));
        status = 1;
    }
    return status;
}
