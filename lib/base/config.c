#include <base/config.h>
#include <base/format.h>
#include <base/mem.h>

enum config_kind {
    CONFIG_TEXT,    /* anything printable */
    CONFIG_NAME,    /* up to 31 of: letters, digits, . _ - / */
    CONFIG_CHOICE,  /* one of the words in detail */
    CONFIG_WORDS,   /* several of them, by commas or blanks */
    CONFIG_NUMBER,  /* decimal, in the range in detail */
    CONFIG_ADDRESS, /* dhcp or IPv4 with prefix length */
    CONFIG_IPV4,
    CONFIG_IPV4S,    /* by commas */
    CONFIG_MACHINES, /* MAC addresses or UUIDs, by commas */
};

struct key {
    const char *name;
    enum config_kind kind;
    const char *detail, *text;
};

static const struct key keys[] = {
#define KEY(name, kind, detail, text) {#name, kind, detail, text},
#include "config_keys.def"
#undef KEY
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])
_Static_assert(KEY_COUNT <= CONFIG_KEYS_MAX, "config.h");

#define NAME_MAX 31u

/* A piece of the text being parsed. */
struct piece {
    const char *p;
    size_t n;
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}
static bool digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool hex(char c)
{
    return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool one_of(char c, const char *set)
{
    while (*set && *set != c)
        set++;
    return *set != 0;
}

static struct piece trim(struct piece s)
{
    while (s.n && blank(s.p[0]))
        s.p++, s.n--;
    while (s.n && blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Takes what lies before the next separator (or all) off *rest. False: nothing is left. */
static bool next_piece(struct piece *rest, const char *separators, struct piece *out)
{
    if (!rest->p)
        return false;
    size_t i = 0;
    while (i < rest->n && !one_of(rest->p[i], separators))
        i++;
    *out = (struct piece){rest->p, i};
    *rest = i < rest->n ? (struct piece){rest->p + i + 1, rest->n - i - 1} : (struct piece){NULL, 0};
    return true;
}

static bool equal(struct piece s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool number(struct piece s, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!digit(s.p[i]) || i >= 9)
            return false;
        *out = *out * 10 + (uint64_t)(s.p[i] - '0');
    }
    return s.n > 0;
}

static bool signed_number(struct piece s, int64_t *out)
{
    uint64_t value;
    bool negative = s.n && s.p[0] == '-';
    if (!number((struct piece){s.p + negative, s.n - negative}, &value))
        return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool in_range(struct piece s, const char *range)
{
    int64_t value, low, high;
    struct piece rest = {range, strlen(range)}, a, to, b;
    return next_piece(&rest, " ", &a) && next_piece(&rest, " ", &to) && next_piece(&rest, " ", &b) &&
           signed_number(a, &low) && signed_number(b, &high) && signed_number(s, &value) && value >= low &&
           value <= high;
}

static bool is_choice(struct piece s, const char *choices)
{
    struct piece rest = {choices, strlen(choices)}, choice;
    while (next_piece(&rest, "|", &choice))
        if (s.n == choice.n && memcmp(s.p, choice.p, s.n) == 0)
            return true;
    return false;
}

static bool is_name(struct piece s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!letter(s.p[i]) && !digit(s.p[i]) && !one_of(s.p[i], "._-/"))
            return false;
    return s.n >= 1 && s.n <= NAME_MAX;
}

static bool is_ipv4(struct piece s)
{
    struct piece part;
    uint64_t value;
    uint32_t parts = 0;
    while (next_piece(&s, ".", &part))
        if (parts++ == 4 || !number(part, &value) || value > 255)
            return false;
    return parts == 4;
}

static bool is_address(struct piece s)
{
    struct piece address, prefix;
    return equal(s, "dhcp") || (next_piece(&s, "/", &address) && next_piece(&s, "/", &prefix) && !s.p &&
                                is_ipv4(address) && in_range(prefix, "1 to 32"));
}

/* aa:bb:cc:dd:ee:ff, or 8-4-4-4-12 hexadecimal digits. */
static bool is_machine(struct piece s)
{
    static const uint8_t uuid_groups[] = {8, 4, 4, 4, 12};
    bool mac = s.n == 17;
    if (!mac && s.n != 36)
        return false;
    for (size_t i = 0, group = 0, left = mac ? 2 : uuid_groups[0]; i < s.n; i++) {
        if (left == 0) {
            if (s.p[i] != (mac ? ':' : '-'))
                return false;
            left = mac ? 2 : uuid_groups[++group];
            continue;
        }
        if (!hex(s.p[i]))
            return false;
        left--;
    }
    return true;
}

static bool is_list(struct piece s, const char *separators, bool (*good)(struct piece, const char *),
                    const char *detail)
{
    struct piece part;
    uint32_t count = 0;
    while (next_piece(&s, separators, &part)) {
        part = trim(part);
        if (part.n == 0 && separators[1])
            continue;
        count++;
        if (!good(part, detail))
            return false;
    }
    return count > 0;
}

static bool good_ipv4(struct piece s, const char *detail)
{
    return is_ipv4(s);
}
static bool good_machine(struct piece s, const char *detail)
{
    return is_machine(s);
}

static bool is_text(struct piece s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' && s.p[i] != '\t')
            return false;
    return s.n > 0;
}

static bool is_good(const struct key *k, struct piece s)
{
    switch (k->kind) {
    case CONFIG_TEXT:
        return is_text(s);
    case CONFIG_NAME:
        return is_name(s);
    case CONFIG_CHOICE:
        return is_choice(s, k->detail);
    case CONFIG_WORDS:
        return is_list(s, ", ", is_choice, k->detail);
    case CONFIG_NUMBER:
        return in_range(s, k->detail);
    case CONFIG_ADDRESS:
        return is_address(s);
    case CONFIG_IPV4:
        return is_ipv4(s);
    case CONFIG_IPV4S:
        return is_list(s, ",", good_ipv4, "");
    case CONFIG_MACHINES:
        return is_list(s, ",", good_machine, "");
    }
    return false;
}

static const struct key *find_key(struct piece name)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (equal(name, keys[i].name))
            return &keys[i];
    return NULL;
}

/* For messages: enough of it to be recognized. */
static int shown(struct piece s)
{
    return (int)(s.n < 60 ? s.n : 60);
}

static void list_keys(char *to, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < KEY_COUNT && used < room; i++)
        used += (size_t)base_format(to + used, room - used, " %s", keys[i].name);
}

static void say_bad_value(struct config_error *e, const struct key *k, struct piece value)
{
    if (k->detail[0])
        base_format(e->text, sizeof e->text, "'%.*s' is no value for '%s' (%s); it takes %s", shown(value), value.p,
                    k->name, k->text, k->detail);
    else
        base_format(e->text, sizeof e->text, "'%.*s' is no value for '%s' (%s)", shown(value), value.p, k->name,
                    k->text);
}

static void store(struct config *c, const struct key *k, struct piece value)
{
    memcpy(c->pool + c->used, value.p, value.n);
    c->pool[c->used + value.n] = 0;
    c->values[k - keys] = c->pool + c->used;
    c->used += (uint32_t)value.n + 1;
}

/* One line without its end. Each value is shorter than its line, so the pool is large enough. */
static bool parse_line(struct config *c, struct piece line, struct config_error *e)
{
    struct piece name, rest = line;
    line = trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return true;
    next_piece(&rest, "=", &name);
    name = trim(name);
    if (!rest.p) {
        base_format(e->text, sizeof e->text, "'%.*s' is not of the form `key = value`", shown(line), line.p);
        return false;
    }
    const struct key *k = find_key(name);
    if (!k) {
        int used = base_format(e->text, sizeof e->text, "'%.*s' is no key; keys are:", shown(name), name.p);
        list_keys(e->text + used, sizeof e->text - (size_t)used);
        return false;
    }
    rest = trim(rest);
    if (!is_good(k, rest)) {
        say_bad_value(e, k, rest);
        return false;
    }
    store(c, k, rest);
    return true;
}

err_t config_parse(const char *text, size_t bytes, struct config *out, struct config_error *error_out)
{
    struct piece rest = {text, bytes}, line;
    err_t err = E_OK;
    memset(out, 0, sizeof *out);
    memset(error_out, 0, sizeof *error_out);
    if (bytes > CONFIG_BYTES_MAX - 1)
        return E_TOO_LONG;
    for (uint32_t number = 1; next_piece(&rest, "\n", &line); number++) {
        struct config_error e = {.line = number};
        if (parse_line(out, line, &e) || err)
            continue;
        *error_out = e;
        err = E_INVALID;
    }
    return err;
}

const char *config_value(const struct config *c, const char *key)
{
    const struct key *k = find_key((struct piece){key, strlen(key)});
    return k ? c->values[k - keys] : NULL;
}

bool config_at(const struct config *c, uint32_t place, const char **key_out, const char **value_out)
{
    if (place >= KEY_COUNT)
        return false;
    *key_out = keys[place].name;
    *value_out = c->values[place];
    return true;
}

bool config_number(const struct config *c, const char *key, int64_t *out)
{
    const char *value = config_value(c, key);
    return value && signed_number((struct piece){value, strlen(value)}, out);
}

bool config_word(const char *list, const char *word)
{
    struct piece rest = {list, strlen(list)}, part;
    while (next_piece(&rest, ", ", &part))
        if (equal(trim(part), word))
            return true;
    return false;
}
