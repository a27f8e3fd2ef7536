/* The supervisor: what runs, what is published, who waits for it. It never waits for any other process itself. */
#pragma once

#include "manifest.h"

#include <abi/ids.h>
#include <abi/process.h>
#include <bundle/tree.h>
#include <idl/supervisor.h>
#include <os/serve.h>

#define SERVICES_MAX  48u
#define INSTANCES_MAX 56u /* one Notification bit each */
#define PUBLISHED_MAX 96u
#define LOOKUPS_MAX   128u
#define LABEL_FIRST   2u /* label of the first instance's Budget, and serial of its process; 1 is `jobs` */
#define NO_DEVICE     UINT32_MAX
#define NO_INSTANCE   UINT32_MAX
#define BIT_TIMER     (1ull << 60)

_Static_assert(LABEL_FIRST + INSTANCES_MAX <= PROCESS_SERIAL_FIRST, "programs' serials come above");

enum instance_state {
    INSTANCE_WAITING = SERVICE_WAITING, /* for `names` or its terminal */
    INSTANCE_RUNNING = SERVICE_RUNNING,
    INSTANCE_BACKING_OFF = SERVICE_RESTARTING, /* until restart_ns */
    INSTANCE_ENDED = SERVICE_ENDED,
    INSTANCE_FAILED = SERVICE_FAILED
};

/* A process of a service: the only one, or the one of one Device. */
struct instance {
    char name[MANIFEST_NAME_MAX + 4];
    const struct manifest *manifest;
    uint32_t device; /* its number at SYSTEM_DEVICE, or NO_DEVICE */
    enum instance_state state;
    handle_t budget, process;
    uint64_t started_ns, restart_ns, backoff_ms;
    uint32_t restarts;
    char last_end[80];
    char progress[SUPERVISOR_STATE_TEXT_MAX + 1];
};

struct published {
    char name[MANIFEST_NAME_MAX + 4];
    uint32_t instance;
    handle_t endpoint; /* HANDLE_NONE: free */
};

struct waiting_lookup {
    handle_t reply; /* HANDLE_NONE: free */
    char name[MANIFEST_NAME_MAX];
};

struct supervisor {
    handle_t endpoint, notification, jobs_budget, bundle_memory;
    struct bundle_tree bundle;
    uint32_t manifest_count, instance_count;
    struct manifest manifests[SERVICES_MAX];
    struct instance instances[INSTANCES_MAX];
    struct published published[PUBLISHED_MAX];
    struct waiting_lookup lookups[LOOKUPS_MAX];
};

extern struct supervisor supervisor;
extern const struct supervisor_server supervisor_handlers;

/* Value of a key of the node's configuration; NULL: not given. */
const char *configuration_get(const char *key);

/* plan.c: reads etc/supervisor.conf and the manifests, matches Devices, fills in the instances. */
void plan_make(void);

/* start.c: starts the instance if what it needs is there; else it stays INSTANCE_WAITING. */
void instance_try_start(uint32_t index);
void instances_try_start(void);
/* Its process has ended. */
void instance_ended(uint32_t index);
/* Starts again what has backed off for long enough, and sets the timer for the rest. */
void instances_wake(void);

/* published.c */
handle_t published_find(const char *name);
err_t published_add(uint32_t instance, const char *name, handle_t endpoint);
void published_drop(uint32_t instance);
/* Can anything that is configured still offer this name? */
bool published_possible(const char *name);
