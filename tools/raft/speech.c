#include "speech.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

/* ---- ids ---- */

void speech_id(struct text *t, struct raft_id id, bool quoted)
{
    if (id.node == id.log || id.log == 0)
        text_add(t, quoted ? "\"%llu\"" : "%llu", (ull)(id.log == 0 ? 0 : id.node));
    else
        text_add(t, quoted ? "\"%llu.%llu\"" : "%llu.%llu", (ull)id.node, (ull)id.log);
}

/* NODE or NODE.LOG; moves *at behind it. */
static bool take_id(const char **at, struct raft_id *id_out)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    id_out->node = id_out->log = strtoull(*at, &end, 10);
    if (*end == '.' && end[1] >= '0' && end[1] <= '9')
        id_out->log = strtoull(end + 1, &end, 10);
    *at = end;
    return id_out->node != 0 && id_out->log != 0;
}

const char *speech_read_id(const struct json *value, struct raft_id *id_out)
{
    *id_out = (struct raft_id){0, 0};
    if (value == NULL)
        return "an id is missing";
    if (value->kind == JSON_NUMBER && value->number != 0) {
        *id_out = (struct raft_id){value->number, value->number};
        return NULL;
    }
    const char *at = value->text;
    if (value->kind != JSON_STRING || !take_id(&at, id_out) || at != value->text + value->bytes)
        return "an id is a number above 0, or \"NODE.LOG\"";
    return NULL;
}

/* ---- names ---- */

const char *speech_role(enum raft_role role)
{
    static const char *const names[] = {"StateFollower", "StatePreCandidate", "StateCandidate", "StateLeader"};
    return names[role];
}

static const char *const message_types[RAFT_MSG_TYPES] = {"",
                                                          "MsgPreVote",
                                                          "MsgPreVoteResp",
                                                          "MsgVote",
                                                          "MsgVoteResp",
                                                          "MsgApp",
                                                          "MsgAppResp",
                                                          "MsgHeartbeat",
                                                          "MsgHeartbeatResp",
                                                          "MsgSnap",
                                                          "MsgSnapResp",
                                                          "MsgTimeoutNow",
                                                          "MsgReadIndex",
                                                          "MsgReadIndexResp"};

const char *speech_message_type(uint32_t type)
{
    return message_types[type];
}

static const char *const entry_types[] = {"EntryNoop", "EntryNormal", "EntryConfChange"};

static bool is_text(const struct json *value, const char *text)
{
    return value != NULL && value->kind == JSON_STRING && strlen(text) == value->bytes &&
           memcmp(value->text, text, value->bytes) == 0;
}

/* ---- configurations ---- */

static uint32_t set_of(struct text *t, const struct raft_conf *conf, uint32_t flag, const char *before)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        if ((conf->members[i].flags & flag) == 0)
            continue;
        text_add(t, "%s", count++ == 0 ? before : " ");
        speech_id(t, conf->members[i].id, false);
    }
    if (count > 0)
        text_add(t, ")");
    return count;
}

void speech_conf(struct text *t, const struct raft_conf *conf)
{
    if (set_of(t, conf, RAFT_VOTER, "voters=(") == 0)
        text_add(t, "voters=()");
    set_of(t, conf, RAFT_VOTER_OLD, "&&(");
    set_of(t, conf, RAFT_LEARNER, " learners=(");
    set_of(t, conf, RAFT_LEARNER_NEXT, " learners_next=(");
    if (conf->auto_leave)
        text_add(t, " autoleave");
}

static bool add_flag(struct raft_conf *conf, struct raft_id id, uint32_t flag)
{
    uint32_t at = 0;
    while (at < conf->count && (conf->members[at].id.node < id.node ||
                                (conf->members[at].id.node == id.node && conf->members[at].id.log < id.log)))
        at++;
    if (at == conf->count || !raft_id_equal(conf->members[at].id, id)) {
        if (conf->count == RAFT_MEMBERS_MAX)
            return false;
        memmove(&conf->members[at + 1], &conf->members[at], (conf->count - at) * sizeof(conf->members[0]));
        conf->members[at] = (struct raft_member){.id = id};
        conf->count++;
    }
    conf->members[at].flags |= flag;
    return true;
}

static const char *starts_with(const char *at, const char *word)
{
    size_t length = strlen(word);
    return strncmp(at, word, length) == 0 ? at + length : NULL;
}

/* "1 2)" */
static const char *take_set(const char *at, struct raft_conf *conf, uint32_t flag)
{
    struct raft_id id;
    while (*at != ')') {
        if (*at == ' ')
            at++;
        if (*at == ')')
            break;
        if (!take_id(&at, &id) || !add_flag(conf, id, flag))
            return NULL;
    }
    return at + 1;
}

static const char *take_sets(const char *at, struct raft_conf *conf)
{
    static const struct {
        const char *word;
        uint32_t flag;
    } sets[] = {{"voters=(", RAFT_VOTER},
                {"&&(", RAFT_VOTER_OLD},
                {" learners=(", RAFT_LEARNER},
                {" learners_next=(", RAFT_LEARNER_NEXT}};
    for (size_t i = 0; at != NULL && i < sizeof(sets) / sizeof(sets[0]); i++) {
        const char *after = starts_with(at, sets[i].word);
        if (after != NULL)
            at = take_set(after, conf, sets[i].flag);
    }
    const char *after = at == NULL ? NULL : starts_with(at, " autoleave");
    conf->auto_leave = after != NULL;
    return after != NULL ? after : at;
}

const char *speech_read_conf(const struct json *value, struct raft_conf *conf_out)
{
    *conf_out = (struct raft_conf){.count = 0};
    if (value == NULL || value->kind != JSON_STRING)
        return "a configuration is a text";
    if (value->bytes == 0 || is_text(value, "voters=()"))
        return NULL;
    const char *end = take_sets(value->text, conf_out);
    if (end != value->text + value->bytes)
        return "a configuration reads voters=(1 2)&&(1) learners=(3) learners_next=(2) autoleave";
    return raft_conf_valid(conf_out) ? NULL : "there is no such configuration";
}

const char *speech_read_changes(const struct json *value, struct raft_conf_change *change_out)
{
    static const char letters[] = "vlr"; /* by enum raft_change_op */
    change_out->count = 0;
    if (value == NULL)
        return NULL;
    if (value->kind != JSON_STRING)
        return "changes are a text";
    for (const char *at = value->text; *at != 0;) {
        const char *letter = strchr(letters, *at);
        struct raft_change *change = &change_out->changes[change_out->count];
        if (change_out->count == RAFT_CHANGES_MAX)
            return "there are too many changes";
        if (letter == NULL)
            return "a change reads v1, l1 or r1";
        at++;
        change->op = (uint32_t)(letter - letters) + RAFT_ADD_VOTER;
        if (!take_id(&at, &change->id) || (*at != 0 && *at != ' '))
            return "a change reads v1, l1 or r1";
        at += *at == ' ';
        change_out->count++;
    }
    return NULL;
}

/* ---- entries ---- */

static void change_text(struct text *t, const struct raft_entry *entry)
{
    static const char *const modes[] = {"", "simple", "joint", "joint-stay", "leave"};
    struct raft_conf_change change;
    if (raft_conf_change_decode(entry->data, entry->length, &change) != E_OK)
        return;
    text_add(t, ",\"mode\":\"%s\",\"changes\":\"", modes[change.mode]);
    for (uint32_t i = 0; i < change.count; i++) {
        text_add(t, "%s%c", i > 0 ? " " : "", "?vlr"[change.changes[i].op]);
        speech_id(t, change.changes[i].id, false);
    }
    text_add(t, "\"");
}

void speech_entry(struct text *t, const struct raft_entry *entry)
{
    text_add(t, "{\"index\":%llu,\"term\":%llu,\"type\":\"%s\",\"data\":", (ull)entry->index, (ull)entry->term,
             entry_types[entry->type]);
    text_string(t, entry->data, entry->length);
    if (entry->type == RAFT_ENTRY_CONF)
        change_text(t, entry);
    text_add(t, "}");
}

const char *speech_read_entry(const struct json *value, uint8_t *payload, struct raft_entry *entry_out)
{
    const struct json *type = json_part(value, "type"), *data = json_part(value, "data");
    *entry_out = (struct raft_entry){.type = RAFT_ENTRY_DATA, .data = payload};
    if (value->kind != JSON_OBJECT || !json_number(value, "index", 0, &entry_out->index) ||
        !json_number(value, "term", 0, &entry_out->term))
        return "an entry has an index and a term";
    for (uint32_t i = 0; i <= RAFT_ENTRY_CONF; i++)
        if (is_text(type, entry_types[i]))
            entry_out->type = i;
    if (type != NULL && !is_text(type, entry_types[entry_out->type]))
        return "there is no such type of entry";
    if (data == NULL)
        return NULL;
    if (data->kind != JSON_STRING || data->bytes > RAFT_ENTRY_BYTES_MAX)
        return "an entry's data is a text, not too long";
    memcpy(payload, data->text, data->bytes);
    entry_out->length = (uint32_t)data->bytes;
    return NULL;
}

/* ---- messages, out ---- */

static void snapshot_text(struct text *t, const struct raft_message *m, const void *chunk)
{
    const struct raft_snapshot *s = m->snapshot;
    text_add(t, ",\"snapshot\":{\"index\":%llu,\"term\":%llu,\"bytes\":%llu,\"digest\":", (ull)s->index, (ull)s->term,
             (ull)s->bytes);
    text_string(t, s->digest, sizeof(s->digest));
    text_add(t, ",\"conf\":\"");
    speech_conf(t, &s->conf);
    text_add(t, "\"},\"chunk\":");
    text_string(t, chunk, m->chunk_bytes);
}

void speech_message(struct text *t, const struct raft *r, const struct raft_message *m, const void *chunk)
{
    text_add(t, "{\"type\":\"%s\",\"from\":", speech_message_type(m->type));
    speech_id(t, m->from, m->from.node != m->from.log);
    text_add(t, ",\"to\":");
    speech_id(t, m->to, m->to.node != m->to.log);
    text_add(t,
             ",\"term\":%llu,\"logterm\":%llu,\"index\":%llu,\"commit\":%llu,\"committerm\":%llu,\"reject\":%s,"
             "\"hint\":%llu",
             (ull)m->term, (ull)m->log_term, (ull)m->index, (ull)m->commit, (ull)m->commit_term,
             m->reject ? "true" : "false", (ull)m->hint);
    text_add(t, ",\"context\":%llu,\"transfer\":%s,\"lost\":%s,\"offset\":%llu,\"entries\":[", (ull)m->context,
             m->transfer ? "true" : "false", m->lost ? "true" : "false", (ull)m->offset);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        struct raft_entry entry;
        if (!raft_entry_at(r, m->index + 1 + i, &entry))
            break;
        text_add(t, "%s", i > 0 ? "," : "");
        speech_entry(t, &entry);
    }
    text_add(t, "]");
    if (m->type == RAFT_MSG_SNAPSHOT)
        snapshot_text(t, m, chunk);
    text_add(t, "}");
}

/* ---- messages, in ---- */

/* A core that has nothing but the entries of one message: raft_wire_encode() takes them out of a log. */
static struct raft holder;
static struct raft_slot slots[1024];
static uint8_t bytes[2 * (RAFT_ENTRY_BYTES_MAX + 1)], payload[RAFT_ENTRY_BYTES_MAX];

static err_t make_holder(uint64_t index, uint64_t term)
{
    static const struct raft_config config = {.id = {1, 1},
                                              .cluster = 1,
                                              .heartbeat_ns = 1,
                                              .election_ns = 3,
                                              .message_bytes = 1,
                                              .inflight_messages = 1,
                                              .inflight_bytes = 1,
                                              .uncommitted_bytes = 1,
                                              .persist_bytes = 1,
                                              .apply_bytes = 1,
                                              .snapshot_chunk_bytes = 1};
    const struct raft_memory memory = {slots, sizeof(slots) / sizeof(slots[0]), bytes, sizeof(bytes)};
    const struct raft_hard_state nothing = {.term = 0};
    struct raft_id self = {1, 1};
    struct raft_snapshot label;
    raft_genesis_label(&self, 1, &label);
    label.index = index;
    label.term = term;
    return raft_init(&holder, &config, &memory, &nothing, index == 0 ? NULL : &label, 0);
}

static const char *read_entries(const struct json *list, struct raft_message *m)
{
    if (list == NULL)
        return NULL;
    if (list->kind != JSON_ARRAY)
        return "entries are a list";
    if (list->first != NULL && make_holder(m->index, m->log_term) != E_OK)
        return "no entry can follow that index and term";
    for (const struct json *value = list->first; value != NULL; value = value->next) {
        struct raft_entry entry;
        const char *why = speech_read_entry(value, payload, &entry);
        if (why != NULL)
            return why;
        err_t err = raft_restore(&holder, &entry);
        if (err != E_OK || entry.index != m->index + 1 + m->entry_count)
            return err == E_FULL ? "the entries are too many" : "the entries do not follow one another";
        m->entry_count++;
    }
    return NULL;
}

static const char *read_snapshot(const struct json *value, struct raft_message *m, struct raft_snapshot *snapshot,
                                 const void **chunk_out)
{
    const struct json *label = json_part(value, "snapshot"), *digest = json_part(label, "digest");
    const struct json *chunk = json_part(value, "chunk");
    *snapshot = (struct raft_snapshot){.index = 0};
    if (label == NULL || !json_number(label, "index", 0, &snapshot->index) ||
        !json_number(label, "term", 0, &snapshot->term) || !json_number(label, "bytes", 0, &snapshot->bytes))
        return "a snapshot has index, term and bytes";
    if (digest != NULL && (digest->kind != JSON_STRING || digest->bytes != sizeof(snapshot->digest)))
        return "a digest has 32 bytes";
    if (digest != NULL)
        memcpy(snapshot->digest, digest->text, sizeof(snapshot->digest));
    if (chunk == NULL || chunk->kind != JSON_STRING)
        return "a snapshot message has a chunk";
    m->snapshot = snapshot;
    m->chunk_bytes = (uint32_t)chunk->bytes;
    *chunk_out = chunk->text;
    return speech_read_conf(json_part(label, "conf"), &snapshot->conf);
}

static const char *read_head(const struct json *value, uint64_t cluster, struct raft_message *m)
{
    const struct json *type = json_part(value, "type");
    *m = (struct raft_message){.type = 0};
    if (value->kind != JSON_OBJECT)
        return "a message is an object";
    for (uint32_t i = 1; i < RAFT_MSG_TYPES; i++)
        if (is_text(type, message_types[i]))
            m->type = i;
    if (m->type == 0)
        return "there is no such type of message";
    const char *why = speech_read_id(json_part(value, "from"), &m->from);
    if (why == NULL)
        why = speech_read_id(json_part(value, "to"), &m->to);
    if (why != NULL)
        return why;
    bool fits = json_number(value, "term", 0, &m->term) && json_number(value, "logterm", 0, &m->log_term) &&
                json_number(value, "index", 0, &m->index) && json_number(value, "commit", 0, &m->commit) &&
                json_number(value, "committerm", 0, &m->commit_term) && json_number(value, "hint", 0, &m->hint) &&
                json_number(value, "context", 0, &m->context) && json_number(value, "offset", 0, &m->offset) &&
                json_truth(value, "reject", false, &m->reject) && json_truth(value, "transfer", false, &m->transfer) &&
                json_truth(value, "lost", false, &m->lost) && json_number(value, "cluster", cluster, &m->cluster);
    return fits ? NULL : "a field has the wrong kind of value";
}

const char *speech_read_message(const struct json *value, uint64_t cluster, void *to, size_t room, size_t *bytes_out)
{
    static struct raft_snapshot snapshot;
    struct raft_message m;
    const void *chunk = NULL;
    const char *why = read_head(value, cluster, &m);
    if (why == NULL && m.type == RAFT_MSG_APPEND)
        why = read_entries(json_part(value, "entries"), &m);
    if (why == NULL && m.type == RAFT_MSG_SNAPSHOT)
        why = read_snapshot(value, &m, &snapshot, &chunk);
    if (why != NULL)
        return why;
    return raft_wire_encode(&holder, &m, chunk, to, room, bytes_out) == E_OK ? NULL : "the message is too long";
}
