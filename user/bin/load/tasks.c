/* A queue of tasks made of transactions: one is put into a place if that is free, and taken if it still is the first.
 * Each is taken once, whoever else saw it. */
#include "load.h"

#include <os/service.h>
#include <stdio.h>
#include <string.h>

#define THINK_MS 40u

struct tasks {
    char group[KEY_ROOM], keys[PLACES][KEY_ROOM];
    struct seen seen[PLACES];
};

static void put(struct client *c, struct tasks *t, uint32_t place)
{
    struct steps s = {.used = 0};
    char value[VALUE_ROOM];
    uint32_t held;
    if (!look_at(c, t->group, place, t->keys[place], &t->seen[place]) || t->seen[place].revision)
        return;
    snprintf(value, sizeof value, "%s.%u", c->name, c->operation + 1);
    steps_unchanged(&s, t->keys[place], &t->seen[place]);
    steps_put(&s, t->keys[place], value);
    client_begin(c,
                 ",\"f\":\"txn\",\"k\":\"%s\",\"if\":[{\"c\":\"is\",\"r\":%u,\"v\":null}],"
                 "\"then\":[{\"r\":%u,\"v\":\"%s\"}]",
                 t->group, place, place, value);
    (void)steps_told(c, &s, &held);
}

/* The places before it are free, it is what was seen, and it is removed: all in one step. */
static void take(struct client *c, struct tasks *t, uint32_t place)
{
    struct steps s = {.used = 0};
    char comparisons[PLACES * (VALUE_ROOM + 32)] = "";
    uint32_t held;
    for (uint32_t i = 0; i <= place; i++) {
        steps_unchanged(&s, t->keys[i], &t->seen[i]);
        sprintf(comparisons + strlen(comparisons), "%s{\"c\":\"is\",\"r\":%u,\"v\":%s}", i > 0 ? "," : "", i,
                json_value(&t->seen[i]).text);
    }
    steps_delete(&s, t->keys[place]);
    client_begin(c, ",\"f\":\"txn\",\"k\":\"%s\",\"if\":[%s],\"then\":[{\"r\":%u,\"v\":null}]", t->group, comparisons,
                 place);
    (void)steps_told(c, &s, &held);
}

static void take_first(struct client *c, struct tasks *t)
{
    for (uint32_t place = 0; place < PLACES; place++) {
        if (!look_at(c, t->group, place, t->keys[place], &t->seen[place]))
            return;
        if (t->seen[place].revision) {
            take(c, t, place);
            return;
        }
    }
}

void tasks_run(void *argument)
{
    struct client *c = argument;
    struct tasks t = {.group = ""};
    while (client_goes_on(c, THINK_MS)) {
        snprintf(t.group, sizeof t.group, "t/%u", c->generation);
        for (uint32_t i = 0; i < PLACES; i++)
            snprintf(t.keys[i], sizeof t.keys[i], "t/%u/%u", c->generation, i);
        if (client_draw(c, 100) < 50)
            put(c, &t, client_draw(c, PLACES));
        else
            take_first(c, &t);
    }
}
