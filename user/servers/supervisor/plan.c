/* What is to run: the list, the manifests, and the Devices that match them. */
#include "supervisor.h"

#include <base/format.h>
#include <os/log.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <string.h>

#define DEVICES_SEEN_MAX 64u

static struct device_info devices[DEVICES_SEEN_MAX];
static uint32_t device_count;

static void devices_read(void)
{
    for (; device_count < DEVICES_SEEN_MAX; device_count++) {
        struct sys_result r = os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_DEVICE, device_count, 0, 0, 0);
        if (r.err)
            return;
        os_control((handle_t)r.value, OP_DEVICE_INFO, (uint64_t)&devices[device_count], 0, 0, 0);
        os_handle_close((handle_t)r.value);
    }
}

static bool device_matches(const struct manifest *m, const struct device_info *d)
{
    if (d->kind != m->device_kind)
        return false;
    for (uint32_t i = 0; i < m->device_count; i++)
        if (m->devices[i].vendor == d->vendor && m->devices[i].device == d->device)
            return true;
    return m->device_kind != DEVICE_PCI;
}

static struct instance *instance_add(const struct manifest *m, uint32_t device)
{
    if (supervisor.instance_count == INSTANCES_MAX) {
        os_log("supervisor: %s: more than %u processes are configured; this one is left out", m->name, INSTANCES_MAX);
        return NULL;
    }
    struct instance *instance = &supervisor.instances[supervisor.instance_count++];
    *instance = (struct instance){.manifest = m, .device = device};
    strcpy(instance->name, m->name);
    return instance;
}

/* One instance for each matching Device, numbered; serial ports by their own number. */
static void instances_for_devices(const struct manifest *m)
{
    uint32_t found = 0;
    for (uint32_t d = 0; d < device_count; d++) {
        if (!device_matches(m, &devices[d]) || (m->optional && found > 0))
            continue;
        struct instance *instance = instance_add(m, d);
        uint32_t number = m->device_kind == DEVICE_SERIAL_PORTS ? devices[d].location - 1 : found;
        if (instance && !m->optional)
            base_format(instance->name, sizeof instance->name, "%s%u", m->name, number % 100);
        found++;
    }
    if (found == 0 && m->optional)
        instance_add(m, NO_DEVICE);
}

static bool condition_holds(const struct manifest *m)
{
    const char *value = configuration_get(m->condition_key);
    return m->condition_key[0] == 0 || (value && strcmp(value, m->condition_value) == 0);
}

static void report(const char *file, const struct manifest_error *error)
{
    os_log("supervisor: %s:%u: '%s' is not right: expected %s", file, error->line, error->found, error->expected);
}

static void service_plan(const char *name)
{
    char path[MANIFEST_NAME_MAX + 8];
    struct manifest_error error;
    base_format(path, sizeof path, "/svc/%s", name);
    const struct bundle_part *part = bundle_tree_find(&supervisor.bundle, path);
    struct manifest *m = &supervisor.manifests[supervisor.manifest_count];
    if (!part) {
        os_log("supervisor: etc/supervisor.conf: there is no svc/%s in the bundle; %s is not started", name, name);
    } else if (!manifest_parse(name, bundle_tree_bytes(&supervisor.bundle, part), part->bytes, m, &error)) {
        report(path + 1, &error);
        os_log("supervisor: %s is not started", name);
    } else if (condition_holds(m)) {
        supervisor.manifest_count++;
        if (m->device_kind)
            instances_for_devices(m);
        else
            instance_add(m, NO_DEVICE);
    }
}

void plan_make(void)
{
    static struct manifest_list list;
    struct manifest_error error;
    const struct bundle_part *part = bundle_tree_find(&supervisor.bundle, "/etc/supervisor.conf");
    if (!part)
        os_panic("supervisor: the bundle has no etc/supervisor.conf");
    if (!manifest_parse_list(bundle_tree_bytes(&supervisor.bundle, part), part->bytes, &list, &error)) {
        report("etc/supervisor.conf", &error);
        os_panic("supervisor: nothing can be started");
    }
    devices_read();
    for (uint32_t i = 0; i < list.count; i++)
        service_plan(list.name[i]);
}
