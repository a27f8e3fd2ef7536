/* Messages as bytes. Little-endian, numbers as LEB128 where they are mostly small. Integrity is the link's. */
#pragma once

#include <raft/raft.h>

/* 1: votes and their answers do not tell what is committed. 2: they do. */
#define RAFT_WIRE_VERSION 2u
#define RAFT_WIRE_OLDEST  1u
/* A message is at most this plus its entries' payloads (and 16 a entry), or its chunk. */
#define RAFT_WIRE_HEADER_MAX (160u + RAFT_CONF_BYTES_MAX)
#define RAFT_WIRE_ENTRY_MAX  16u

/* Encodes an outgoing message of the last update; entries are taken from the log window. For SNAPSHOT, `chunk` gives
 * the chunk_bytes bytes at `offset` of the snapshot labelled message->snapshot; else NULL. E_FULL: not enough room. */
err_t raft_wire_encode(const struct raft *r, const struct raft_message *message, const void *chunk, void *to,
                       size_t room, size_t *bytes_out);
/* The same for a receiver that knows versions up to `version`, from RAFT_WIRE_OLDEST on. */
err_t raft_wire_encode_as(uint32_t version, const struct raft *r, const struct raft_message *message, const void *chunk,
                          void *to, size_t room, size_t *bytes_out);

/* Takes all versions from RAFT_WIRE_OLDEST on, and checks everything; the message points into `from`, its snapshot
 * label is put into *snapshot_out. E_BAD_MESSAGE, and *why_out (may be NULL) names what is wrong. */
err_t raft_wire_decode(const void *from, size_t bytes, struct raft_message *message_out,
                       struct raft_snapshot *snapshot_out, const char **why_out);

/* Walks the entries of a decoded message: the cursor starts as 0. False at the end. */
struct raft_wire_cursor {
    uint32_t at, taken; /* bytes, entries */
};
bool raft_wire_entry(const struct raft_message *message, struct raft_wire_cursor *cursor, struct raft_entry *entry_out);
