/* Elections: one holds the office and publishes a value, which everybody can read and watch (watch.h); the others stand
 * in line. */
#pragma once

#include <shoal/hold.h>

#define SHOAL_ELECTED_MAX 255u /* bytes of what is published */

/* Stands for election, and waits until this process is elected; `value` is then what it publishes. As shoal_lock().
 *   E_TOO_LONG   the name or the value */
err_t shoal_elect(handle_t cluster, uint64_t deadline, const char *name, const void *value, size_t bytes,
                  struct shoal_hold *hold_out);

/* The holder publishes another value.
 *   refused: E_STALE_FENCE or E_NOT_FOUND (it holds the office no more), E_WRONG_TYPE (the hold is none of an
 * election), E_TOO_LONG, E_NOT_DELIVERED, E_NO_RIGHT */
err_t shoal_proclaim(const struct shoal_hold *hold, uint64_t deadline, const void *value, size_t bytes);

struct shoal_elected {
    uint64_t fence;
    uint64_t
        process_id;    /* of the holder, as the cluster knows it: its node is PROCESS_ID_NODE(process_id) (abi/ids.h) */
    uint64_t revision; /* watching from it on misses nothing that comes after this answer */
    uint32_t value_bytes;
    char value[SHOAL_ELECTED_MAX + 1]; /* with a 0 behind it */
};

/* Who is elected. Linearizable.
 *   E_NOT_FOUND    nobody is
 *   E_WRONG_TYPE   the name is no election
 *   E_TOO_LONG, E_TIMED_OUT, E_NOT_DELIVERED, E_NO_RIGHT */
err_t shoal_elected(handle_t cluster, uint64_t deadline, const char *name, struct shoal_elected *elected_out);
