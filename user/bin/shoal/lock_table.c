/* Looking at locks: lock --list, lock --waits. */
#include "shoal.h"

#include <shoal/locks.h>
#include <shoal/waits.h>
#include <stdio.h>
#include <stdlib.h>

static const char *mode_text(uint32_t mode)
{
    static const char *const words[] = {"?", "exclusive", "shared", "semaphore", "election", "barrier"};
    return words[mode < sizeof words / sizeof words[0] ? mode : 0];
}

int list_locks(handle_t cluster)
{
    static struct shoal_locks locks;
    const struct cluster_lock *row;
    err_t err;
    shoal_locks_begin(&locks, cluster);
    printf("%-24s %-9s %7s %7s %12s %20s\n", "NAME", "MODE", "HOLDERS", "WAITING", "HELD BY", "FENCE");
    while ((err = shoal_locks_next(&locks, shoal_in_ms(30000), &row)) == E_OK)
        printf("%-24.64s %-9s %7u %7u %12s %20llu\n", row->name, row->delayed ? "delayed" : mode_text(row->mode),
               (unsigned)row->holders, (unsigned)row->waiters, holder_text(row->process_id),
               (unsigned long long)row->fence);
    return err == E_NOT_FOUND ? 0 : fail("%s", words_for(err));
}

/* ---- who waits for whom ---- */

static void show_waiting(const struct shoal_waits *w, uint32_t at)
{
    const struct cluster_lock_request *row = &w->rows[at];
    uint32_t before = shoal_waits_for(w, at);
    printf("%-12s %-24.64s %-9s ", holder_text(row->process_id), row->name, mode_text(row->mode));
    if (before < w->count)
        printf("%-12s %s\n", holder_text(w->rows[before].process_id),
               w->rows[before].fence ? "holds it" : "waits before it");
    else
        printf("%-12s %s\n", "-", row->mode == CLUSTER_BARRIER ? "others have to come" : "nobody yet holds it");
}

/* 1.3 waits for b, which 2.4 holds; 2.4 waits for a, which ... */
static void show_circle(const struct shoal_waits *w, const uint32_t *rows, uint32_t count)
{
    printf("a circle: nobody in it gets on unless one of them is ended (`kill`):\n");
    for (uint32_t i = 0; i < count; i++) {
        const struct cluster_lock_request *row = &w->rows[rows[i]];
        printf("  %s waits for %.64s", holder_text(row->process_id), row->name);
        printf(", which %s has before it\n", holder_text(w->rows[rows[(i + 1) % count]].process_id));
    }
}

static void show_waits(struct shoal_waits *w)
{
    uint32_t circle[64], from = 0, count;
    bool any = shoal_waits_find_stuck(w) > 0;
    printf("%-12s %-24s %-9s %-12s\n", "PROCESS", "WAITS FOR", "MODE", "BEHIND");
    for (uint32_t i = 0; i < w->count; i++) {
        if (!w->rows[i].fence)
            show_waiting(w, i);
    }
    while (any && (count = shoal_waits_circle(w, &from, circle, 64)) > 0)
        show_circle(w, circle, count);
}

int list_waits(handle_t cluster)
{
    struct shoal_waits *waits = malloc(sizeof *waits);
    if (!waits)
        return fail("there is no memory left");
    err_t err = shoal_waits_read(waits, cluster, shoal_in_ms(30000));
    if (!err)
        show_waits(waits);
    free(waits);
    return err ? fail("%s", words_for(err)) : 0;
}
