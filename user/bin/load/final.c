/* What is there in the end: each key that was worked on is read until it is known. */
#include "load.h"

#include <os/service.h>
#include <stdio.h>
#include <string.h>

static err_t get(const char *key, char *value, uint32_t room, uint32_t *length)
{
    uint64_t revision;
    err_t err;
    do {
        *length = 0;
        err = cluster_get(load.cluster, os_deadline_ms(CALL_MS), key, &revision, value, room, length);
        if (err && err != E_NOT_FOUND)
            client_pause(BACK_OFF_MS);
    } while (err && err != E_NOT_FOUND && err != E_TOO_LONG && !load.ending);
    return err;
}

/* The elements one a line: the list may be longer than a line. */
static void tell_queue(struct client *c, const char *key)
{
    static char value[CLUSTER_GET_VALUE_MAX];
    uint32_t length, count = 0;
    client_begin(c, ",\"f\":\"read\",\"k\":\"%s\"", key);
    if (get(key, value, sizeof value, &length) == E_TOO_LONG)
        return;
    for (uint32_t from = 0, at = 0; at < length; at++) {
        if (value[at] != ',')
            continue;
        say("{\"t\":\"element\",\"k\":\"%s\",\"n\":%u,\"b\":\"%.*s\"}", key, count++, (int)(at - from), value + from);
        from = at + 1;
    }
    client_end(c, "ok", ",\"n\":%u", count);
}

static bool see(const char *key, struct seen *seen)
{
    uint32_t length;
    err_t err = get(key, seen->value, sizeof seen->value - 1, &length);
    seen->value[length] = 0;
    seen->revision = err == E_OK;
    return err == E_OK || err == E_NOT_FOUND;
}

static void tell_register(struct client *c, const char *key)
{
    struct seen seen;
    client_begin(c, ",\"f\":\"read\",\"k\":\"%s\"", key);
    if (see(key, &seen))
        client_end(c, "ok", ",\"a\":%s", json_value(&seen).text);
}

/* A key that is register `number` of a group. */
static void tell_member(struct client *c, const char *group, uint32_t number, const char *key)
{
    struct seen seen;
    client_begin(c, ",\"f\":\"txn\",\"k\":\"%s\"", group);
    if (see(key, &seen))
        client_end(c, "ok", ",\"n\":1,\"if\":[{\"c\":\"is\",\"r\":%u,\"v\":%s}]", number, json_value(&seen).text);
}

static void tell_generation(struct client *c)
{
    char key[KEY_ROOM], group[KEY_ROOM];
    for (uint32_t i = 0; i < QUEUES; i++) {
        snprintf(key, sizeof key, "q/%u/%u", c->generation, i);
        tell_queue(c, key);
    }
    for (uint32_t i = 0; i < REGISTERS; i++) {
        snprintf(key, sizeof key, "r/%u/%u", c->generation, i);
        tell_register(c, key);
    }
    for (uint32_t i = 0; i < LOCKS; i++) {
        snprintf(key, sizeof key, "g/%u/%u", c->generation, i);
        snprintf(group, sizeof group, "l/%u/%u", c->generation, i);
        tell_member(c, group, 0, key);
    }
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        snprintf(key, sizeof key, "b/%u/%u", c->generation, i);
        snprintf(group, sizeof group, "b/%u", c->generation);
        tell_member(c, group, i, key);
    }
    for (uint32_t i = 0; i < PLACES; i++) {
        snprintf(key, sizeof key, "t/%u/%u", c->generation, i);
        snprintf(group, sizeof group, "t/%u", c->generation);
        tell_member(c, group, i, key);
    }
}

void final_run(struct client *c, uint32_t generations)
{
    for (c->generation = 1; c->generation <= generations && !load.ending; c->generation++)
        tell_generation(c);
    say("{\"t\":\"finished\"}");
}
