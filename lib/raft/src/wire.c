#include <raft/raft_wire.h>

#include <base/assert.h>

#include "bytes.h"

/* version, type, flags, 0; cluster; from; to; term; then the fields of the type. */
enum { FLAG_REJECT = 1, FLAG_TRANSFER = 2, FLAG_LOST = 4 };

/* ---- writing ---- */

struct writer {
    uint8_t *at, *end;
    bool full;
};

static void put_bytes(struct writer *w, const void *from, size_t bytes)
{
    if (w->full || bytes > (size_t)(w->end - w->at)) {
        w->full = true;
        return;
    }
    if (bytes > 0)
        memcpy(w->at, from, bytes);
    w->at += bytes;
}

static void put_fixed(struct writer *w, uint64_t value)
{
    uint8_t bytes[8];
    put_le64(bytes, value);
    put_bytes(w, bytes, sizeof(bytes));
}

static void put_number(struct writer *w, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    do {
        bytes[count++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value > 0);
    put_bytes(w, bytes, count);
}

static void put_entries(struct writer *w, const struct raft *r, const struct raft_message *m)
{
    put_number(w, m->entry_count);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        struct raft_entry entry;
        bool known = raft_entry_at(r, m->index + 1 + i, &entry);
        ASSERT(known);
        put_number(w, entry.term);
        put_number(w, (uint64_t)entry.length << 2 | entry.type);
        put_bytes(w, entry.data, entry.length);
    }
}

static void put_snapshot(struct writer *w, const struct raft_message *m, const void *chunk)
{
    uint8_t conf[RAFT_CONF_BYTES_MAX];
    const struct raft_snapshot *s = m->snapshot;
    size_t conf_bytes = raft_conf_encode(&s->conf, conf);
    put_number(w, s->index);
    put_number(w, s->term);
    put_number(w, s->bytes);
    put_bytes(w, s->digest, sizeof(s->digest));
    put_number(w, conf_bytes);
    put_bytes(w, conf, conf_bytes);
    put_number(w, m->offset);
    put_number(w, m->chunk_bytes);
    put_bytes(w, chunk, m->chunk_bytes);
}

/* What a voter knows to be committed. */
static void put_commit(struct writer *w, const struct raft_message *m, uint32_t version)
{
    if (version < 2)
        return;
    put_number(w, m->commit);
    put_number(w, m->commit_term);
}

static void put_body(struct writer *w, uint32_t version, const struct raft *r, const struct raft_message *m,
                     const void *chunk)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        put_number(w, m->index);
        put_number(w, m->log_term);
        put_commit(w, m, version);
        break;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
        put_commit(w, m, version);
        break;
    case RAFT_MSG_APPEND:
        put_number(w, m->index);
        put_number(w, m->log_term);
        put_number(w, m->commit);
        put_entries(w, r, m);
        break;
    case RAFT_MSG_APPEND_REPLY:
        put_number(w, m->index);
        put_number(w, m->hint);
        put_number(w, m->log_term);
        break;
    case RAFT_MSG_HEARTBEAT:
        put_number(w, m->commit);
        put_number(w, m->context);
        break;
    case RAFT_MSG_HEARTBEAT_REPLY:
    case RAFT_MSG_READ:
        put_number(w, m->context);
        break;
    case RAFT_MSG_READ_REPLY:
        put_number(w, m->context);
        put_number(w, m->index);
        break;
    case RAFT_MSG_SNAPSHOT:
        put_snapshot(w, m, chunk);
        break;
    case RAFT_MSG_SNAPSHOT_REPLY:
        put_number(w, m->index);
        put_number(w, m->offset);
        break;
    default: /* TIMEOUT_NOW: the head says all */
        break;
    }
}

err_t raft_wire_encode(const struct raft *r, const struct raft_message *message, const void *chunk, void *to,
                       size_t room, size_t *bytes_out)
{
    return raft_wire_encode_as(RAFT_WIRE_VERSION, r, message, chunk, to, room, bytes_out);
}

err_t raft_wire_encode_as(uint32_t version, const struct raft *r, const struct raft_message *message, const void *chunk,
                          void *to, size_t room, size_t *bytes_out)
{
    ASSERT(version >= RAFT_WIRE_OLDEST && version <= RAFT_WIRE_VERSION);
    ASSERT(message->type > 0 && message->type < RAFT_MSG_TYPES && message->entries == NULL);
    struct writer w = {.at = to, .end = (uint8_t *)to + room};
    uint8_t head[4] = {(uint8_t)version, (uint8_t)message->type,
                       (uint8_t)((message->reject ? FLAG_REJECT : 0) | (message->transfer ? FLAG_TRANSFER : 0) |
                                 (message->lost ? FLAG_LOST : 0)),
                       0};
    put_bytes(&w, head, sizeof(head));
    put_fixed(&w, message->cluster);
    put_fixed(&w, message->from.node);
    put_fixed(&w, message->from.log);
    put_fixed(&w, message->to.node);
    put_fixed(&w, message->to.log);
    put_number(&w, message->term);
    put_body(&w, version, r, message, chunk);
    *bytes_out = (size_t)(w.at - (uint8_t *)to);
    return w.full ? E_FULL : E_OK;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *at, *end;
    const char *why; /* the first thing that was wrong */
};

static void wrong(struct reader *rd, const char *why)
{
    if (rd->why == NULL)
        rd->why = why;
    rd->at = rd->end;
}

static const uint8_t *get_bytes(struct reader *rd, uint64_t bytes)
{
    if (rd->why != NULL || bytes > (uint64_t)(rd->end - rd->at)) {
        wrong(rd, "it ends too early");
        return NULL;
    }
    const uint8_t *at = rd->at;
    rd->at += bytes;
    return at;
}

static uint64_t get_fixed(struct reader *rd)
{
    const uint8_t *at = get_bytes(rd, 8);
    return at == NULL ? 0 : get_le64(at);
}

/* One form only for each number: no needless bytes, nothing beyond 64 bits. */
static uint64_t get_number(struct reader *rd)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        const uint8_t *at = get_bytes(rd, 1);
        if (at == NULL)
            return 0;
        uint64_t part = *at & 0x7f;
        if ((shift == 63 && part > 1) || (shift > 0 && *at == 0))
            break;
        value |= part << shift;
        if ((*at & 0x80) == 0)
            return value;
    }
    wrong(rd, "a number is malformed");
    return 0;
}

static uint64_t get_limited(struct reader *rd, uint64_t limit, const char *why)
{
    uint64_t value = get_number(rd);
    if (value > limit)
        wrong(rd, why);
    return value <= limit ? value : 0;
}

static uint64_t get_index(struct reader *rd)
{
    return get_limited(rd, RAFT_INDEX_MAX, "an index or term is out of range");
}

static void get_entry(struct reader *rd, struct raft_entry *entry_out)
{
    entry_out->term = get_index(rd);
    uint64_t length_and_type = get_number(rd);
    entry_out->type = (uint32_t)(length_and_type & 3);
    if (entry_out->type > RAFT_ENTRY_CONF)
        wrong(rd, "an entry's type is unknown");
    if (length_and_type >> 2 > RAFT_ENTRY_BYTES_MAX)
        wrong(rd, "an entry is too long");
    entry_out->length = (uint32_t)(length_and_type >> 2);
    entry_out->data = get_bytes(rd, entry_out->length);
}

static void get_entries(struct reader *rd, struct raft_message *m)
{
    m->entry_count = (uint32_t)get_limited(rd, UINT32_MAX / 2, "there are too many entries");
    m->entries = rd->at;
    uint64_t term = m->log_term;
    for (uint32_t i = 0; i < m->entry_count && rd->why == NULL; i++) {
        struct raft_entry entry = {.length = 0};
        get_entry(rd, &entry);
        if (entry.term < term)
            wrong(rd, "terms of entries fall");
        term = entry.term;
    }
    m->entry_bytes = rd->why == NULL ? (uint32_t)(rd->at - m->entries) : 0;
}

static void get_snapshot(struct reader *rd, struct raft_message *m, struct raft_snapshot *s)
{
    s->index = get_index(rd);
    s->term = get_index(rd);
    s->bytes = get_index(rd);
    const uint8_t *digest = get_bytes(rd, sizeof(s->digest));
    if (digest != NULL)
        memcpy(s->digest, digest, sizeof(s->digest));
    uint64_t conf_bytes = get_number(rd);
    const uint8_t *conf = get_bytes(rd, conf_bytes);
    if (conf != NULL && raft_conf_decode(conf, (size_t)conf_bytes, &s->conf) != E_OK)
        wrong(rd, "the snapshot's configuration is malformed");
    m->offset = get_index(rd);
    m->chunk_bytes = (uint32_t)get_limited(rd, UINT32_MAX, "the chunk is too long");
    m->chunk = get_bytes(rd, m->chunk_bytes);
    if (rd->why == NULL && (m->offset > s->bytes || m->chunk_bytes > s->bytes - m->offset))
        wrong(rd, "the chunk is beyond the snapshot's end");
    if (rd->why == NULL && (s->index == 0 || s->term == 0))
        wrong(rd, "the snapshot covers nothing");
    m->snapshot = s;
}

static void get_commit(struct reader *rd, struct raft_message *m, uint32_t version)
{
    if (version < 2)
        return;
    m->commit = get_index(rd);
    m->commit_term = get_index(rd);
}

static void get_body(struct reader *rd, uint32_t version, struct raft_message *m, struct raft_snapshot *snapshot)
{
    switch (m->type) {
    case RAFT_MSG_PREVOTE:
    case RAFT_MSG_VOTE:
        m->index = get_index(rd);
        m->log_term = get_index(rd);
        get_commit(rd, m, version);
        break;
    case RAFT_MSG_PREVOTE_REPLY:
    case RAFT_MSG_VOTE_REPLY:
        get_commit(rd, m, version);
        break;
    case RAFT_MSG_APPEND:
        m->index = get_index(rd);
        m->log_term = get_index(rd);
        m->commit = get_index(rd);
        get_entries(rd, m);
        break;
    case RAFT_MSG_APPEND_REPLY:
        m->index = get_index(rd);
        m->hint = get_index(rd);
        m->log_term = get_index(rd);
        break;
    case RAFT_MSG_HEARTBEAT:
        m->commit = get_index(rd);
        m->context = get_number(rd);
        break;
    case RAFT_MSG_HEARTBEAT_REPLY:
    case RAFT_MSG_READ:
        m->context = get_number(rd);
        break;
    case RAFT_MSG_READ_REPLY:
        m->context = get_number(rd);
        m->index = get_index(rd);
        break;
    case RAFT_MSG_SNAPSHOT:
        get_snapshot(rd, m, snapshot);
        break;
    case RAFT_MSG_SNAPSHOT_REPLY:
        m->index = get_index(rd);
        m->offset = get_index(rd);
        break;
    default:
        break;
    }
}

static uint32_t get_head(struct reader *rd, struct raft_message *m)
{
    const uint8_t *head = get_bytes(rd, 4);
    if (head == NULL)
        return 0;
    m->type = head[1];
    m->reject = (head[2] & FLAG_REJECT) != 0;
    m->transfer = (head[2] & FLAG_TRANSFER) != 0;
    m->lost = (head[2] & FLAG_LOST) != 0;
    if (head[0] < RAFT_WIRE_OLDEST || head[0] > RAFT_WIRE_VERSION)
        wrong(rd, "its version is not known");
    else if (m->type == 0 || m->type >= RAFT_MSG_TYPES)
        wrong(rd, "its type is unknown");
    else if ((head[2] & ~(FLAG_REJECT | FLAG_TRANSFER | FLAG_LOST)) != 0 || head[3] != 0)
        wrong(rd, "a reserved bit is set");
    m->cluster = get_fixed(rd);
    m->from.node = get_fixed(rd);
    m->from.log = get_fixed(rd);
    m->to.node = get_fixed(rd);
    m->to.log = get_fixed(rd);
    m->term = get_index(rd);
    return head[0];
}

err_t raft_wire_decode(const void *from, size_t bytes, struct raft_message *message_out,
                       struct raft_snapshot *snapshot_out, const char **why_out)
{
    struct reader rd = {.at = from, .end = (const uint8_t *)from + bytes};
    *message_out = (struct raft_message){.type = 0};
    uint32_t version = get_head(&rd, message_out);
    if (rd.why == NULL)
        get_body(&rd, version, message_out, snapshot_out);
    if (rd.why == NULL && rd.at != rd.end)
        wrong(&rd, "something follows its end");
    if (why_out != NULL)
        *why_out = rd.why;
    return rd.why == NULL ? E_OK : E_BAD_MESSAGE;
}

bool raft_wire_entry(const struct raft_message *message, struct raft_wire_cursor *cursor, struct raft_entry *entry_out)
{
    if (cursor->taken == message->entry_count)
        return false;
    const uint8_t *begin = message->entries + cursor->at;
    struct reader rd = {.at = begin, .end = message->entries + message->entry_bytes};
    get_entry(&rd, entry_out);
    ASSERT(rd.why == NULL); /* raft_wire_decode() saw it */
    cursor->at += (uint32_t)(rd.at - begin);
    cursor->taken++;
    entry_out->index = message->index + cursor->taken;
    return true;
}
