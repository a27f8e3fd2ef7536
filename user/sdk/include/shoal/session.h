/* Sessions: what ends with this process. A session is leased with its node: it ends when the process ends, when the
 * node's lease does (five seconds after it was last heard by a majority), or by shoal_session_close(). Ephemeral keys
 * (keys.h) end with it. Under it an append can be sent again and is done once. */
#pragma once

#include <shoal/cluster.h>

/* The caller's memory; its fields are the library's. For one thread at a time. */
struct shoal_session {
    handle_t cluster;
    uint64_t number, sequence;
    uint64_t open; /* what the append is whose outcome is not known; 0: none */
    bool in_doubt; /* the last number may not have been used up: that append was refused */
};

#define SHOAL_APPEND_MAX 1024u /* bytes at once */

/* *session_out: a session of this process.
 *   refused: E_FULL (64 of this process, or all that the cluster can have), E_NOT_DELIVERED, E_NO_RIGHT
 *   unknown: there may be a session that nobody knows; it does nothing and ends with the process */
err_t shoal_session_open(handle_t cluster, uint64_t deadline, struct shoal_session *session_out);

/* Ends it, and the keys that end with it.
 *   refused: E_NO_SESSION: it had ended */
err_t shoal_session_close(struct shoal_session *session, uint64_t deadline);

/* Appends to a key's value, or makes the key; exactly once however often it has to be sent, which this does until the
 * deadline.
 *   refused: E_FULL (the value would become too long, or 10,000 keys), E_TOO_LONG, E_NO_RIGHT
 *   E_NO_SESSION: the session has ended; if an earlier call said `unknown`, whether that was done is never known
 *   unknown: the same call with the same key and data goes on with it; anything else is refused with E_BUSY */
err_t shoal_append(struct shoal_session *session, uint64_t deadline, const char *key, const void *data, size_t bytes,
                   uint64_t *revision_out);
