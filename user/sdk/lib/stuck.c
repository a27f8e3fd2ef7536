/* Finding circles among those that wait. Asks nobody: the rows are all there is. */
#include <abi/cluster.h>
#include <shoal/waits.h>
#include <string.h>

#define SLOTS (2 * SHOAL_REQUESTS_MAX)

/* ---- whose rows are whose ---- */

static uint32_t slot_of(uint64_t process_id)
{
    return (uint32_t)((process_id * 0x9e3779b97f4a7c15ull) >> 32) % SLOTS;
}

static void find_processes(struct shoal_waits *w)
{
    memset(w->slots, 0, sizeof w->slots);
    memset(w->waiting, 0, w->count * sizeof w->waiting[0]);
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t slot = slot_of(w->rows[i].process_id);
        while (w->slots[slot] && w->rows[w->slots[slot] - 1].process_id != w->rows[i].process_id)
            slot = (slot + 1) % SLOTS;
        if (!w->slots[slot])
            w->slots[slot] = i + 1;
        w->process[i] = w->slots[slot] - 1;
    }
}

/* ---- who stands in whose way ---- */

static bool waits(const struct shoal_waits *w, uint32_t at)
{
    return w->rows[at].fence == 0 && w->rows[at].mode != CLUSTER_BARRIER;
}

/* Must `ahead`, of the same line, be gone or served before `at` is served? */
static bool in_the_way(const struct shoal_waits *w, uint32_t ahead, uint32_t at)
{
    return !(w->rows[ahead].mode == CLUSTER_SHARED && w->rows[at].mode == CLUSTER_SHARED);
}

/* Its process waits for something it will not get. */
static bool process_stuck(const struct shoal_waits *w, uint32_t at)
{
    return w->waiting[w->process[at]] > 0;
}

uint32_t shoal_waits_for(const struct shoal_waits *w, uint32_t at)
{
    uint32_t nearest = w->count;
    if (at >= w->count || !waits(w, at))
        return w->count;
    for (uint32_t i = at; i-- > 0 && w->rows[i].lock == w->rows[at].lock;) {
        if (!in_the_way(w, i, at))
            continue;
        nearest = nearest == w->count ? i : nearest;
        if (w->stuck[at] && process_stuck(w, i))
            return i;
    }
    return nearest;
}

/* ---- what can go on ---- */

/* What stands in one line, from its beginning on, while it is walked. A semaphore needs one of its holders to go on,
 * any other lock all of them. */
struct line {
    uint32_t holders, holders_stuck;
    bool ahead_stuck;     /* one that waits further ahead is */
    bool exclusive_stuck; /* one that does not share */
};

static bool served(const struct line *l, uint32_t mode)
{
    if (mode == CLUSTER_SEMAPHORE)
        return !l->ahead_stuck && (l->holders == 0 || l->holders_stuck < l->holders);
    if (mode == CLUSTER_SHARED)
        return !l->exclusive_stuck;
    return !l->ahead_stuck && l->holders_stuck == 0;
}

static void pass_by(struct line *l, const struct cluster_lock_request *row, bool stuck)
{
    if (row->fence) {
        l->holders++;
        l->holders_stuck += stuck;
    } else {
        l->ahead_stuck |= stuck;
    }
    l->exclusive_stuck |= stuck && row->mode != CLUSTER_SHARED;
}

/* Takes out of the stuck all that are served if those that are not stuck give back what they hold. False: there were
 * none. */
static bool reduce(struct shoal_waits *w)
{
    struct line line = {0};
    bool changed = false;
    for (uint32_t i = 0; i < w->count; i++) {
        if (i == 0 || w->rows[i].lock != w->rows[i - 1].lock)
            line = (struct line){0};
        if (w->stuck[i] && served(&line, w->rows[i].mode)) {
            w->stuck[i] = false;
            w->waiting[w->process[i]]--;
            changed = true;
        }
        pass_by(&line, &w->rows[i], process_stuck(w, i));
    }
    return changed;
}

uint32_t shoal_waits_find_stuck(struct shoal_waits *w)
{
    uint32_t stuck = 0;
    find_processes(w);
    for (uint32_t i = 0; i < w->count; i++) {
        w->stuck[i] = waits(w, i);
        w->waiting[w->process[i]] += w->stuck[i];
    }
    while (reduce(w))
        ;
    for (uint32_t i = 0; i < w->count; i++)
        stuck += w->stuck[i];
    return stuck;
}

/* ---- a circle of them ---- */

/* A stuck request of the process that holds up `at`. */
static uint32_t next_in_chain(const struct shoal_waits *w, uint32_t at)
{
    uint32_t process = w->process[shoal_waits_for(w, at)];
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->process[i] == process && w->stuck[i])
            return i;
    }
    return w->count;
}

/* Walks on from a stuck request until one comes again: that one lies on a circle, or on one that was told before. */
static uint32_t find_on_circle(struct shoal_waits *w, uint32_t from, uint32_t mark)
{
    uint32_t at = from;
    while (at < w->count && !w->slots[at]) {
        w->slots[at] = mark;
        at = next_in_chain(w, at);
    }
    return at < w->count && w->slots[at] == mark ? at : w->count;
}

uint32_t shoal_waits_circle(struct shoal_waits *w, uint32_t *from, uint32_t *rows_out, uint32_t room)
{
    if (*from == 0)
        memset(w->slots, 0, sizeof w->slots); /* from here on: in which walk a row was come by */
    for (uint32_t i = *from; i < w->count; i++) {
        uint32_t begin = w->stuck[i] ? find_on_circle(w, i, i + 1) : w->count, used = 0, at = begin;
        if (begin == w->count)
            continue;
        do {
            if (used < room)
                rows_out[used++] = at;
            at = next_in_chain(w, at);
        } while (at != begin);
        *from = i + 1;
        return used;
    }
    *from = w->count;
    return 0;
}
