/* Endpoints by name, and the callers that wait for one. */
#include "supervisor.h"

#include <os/syscall.h>
#include <string.h>

static struct published *entry_of(const char *name)
{
    for (uint32_t i = 0; i < PUBLISHED_MAX; i++)
        if (supervisor.published[i].endpoint && strcmp(supervisor.published[i].name, name) == 0)
            return &supervisor.published[i];
    return NULL;
}

/* The instance that a service's own name means: the first. */
static const struct instance *first_instance(const char *service)
{
    for (uint32_t i = 0; i < supervisor.instance_count; i++)
        if (strcmp(supervisor.instances[i].manifest->name, service) == 0)
            return &supervisor.instances[i];
    return NULL;
}

handle_t published_find(const char *name)
{
    const struct published *entry = entry_of(name);
    if (!entry) {
        const struct instance *first = first_instance(name);
        entry = first ? entry_of(first->name) : NULL;
    }
    return entry ? entry->endpoint : HANDLE_NONE;
}

static bool is_alive(const struct instance *instance)
{
    return instance->state != INSTANCE_ENDED && instance->state != INSTANCE_FAILED;
}

bool published_possible(const char *name)
{
    for (uint32_t i = 0; i < supervisor.instance_count; i++) {
        const struct instance *instance = &supervisor.instances[i];
        if (is_alive(instance) && manifest_may_publish(instance->manifest, instance->name, name))
            return true;
    }
    return false;
}

static void answer_lookups(void)
{
    for (uint32_t i = 0; i < LOOKUPS_MAX; i++) {
        struct waiting_lookup *lookup = &supervisor.lookups[i];
        if (!lookup->reply)
            continue;
        struct supervisor_lookup_out out = {.endpoint = published_find(lookup->name)};
        if (!out.endpoint && published_possible(lookup->name))
            continue;
        supervisor_lookup_reply(lookup->reply, out.endpoint ? E_OK : E_NOT_FOUND, &out);
        lookup->reply = HANDLE_NONE;
    }
}

err_t published_add(uint32_t instance, const char *name, handle_t endpoint)
{
    const struct instance *owner = &supervisor.instances[instance];
    if (strcmp(name, owner->manifest->name) == 0)
        name = owner->name; /* `serial` from the second port's driver means `serial1` */
    struct published *entry = entry_of(name);
    for (uint32_t i = 0; i < PUBLISHED_MAX && !entry; i++)
        if (!supervisor.published[i].endpoint)
            entry = &supervisor.published[i];
    if (!entry)
        return E_FULL;
    if (entry->endpoint)
        os_handle_close(entry->endpoint);
    entry->instance = instance;
    entry->endpoint = endpoint;
    strcpy(entry->name, name);
    answer_lookups();
    return E_OK;
}

void published_drop(uint32_t instance)
{
    for (uint32_t i = 0; i < PUBLISHED_MAX; i++) {
        struct published *entry = &supervisor.published[i];
        if (!entry->endpoint || entry->instance != instance)
            continue;
        os_handle_close(entry->endpoint);
        entry->endpoint = HANDLE_NONE;
    }
    answer_lookups(); /* those that wait for what can no longer come */
}
