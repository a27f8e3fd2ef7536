/* What the files of the cluster library share. */
#pragma once

#include <idl/cluster.h>
#include <os/service.h>
#include <os/syscall.h>
#include <shoal/hold.h>
#include <string.h>

/* Reading has no outcome that is unknown: no answer came in time. */
static inline err_t read_result(err_t err)
{
    return shoal_outcome(err) == SHOAL_UNKNOWN ? E_TIMED_OUT : err;
}

/* A copy of a name, with its 0. False: it is longer than `most`. */
static inline bool take_name(char *to, const char *name, size_t most)
{
    size_t bytes = strlen(name);
    if (bytes > most)
        return false;
    memcpy(to, name, bytes + 1);
    return true;
}

/* What cluster.lock is asked for. */
struct wanted_hold {
    enum cluster_lock_mode mode;
    bool try_only;
    uint32_t permits;
    uint64_t delay_ms;
    const void *value;
    size_t value_bytes;
};

/* hold.c */
err_t hold_acquire(handle_t cluster, uint64_t deadline, const char *name, const struct wanted_hold *wanted,
                   struct shoal_hold *hold_out);
