/* The shell's language: what is parsed to what, what is refused with which words, how words expand. */
#include <sh/expand.h>
#include <sh/parse.h>
#include <test/check.h>

/* The tree as text, to compare: words in <>, redirections as fd kind:target. */
static const char *shape(const char *text)
{
    static char out[2000];
    static const char *const joints[] = {"", ";", "&&", "||", "&"};
    const char *error;
    size_t n = 0;
    struct script *s = parse(text, &error);
    if (!s)
        return error;
    out[0] = 0;
    for (int i = 0; i < s->count; i++) {
        const struct pipeline *p = &s->pipelines[i];
        for (int k = 0; k < p->count; k++) {
            const struct command *c = &p->commands[k];
            n += (size_t)snprintf(out + n, sizeof out - n, "%s", k ? "|" : "");
            for (int w = 0; w < c->count; w++)
                n += (size_t)snprintf(out + n, sizeof out - n, "<%s>", c->words[w]);
            for (int r = 0; r < c->redirect_count; r++)
                n += (size_t)snprintf(out + n, sizeof out - n, "{%d %d:%s}", c->redirects[r].fd, c->redirects[r].kind,
                                      c->redirects[r].target ? c->redirects[r].target : "");
        }
        n += (size_t)snprintf(out + n, sizeof out - n, "%s", joints[p->joint]);
    }
    parse_free(s);
    return out;
}

static void test_shapes(void)
{
    CHECK_STRING(shape(""), "");
    CHECK_STRING(shape("  # only a comment\n\n"), "");
    CHECK_STRING(shape("a b  c"), "<a><b><c>");
    CHECK_STRING(shape("a|b | c"), "<a>|<b>|<c>");
    CHECK_STRING(shape("a;b\nc"), "<a>;<b>;<c>");
    CHECK_STRING(shape("a && b || c & d"), "<a>&&<b>||<c>&<d>");
    CHECK_STRING(shape("a <x >y 2>>z"), "<a>{0 1:x}{1 2:y}{2 3:z}");
    CHECK_STRING(shape("a >y 2>&1 b"), "<a><b>{1 2:y}{2 4:}");
    CHECK_STRING(shape("a2>y"), "<a2>{1 2:y}"); /* the 2 belongs to the word */
    CHECK_STRING(shape("a 'b c' \"d;e|f\" g\\ h # i"), "<a><'b c'><\"d;e|f\"><g\\ h>");
    CHECK_STRING(shape("a \"b\\\"c\""), "<a><\"b\\\"c\">");
    CHECK_STRING(shape("a#b"), "<a#b>");
    CHECK_STRING(shape("a |\n b"), "<a>|<b>");
    CHECK_STRING(shape("a \\\n b"), "<a><b>");
    CHECK_STRING(shape("a &&\n\n b;"), "<a>&&<b>;");
}

static void test_refusals(void)
{
    CHECK_STRING(shape("a 'b"), "a closing ' is missing");
    CHECK_STRING(shape("a \"b"), "a closing \" is missing");
    CHECK_STRING(shape("| a"), "a command is expected before |");
    CHECK_STRING(shape("; a"), "a command is expected before ;");
    CHECK_STRING(shape("a || "), "a command is expected after && or ||");
    CHECK_STRING(shape("a |"), "a command is expected at the end of the line");
    CHECK_STRING(shape("a >"), "a file name is expected after < or >");
    CHECK_STRING(shape("a > | b"), "a file name is expected after < or >");
    CHECK_STRING(shape("> x"), "a command is expected beside the redirection");
    CHECK_STRING(shape("a <1 <2 <3 <4 <5 <6 <7 <8 <9"), "too many redirections in one command");
}

static const char *value(const char *name, void *context)
{
    return strcmp(name, "A") == 0 ? "x y" : strcmp(name, "?") == 0 ? "3" : strcmp(name, "STAR") == 0 ? "*" : NULL;
}

static void entries(const char *directory, void (*add)(const char *name, void *list), void *list, void *context)
{
    static const char *const names[] = {"b.c", "a.c", "a.h", ".hidden", "odd[1]"};
    for (size_t i = 0; strcmp(directory, ".") == 0 && i < sizeof names / sizeof names[0]; i++)
        add(names[i], list);
}

static const struct expander expander = {.value = value, .entries = entries};

static void expect(const char *word, const char *expected)
{
    struct words out;
    char text[500] = "";
    char *const words[] = {(char *)word, NULL};
    CHECK(expand_all(&expander, words, &out));
    for (int i = 0; i < out.count; i++)
        strcat(strcat(strcat(text, "<"), out.word[i]), ">");
    CHECK_STRING(text, expected);
    words_free(&out);
}

static void test_expansion(void)
{
    expect("a", "<a>");
    expect("'a b'", "<a b>");
    expect("$A", "<x y>"); /* not split */
    expect("\"$A\"", "<x y>");
    expect("'$A'", "<$A>");
    expect("\\$A", "<$A>");
    expect("${A}z$?", "<x yz3>");
    expect("$NONE", "");
    expect("\"$NONE\"", "<>");
    expect("''", "<>");
    expect("$", "<$>");
    expect("a$.b", "<a$.b>");
    expect("${A", "<${A>");
    expect("\"a\\nb\\\"\"", "<a\\nb\">");
}

static void test_file_names(void)
{
    expect("*.c", "<a.c><b.c>");
    expect("'*.c'", "<*.c>");
    expect("\\*.c", "<*.c>");
    expect("?.h", "<a.h>");
    expect("[ab].c", "<a.c><b.c>");
    expect("[!a].c", "<b.c>");
    expect("*.z", "<*.z>"); /* none: as it is */
    expect(".*", "<.hidden>");
    expect("odd'[1]'*", "<odd[1]>");
    expect("$STAR", "<*>"); /* what comes from a variable is no pattern */
    expect("/no/*", "</no/*>");
}

static void test_patterns(void)
{
    CHECK(pattern_matches("a*b*c", "aXXbYYc") && !pattern_matches("a*b*c", "aXXc"));
    CHECK(pattern_matches("*", "") && pattern_matches("**", "abc") && !pattern_matches("?", ""));
    CHECK(pattern_matches("[a-c]x", "bx") && !pattern_matches("[a-c]x", "dx") && pattern_matches("[]]", "]"));
    CHECK(!pattern_matches("[", "a") && !pattern_matches("\\*", "a") && pattern_matches("\\*", "*"));
}

/* Any text is parsed or refused with words, and what was parsed can be expanded. */
static void test_random_text(void)
{
    static const char *const parts[] = {"a", " ", "'", "\"", "\\", "$", "{",  "}", "?",  "*",  "[",
                                        "]", "|", "&", ";",  "<",  ">", "2>", "#", "\n", "b!", "-"};
    uint64_t state = 3;
    for (int round = 0; round < 50000; round++) {
        char text[64] = "";
        for (int i = 0; i < 20; i++) {
            state = state * 6364136223846793005ull + 1442695040888963407ull;
            strcat(text, parts[(state >> 33) % (sizeof parts / sizeof parts[0])]);
        }
        const char *error;
        struct script *s = parse(text, &error);
        CHECK(s || error);
        for (int i = 0; s && i < s->count; i++) {
            struct words out;
            CHECK(expand_all(&expander, s->pipelines[i].commands[0].words, &out));
            words_free(&out);
        }
        parse_free(s);
    }
}

int main(void)
{
    RUN(test_shapes);
    RUN(test_refusals);
    RUN(test_expansion);
    RUN(test_file_names);
    RUN(test_patterns);
    RUN(test_random_text);
    return 0;
}
