#include "private.h"

#include <shoal/session.h>

#define PAUSE_MS 50u /* between two sendings, while there is no leader */

err_t shoal_session_open(handle_t cluster, uint64_t deadline, struct shoal_session *session)
{
    *session = (struct shoal_session){.cluster = cluster};
    return cluster_session_open(cluster, deadline, &session->number);
}

err_t shoal_session_close(struct shoal_session *session, uint64_t deadline)
{
    return cluster_session_close(session->cluster, deadline, session->number);
}

/* FNV-1a over both, never 0: enough to tell an append that goes on from another one. */
static uint64_t mark_of(const char *key, const uint8_t *data, size_t bytes)
{
    uint64_t mark = 0xcbf29ce484222325ull;
    for (; *key; key++)
        mark = (mark ^ (uint8_t)*key) * 0x100000001b3ull;
    mark *= 0x100000001b3ull;
    for (size_t i = 0; i < bytes; i++)
        mark = (mark ^ data[i]) * 0x100000001b3ull;
    return mark ? mark : 1;
}

static void pause_until(uint64_t deadline)
{
    uint32_t word = 0;
    uint64_t until = os_deadline_ms(PAUSE_MS);
    (void)os_futex_wait(&word, 0, until < deadline ? until : deadline);
}

/* Sends it as often as needed. Each sending has the same number, and the tables do a number once. */
static err_t send(const struct shoal_session *s, uint64_t deadline, uint64_t number, const char *key, const void *data,
                  size_t bytes, uint64_t *revision_out)
{
    bool open = s->open != 0;
    for (;;) {
        err_t err = cluster_append(s->cluster, deadline, s->number, number, key, data, (uint32_t)bytes, revision_out);
        open |= shoal_outcome(err) == SHOAL_UNKNOWN;
        if (shoal_outcome(err) != SHOAL_UNKNOWN && err != E_NOT_DELIVERED)
            return err;
        if (shoal_now_ns() >= deadline)
            return open ? E_UNKNOWN : err;
        pause_until(deadline);
    }
}

err_t shoal_append(struct shoal_session *s, uint64_t deadline, const char *key, const void *data, size_t bytes,
                   uint64_t *revision_out)
{
    if (bytes > SHOAL_APPEND_MAX)
        return E_TOO_LONG;
    uint64_t mark = mark_of(key, data, bytes), number = s->open ? s->sequence : s->sequence + 1;
    if (s->open && s->open != mark)
        return E_BUSY;
    err_t err = send(s, deadline, number, key, data, bytes, revision_out);
    if (err == E_RANGE && s->in_doubt && !s->open) /* the number before was not used up */
        err = send(s, deadline, --number, key, data, bytes, revision_out);
    bool unknown = shoal_outcome(err) == SHOAL_UNKNOWN;
    s->open = unknown ? mark : 0;
    s->in_doubt = !unknown && err != E_OK;
    s->sequence = number;
    return err;
}
