/* Operations to bytes and back, from one list of fields. */
#include <string.h>

#include <abi/cluster.h>
#include <tables/op.h>
#include <wire/wire.h>

#define CODEC_VERSION 4u

enum field_type { FIELD_NUMBER, FIELD_TEXT };

struct field {
    uint8_t kind, type;
    uint16_t offset;
    uint16_t limit; /* longest text */
};

#define NUMBER(kind, path)                                                                                             \
    {                                                                                                                  \
        kind, FIELD_NUMBER, offsetof(struct tables_op, path), 0                                                        \
    }
#define ID(kind, path) NUMBER(kind, path[0]), NUMBER(kind, path[1])
#define TEXT(kind, path, limit)                                                                                        \
    {                                                                                                                  \
        kind, FIELD_TEXT, offsetof(struct tables_op, path), limit                                                      \
    }

/* In the order of the wire. A kind's fields lie together. */
static const struct field fields[] = {
    ID(TABLES_NODE_JOIN, node_join.node_id),
    ID(TABLES_NODE_JOIN, node_join.log_id),
    ID(TABLES_NODE_JOIN, node_join.boot_id),
    NUMBER(TABLES_NODE_JOIN, node_join.wanted),
    NUMBER(TABLES_NODE_JOIN, node_join.durable),
    NUMBER(TABLES_NODE_JOIN, node_join.cpus),
    ID(TABLES_NODE_JOIN, node_join.log_key.low),
    ID(TABLES_NODE_JOIN, node_join.log_key.high),
    NUMBER(TABLES_NODE_JOIN, node_join.log_key.cluster_key),
    NUMBER(TABLES_NODE_JOIN, node_join.level),
    TEXT(TABLES_NODE_JOIN, node_join.name, 31),
    NUMBER(TABLES_RENEW, renew.now_ns),
    NUMBER(TABLES_RENEW, renew.nodes),
    NUMBER(TABLES_EXPIRE, expire.node),
    ID(TABLES_EXPIRE, expire.boot_id),
    NUMBER(TABLES_EXPIRE, expire.renewal),
    NUMBER(TABLES_EXPIRE, expire.term),
    NUMBER(TABLES_NODE_WISH, node_wish.node),
    NUMBER(TABLES_NODE_WISH, node_wish.wish),
    NUMBER(TABLES_LEVEL, level.level),
    NUMBER(TABLES_PROCESS_END, process_end.process_id),
    NUMBER(TABLES_SESSION_OPEN, session_open.process_id),
    NUMBER(TABLES_SESSION_CLOSE, session_close.session),
    NUMBER(TABLES_SESSION_CLOSE, session_close.process_id),
    NUMBER(TABLES_KEY_PUT, key_put.if_revision),
    NUMBER(TABLES_KEY_PUT, key_put.process_id),
    NUMBER(TABLES_KEY_PUT, key_put.session),
    NUMBER(TABLES_KEY_PUT, key_put.sequential),
    TEXT(TABLES_KEY_PUT, key_put.name, TABLES_NAME_MAX),
    TEXT(TABLES_KEY_PUT, key_put.value, TABLES_VALUE_MAX),
    NUMBER(TABLES_KEY_DELETE, key_delete.if_revision),
    TEXT(TABLES_KEY_DELETE, key_delete.name, TABLES_NAME_MAX),
    NUMBER(TABLES_KEY_APPEND, key_append.session),
    NUMBER(TABLES_KEY_APPEND, key_append.number),
    NUMBER(TABLES_KEY_APPEND, key_append.process_id),
    TEXT(TABLES_KEY_APPEND, key_append.name, TABLES_NAME_MAX),
    TEXT(TABLES_KEY_APPEND, key_append.data, TABLES_VALUE_MAX),
    NUMBER(TABLES_LOCK, lock.mode),
    NUMBER(TABLES_LOCK, lock.try_only),
    NUMBER(TABLES_LOCK, lock.process_id),
    NUMBER(TABLES_LOCK, lock.permits),
    NUMBER(TABLES_LOCK, lock.delay_ns),
    TEXT(TABLES_LOCK, lock.name, TABLES_NAME_MAX),
    TEXT(TABLES_LOCK, lock.value, TABLES_ELECTED_MAX),
    NUMBER(TABLES_LOCK_CANCEL, lock_cancel.ticket),
    NUMBER(TABLES_UNLOCK, unlock.fence),
    NUMBER(TABLES_UNLOCK, unlock.process_id),
    NUMBER(TABLES_UNLOCK, unlock.any),
    TEXT(TABLES_UNLOCK, unlock.name, TABLES_NAME_MAX),
    NUMBER(TABLES_ELECTED_SET, elected_set.fence),
    NUMBER(TABLES_ELECTED_SET, elected_set.process_id),
    TEXT(TABLES_ELECTED_SET, elected_set.name, TABLES_NAME_MAX),
    TEXT(TABLES_ELECTED_SET, elected_set.value, TABLES_ELECTED_MAX),
    NUMBER(TABLES_TXN, txn.process_id),
    TEXT(TABLES_TXN, txn.steps, TXN_BYTES_MAX),
    NUMBER(TABLES_NAME_PUT, name_put.process_id),
    NUMBER(TABLES_NAME_PUT, name_put.export_id),
    TEXT(TABLES_NAME_PUT, name_put.name, TABLES_NAME_MAX),
    NUMBER(TABLES_NAME_DELETE, name_delete.export_id),
    TEXT(TABLES_NAME_DELETE, name_delete.name, TABLES_NAME_MAX),
    NUMBER(TABLES_JOB_SUBMIT, job_submit.count),
    NUMBER(TABLES_JOB_SUBMIT, job_submit.classes),
    TEXT(TABLES_JOB_SUBMIT, job_submit.prefix, CLUSTER_PREFIX_MAX),
    TEXT(TABLES_JOB_SUBMIT, job_submit.command, TABLES_COMMAND_MAX),
    NUMBER(TABLES_JOB_PLACE, job_place.job),
    NUMBER(TABLES_JOB_PLACE, job_place.instance),
    NUMBER(TABLES_JOB_PLACE, job_place.node),
    ID(TABLES_JOB_PLACE, job_place.boot_id),
    TEXT(TABLES_JOB_PLACE, job_place.why, 47),
    NUMBER(TABLES_JOB_REPORT, job_report.job),
    NUMBER(TABLES_JOB_REPORT, job_report.instance),
    NUMBER(TABLES_JOB_REPORT, job_report.state),
    NUMBER(TABLES_JOB_REPORT, job_report.cause),
    NUMBER(TABLES_JOB_REPORT, job_report.code),
    NUMBER(TABLES_JOB_REPORT, job_report.process_id),
    NUMBER(TABLES_JOB_KILL, job_kill.job),
    NUMBER(TABLES_CLUSTER_KEY, cluster_key.action),
    NUMBER(TABLES_CLUSTER_KEY, cluster_key.id),
    NUMBER(TABLES_CLUSTER_KEY, cluster_key.from_id),
    NUMBER(TABLES_CLUSTER_KEY, cluster_key.leaked),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void encode_text(struct wire_writer *w, const struct field *field, const struct tables_text *text)
{
    if (text->bytes > field->limit)
        w->failed = true;
    wire_put_u16(w, (uint16_t)text->bytes);
    wire_put_bytes(w, text->at, text->bytes);
}

size_t tables_encode(const struct tables_op *op, void *to, size_t room)
{
    struct wire_writer w = wire_writer(to, room < TABLES_ENTRY_MAX ? room : TABLES_ENTRY_MAX);
    wire_put_u8(&w, CODEC_VERSION);
    wire_put_u8(&w, (uint8_t)op->kind);
    wire_put_u16(&w, (uint16_t)op->node);
    wire_put_u64(&w, op->boot[0]);
    wire_put_u64(&w, op->boot[1]);
    wire_put_u64(&w, op->sequence);
    for (size_t i = 0; i < FIELDS; i++) {
        const void *at = (const char *)op + fields[i].offset;
        if (fields[i].kind != op->kind)
            continue;
        if (fields[i].type == FIELD_NUMBER)
            wire_put_u64(&w, *(const uint64_t *)at);
        else
            encode_text(&w, &fields[i], at);
    }
    return w.failed ? 0 : w.used;
}

static void decode_text(struct wire_reader *r, const struct field *field, struct tables_text *text)
{
    text->bytes = wire_get_u16(r);
    if (text->bytes > field->limit)
        r->failed = true;
    text->at = wire_take(r, text->bytes);
}

err_t tables_decode(const void *from, size_t bytes, struct tables_op *op)
{
    struct wire_reader r = wire_reader(from, bytes);
    memset(op, 0, sizeof(*op));
    if (wire_get_u8(&r) != CODEC_VERSION)
        r.failed = true;
    op->kind = wire_get_u8(&r);
    op->node = wire_get_u16(&r);
    op->boot[0] = wire_get_u64(&r);
    op->boot[1] = wire_get_u64(&r);
    op->sequence = wire_get_u64(&r);
    if (op->kind == 0 || op->kind >= TABLES_KINDS || op->node > NODES_MAX)
        return E_BAD_MESSAGE;
    for (size_t i = 0; i < FIELDS; i++) {
        void *at = (char *)op + fields[i].offset;
        if (fields[i].kind != op->kind)
            continue;
        if (fields[i].type == FIELD_NUMBER)
            *(uint64_t *)at = wire_get_u64(&r);
        else
            decode_text(&r, &fields[i], at);
    }
    return wire_done(&r) ? E_OK : E_BAD_MESSAGE;
}
