/* Who waits for whose lock, and who waits for each other in a circle.
 *
 *   static struct shoal_waits waits;
 *   if (shoal_waits_read(&waits, cluster, deadline) == E_OK && shoal_waits_find_stuck(&waits))
 *       n = shoal_waits_circle(&waits, &from, circle, ROOM);
 *
 * Processes are named as in locks.h. Only names that the handle's prefix covers are told, so a circle through others is
 * not seen. */
#pragma once

#include <shoal/hold.h>

#define SHOAL_REQUESTS_MAX 4096u /* that the cluster has room for */

/* The caller's memory, about half a megabyte. Rows: all holders and all that wait, those of one lock one after the
 * other, in the order in which they came. */
struct shoal_waits {
    uint32_t count;
    struct cluster_lock_request rows[SHOAL_REQUESTS_MAX]; /* fence 0: it waits */
    bool stuck[SHOAL_REQUESTS_MAX];                       /* after shoal_waits_find_stuck() */
    /* The library's own: for each row one row of its process, the same for all of that process; there, how many of its
     * requests are stuck; and a hash table by which the first is found. */
    uint32_t process[SHOAL_REQUESTS_MAX], waiting[SHOAL_REQUESTS_MAX], slots[2 * SHOAL_REQUESTS_MAX];
};

/* Read in parts: what changes meanwhile may be told or not.
 *   E_TIMED_OUT, E_NOT_DELIVERED, E_NO_RIGHT: there are no rows then */
err_t shoal_waits_read(struct shoal_waits *waits, handle_t cluster, uint64_t deadline);

/* The row that row `at` waits for first: the one right ahead of it that has to go before it is served; after
 * shoal_waits_find_stuck(), one that is stuck if there is any. waits->count: it waits for nobody, since it holds, or
 * for others to come, as at a barrier. */
uint32_t shoal_waits_for(const struct shoal_waits *waits, uint32_t at);

/* Finds requests that can never be served unless somebody gives up, since those they wait for wait in turn: sets
 * `stuck`, and returns how many there are. A process is taken to give back what it holds once all it waits for is
 * served. (One of several threads may give it back sooner: that cannot be seen from outside.) */
uint32_t shoal_waits_find_stuck(struct shoal_waits *waits);

/* The next circle of processes, each of which waits for the following one's lock and the last for the first's: the rows
 * that wait. *from: 0 for the first circle; it is then where to go on. Returns how many rows, at most `room`; 0: there
 * is no further circle. */
uint32_t shoal_waits_circle(struct shoal_waits *waits, uint32_t *from, uint32_t *rows_out, uint32_t room);
