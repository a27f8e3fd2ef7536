/* Watching keys or elections: their changes in order, none missed, none twice, from a revision on. Nothing is kept at
 * the cluster for who watches: a watch is a position, and who is slow pauses by itself.
 *
 * To know a state and all that follows: begin the watch, then read. Every change from the beginning on is given, so a
 * change may come that the read has seen already; its revision tells. */
#pragma once

#include <shoal/keys.h>

enum shoal_watched { SHOAL_WATCH_KEYS = CLUSTER_WATCH_KEYS, SHOAL_WATCH_ELECTIONS = CLUSTER_WATCH_ELECTIONS };

/* The caller's memory; its fields are the library's, but for `oldest`. For one thread at a time. It needs no end. */
struct shoal_watch {
    handle_t cluster;
    uint32_t watched, part;
    uint64_t revision;
    uint64_t oldest; /* after E_COMPACTED: all from this revision on is known */
    uint32_t at, used;
    char prefix[SHOAL_KEY_MAX + 1], name[SHOAL_KEY_MAX + 1];
    uint8_t page[3900];
};

struct shoal_change {
    uint64_t revision;
    enum cluster_change_kind kind;
    const char *name;  /* ends with 0; it and the value are in the struct shoal_watch, until the next call */
    const void *value; /* PUT, ELECTED */
    uint32_t value_bytes;
    uint32_t left_out;   /* not 0: so many bytes, too long to go along; read the key */
    uint64_t process_id; /* ELECTED: who holds the election, as the cluster knows it (election.h) */
};

/* Watches what begins with `prefix` ("": all), from `revision` on; 0: from now on, which is asked of the cluster.
 *   E_TOO_LONG    the prefix
 *   E_TIMED_OUT, E_NOT_DELIVERED, E_NO_RIGHT   with revision 0 only */
err_t shoal_watch_begin(struct shoal_watch *watch, handle_t cluster, uint64_t deadline, enum shoal_watched watched,
                        const char *prefix, uint64_t revision);

/* Waits for the next change.
 *   E_TIMED_OUT   none came; nothing is lost, ask again
 *   E_COMPACTED   what comes next is no longer known (each node keeps the last 1,024 changes): begin anew, with what is
 *                 there now, or from watch->oldest on if what lies between is of no interest
 *   E_NO_RIGHT */
err_t shoal_watch_next(struct shoal_watch *watch, uint64_t deadline, struct shoal_change *change_out);
