/* Keys that are read, written, and changed if they are still what they were. */
#include "load.h"

#include <os/service.h>
#include <stdio.h>
#include <string.h>

#define THINK_MS 30u

struct registers {
    uint32_t generation;
    bool known[REGISTERS];
    struct seen seen[REGISTERS];
};

static void read_register(struct client *c, const char *key, struct seen *seen, bool *known)
{
    client_begin(c, ",\"f\":\"read\",\"k\":\"%s\"", key);
    err_t err = look(key, seen);
    *known = err == E_OK;
    if (err)
        client_failed(c, err);
    else
        client_end(c, "ok", ",\"a\":%s", json_value(seen).text);
}

static void write_register(struct client *c, const char *key, struct seen *seen, bool *known, bool compare)
{
    struct seen before = *seen;
    uint64_t wanted = compare ? before.revision : UINT64_MAX;
    snprintf(seen->value, sizeof seen->value, "%s.%u", c->name, c->operation + 1);
    if (compare)
        client_begin(c, ",\"f\":\"cas\",\"k\":\"%s\",\"a\":%s,\"b\":\"%s\"", key, json_value(&before).text,
                     seen->value);
    else
        client_begin(c, ",\"f\":\"write\",\"k\":\"%s\",\"b\":\"%s\"", key, seen->value);
    err_t err = cluster_put(load.cluster, os_deadline_ms(CALL_MS), wanted, key, seen->value,
                            (uint32_t)strlen(seen->value), &seen->revision);
    *known = err == E_OK;
    if (err == E_OK)
        client_end(c, "ok", ",\"rev\":%llu", (unsigned long long)seen->revision);
    else if (err == E_CONFLICT && compare)
        client_end(c, "fail", "%s", "");
    else
        client_failed(c, err);
}

static void run(struct client *c, bool only_reads)
{
    struct registers r = {0};
    char key[KEY_ROOM];
    while (client_goes_on(c, THINK_MS)) {
        uint32_t at = client_draw(c, REGISTERS), what = only_reads ? 0 : client_draw(c, 100);
        if (r.generation != c->generation)
            r = (struct registers){.generation = c->generation};
        snprintf(key, sizeof key, "r/%u/%u", c->generation, at);
        if (what < 40 || (what < 65 && !r.known[at]))
            read_register(c, key, &r.seen[at], &r.known[at]);
        else
            write_register(c, key, &r.seen[at], &r.known[at], what < 65);
    }
}

void registers_run(void *client)
{
    run(client, false);
}

/* A node that goes on answering reads while others can write is seen only by who does not wait for a write there. */
void reader_run(void *client)
{
    run(client, true);
}
