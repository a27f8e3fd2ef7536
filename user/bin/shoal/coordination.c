/* Coordination from the shell: transactions over keys, watching, semaphores, barriers and elections. */
#include "shoal.h"

#include <abi/transaction.h>
#include <idl/cluster.h>
#include <os/service.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- txn ---- */

struct steps {
    uint8_t bytes[TXN_BYTES_MAX];
    uint32_t used;
};

static bool add_step(struct steps *s, struct txn_step head, const char *name, const char *value)
{
    size_t name_bytes = strlen(name), value_bytes = strlen(value);
    size_t bytes = (sizeof head + name_bytes + value_bytes + 7) & ~(size_t)7;
    if (name_bytes == 0 || name_bytes > CLUSTER_PUT_KEY_MAX || bytes > sizeof s->bytes - s->used)
        return false;
    head.name_bytes = (uint16_t)name_bytes;
    head.value_bytes = (uint16_t)value_bytes;
    memset(s->bytes + s->used, 0, bytes);
    memcpy(s->bytes + s->used, &head, sizeof head);
    memcpy(s->bytes + s->used + sizeof head, name, name_bytes);
    memcpy(s->bytes + s->used + sizeof head + name_bytes, value, value_bytes);
    s->used += (uint32_t)bytes;
    return true;
}

/* One comparison at the words' beginning; how many words it takes, 0 if it is none or does not fit. */
static int parse_comparison(char **words, int count, struct steps *s)
{
    struct txn_step head = {.section = TXN_IF};
    bool numbered = count >= 3 && parse_number(words[2], UINT64_MAX, &head.number);
    if (count >= 3 && strcmp(words[0], "lock") == 0 && numbered) {
        head.kind = TXN_FENCE;
        return add_step(s, head, words[1], "") ? 3 : 0;
    }
    if (count >= 3 && strcmp(words[1], "at") == 0 && numbered) {
        head.kind = TXN_REVISION;
        return add_step(s, head, words[0], "") ? 3 : 0;
    }
    head.number = 0;
    if (count >= 3 && strcmp(words[1], "=") == 0) {
        head.kind = TXN_VALUE;
        return add_step(s, head, words[0], words[2]) ? 3 : 0;
    }
    if (count < 2 || (strcmp(words[1], "absent") != 0 && strcmp(words[1], "exists") != 0))
        return 0;
    head.kind = words[1][0] == 'a' ? TXN_ABSENT : TXN_PRESENT;
    return add_step(s, head, words[0], "") ? 2 : 0;
}

static int parse_change(char **words, int count, uint8_t section, struct steps *s)
{
    struct txn_step head = {.section = section, .kind = TXN_PUT};
    if (count >= 3 && strcmp(words[0], "put") == 0)
        return add_step(s, head, words[1], words[2]) ? 3 : 0;
    head.kind = TXN_DELETE;
    if (count >= 2 && strcmp(words[0], "del") == 0)
        return add_step(s, head, words[1], "") ? 2 : 0;
    return 0;
}

/* if A and B then C and D else E: the words that begin a section come in this order, each once. */
static bool parse_txn(char **words, int count, struct steps *s)
{
    static const char *const sections[] = {"", "if", "then", "else"};
    uint8_t section = 0;
    int at = 0;
    while (at < count) {
        uint8_t next = (uint8_t)(section + 1);
        while (next <= TXN_ELSE && strcmp(words[at], sections[next]) != 0)
            next++;
        if (next <= TXN_ELSE)
            section = next;
        else if (section == 0 || at == 0 || strcmp(words[at], "and") != 0)
            return false;
        at++;
        int used = section == TXN_IF ? parse_comparison(words + at, count - at, s)
                                     : parse_change(words + at, count - at, section, s);
        if (used == 0)
            return false;
        at += used;
    }
    return s->used > 0;
}

int txn_run(int argc, char **argv)
{
    static struct steps s;
    uint64_t revision;
    uint32_t held;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (!parse_txn(argv + 1, argc - 1, &s))
        return usage();
    err_t err = cluster_txn(cluster, os_deadline_ms(30000), s.bytes, s.used, &revision, &held);
    if (err)
        return fail("%s", err == E_INVALID ? "a key is changed twice" : words_for(err));
    printf("%s, at revision %llu\n", held ? "then" : "else", (unsigned long long)revision);
    return held ? 0 : 1;
}

/* ---- watch ---- */

/* Shows what came, at most `left` of it; how many were shown, UINT64_MAX if the answer is malformed. */
static uint64_t show_changes(const uint8_t *at, uint32_t bytes, uint64_t left)
{
    static const char *const words[] = {"?", "put", "del", "elected", "vacant"};
    uint64_t shown = 0;
    while (bytes >= sizeof(struct cluster_change) && shown < left) {
        struct cluster_change c;
        memcpy(&c, at, sizeof c);
        uint64_t used = (sizeof c + (uint64_t)c.name_bytes + c.value_bytes + 7) & ~7ull;
        if (used > bytes)
            return UINT64_MAX;
        printf("%llu %s %.*s", (unsigned long long)c.revision, words[c.kind < 5 ? c.kind : 0], (int)c.name_bytes,
               (const char *)at + sizeof c);
        if (c.left_out)
            printf(" (%u bytes)", c.left_out);
        else if (c.kind == CLUSTER_CHANGE_PUT || c.kind == CLUSTER_CHANGE_ELECTED)
            printf(" %.*s", (int)c.value_bytes, (const char *)at + sizeof c + c.name_bytes);
        putchar('\n');
        at += used;
        bytes -= (uint32_t)used;
        shown++;
    }
    fflush(stdout);
    return shown;
}

static int watch_from(handle_t cluster, uint32_t watched, const char *prefix, uint64_t revision, uint64_t left)
{
    static uint8_t changes[CLUSTER_WATCH_NEXT_CHANGES_MAX];
    uint32_t part = 0, length;
    while (left > 0) {
        uint64_t oldest;
        err_t err = cluster_watch_next(cluster, DEADLINE_NEVER, watched, revision, part, prefix, &revision, &part,
                                       &oldest, changes, sizeof changes, &length);
        if (err)
            return fail("%s", words_for(err));
        if (oldest)
            return fail("%s; the oldest that is known is --from %llu", os_error_text(E_COMPACTED),
                        (unsigned long long)oldest);
        uint64_t shown = show_changes(changes, length, left);
        if (shown == UINT64_MAX)
            return fail("the answer is malformed");
        left -= shown;
    }
    return 0;
}

int watch_run(int argc, char **argv)
{
    uint64_t revision = 0, left = UINT64_MAX;
    uint32_t watched = CLUSTER_WATCH_KEYS;
    const char *prefix = NULL;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--from") == 0 && i + 1 < argc && parse_number(argv[i + 1], UINT64_MAX, &revision))
            i++;
        else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc && parse_number(argv[i + 1], UINT64_MAX, &left))
            i++;
        else if (strcmp(argv[i], "--elections") == 0)
            watched = CLUSTER_WATCH_ELECTIONS;
        else if (argv[i][0] != '-' && !prefix)
            prefix = argv[i];
        else
            return usage();
    }
    return watch_from(cluster, watched, prefix ? prefix : "", revision, left);
}

/* ---- semaphores, barriers, elections ---- */

int sem_run(int argc, char **argv)
{
    uint64_t permits;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc < 5 || !parse_number(argv[2], 4096, &permits) || permits == 0 || strcmp(argv[3], "--") != 0)
        return usage();
    const struct wanted_lock wanted = {.mode = CLUSTER_SEMAPHORE, .permits = (uint32_t)permits, .name = argv[1]};
    return run_locked(cluster, &wanted, argv + 4);
}

int barrier_run(int argc, char **argv)
{
    uint64_t parties, fence;
    handle_t held, cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc != 3 || !parse_number(argv[2], 4096, &parties) || parties == 0)
        return usage();
    err_t err = cluster_lock(cluster, DEADLINE_NEVER, CLUSTER_BARRIER, 0, (uint32_t)parties, 0, argv[1], NULL, 0,
                             &fence, &held);
    return err ? fail("%s: %s", argv[1], err == E_CONFLICT ? "the others wait for another number" : words_for(err)) : 0;
}

static int show_elected(handle_t cluster, const char *name)
{
    char value[CLUSTER_ELECTED_VALUE_MAX];
    uint64_t fence, process_id, revision;
    uint32_t length;
    err_t err = cluster_elected(cluster, os_deadline_ms(30000), name, &fence, &process_id, &revision, value,
                                sizeof value, &length);
    if (err)
        return fail("%s: %s", name, err == E_NOT_FOUND ? "nobody is elected" : words_for(err));
    printf("%.*s\n", (int)length, value);
    return 0;
}

int elect_run(int argc, char **argv)
{
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    if (argc == 2)
        return show_elected(cluster, argv[1]);
    if (argc < 5 || strcmp(argv[3], "--") != 0 || strlen(argv[2]) > CLUSTER_LOCK_VALUE_MAX)
        return usage();
    const struct wanted_lock wanted = {.mode = CLUSTER_ELECTION, .name = argv[1], .value = argv[2]};
    return run_locked(cluster, &wanted, argv + 4);
}
