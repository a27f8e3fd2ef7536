#include "private.h"

#include <shoal/watch.h>

_Static_assert(sizeof((struct shoal_watch *)0)->page == CLUSTER_WATCH_NEXT_CHANGES_MAX, "an answer fits");

/* Fetches what follows the position. Revision 0 only learns the position. */
static err_t fetch(struct shoal_watch *w, uint64_t deadline)
{
    uint64_t revision, oldest;
    uint32_t part, length = 0;
    err_t err = read_result(cluster_watch_next(w->cluster, deadline, w->watched, w->revision, w->part, w->prefix,
                                               &revision, &part, &oldest, w->page, sizeof w->page, &length));
    if (err)
        return err;
    w->at = w->used = 0;
    if (oldest) {
        w->oldest = oldest;
        return E_COMPACTED;
    }
    w->revision = revision;
    w->part = part;
    w->used = length;
    return E_OK;
}

err_t shoal_watch_begin(struct shoal_watch *w, handle_t cluster, uint64_t deadline, enum shoal_watched watched,
                        const char *prefix, uint64_t revision)
{
    w->cluster = cluster;
    w->watched = watched;
    w->part = w->at = w->used = 0;
    w->revision = revision;
    w->oldest = 0;
    if (!take_name(w->prefix, prefix, SHOAL_KEY_MAX))
        return E_TOO_LONG;
    return revision ? E_OK : fetch(w, deadline);
}

/* The change at w->at. False: malformed. */
static bool take_change(struct shoal_watch *w, struct shoal_change *out)
{
    struct cluster_change c;
    uint64_t left = w->used - w->at;
    if (left < sizeof c)
        return false;
    memcpy(&c, w->page + w->at, sizeof c);
    uint64_t bytes = (sizeof c + (uint64_t)c.name_bytes + c.value_bytes + 7) & ~7ull;
    if (bytes > left || c.name_bytes > SHOAL_KEY_MAX)
        return false;
    memcpy(w->name, w->page + w->at + sizeof c, c.name_bytes);
    w->name[c.name_bytes] = 0;
    *out = (struct shoal_change){.revision = c.revision,
                                 .kind = c.kind,
                                 .name = w->name,
                                 .value = w->page + w->at + sizeof c + c.name_bytes,
                                 .value_bytes = c.value_bytes,
                                 .left_out = c.left_out,
                                 .process_id = c.process_id};
    w->at += (uint32_t)bytes;
    return true;
}

err_t shoal_watch_next(struct shoal_watch *w, uint64_t deadline, struct shoal_change *change_out)
{
    while (w->at == w->used) {
        err_t err = fetch(w, deadline);
        if (err)
            return err;
    }
    if (take_change(w, change_out))
        return E_OK;
    w->at = w->used;
    return E_BAD_MESSAGE;
}
