#include "parse.h"

#include <stdlib.h>
#include <string.h>

struct parser {
    const char *at;
    const char *error;
};

/* ---- words ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}
static bool ends_word(char c)
{
    return c == 0 || is_blank(c) || strchr("\n;&|<>", c) != NULL;
}

static void skip_blanks(struct parser *p)
{
    for (;;) {
        while (is_blank(*p->at))
            p->at++;
        if (p->at[0] == '\\' && p->at[1] == '\n')
            p->at += 2;
        else if (*p->at == '#')
            while (*p->at && *p->at != '\n')
                p->at++;
        else
            return;
    }
}

/* The end of a quoted part that begins at `from`; NULL if it has none. */
static const char *skip_quoted(const char *from)
{
    char quote = *from++;
    while (*from && *from != quote) {
        if (quote == '"' && from[0] == '\\' && from[1])
            from++;
        from++;
    }
    return *from ? from + 1 : NULL;
}

static char *take_word(struct parser *p)
{
    const char *end = p->at;
    while (!ends_word(*end)) {
        if (*end == '\'' || *end == '"') {
            const char *after = skip_quoted(end);
            if (!after) {
                p->error = *end == '"' ? "a closing \" is missing" : "a closing ' is missing";
                return NULL;
            }
            end = after;
        } else {
            end += end[0] == '\\' && end[1] ? 2 : 1;
        }
    }
    char *word = strndup(p->at, (size_t)(end - p->at));
    if (!word)
        p->error = "there is no memory left";
    p->at = end;
    return word;
}

/* ---- growing arrays ---- */

/* Room for one more, zeroed, and one beyond that as end mark. */
static void *one_more(struct parser *p, void *array, int count, size_t size)
{
    char *grown = realloc(array, (size_t)(count + 2) * size);
    if (!grown) {
        p->error = "there is no memory left";
        return NULL;
    }
    memset(grown + (size_t)count * size, 0, 2 * size);
    return grown;
}

/* ---- commands ---- */

/* What redirection, if any, begins here; p->at moves behind it. */
static bool take_redirect_sign(struct parser *p, struct redirect *r)
{
    const char *at = p->at;
    r->fd = *at == '<' ? 0 : 1;
    if ((*at == '1' || *at == '2') && at[1] == '>')
        r->fd = *at++ - '0';
    if (*at != '<' && *at != '>')
        return false;
    r->kind = *at == '<' ? REDIRECT_READ : REDIRECT_WRITE;
    at++;
    if (r->kind == REDIRECT_WRITE && *at == '>')
        r->kind = REDIRECT_APPEND, at++;
    else if (r->kind == REDIRECT_WRITE && at[0] == '&' && (at[1] == '1' || at[1] == '2'))
        r->kind = REDIRECT_SAME, r->same = at[1] - '0', at += 2;
    p->at = at;
    return true;
}

static bool take_redirect(struct parser *p, struct command *c)
{
    struct redirect r = {0};
    if (!take_redirect_sign(p, &r))
        return false;
    skip_blanks(p);
    if (c->redirect_count == PARSE_REDIRECTS_MAX)
        p->error = "too many redirections in one command";
    else if (r.kind != REDIRECT_SAME && ends_word(*p->at))
        p->error = "a file name is expected after < or >";
    else if (r.kind != REDIRECT_SAME)
        r.target = take_word(p);
    if (!p->error)
        c->redirects[c->redirect_count++] = r;
    return true;
}

static void parse_command(struct parser *p, struct command *c)
{
    for (skip_blanks(p); !p->error; skip_blanks(p)) {
        if (take_redirect(p, c))
            continue;
        if (ends_word(*p->at))
            break;
        char **words = one_more(p, c->words, c->count, sizeof *words);
        if (!words)
            return;
        c->words = words;
        c->words[c->count] = take_word(p);
        c->count += c->words[c->count] != NULL;
    }
    if (!p->error && c->count == 0)
        p->error = c->redirect_count ? "a command is expected beside the redirection"
                   : *p->at == '|'   ? "a command is expected before |"
                   : *p->at == '&'   ? "a command is expected before &"
                   : *p->at == ';'   ? "a command is expected before ;"
                                     : "a command is expected at the end of the line";
}

static void parse_pipeline(struct parser *p, struct pipeline *pl)
{
    pl->text = p->at;
    for (;;) {
        struct command *commands = one_more(p, pl->commands, pl->count, sizeof *commands);
        if (!commands)
            return;
        pl->commands = commands;
        parse_command(p, &pl->commands[pl->count++]);
        pl->text_bytes = (size_t)(p->at - pl->text);
        if (p->error || p->at[0] != '|' || p->at[1] == '|')
            break;
        p->at++;
        while (skip_blanks(p), *p->at == '\n')
            p->at++;
    }
    while (pl->text_bytes > 0 && is_blank(pl->text[pl->text_bytes - 1]))
        pl->text_bytes--;
}

static enum joint take_joint(struct parser *p)
{
    char a = p->at[0], b = a ? p->at[1] : 0;
    if ((a == '&' || a == '|') && a == b) {
        p->at += 2;
        return a == '&' ? JOINT_AND : JOINT_OR;
    }
    if (a == ';' || a == '\n' || a == '&')
        p->at++;
    return a == '&' ? JOINT_BACKGROUND : a ? JOINT_THEN : JOINT_END;
}

/* Blank lines and comments between pipelines. */
static void skip_lines(struct parser *p)
{
    while (skip_blanks(p), *p->at == '\n')
        p->at++;
}

static void parse_list(struct parser *p, struct script *s)
{
    skip_lines(p);
    while (*p->at && !p->error) {
        struct pipeline *pipelines = one_more(p, s->pipelines, s->count, sizeof *pipelines);
        if (!pipelines)
            return;
        s->pipelines = pipelines;
        struct pipeline *pl = &s->pipelines[s->count++];
        parse_pipeline(p, pl);
        if (p->error)
            return;
        pl->joint = take_joint(p);
        skip_lines(p);
        if (!*p->at && (pl->joint == JOINT_AND || pl->joint == JOINT_OR))
            p->error = "a command is expected after && or ||";
    }
}

struct script *parse(const char *text, const char **error_out)
{
    struct parser p = {.at = text};
    struct script *script = calloc(1, sizeof *script);
    *error_out = "there is no memory left";
    if (!script)
        return NULL;
    parse_list(&p, script);
    *error_out = p.error;
    if (!p.error)
        return script;
    parse_free(script);
    return NULL;
}

static void command_free(struct command *c)
{
    for (int i = 0; i < c->count; i++)
        free(c->words[i]);
    for (int i = 0; i < c->redirect_count; i++)
        free(c->redirects[i].target);
    free(c->words);
}

void parse_free(struct script *script)
{
    for (int i = 0; script && i < script->count; i++) {
        for (int k = 0; k < script->pipelines[i].count; k++)
            command_free(&script->pipelines[i].commands[k]);
        free(script->pipelines[i].commands);
    }
    if (script)
        free(script->pipelines);
    free(script);
}
