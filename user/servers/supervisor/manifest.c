#include "manifest.h"

#include <abi/info.h>
#include <string.h>

/* One line cut into words; they point into the text and are not ended by 0. */
struct word {
    const char *text;
    size_t bytes;
};

struct line {
    uint32_t number, count;
    struct word words[MANIFEST_WORDS_MAX + 1];
    bool too_many;
};

struct cursor {
    const char *at, *end;
    uint32_t number;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void split_words(const char *from, const char *to, struct line *line)
{
    while (from < to) {
        while (from < to && is_blank(*from))
            from++;
        if (from == to || *from == '#')
            return;
        const char *start = from;
        while (from < to && !is_blank(*from))
            from++;
        if (line->count == MANIFEST_WORDS_MAX + 1) {
            line->too_many = true;
            return;
        }
        line->words[line->count++] = (struct word){start, (size_t)(from - start)};
    }
}

/* The next line that has words; false at the end of the text. */
static bool next_line(struct cursor *c, struct line *line)
{
    while (c->at < c->end) {
        const char *from = c->at;
        while (c->at < c->end && *c->at != '\n')
            c->at++;
        const char *to = c->at;
        if (c->at < c->end)
            c->at++;
        *line = (struct line){.number = ++c->number};
        split_words(from, to, line);
        if (line->count > 0)
            return true;
    }
    return false;
}

static bool refuse(struct manifest_error *error, const struct line *line, uint32_t word, const char *expected)
{
    error->line = line->number;
    error->expected = expected;
    size_t n = 0;
    if (word < line->count) {
        const struct word *w = &line->words[word];
        for (; n < w->bytes && n < sizeof error->found - 1; n++)
            error->found[n] = w->text[n] >= ' ' && w->text[n] < 127 ? w->text[n] : '?';
    }
    error->found[n] = 0;
    return false;
}

static bool word_is(const struct word *w, const char *text)
{
    return w->bytes == strlen(text) && memcmp(w->text, text, w->bytes) == 0;
}

/* Names of services, keys and values: letters, digits and a few signs. */
static bool copy_name(const struct word *w, char *out, size_t room)
{
    if (w->bytes >= room)
        return false;
    for (size_t i = 0; i < w->bytes; i++) {
        char c = w->text[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || c == '.' || c == '/';
        if (!good)
            return false;
        out[i] = c;
    }
    out[w->bytes] = 0;
    return true;
}

static bool parse_number(const char *text, size_t bytes, uint32_t base, uint64_t *out)
{
    uint64_t value = 0;
    if (bytes == 0 || bytes > 10)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                                                : 99;
        if (digit >= base)
            return false;
        value = value * base + digit;
    }
    *out = value;
    return true;
}

static bool take_number(const struct line *line, uint64_t min, uint64_t max, uint32_t *out)
{
    uint64_t value;
    if (line->count != 2 || !parse_number(line->words[1].text, line->words[1].bytes, 10, &value))
        return false;
    if (value < min || value > max)
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool take_memory(const struct line *line, uint64_t *out)
{
    if (line->count != 2 || line->words[1].bytes < 2)
        return false;
    const struct word *w = &line->words[1];
    char unit = w->text[w->bytes - 1];
    uint64_t scale = unit == 'K' ? 1024 : unit == 'M' ? 1024 * 1024 : 0, value;
    if (scale == 0 || !parse_number(w->text, w->bytes - 1, 10, &value) || value == 0 || value > 1024 * 1024)
        return false;
    *out = value * scale;
    return true;
}

/* "1af4:1042,1af4:1001" */
static bool take_pci_ids(const struct word *w, struct manifest *m)
{
    const char *at = w->text, *end = w->text + w->bytes;
    while (at < end) {
        const char *comma = at;
        while (comma < end && *comma != ',')
            comma++;
        uint64_t vendor, device;
        if (comma - at != 9 || at[4] != ':' || !parse_number(at, 4, 16, &vendor) ||
            !parse_number(at + 5, 4, 16, &device))
            return false;
        if (m->device_count == MANIFEST_DEVICES_MAX)
            return false;
        m->devices[m->device_count++] = (struct manifest_device){(uint16_t)vendor, (uint16_t)device};
        if (comma == end)
            return true;
        at = comma + 1;
    }
    return false;
}

static bool take_device(const struct line *line, struct manifest *m)
{
    if (m->device_kind != 0 || line->count < 2)
        return false;
    if (line->count == 2 && word_is(&line->words[1], "serial"))
        return m->device_kind = DEVICE_SERIAL_PORTS, true;
    if (line->count == 2 && word_is(&line->words[1], "framebuffer"))
        return m->device_kind = DEVICE_FRAMEBUFFER, true;
    if (line->count != 3 || !word_is(&line->words[1], "pci"))
        return false;
    m->device_kind = DEVICE_PCI;
    return take_pci_ids(&line->words[2], m);
}

static bool take_names(const struct line *line, struct manifest_names *names)
{
    if (line->count < 2)
        return false;
    for (uint32_t i = 1; i < line->count; i++)
        if (names->count == MANIFEST_WORDS_MAX ||
            !copy_name(&line->words[i], names->name[names->count++], MANIFEST_NAME_MAX))
            return false;
    return true;
}

static bool take_system(const struct line *line, struct manifest *m)
{
    static const struct {
        const char *word;
        uint32_t rights;
    } known[] = {{"log", RIGHT_LOG},     {"devices", RIGHT_DEVICES}, {"cluster", RIGHT_CLUSTER},
                 {"power", RIGHT_POWER}, {"random", RIGHT_INFO},     {"info", RIGHT_INFO}};
    if (line->count < 2)
        return false;
    m->system_rights |= RIGHT_INFO;
    for (uint32_t i = 1; i < line->count; i++) {
        uint32_t rights = 0;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            if (word_is(&line->words[i], known[k].word))
                rights = known[k].rights;
        if (rights == 0)
            return false;
        m->system_rights |= rights;
    }
    return true;
}

static uint32_t cluster_class(const struct word *w)
{
    static const struct {
        const char *word;
        uint32_t class;
    } known[] = {
#define CLUSTER_CLASS(name, bit, word, text) {word, CLUSTER_MAY_##name},
#include "../../../abi/cluster_classes.def"
#undef CLUSTER_CLASS
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (word_is(w, known[i].word))
            return known[i].class;
    return 0;
}

/* "cluster read locks under app/" */
static const char *take_cluster(const struct line *line, struct manifest *m, uint32_t *word)
{
    if (m->cluster)
        return "one `cluster` line";
    for (uint32_t i = 1; i < line->count; i++) {
        *word = i;
        if (i > 1 && word_is(&line->words[i], "under")) {
            *word = i + 1;
            bool good =
                i + 2 == line->count && copy_name(&line->words[i + 1], m->cluster_prefix, sizeof m->cluster_prefix);
            return good ? NULL : "under PREFIX, at the end, of at most 63 letters, digits and '-_./'";
        }
        uint32_t class = cluster_class(&line->words[i]);
        if (!class)
            return "cluster with "
#define CLUSTER_CLASS(name, bit, word, text) word ", "
#include "../../../abi/cluster_classes.def"
#undef CLUSTER_CLASS
                   "and last, if at all, under PREFIX";
        m->cluster |= class;
    }
    *word = 1;
    return m->cluster ? NULL : "cluster CLASS...: what the server may ask of the cluster service";
}

static bool take_restart(const struct line *line, struct manifest *m)
{
    if (line->count != 2)
        return false;
    if (word_is(&line->words[1], "always"))
        m->restart = RESTART_ALWAYS;
    else if (word_is(&line->words[1], "on-failure"))
        m->restart = RESTART_ON_FAILURE;
    else if (word_is(&line->words[1], "never"))
        m->restart = RESTART_NEVER;
    else
        return false;
    return true;
}

static bool take_args(const struct line *line, struct manifest *m)
{
    for (uint32_t i = 1; i < line->count; i++) {
        const struct word *w = &line->words[i];
        if (m->args_bytes + w->bytes + 1 > MANIFEST_ARGS_BYTES)
            return false;
        memcpy(m->args + m->args_bytes, w->text, w->bytes);
        m->args_bytes += (uint32_t)w->bytes;
        m->args[m->args_bytes++] = 0;
        m->arg_count++;
    }
    return line->count > 1;
}

static bool take_flag(const struct line *line, bool *out)
{
    *out = true;
    return line->count == 1;
}

static bool take_name(const struct line *line, char *out, size_t room)
{
    return line->count == 2 && copy_name(&line->words[1], out, room);
}

static bool take_condition(const struct line *line, struct manifest *m)
{
    return line->count == 3 && copy_name(&line->words[1], m->condition_key, MANIFEST_NAME_MAX) &&
           copy_name(&line->words[2], m->condition_value, MANIFEST_NAME_MAX);
}

/* NULL: the line is good. Otherwise what was expected; *word is the index of the word to show. */
static const char *take_line(const struct line *line, struct manifest *m, uint32_t *word)
{
    const struct word *key = &line->words[0];
    *word = 1;
    if (word_is(key, "level"))
        return take_number(line, 1, 9, &m->level) ? NULL : "level 1..9";
    if (word_is(key, "program"))
        return take_name(line, m->program, sizeof m->program) ? NULL : "program PATH-IN-BUNDLE";
    if (word_is(key, "device"))
        return take_device(line, m) ? NULL
                                    : "one line: device serial | device framebuffer | device pci VVVV:DDDD[,...]";
    if (word_is(key, "optional"))
        return take_flag(line, &m->optional) ? NULL : "optional, alone";
    if (word_is(key, "peer"))
        return take_names(line, &m->peers) ? NULL : "peer SERVICE...";
    if (word_is(key, "provides"))
        return take_names(line, &m->provides) ? NULL : "provides NAME...";
    if (word_is(key, "system"))
        return take_system(line, m) ? NULL : "system with log, devices, cluster, power, random or info";
    if (word_is(key, "bundle"))
        return take_flag(line, &m->bundle) ? NULL : "bundle, alone";
    if (word_is(key, "cluster"))
        return take_cluster(line, m, word);
    if (word_is(key, "names"))
        return take_flag(line, &m->names) ? NULL : "names, alone";
    if (word_is(key, "terminal"))
        return take_name(line, m->terminal, sizeof m->terminal) ? NULL : "terminal NAME";
    if (word_is(key, "if"))
        return take_condition(line, m) ? NULL : "if KEY VALUE";
    if (word_is(key, "args"))
        return take_args(line, m) ? NULL : "args WORD...";
    if (word_is(key, "memory"))
        return take_memory(line, &m->memory_bytes) ? NULL : "memory NUMBER with K or M";
    if (word_is(key, "priority"))
        return take_number(line, 0, PRIORITY_MAX, &m->priority) ? NULL : "priority 0..31";
    if (word_is(key, "restart"))
        return take_restart(line, m) ? NULL : "restart always | on-failure | never";
    if (word_is(key, "handle")) {
        m->jobs_budget = true;
        return line->count == 2 && word_is(&line->words[1], "jobs-budget") ? NULL : "handle jobs-budget";
    }
    *word = 0;
    return "a keyword of a manifest (docs/001-architecture.md)";
}

static void set_defaults(const char *name, struct manifest *m)
{
    *m = (struct manifest){
        .level = 9, .priority = PRIORITY_NORMAL, .memory_bytes = 4ull << 20, .restart = RESTART_ALWAYS};
    strcpy(m->name, name);
    memcpy(m->program, "bin/", 4);
    strcpy(m->program + 4, name);
}

bool manifest_parse(const char *name, const char *text, size_t bytes, struct manifest *out,
                    struct manifest_error *error)
{
    struct cursor cursor = {text, text + bytes, 0};
    struct line line = {0};
    struct word own = {name, strlen(name)};
    char copy[MANIFEST_NAME_MAX - 3]; /* room for an instance number */
    if (own.bytes == 0 || !copy_name(&own, copy, sizeof copy))
        return refuse(error, &line, 0, "a service name of at most 28 letters, digits, '-', '_'");
    set_defaults(name, out);
    while (next_line(&cursor, &line)) {
        uint32_t word = 1;
        const char *expected = line.too_many ? "fewer words in a line" : take_line(&line, out, &word);
        if (expected)
            return refuse(error, &line, word, expected);
    }
    if (out->optional && out->device_kind == 0)
        return refuse(error, &line, 9, "`optional` only beside `device`");
    return true;
}

bool manifest_parse_list(const char *text, size_t bytes, struct manifest_list *out, struct manifest_error *error)
{
    struct cursor cursor = {text, text + bytes, 0};
    struct line line;
    out->count = 0;
    while (next_line(&cursor, &line)) {
        if (line.count != 2 || !word_is(&line.words[0], "start"))
            return refuse(error, &line, 0, "start NAME");
        if (out->count == sizeof out->name / sizeof out->name[0])
            return refuse(error, &line, 1, "at most 48 services");
        if (!copy_name(&line.words[1], out->name[out->count], MANIFEST_NAME_MAX - 3))
            return refuse(error, &line, 1, "a service name of at most 28 letters, digits, '-', '_'");
        for (uint32_t i = 0; i < out->count; i++)
            if (strcmp(out->name[i], out->name[out->count]) == 0)
                return refuse(error, &line, 1, "each service once");
        out->count++;
    }
    return true;
}

static bool lists(const struct manifest_names *names, const char *name)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

bool manifest_may_publish(const struct manifest *m, const char *instance, const char *name)
{
    return strcmp(name, m->name) == 0 || strcmp(name, instance) == 0 || lists(&m->provides, name);
}

/* A `peer serial` line allows serial, serial0, serial1, ... */
bool manifest_may_lookup(const struct manifest *m, const char *name)
{
    if (lists(&m->peers, name))
        return true;
    char stem[MANIFEST_NAME_MAX];
    size_t n = strlen(name);
    if (n >= sizeof stem)
        return false;
    memcpy(stem, name, n + 1);
    while (n > 0 && stem[n - 1] >= '0' && stem[n - 1] <= '9')
        stem[--n] = 0;
    return lists(&m->peers, stem);
}
