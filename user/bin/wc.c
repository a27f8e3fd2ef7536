/* wc [-lwc] [FILE...]: counts lines, words and bytes. */
#include <cli/each_file.h>

#include <ctype.h>
#include <string.h>

struct counts {
    unsigned long lines, words, bytes;
};

struct totals {
    int show_lines, show_words, show_bytes, files;
    struct counts sum;
};

static void show(const struct totals *t, const struct counts *c, const char *name)
{
    if (t->show_lines)
        printf("%7lu ", c->lines);
    if (t->show_words)
        printf("%7lu ", c->words);
    if (t->show_bytes)
        printf("%7lu ", c->bytes);
    printf("%s\n", strcmp(name, "-") == 0 ? "" : name);
}

static void count(FILE *stream, const char *name, void *context)
{
    static unsigned char buffer[16384];
    struct totals *t = context;
    struct counts c = {0};
    int in_word = 0;
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, stream)) > 0) {
        c.bytes += n;
        for (size_t i = 0; i < n; i++) {
            int space = isspace(buffer[i]);
            c.lines += buffer[i] == '\n';
            c.words += !space && !in_word;
            in_word = !space;
        }
    }
    show(t, &c, name);
    t->files++;
    t->sum.lines += c.lines;
    t->sum.words += c.words;
    t->sum.bytes += c.bytes;
}

int main(int argc, char **argv)
{
    struct totals t = {0};
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        for (const char *p = argv[i] + 1; *p; p++) {
            if (!strchr("lwc", *p)) {
                fprintf(stderr, "wc: -%c is not known; usage: wc [-lwc] [FILE...]\n", *p);
                return 2;
            }
            t.show_lines |= *p == 'l';
            t.show_words |= *p == 'w';
            t.show_bytes |= *p == 'c';
        }
    }
    if (!t.show_lines && !t.show_words && !t.show_bytes)
        t.show_lines = t.show_words = t.show_bytes = 1;
    int status = each_file("wc", argc - i, argv + i, count, &t);
    if (t.files > 1)
        show(&t, &t.sum, "total");
    return fflush(stdout) == 0 ? status : 1;
}
