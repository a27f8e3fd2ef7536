/* Keys with values, the same for the whole cluster, and linearizable: a read sees every write that was done before it
 * began, on whichever node. A key has a revision: the place in the cluster's log of the entry that last changed it, so
 * revisions of one key only rise. Names are text without zero bytes, values are bytes. Names with a common prefix are a
 * directory for whoever wants one. */
#pragma once

#include <shoal/cluster.h>
#include <shoal/session.h>

#define SHOAL_KEY_MAX         255u  /* bytes of a key's name */
#define SHOAL_VALUE_MAX       3800u /* bytes of a value */
#define SHOAL_SEQUENCE_DIGITS 12u   /* what a sequence key has behind its prefix */

#define SHOAL_ANY_REVISION UINT64_MAX /* whatever the key is now */
#define SHOAL_ABSENT       0ull       /* there must be no such key */

/* The value goes to value_out, which has `room` bytes; *bytes_out is how many it has, *revision_out the key's revision.
 * The last two may be NULL. E_NOT_FOUND   there is no such key E_TOO_LONG    the name, or the value for the room:
 * nothing is copied E_TIMED_OUT, E_NOT_DELIVERED (not a member, or no leader), E_NO_RIGHT */
err_t shoal_get(handle_t cluster, uint64_t deadline, const char *key, void *value_out, size_t room, size_t *bytes_out,
                uint64_t *revision_out);

/* Sets a key, if it is at `if_revision` (or SHOAL_ANY_REVISION, or SHOAL_ABSENT). *revision_out, which may be NULL: its
 * new revision.
 *   refused: E_CONFLICT (it is at another revision), E_FULL (10,000 keys), E_TOO_LONG, E_NOT_DELIVERED, E_NO_RIGHT
 *   unknown: E_UNKNOWN and what else shoal_outcome() says */
err_t shoal_put(handle_t cluster, uint64_t deadline, const char *key, const void *value, size_t bytes,
                uint64_t if_revision, uint64_t *revision_out);

/* Removes a key; as shoal_put().
 *   refused: E_NOT_FOUND, E_CONFLICT, E_TOO_LONG, E_NOT_DELIVERED, E_NO_RIGHT */
err_t shoal_delete(handle_t cluster, uint64_t deadline, const char *key, uint64_t if_revision);

/* Sets an ephemeral key: it is removed when the session ends, which ends with this process and its node.
 *   refused: E_NO_SESSION (ended, or another process's), E_FULL, E_TOO_LONG, E_NOT_DELIVERED, E_NO_RIGHT */
err_t shoal_put_ephemeral(const struct shoal_session *session, uint64_t deadline, const char *key, const void *value,
                          size_t bytes, uint64_t *revision_out);

/* Makes a key whose name is `prefix` and a number of SHOAL_SEQUENCE_DIGITS digits that was never given before, in the
 * whole cluster, and is higher than all that were: a queue in the order of asking. session: the key ends with it; NULL:
 * it stays. name_out: room for SHOAL_KEY_MAX + 1 bytes; the name that was made.
 *   refused: E_NO_SESSION, E_FULL, E_TOO_LONG, E_EXISTS (somebody set such a name by hand), E_NOT_DELIVERED, E_NO_RIGHT
 */
err_t shoal_put_sequence(handle_t cluster, uint64_t deadline, const struct shoal_session *session, const char *prefix,
                         const void *value, size_t bytes, char *name_out, uint64_t *revision_out);

/* Keys with a prefix, in the order of their bytes. Between two calls others may change keys: each key that is there all
 * the time is given once. */
struct shoal_keys {
    handle_t cluster;
    uint32_t at, used;
    bool last;
    char prefix[SHOAL_KEY_MAX + 1], after[SHOAL_KEY_MAX + 1];
    uint8_t page[SHOAL_VALUE_MAX];
};

struct shoal_key {
    const char *name; /* in the struct shoal_keys, until the next call */
    uint64_t revision;
    uint32_t value_bytes;
};

/* *keys is the caller's and needs no end. E_TOO_LONG: the prefix. */
err_t shoal_keys_begin(struct shoal_keys *keys, handle_t cluster, const char *prefix);
/* The next one. E_NOT_FOUND: there are no more. E_TIMED_OUT, E_NOT_DELIVERED, E_NO_RIGHT: ask again. */
err_t shoal_keys_next(struct shoal_keys *keys, uint64_t deadline, struct shoal_key *key_out);
