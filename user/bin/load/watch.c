/* Tells every change of the keys that are written under locks, from where it began. */
#include "load.h"

#include <abi/cluster.h>
#include <os/service.h>
#include <string.h>

static const uint8_t *tell_change(struct client *c, const uint8_t *at, const uint8_t *end)
{
    struct cluster_change change;
    memcpy(&change, at, sizeof change);
    const char *name = (const char *)at + sizeof change, *value = name + change.name_bytes;
    size_t used = (sizeof change + (size_t)change.name_bytes + change.value_bytes + 7) & ~(size_t)7;
    if (used > (size_t)(end - at))
        return end;
    c->operation++;
    if (change.kind == CLUSTER_CHANGE_PUT)
        client_end(c, "event", ",\"f\":\"watch\",\"k\":\"g/\",\"rev\":%llu,\"key\":\"%.*s\",\"a\":\"%.*s\"",
                   (unsigned long long)change.revision, (int)change.name_bytes, name, (int)change.value_bytes, value);
    else
        client_end(c, "event", ",\"f\":\"watch\",\"k\":\"g/\",\"rev\":%llu,\"key\":\"%.*s\",\"a\":null",
                   (unsigned long long)change.revision, (int)change.name_bytes, name);
    return at + used;
}

/* The position goes on from call to call. Where changes are no longer known it says so, and goes on from what is. */
void watch_run(void *argument)
{
    static uint8_t changes[CLUSTER_WATCH_NEXT_CHANGES_MAX];
    struct client *c = argument;
    uint64_t revision = 0, next, oldest;
    uint32_t part = 0, next_part, length;
    while (client_goes_on(c, 0)) {
        err_t err = cluster_watch_next(load.cluster, os_deadline_ms(CALL_MS), CLUSTER_WATCH_KEYS, revision, part, "g/",
                                       &next, &next_part, &oldest, changes, sizeof changes, &length);
        if (err) {
            client_pause(BACK_OFF_MS);
            continue;
        }
        if (revision == 0 || oldest) {
            c->operation++;
            client_end(c, "event", ",\"f\":\"watch\",\"k\":\"g/\",\"from\":%llu",
                       (unsigned long long)(oldest ? oldest : next));
        }
        revision = oldest ? oldest : next;
        part = oldest ? 0 : next_part;
        for (const uint8_t *at = changes, *end = changes + length;
             !oldest && at + sizeof(struct cluster_change) <= end;)
            at = tell_change(c, at, end);
    }
}
