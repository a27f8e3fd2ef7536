/* Keys whose names get a number that was never given before. Most are removed again: that must free no number. */
#include "load.h"

#include <os/service.h>
#include <stdio.h>
#include <string.h>

#define THINK_MS     60u
#define ANY_REVISION UINT64_MAX

static void remove_key(const char *prefix, uint64_t number)
{
    char key[KEY_ROOM + 16];
    uint64_t revision;
    snprintf(key, sizeof key, "%s%012llu", prefix, (unsigned long long)number);
    (void)cluster_del(load.cluster, os_deadline_ms(CALL_MS), ANY_REVISION, key, &revision);
}

void numbers_run(void *argument)
{
    struct client *c = argument;
    char prefix[KEY_ROOM], value[VALUE_ROOM];
    while (client_goes_on(c, THINK_MS)) {
        uint64_t revision, number;
        snprintf(prefix, sizeof prefix, "s/%u/", c->generation);
        snprintf(value, sizeof value, "%s.%u", c->name, c->operation + 1);
        client_begin(c, ",\"f\":\"number\",\"k\":\"%s\",\"b\":\"%s\"", prefix, value);
        err_t err = cluster_put_owned(load.cluster, os_deadline_ms(CALL_MS), 0, 1, prefix, value,
                                      (uint32_t)strlen(value), &revision, &number);
        if (err) {
            client_failed(c, err);
            continue;
        }
        client_end(c, "ok", ",\"n\":%llu,\"rev\":%llu", (unsigned long long)number, (unsigned long long)revision);
        if (client_draw(c, 100) < 70)
            remove_key(prefix, number);
    }
}
