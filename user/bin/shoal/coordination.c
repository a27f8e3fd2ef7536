/* Coordination from the shell: transactions over keys, and watching. */
#include "shoal.h"

#include <shoal/txn.h>
#include <shoal/watch.h>
#include <stdio.h>
#include <string.h>

/* ---- txn ---- */

/* One comparison at the words' beginning; how many words it takes, 0 if it is none. */
static int parse_comparison(char **words, int count, struct shoal_txn *t)
{
    uint64_t number;
    bool numbered = count >= 3 && read_number(words[2], &number);
    if (numbered && strcmp(words[0], "lock") == 0)
        return shoal_txn_if_held(t, words[1], number), 3;
    if (numbered && strcmp(words[1], "at") == 0)
        return shoal_txn_if_revision(t, words[0], number), 3;
    if (count >= 3 && strcmp(words[1], "=") == 0)
        return shoal_txn_if_value(t, words[0], words[2], strlen(words[2])), 3;
    if (count >= 2 && strcmp(words[1], "absent") == 0)
        return shoal_txn_if_absent(t, words[0]), 2;
    if (count >= 2 && strcmp(words[1], "exists") == 0)
        return shoal_txn_if_present(t, words[0]), 2;
    return 0;
}

static int parse_change(char **words, int count, enum shoal_branch branch, struct shoal_txn *t)
{
    if (count >= 3 && strcmp(words[0], "put") == 0)
        return shoal_txn_put(t, branch, words[1], words[2], strlen(words[2])), 3;
    if (count >= 2 && strcmp(words[0], "del") == 0)
        return shoal_txn_delete(t, branch, words[1]), 2;
    return 0;
}

/* if A and B then C and D else E: the words that begin a section come in this order, each once. */
static bool parse_txn(char **words, int count, struct shoal_txn *t)
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
        int used = section == TXN_IF ? parse_comparison(words + at, count - at, t)
                                     : parse_change(words + at, count - at, (enum shoal_branch)section, t);
        if (used == 0)
            return false;
        at += used;
    }
    return count > 0;
}

int txn_run(int argc, char **argv)
{
    static struct shoal_txn txn;
    uint64_t revision;
    bool held;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    shoal_txn_begin(&txn);
    if (!parse_txn(argv + 1, argc - 1, &txn))
        return usage();
    err_t err = shoal_txn_commit(&txn, cluster, shoal_in_ms(30000), &held, &revision);
    if (err)
        return fail("%s", err == E_INVALID ? "a key is changed twice, or has no name" : words_for(err));
    printf("%s, at revision %llu\n", held ? "then" : "else", (unsigned long long)revision);
    return held ? 0 : 1;
}

/* ---- watch ---- */

static void show_change(const struct shoal_change *c)
{
    static const char *const words[] = {"?", "put", "del", "elected", "vacant"};
    printf("%llu %s %s", (unsigned long long)c->revision, words[c->kind < 5 ? c->kind : 0], c->name);
    if (c->left_out)
        printf(" (%u bytes)", (unsigned)c->left_out);
    else if (c->kind == CLUSTER_CHANGE_PUT || c->kind == CLUSTER_CHANGE_ELECTED)
        printf(" %.*s", (int)c->value_bytes, (const char *)c->value);
    if (c->kind == CLUSTER_CHANGE_ELECTED)
        printf(" (%s)", holder_text(c->process_id));
    putchar('\n');
    fflush(stdout);
}

static int watch(handle_t cluster, enum shoal_watched watched, const char *prefix, uint64_t revision, uint64_t left)
{
    static struct shoal_watch watch;
    struct shoal_change change;
    err_t err = shoal_watch_begin(&watch, cluster, shoal_in_ms(30000), watched, prefix, revision);
    while (!err && left > 0) {
        err = shoal_watch_next(&watch, SHOAL_NEVER, &change);
        if (err)
            break;
        show_change(&change);
        left--;
    }
    if (err == E_COMPACTED)
        return fail("%s; the oldest that is known is --from %llu", shoal_error_text(err),
                    (unsigned long long)watch.oldest);
    return err ? fail("%s", words_for(err)) : 0;
}

int watch_run(int argc, char **argv)
{
    uint64_t revision = 0, left = UINT64_MAX;
    enum shoal_watched watched = SHOAL_WATCH_KEYS;
    const char *prefix = NULL;
    handle_t cluster = cluster_handle();
    if (!cluster)
        return 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--from") == 0 && i + 1 < argc && parse_number(argv[i + 1], 0, UINT64_MAX, &revision))
            i++;
        else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc && parse_number(argv[i + 1], 0, UINT64_MAX, &left))
            i++;
        else if (strcmp(argv[i], "--elections") == 0)
            watched = SHOAL_WATCH_ELECTIONS;
        else if (argv[i][0] != '-' && !prefix)
            prefix = argv[i];
        else
            return usage();
    }
    return watch(cluster, watched, prefix ? prefix : "", revision, left);
}
