#include "log.h"

#include <base/assert.h>

#include "bytes.h"

static uint64_t tail(const struct raft *r)
{
    return r->last == r->base ? r->bytes_head : raft_log_slot(r, r->base + 1)->start;
}

/* Where a payload of `length` bytes would begin. */
static uint64_t place(const struct raft *r, uint32_t length)
{
    uint64_t at = r->bytes_head % r->memory.byte_count;
    return at + length > r->memory.byte_count ? r->bytes_head + (r->memory.byte_count - at) : r->bytes_head;
}

bool raft_log_room(const struct raft *r, uint32_t length, uint32_t spare)
{
    if (r->last - r->base + spare >= r->memory.slot_count)
        return false;
    return place(r, length) + length - tail(r) <= r->memory.byte_count;
}

void raft_log_append(struct raft *r, uint64_t term, uint32_t type, const void *data, uint32_t length)
{
    ASSERT(raft_log_room(r, length, 0));
    ASSERT(length <= RAFT_ENTRY_BYTES_MAX);
    ASSERT(term >= raft_log_last_term(r) && term <= r->term);
    uint64_t start = place(r, length);
    r->last++;
    r->memory.slots[r->last & (r->memory.slot_count - 1)] =
        (struct raft_slot){.term = term, .start = start, .length = length, .type = type};
    if (length > 0)
        memcpy(r->memory.bytes + start % r->memory.byte_count, data, length);
    r->bytes_head = start + length;
    if (type == RAFT_ENTRY_CONF)
        r->conf_last = r->last;
    r->counters.entries_appended++;
}

/* After a truncation: the newest entry left that is not applied and changes the configuration. */
static uint64_t find_conf_last(const struct raft *r)
{
    for (uint64_t i = r->last; i > r->applied; i--)
        if (raft_log_slot(r, i)->type == RAFT_ENTRY_CONF)
            return i;
    return r->conf_index;
}

/* What is under way to the disk counts only up to `last` when it gets there: the same index may be written again, with
 * an entry that looks the same, after another in between. */
static void clip_durability(struct raft *r, uint64_t last)
{
    if (r->stable > last)
        r->stable = last;
    for (uint32_t i = 0; i < r->persist_count; i++) {
        struct raft_persist_record *record = &r->persists[(r->persist_head + i) % RAFT_PERSISTS_MAX];
        if (record->last > last)
            record->last = last;
    }
}

void raft_log_truncate(struct raft *r, uint64_t from)
{
    ASSERT(from > r->commit && from > r->base && from <= r->last);
    ASSERT(r->role != RAFT_LEADER);
    r->counters.entries_truncated += r->last - from + 1;
    r->bytes_head = raft_log_slot(r, from)->start;
    r->last = from - 1;
    if (r->handed >= from) {
        r->handed = from - 1;
        ASSERT(r->truncate_from == 0 || from < r->truncate_from); /* handed was below the one before */
        r->truncate_from = from;
    }
    clip_durability(r, from - 1);
    if (r->conf_last >= from)
        r->conf_last = find_conf_last(r);
    ASSERT(r->stable <= r->handed && r->handed <= r->last);
}

void raft_log_reset(struct raft *r, uint64_t index, uint64_t term)
{
    r->base = r->last = r->handed = index;
    r->base_term = term;
    r->truncate_from = 0;
    r->bytes_head = 0;
    clip_durability(r, index);
    r->stable = index;
}

uint64_t raft_log_uncommitted_bytes(const struct raft *r)
{
    ASSERT(r->commit >= r->base && r->commit <= r->last);
    return r->commit == r->last ? 0 : r->bytes_head - raft_log_slot(r, r->commit + 1)->start;
}

bool raft_log_half_full(const struct raft *r)
{
    return r->last - r->base >= r->memory.slot_count / 2 || r->bytes_head - tail(r) >= r->memory.byte_count / 2;
}

bool raft_term_at(const struct raft *r, uint64_t index, uint64_t *term_out)
{
    if (index < r->base || index > r->last)
        return false;
    *term_out = index == r->base ? r->base_term : raft_log_slot(r, index)->term;
    return true;
}

uint64_t raft_log_last_term(const struct raft *r)
{
    return r->last == r->base ? r->base_term : raft_log_slot(r, r->last)->term;
}

bool raft_entry_at(const struct raft *r, uint64_t index, struct raft_entry *entry_out)
{
    if (index <= r->base || index > r->last)
        return false;
    const struct raft_slot *slot = raft_log_slot(r, index);
    *entry_out = (struct raft_entry){.index = index,
                                     .term = slot->term,
                                     .type = slot->type,
                                     .length = slot->length,
                                     .data = r->memory.bytes + slot->start % r->memory.byte_count};
    return true;
}

void raft_compact(struct raft *r, uint64_t index)
{
    ASSERT(index <= r->saved.index && index <= r->applied && index <= r->stable);
    if (index <= r->base)
        return;
    bool known = raft_term_at(r, index, &r->base_term);
    ASSERT(known);
    r->base = index;
}

static bool nearly_full(const struct raft *r)
{
    return r->last - r->base >= r->memory.slot_count / 4 * 3 || r->bytes_head - tail(r) >= r->memory.byte_count / 4 * 3;
}

void raft_log_relieve(struct raft *r)
{
    uint64_t index = r->saved.index < r->stable ? r->saved.index : r->stable;
    if (nearly_full(r))
        raft_compact(r, index);
}
