/* Keys: put, get, del, keys. */
#include "shoal.h"

#include <shoal/keys.h>
#include <stdio.h>
#include <string.h>

/* ---- put ---- */

struct put {
    bool ephemeral, sequence;
    const char *key, *value;
    char **program; /* of an ephemeral key: what it is there for */
};

static bool parse_put(int argc, char **argv, struct put *p)
{
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--ephemeral") == 0)
            p->ephemeral = true;
        else if (strcmp(argv[i], "--sequence") == 0)
            p->sequence = true;
        else
            return false;
    }
    if (i + 2 > argc || !argv[i][0])
        return false;
    p->key = argv[i];
    p->value = argv[i + 1];
    if (!p->ephemeral)
        return i + 2 == argc;
    p->program = argv + i + 3;
    return i + 3 < argc && strcmp(argv[i + 2], "--") == 0;
}

static err_t put(const struct put *p, const struct shoal_session *session)
{
    char name[SHOAL_KEY_MAX + 1];
    size_t bytes = strlen(p->value);
    if (!p->sequence)
        return session
                   ? shoal_put_ephemeral(session, shoal_in_ms(30000), p->key, p->value, bytes, NULL)
                   : shoal_put(shoal_cluster(), shoal_in_ms(30000), p->key, p->value, bytes, SHOAL_ANY_REVISION, NULL);
    err_t err = shoal_put_sequence(shoal_cluster(), shoal_in_ms(30000), session, p->key, p->value, bytes, name, NULL);
    if (!err) {
        puts(name);
        fflush(stdout);
    }
    return err;
}

static int tell_put(const char *key, err_t err)
{
    if (err == E_TOO_LONG)
        return fail("a key has at most %u bytes, a value %u", SHOAL_KEY_MAX, SHOAL_VALUE_MAX);
    return err ? fail("%s: %s", key, words_for(err)) : 0;
}

/* The key is there while the program runs. */
static int put_while(const struct put *p)
{
    struct shoal_session session;
    err_t err = shoal_session_open(shoal_cluster(), shoal_in_ms(30000), &session);
    if (err)
        return fail("no session: %s", words_for(err));
    int status = tell_put(p->key, put(p, &session));
    if (status == 0)
        status = run_here(p->program, HANDLE_NONE);
    err = shoal_session_close(&session, shoal_in_ms(30000));
    if (err && err != E_NO_SESSION)
        fail("%s: not removed in order: %s", p->key, words_for(err));
    return status;
}

int put_run(int argc, char **argv)
{
    struct put p = {0};
    if (!parse_put(argc, argv, &p))
        return usage();
    if (!cluster_handle())
        return 1;
    return p.ephemeral ? put_while(&p) : tell_put(p.key, put(&p, NULL));
}

/* ---- get, del, keys ---- */

static int tell_key(const char *key, err_t err)
{
    return err ? fail("%s: %s", key, err == E_NOT_FOUND ? "there is no such key" : words_for(err)) : 0;
}

int get_run(int argc, char **argv)
{
    static char value[SHOAL_VALUE_MAX];
    size_t bytes;
    if (argc != 2)
        return usage();
    if (!cluster_handle())
        return 1;
    err_t err = shoal_get(shoal_cluster(), shoal_in_ms(30000), argv[1], value, sizeof value, &bytes, NULL);
    if (err)
        return tell_key(argv[1], err);
    fwrite(value, 1, bytes, stdout);
    putchar('\n');
    return 0;
}

int del_run(int argc, char **argv)
{
    if (argc != 2)
        return usage();
    if (!cluster_handle())
        return 1;
    return tell_key(argv[1], shoal_delete(shoal_cluster(), shoal_in_ms(30000), argv[1], SHOAL_ANY_REVISION));
}

int keys_run(int argc, char **argv)
{
    static struct shoal_keys keys;
    struct shoal_key key;
    if (argc > 2)
        return usage();
    if (!cluster_handle())
        return 1;
    err_t err = shoal_keys_begin(&keys, shoal_cluster(), argc > 1 ? argv[1] : "");
    printf("  REVISION  BYTES  KEY\n");
    while (!err && (err = shoal_keys_next(&keys, shoal_in_ms(30000), &key)) == E_OK)
        printf("%10llu %6u  %s\n", (unsigned long long)key.revision, (unsigned)key.value_bytes, key.name);
    return err == E_NOT_FOUND ? 0 : fail("%s", words_for(err));
}
