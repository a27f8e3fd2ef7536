/* The System object, and what may hook into it. Kernel lock held. */
#pragma once

#include <kernel/object.h>

struct memory;
struct notification;

extern struct object system_object;
const uint64_t *system_boot_id(void); /* two words, random, new at every power-on; zero without entropy */
void system_booted(void);             /* the first process is about to run */
void system_log_tell(void);
extern struct list system_log_watches;
/* Tells those who watch the log if it has grown. */
static inline void system_log_poll(void)
{
    if (__builtin_expect(!list_empty(&system_log_watches), 0))
        system_log_tell();
}

/* What kernel/cluster does for the System operations of its name. Without it they answer E_NOT_SUPPORTED. */
struct system_cluster {
    err_t (*open)(struct handle_ref *out); /* an Endpoint handle with all rights of the service's clients */
    err_t (*attach_peer)(struct memory *m, struct notification *kernel_signals, struct notification *peer_signals);
    err_t (*attach_log)(struct memory *m, struct notification *kernel_signals, struct notification *log_signals,
                        uint64_t state);
};
void system_cluster_register(const struct system_cluster *cluster);
