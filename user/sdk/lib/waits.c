/* Reading who waits for whom. */
#include "private.h"

#include <shoal/waits.h>
#include <stdlib.h>

#define REQUESTS_PAGE (CLUSTER_REQUEST_LIST_ROWS_MAX / sizeof(struct cluster_lock_request))

/* By lock, and of one lock by ticket: the order of its line. */
static int by_line(const void *left, const void *right)
{
    const struct cluster_lock_request *a = left, *b = right;
    if (a->lock != b->lock)
        return a->lock < b->lock ? -1 : 1;
    return a->ticket < b->ticket ? -1 : a->ticket > b->ticket;
}

err_t shoal_waits_read(struct shoal_waits *w, handle_t cluster, uint64_t deadline)
{
    struct cluster_lock_request page[REQUESTS_PAGE];
    uint32_t count = 0, length;
    uint64_t after = 0;
    w->count = 0;
    do {
        err_t err = read_result(cluster_request_list(cluster, deadline, after, page, sizeof page, &length));
        if (err)
            return err;
        for (uint32_t i = 0; i < length / sizeof page[0] && count < SHOAL_REQUESTS_MAX; i++) {
            after = page[i].ticket;
            w->rows[count++] = page[i];
        }
    } while (length > 0 && count < SHOAL_REQUESTS_MAX);
    qsort(w->rows, count, sizeof w->rows[0], by_line);
    memset(w->stuck, 0, count * sizeof w->stuck[0]);
    w->count = count;
    return E_OK;
}
