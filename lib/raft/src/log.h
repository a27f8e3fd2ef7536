/* The log window: every entry after the last compaction, in memory given at init.
 *
 * Slots are a ring by index. Payloads stand in a byte ring, each in one piece: one that would wrap begins at the start
 * of the ring instead, and the rest is left unused until the window has moved on.
 */
#pragma once

#include <raft/raft.h>

/* Is there room for one more entry, leaving `spare` slots free? */
bool raft_log_room(const struct raft *r, uint32_t length, uint32_t spare);
/* Appends at last + 1; there must be room. */
void raft_log_append(struct raft *r, uint64_t term, uint32_t type, const void *data, uint32_t length);
/* Voids entries from `from` on (commit < from <= last), also in what is on its way to the disk. */
void raft_log_truncate(struct raft *r, uint64_t from);
/* Forgets all and goes on after (index, term). */
void raft_log_reset(struct raft *r, uint64_t index, uint64_t term);
uint64_t raft_log_uncommitted_bytes(const struct raft *r);
bool raft_log_half_full(const struct raft *r);
/* When the window is nearly full, what the snapshot covers goes. Not between queueing messages and handing them out. */
void raft_log_relieve(struct raft *r);
uint64_t raft_log_last_term(const struct raft *r);
static inline const struct raft_slot *raft_log_slot(const struct raft *r, uint64_t index)
{
    return &r->memory.slots[index & (r->memory.slot_count - 1)];
}
