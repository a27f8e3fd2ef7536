/* Keys that are appended to under a session: each element once, however often it is sent. */
#include "load.h"

#include <os/service.h>
#include <stdio.h>
#include <string.h>

#define THINK_MS 40u

struct queues {
    uint64_t session, sequence;
};

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* As tools/linear names an element, and a queue's elements up to it. */
static uint64_t add_element(uint64_t before, const char *at, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)at[i]) * 0x100000001b3ull;
    return mix(before * 0x9e3779b97f4a7c15ull + (hash | 1ull << 63) + 1);
}

static void read_queue(struct client *c, const char *key)
{
    char value[CLUSTER_GET_VALUE_MAX];
    uint32_t length = 0, count = 0, from = 0;
    uint64_t revision, hash = 0;
    client_begin(c, ",\"f\":\"read\",\"k\":\"%s\"", key);
    err_t err = cluster_get(load.cluster, os_deadline_ms(CALL_MS), key, &revision, value, sizeof value, &length);
    if (err && err != E_NOT_FOUND) {
        client_failed(c, err);
        return;
    }
    for (uint32_t at = 0; !err && at < length; at++) {
        if (value[at] != ',')
            continue;
        hash = add_element(hash, value + from, at - from);
        from = at + 1;
        count++;
    }
    client_end(c, "ok", ",\"n\":%u,\"h\":\"%llx\"", count, (unsigned long long)hash);
}

static bool is_open(err_t err)
{
    return err && !never_ran(err) && err != E_NO_SESSION;
}

/* Sent again with its number until it is known what became of it. What did not run is sent again as well: an earlier
 * sending may have. */
static void append(struct client *c, struct queues *q, const char *key)
{
    char element[VALUE_ROOM];
    bool unsure = false;
    err_t err;
    snprintf(element, sizeof element, "%s.%u,", c->name, c->operation + 1);
    client_begin(c, ",\"f\":\"append\",\"k\":\"%s\",\"b\":\"%.*s\"", key, (int)strlen(element) - 1, element);
    q->sequence++;
    for (;;) {
        err = cluster_append(load.cluster, os_deadline_ms(CALL_MS), q->session, q->sequence, key, element,
                             (uint32_t)strlen(element), NULL);
        if (!is_open(err) && !(unsure && err == E_NOT_DELIVERED))
            break;
        unsure = true;
        if (load.ending)
            break;
        client_pause(BACK_OFF_MS);
    }
    if (err == E_OK)
        client_end(c, "ok", "%s", "");
    else
        client_failed(c, unsure || err == E_NO_SESSION ? E_UNKNOWN : err);
    if (err)
        q->session = 0; /* with a new one no number is left open */
}

void queues_run(void *argument)
{
    struct client *c = argument;
    struct queues q = {0};
    char key[KEY_ROOM];
    while (client_goes_on(c, THINK_MS)) {
        snprintf(key, sizeof key, "q/%u/%u", c->generation, client_draw(c, QUEUES));
        if (!q.session && cluster_session_open(load.cluster, os_deadline_ms(CALL_MS), &q.session) != E_OK) {
            q.session = 0;
            client_pause(BACK_OFF_MS);
            continue;
        }
        if (q.session && client_draw(c, 100) < 30) {
            read_queue(c, key);
            continue;
        }
        append(c, &q, key);
        if (!q.session)
            q.sequence = 0;
    }
}
