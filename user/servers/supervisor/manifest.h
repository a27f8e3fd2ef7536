/* A service's manifest (svc/NAME in the bundle) and etc/supervisor.conf, as text and as structs. The grammar is in
 * docs/001-architecture.md. Strict: an unknown or malformed line is an error that names the line. Pure: no system
 * calls. */
#pragma once

#include <abi/cluster.h>

#define MANIFEST_NAME_MAX    32u /* with the ending 0 */
#define MANIFEST_WORDS_MAX   12u
#define MANIFEST_DEVICES_MAX 8u
#define MANIFEST_ARGS_BYTES  192u

enum manifest_restart { RESTART_ALWAYS = 1, RESTART_ON_FAILURE = 2, RESTART_NEVER = 3 };

/* What kinds of Device a `device` line asks for; values of enum device_kind. */
struct manifest_device {
    uint16_t vendor, device; /* DEVICE_PCI */
};

struct manifest_names {
    uint32_t count;
    char name[MANIFEST_WORDS_MAX][MANIFEST_NAME_MAX];
};

struct manifest {
    char name[MANIFEST_NAME_MAX];
    char program[64];                                                          /* part of the bundle */
    char terminal[MANIFEST_NAME_MAX];                                          /* empty: none */
    char condition_key[MANIFEST_NAME_MAX], condition_value[MANIFEST_NAME_MAX]; /* `if`; empty: always */
    char args[MANIFEST_ARGS_BYTES];                                            /* arg_count strings, each ended by 0 */
    uint32_t arg_count, args_bytes;
    uint32_t level, priority;
    uint32_t device_kind; /* 0: no `device` line */
    uint32_t device_count;
    struct manifest_device devices[MANIFEST_DEVICES_MAX];
    uint64_t memory_bytes;
    uint32_t system_rights; /* 0: no System handle */
    uint32_t cluster;       /* enum cluster_class; 0: no handle to the cluster service */
    char cluster_prefix[CLUSTER_PREFIX_MAX + 1];
    enum manifest_restart restart;
    bool optional, bundle, names, jobs_budget;
    struct manifest_names peers, provides;
};

struct manifest_error {
    uint32_t line;        /* from 1 */
    const char *expected; /* in words */
    char found[48];       /* the word at fault, cut to fit */
};

/* Fills in *out from the text of svc/`name`. False: *error says where and what. */
bool manifest_parse(const char *name, const char *text, size_t bytes, struct manifest *out,
                    struct manifest_error *error);

/* etc/supervisor.conf: one `start NAME` a line, in order. */
struct manifest_list {
    uint32_t count;
    char name[48][MANIFEST_NAME_MAX];
};
bool manifest_parse_list(const char *text, size_t bytes, struct manifest_list *out, struct manifest_error *error);

/* May a process of this service publish, or look up, `name`? `instance` is its own instance name. */
bool manifest_may_publish(const struct manifest *m, const char *instance, const char *name);
bool manifest_may_lookup(const struct manifest *m, const char *name);
