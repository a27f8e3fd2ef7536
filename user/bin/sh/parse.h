/* The shell's language: words with quotes, pipelines, redirection, lists. Pure: text in, a tree out.
 *
 *     list     := pipeline ((';' | '&' | '&&' | '||' | newline) pipeline)*
 *     pipeline := command ('|' command)*
 *     command  := (word | '<' word | '>' word | '>>' word | '2>' word | '2>>' word | '2>&1' | '>&2')+
 *
 * A word keeps its quotes; expand.h takes them away when the command runs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PARSE_REDIRECTS_MAX 8

enum redirect_kind { REDIRECT_READ = 1, REDIRECT_WRITE, REDIRECT_APPEND, REDIRECT_SAME /* 2>&1, >&2 */ };

struct redirect {
    int fd;
    enum redirect_kind kind;
    int same;     /* with REDIRECT_SAME: as this descriptor */
    char *target; /* a word; NULL with REDIRECT_SAME */
};

struct command {
    char **words; /* ended by NULL */
    int count;
    struct redirect redirects[PARSE_REDIRECTS_MAX];
    int redirect_count;
};

/* What stands between this pipeline and the next. */
enum joint { JOINT_END = 0, JOINT_THEN, JOINT_AND, JOINT_OR, JOINT_BACKGROUND };

struct pipeline {
    struct command *commands;
    int count;
    enum joint joint;
    const char *text; /* where it stands in the script: for `jobs` */
    size_t text_bytes;
};

struct script {
    struct pipeline *pipelines;
    int count;
};

/* NULL: no memory, or *error_out says in words what is wrong (a constant text). Freed with parse_free. */
struct script *parse(const char *text, const char **error_out);
void parse_free(struct script *script);
