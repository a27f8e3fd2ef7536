/* One line from the user: with editing, history and completion on a terminal, plainly otherwise. */
#include "shell.h"

#include <abi/cluster.h>
#include <errno.h>
#include <linenoise.h>
#include <os/service.h>
#include <os/startup.h>
#include <shoal/nodes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_LINES 200

/* ---- completion ---- */

struct candidates {
    const char *line;   /* what is typed */
    size_t before;      /* bytes of the line that stay as they are */
    const char *prefix; /* what the last word's last part begins with */
    const char *directory;
    linenoiseCompletions *list;
};

static void add_candidate(const char *name, void *context)
{
    struct candidates *c = context;
    char line[1024];
    if (strncmp(name, c->prefix, strlen(c->prefix)) != 0 || (name[0] == '.' && !c->prefix[0]))
        return;
    int n = snprintf(line, sizeof line, "%.*s%s", (int)c->before, c->line, name);
    if (n > 0 && (size_t)n < sizeof line)
        linenoiseAddCompletion(c->list, line);
}

enum expected { EXPECT_FILE, EXPECT_COMMAND, EXPECT_NODE };

/* What the word at `word` may be, by the words before it in the same command. */
static enum expected expected_at(const char *line, const char *word)
{
    char text[1024], *rest, *before, *first = NULL, *last = NULL;
    int count = 0;
    const char *from = word;
    while (from > line && !strchr("|&;", from[-1]))
        from--;
    snprintf(text, sizeof text, "%.*s", (int)(word - from), from);
    for (before = strtok_r(text, " \t", &rest); before; before = strtok_r(NULL, " \t", &rest), count++) {
        first = first ? first : before;
        last = before;
    }
    if (count == 0)
        return EXPECT_COMMAND;
    if (count == 1 && strcmp(first, "on") == 0)
        return EXPECT_NODE;
    bool starts = (count == 1 && (strcmp(first, "run") == 0 || strcmp(first, "help") == 0)) ||
                  (count == 2 && strcmp(first, "on") == 0) || (strcmp(first, "lock") == 0 && strcmp(last, "--") == 0);
    return starts ? EXPECT_COMMAND : EXPECT_FILE;
}

static void add_nodes(struct candidates *c)
{
    static struct cluster_node nodes[NODES_MAX];
    uint32_t count = 0;
    if (shoal_cluster())
        (void)shoal_nodes(shoal_cluster(), shoal_in_ms(500), nodes, NODES_MAX, &count);
    for (uint32_t i = 0; i < count; i++) {
        char number[16];
        snprintf(number, sizeof number, "%u", (unsigned)nodes[i].node);
        add_candidate(number, c);
    }
}

static void complete(const char *line, linenoiseCompletions *list, void *context)
{
    size_t bytes = strlen(line), start = bytes;
    char directory[1024] = ".";
    while (start > 0 && !strchr(" \t|&;<>", line[start - 1]))
        start--;
    const char *word = line + start, *slash = strrchr(word, '/');
    struct candidates c = {.line = line,
                           .before = slash ? (size_t)(slash - line) + 1 : start,
                           .list = list,
                           .prefix = slash ? slash + 1 : word,
                           .directory = directory};
    if (slash && (size_t)(slash - word) < sizeof directory - 1)
        snprintf(directory, sizeof directory, "%.*s", (int)(slash - word) + 1, word);
    enum expected expected = slash ? EXPECT_FILE : expected_at(line, word);
    if (expected == EXPECT_NODE) {
        add_nodes(&c);
        return;
    }
    if (expected == EXPECT_COMMAND) {
        for (const char *const *name = builtin_names(); *name; name++)
            add_candidate(*name, &c);
        strcpy(directory, "/bin");
    }
    directory_entries(directory, add_candidate, &c, NULL);
}

/* ---- lines ---- */

void input_start(void)
{
    linenoiseSetCompletionCallback(complete, NULL);
    linenoiseHistorySetMaxLen(HISTORY_LINES);
}

static char *plain_line(void)
{
    char *line = NULL;
    size_t room = 0;
    if (getline(&line, &room, stdin) < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = 0;
    return line;
}

char *input_line(const char *prompt)
{
    if (!shell.interactive)
        return plain_line();
    fflush(stdout);
    errno = 0;
    char *line = linenoise(prompt);
    if (line && line[0])
        linenoiseHistoryAdd(line);
    if (!line && errno == EAGAIN) { /* ^C: a new, empty line */
        putchar('\n');
        return strdup("");
    }
    return line;
}
