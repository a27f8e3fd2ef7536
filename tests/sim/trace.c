/* What happened, one line of JSON an event, in one order over all nodes: the fields and names that trace validation
 * against etcd's TLA+ specification reads. docs/012-interfaces-for-tools.md says what is as there, and what is not. */
#include "sim.h"

typedef unsigned long long ull;
static FILE *out; /* NULL: nobody wants it */

void trace_json_open(const char *path)
{
    out = fopen(path, "w");
    if (out == NULL) {
        perror(path);
        exit(2);
    }
}

void trace_json_close(void)
{
    if (out != NULL)
        fclose(out);
}

/* The node's number; with the number of its log behind it once it is not the first. */
static void put_id(struct raft_id id)
{
    uint32_t log = (uint32_t)id.log;
    if (log <= 1)
        fprintf(out, "\"%llu\"", (ull)(id.log == 0 ? 0 : id.node));
    else
        fprintf(out, "\"%llu.%u\"", (ull)id.node, log);
}

static void put_half(const struct raft_conf *conf, uint32_t flag)
{
    const char *before = "";
    fprintf(out, "[");
    for (uint32_t i = 0; i < conf->count; i++) {
        if ((conf->members[i].flags & flag) == 0)
            continue;
        fprintf(out, "%s", before);
        put_id(conf->members[i].id);
        before = ",";
    }
    fprintf(out, "]");
}

/* Up to where the event's own parts come. The log's length is its last index: what a snapshot covers counts. */
static void begin(const struct node *n, const char *name)
{
    static const char *const roles[] = {"StateFollower", "StateFollower", "StateCandidate", "StateLeader"};
    const struct raft *r = n->raft;
    fprintf(out, "{\"tag\":\"trace\",\"event\":{\"name\":\"%s\",\"nid\":", name);
    put_id(n->id);
    fprintf(out, ",\"role\":\"%s\",\"log\":%llu,\"state\":{\"term\":%llu,\"vote\":", roles[r->role], (ull)r->last,
            (ull)r->term);
    put_id(r->vote);
    fprintf(out, ",\"commit\":%llu},\"conf\":[", (ull)r->commit);
    put_half(&r->conf, RAFT_VOTER);
    fprintf(out, ",");
    put_half(&r->conf, RAFT_VOTER_OLD);
    fprintf(out, "]");
}

static void end(void)
{
    fprintf(out, "}}\n");
}

void trace_json(const struct node *n, const char *name)
{
    if (out == NULL)
        return;
    begin(n, name);
    end();
}

static const char *const message_types[RAFT_MSG_TYPES] = {
    [RAFT_MSG_VOTE] = "MsgVote",           [RAFT_MSG_VOTE_REPLY] = "MsgVoteResp",
    [RAFT_MSG_APPEND] = "MsgApp",          [RAFT_MSG_APPEND_REPLY] = "MsgAppResp",
    [RAFT_MSG_HEARTBEAT] = "MsgHeartbeat", [RAFT_MSG_HEARTBEAT_REPLY] = "MsgHeartbeatResp",
    [RAFT_MSG_SNAPSHOT] = "MsgSnap"};
static const char *const message_events[RAFT_MSG_TYPES] = {[RAFT_MSG_VOTE] = "RequestVoteRequest",
                                                           [RAFT_MSG_VOTE_REPLY] = "RequestVoteResponse",
                                                           [RAFT_MSG_APPEND] = "AppendEntriesRequest",
                                                           [RAFT_MSG_APPEND_REPLY] = "AppendEntriesResponse",
                                                           [RAFT_MSG_HEARTBEAT] = "AppendEntriesRequest",
                                                           [RAFT_MSG_HEARTBEAT_REPLY] = "AppendEntriesResponse",
                                                           [RAFT_MSG_SNAPSHOT] = "Snapshot"};

void trace_json_message(const struct node *n, const struct raft_message *m, bool sent)
{
    char name[40];
    if (out == NULL || message_types[m->type] == NULL)
        return;
    snprintf(name, sizeof(name), "%s%s", sent ? "Send" : "Receive", message_events[m->type]);
    begin(n, name);
    fprintf(out, ",\"msg\":{\"type\":\"%s\",\"term\":%llu,\"from\":", message_types[m->type], (ull)m->term);
    put_id(m->from);
    fprintf(out, ",\"to\":");
    put_id(m->to);
    bool snapshot = m->type == RAFT_MSG_SNAPSHOT;
    fprintf(out, ",\"entries\":%u,\"logTerm\":%llu,\"index\":%llu,\"commit\":%llu", m->entry_count,
            (ull)(snapshot ? m->snapshot->term : m->log_term), (ull)(snapshot ? m->snapshot->index : m->index),
            (ull)m->commit);
    fprintf(out, ",\"vote\":\"0\",\"reject\":%s,\"rejectHint\":%llu}", m->reject ? "true" : "false", (ull)m->hint);
    end();
}

/* This core sends itself nothing; what it counts of its own stands in the trace as if it did. */
void trace_json_self(const struct node *n, uint32_t type, uint64_t index)
{
    struct raft_message m = {.type = type, .from = n->id, .to = n->id, .term = n->raft->term, .index = index};
    trace_json_message(n, &m, true);
    trace_json_message(n, &m, false);
}

static void put_changes(const struct raft_entry *entry)
{
    static const char *const actions[] = {"", "AddNewServer", "AddLearner", "RemoveServer"};
    struct raft_conf_change change;
    fprintf(out, ",\"prop\":{\"cc\":{\"changes\":[");
    if (raft_conf_change_decode(entry->data, entry->length, &change) == E_OK)
        for (uint32_t i = 0; i < change.count; i++) {
            fprintf(out, "%s{\"action\":\"%s\",\"nid\":", i > 0 ? "," : "", actions[change.changes[i].op]);
            put_id(change.changes[i].id);
            fprintf(out, "}");
        }
    fprintf(out, "]}}");
}

/* A leader has put an entry into its log. */
void trace_json_appended(const struct node *n, uint64_t index)
{
    struct raft_entry entry;
    if (out == NULL || !raft_entry_at(n->raft, index, &entry))
        return;
    bool conf = entry.type == RAFT_ENTRY_CONF;
    begin(n, conf ? "ChangeConf" : "Replicate");
    if (conf)
        put_changes(&entry);
    end();
}

void trace_json_conf(const struct node *n)
{
    if (out == NULL || n->raft->conf.count == 0)
        return;
    begin(n, "ApplyConfChange");
    fprintf(out, ",\"prop\":{\"cc\":{\"newconf\":");
    put_half(&n->raft->conf, RAFT_VOTER);
    fprintf(out, "}}");
    end();
}
