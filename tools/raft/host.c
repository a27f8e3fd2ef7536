/* raftd-host: one node of lib/raft behind lines on stdin and stdout; docs/012-interfaces-for-tools.md is the reference.
 * Each line is a verb and, if need be, a JSON object; each is answered by one line, {"ok":true,...} or
 * {"ok":false,"error":"..."}. Time passes only by `tick`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/assert.h>

#include "algebra.h"
#include "speech.h"

#define TICK_NS      1000000ull
#define LINE_MAX     (1u << 20)
#define SLOTS        4096u
#define LOG_BYTES    (4u << 20)
#define WIRE_BYTES   (1u << 20)
#define SNAPSHOT_MAX (1u << 20)
#define KEPT_CHUNKS  64u

typedef unsigned long long ull;

static struct raft raft;
static bool exists, async;
static uint64_t cluster, now_ns;
static uint64_t newest_write; /* id of the newest log write given out; 0: all are persisted */
static uint64_t oldest_write;
static uint64_t apply_to; /* 0: nothing is being applied */
static bool installing;
static struct raft_snapshot saved;
static uint8_t *saved_data, *incoming_data;
static uint64_t incoming_bytes;
static void *chunks[KEPT_CHUNKS]; /* messages that the core may still point into, until the next `ready` */
static uint32_t chunk_count;

_Noreturn void base_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "raftd-host: %s:%d: invariant broken: %s\n", file, line, condition);
    exit(70);
}

static const char *error_name(err_t err)
{
    switch (err) {
    case E_NOT_DELIVERED:
        return "this node cannot do that now: it is not the leader, or may not lead";
    case E_BUSY:
        return "another change or hand-over is under way";
    case E_FULL:
        return "there is no room: too much is not committed, or the log is full";
    case E_TOO_LONG:
        return "it is too long";
    case E_CORRUPT:
        return "the log and the hard state do not fit each other";
    case E_INVALID:
        return "that is not allowed";
    default:
        return "it was refused";
    }
}

static const char *refused(err_t err)
{
    return err == E_OK ? NULL : error_name(err);
}

/* ---- new ---- */

static const char *read_config(const struct json *a, struct raft_config *c)
{
    uint64_t heartbeat, election, message_bytes, inflight, chunk, stall;
    const char *why = speech_read_id(json_part(a, "id"), &c->id);
    if (why != NULL)
        return why;
    if (!json_number(a, "heartbeat", 1, &heartbeat) || !json_number(a, "election", 10, &election) ||
        !json_number(a, "message_bytes", 16384, &message_bytes) || !json_number(a, "inflight", 8, &inflight) ||
        !json_number(a, "chunk_bytes", 16384, &chunk) || !json_number(a, "seed", 1, &c->seed) ||
        !json_number(a, "cluster", 1, &c->cluster) || !json_number(a, "stall", 1000000, &stall) ||
        !json_truth(a, "async", false, &async))
        return "an option has the wrong kind of value";
    if (heartbeat == 0 || heartbeat > 1u << 20 || election > 1u << 20 || stall > 1u << 30 || message_bytes > 1u << 18 ||
        inflight > RAFT_INFLIGHT_MAX || chunk > 1u << 18)
        return "an option is out of range";
    c->heartbeat_ns = heartbeat * TICK_NS;
    c->election_ns = election * TICK_NS;
    c->stall_ns = stall * TICK_NS;
    c->message_bytes = (uint32_t)message_bytes;
    c->inflight_messages = (uint32_t)inflight;
    c->inflight_bytes = 1u << 20;
    c->uncommitted_bytes = 1u << 20;
    c->persist_bytes = c->apply_bytes = 1u << 20;
    c->snapshot_chunk_bytes = (uint32_t)chunk;
    return NULL;
}

static const char *read_voters(const struct json *list, struct raft_snapshot *label)
{
    struct raft_id voters[RAFT_VOTERS_MAX];
    uint32_t count = 0;
    if (list->kind != JSON_ARRAY)
        return "voters are a list of ids";
    for (const struct json *value = list->first; value != NULL; value = value->next) {
        const char *why =
            count == RAFT_VOTERS_MAX ? "there are too many voters" : speech_read_id(value, &voters[count++]);
        if (why != NULL)
            return why;
    }
    return raft_genesis_label(voters, count, label) == E_OK ? NULL : "there is no such set of voters";
}

static const char *keep_snapshot_data(const struct json *data)
{
    free(saved_data);
    saved_data = NULL;
    saved.bytes = 0;
    memset(saved.digest, 0, sizeof(saved.digest));
    if (data == NULL)
        return NULL;
    if (data->kind != JSON_STRING || data->bytes > SNAPSHOT_MAX)
        return "a snapshot's data is a text, not too long";
    saved_data = malloc(data->bytes + 1);
    memcpy(saved_data, data->text, data->bytes);
    saved.bytes = data->bytes;
    uint64_t hash = 0xcbf29ce484222325ull; /* tells snapshots apart; nothing here is hostile to it */
    for (size_t i = 0; i < data->bytes; i++)
        hash = (hash ^ saved_data[i]) * 0x100000001b3ull;
    memcpy(saved.digest, &hash, sizeof(hash));
    return NULL;
}

/* What the node begins with: a snapshot, or the first voters (a snapshot of index 1), or nothing. */
static const char *read_beginning(const struct json *a)
{
    const struct json *snapshot = json_part(a, "snapshot"), *voters = json_part(a, "voters");
    saved = (struct raft_snapshot){.index = 0};
    const char *why = keep_snapshot_data(json_part(snapshot, "data"));
    if (why != NULL || (snapshot == NULL && voters == NULL))
        return why;
    if (snapshot == NULL)
        return read_voters(voters, &saved);
    if (!json_number(snapshot, "index", 1, &saved.index) || !json_number(snapshot, "term", 1, &saved.term) ||
        saved.index == 0 || saved.term == 0 || saved.index > RAFT_INDEX_MAX || saved.term > RAFT_INDEX_MAX)
        return "a snapshot has index and term";
    return speech_read_conf(json_part(snapshot, "conf"), &saved.conf);
}

static const char *read_hard_state(const struct json *value, struct raft_hard_state *hard_state)
{
    *hard_state = (struct raft_hard_state){.term = 0};
    if (value == NULL)
        return NULL;
    const struct json *vote = json_part(value, "vote");
    bool voted = vote != NULL && !(vote->kind == JSON_NUMBER && vote->number == 0);
    if (!json_number(value, "term", 0, &hard_state->term) || !json_number(value, "commit", 0, &hard_state->commit) ||
        hard_state->term > RAFT_INDEX_MAX || hard_state->commit > RAFT_INDEX_MAX)
        return "a hard state has term and commit";
    return voted ? speech_read_id(vote, &hard_state->vote) : NULL;
}

static const char *restore_entries(const struct json *list)
{
    static uint8_t payload[RAFT_ENTRY_BYTES_MAX];
    if (list != NULL && list->kind != JSON_ARRAY)
        return "entries are a list";
    for (const struct json *value = list == NULL ? NULL : list->first; value != NULL; value = value->next) {
        struct raft_entry entry;
        const char *why = speech_read_entry(value, payload, &entry);
        if (why == NULL)
            why = refused(raft_restore(&raft, &entry));
        if (why != NULL)
            return why;
    }
    return NULL;
}

static void forget_chunks(void)
{
    while (chunk_count > 0)
        free(chunks[--chunk_count]);
}

static const char *verb_new(const struct json *a, struct text *out)
{
    static struct raft_slot slots[SLOTS];
    static uint8_t bytes[LOG_BYTES];
    const struct raft_memory memory = {slots, SLOTS, bytes, LOG_BYTES};
    struct raft_config config = {.seed = 0};
    struct raft_hard_state hard_state;
    exists = false;
    const char *why = read_config(a, &config);
    if (why == NULL)
        why = read_beginning(a);
    if (why == NULL)
        why = read_hard_state(json_part(a, "hardstate"), &hard_state);
    if (why == NULL && raft_init(&raft, &config, &memory, &hard_state, saved.index > 0 ? &saved : NULL, now_ns) != E_OK)
        why = "these options do not make a node: election must be more than two heartbeats, nothing may be 0";
    if (why == NULL)
        why = restore_entries(json_part(a, "entries"));
    uint64_t repair;
    if (why == NULL && (!json_number(a, "repair", 0, &repair) || repair > RAFT_INDEX_MAX))
        why = "repair is an index";
    if (why == NULL && repair != 0)
        raft_repair(&raft, repair);
    if (why == NULL)
        why = refused(raft_start(&raft));
    if (why != NULL)
        return why;
    cluster = config.cluster;
    newest_write = apply_to = 0;
    installing = false;
    forget_chunks();
    exists = true;
    return NULL;
}

/* ---- events ---- */

static const char *verb_tick(const struct json *a, struct text *out)
{
    uint64_t count;
    if (!json_number(a, "count", 1, &count) || count > 1u << 20)
        return "count is a number up to 1048576";
    for (; count > 0; count--) {
        now_ns += TICK_NS;
        raft_tick(&raft, now_ns);
    }
    return NULL;
}

static const char *verb_timeout_set(const struct json *a, struct text *out)
{
    uint64_t ticks;
    if (!json_number(a, "ticks", 0, &ticks) || ticks == 0 || ticks > 1u << 20)
        return "ticks is a number from 1 to 1048576";
    raft_set_election_timeout(&raft, ticks * TICK_NS);
    return NULL;
}

static const char *verb_campaign(const struct json *a, struct text *out)
{
    return refused(raft_campaign(&raft));
}

static void tell_place(struct text *out, uint64_t index, uint64_t term)
{
    text_add(out, ",\"index\":%llu,\"term\":%llu", (ull)index, (ull)term);
}

static const char *verb_propose(const struct json *a, struct text *out)
{
    const struct json *data = json_part(a, "data");
    uint64_t index, term;
    if (data == NULL || data->kind != JSON_STRING)
        return "data is a text";
    err_t err = raft_propose(&raft, data->text, data->bytes, &index, &term);
    if (err == E_OK)
        tell_place(out, index, term);
    return refused(err);
}

static const char *read_mode(const struct json *a, struct raft_conf_change *change)
{
    static const char *const modes[] = {"simple", "joint", "joint-stay", "leave"};
    const struct json *mode = json_part(a, "mode");
    change->mode = change->count == 1 ? RAFT_CHANGE_SIMPLE : RAFT_CHANGE_JOINT;
    if (mode == NULL)
        return NULL;
    for (uint32_t i = 0; mode->kind == JSON_STRING && i < 4; i++)
        if (strcmp(mode->text, modes[i]) == 0) {
            change->mode = i + RAFT_CHANGE_SIMPLE;
            return NULL;
        }
    return "mode is simple, joint, joint-stay or leave";
}

static const char *verb_conf(const struct json *a, struct text *out)
{
    struct raft_conf_change change = {.count = 0};
    uint64_t index, term;
    const char *why = speech_read_changes(json_part(a, "changes"), &change);
    if (why == NULL)
        why = read_mode(a, &change);
    if (why != NULL)
        return why;
    err_t err = raft_propose_conf(&raft, &change, &index, &term, &why);
    if (err == E_OK)
        tell_place(out, index, term);
    return err == E_INVALID && why != NULL ? why : refused(err);
}

static const char *verb_step(const struct json *a, struct text *out)
{
    static uint8_t wire[WIRE_BYTES];
    static struct raft_snapshot snapshot;
    struct raft_message m;
    size_t bytes;
    const char *why = speech_read_message(a, cluster, wire, sizeof(wire), &bytes);
    if (why != NULL)
        return why;
    void *kept = NULL; /* the core may point into a snapshot's part until the next `ready` */
    if (wire[1] == RAFT_MSG_SNAPSHOT) {
        if (chunk_count == KEPT_CHUNKS)
            return "too many parts of snapshots since the last ready";
        kept = chunks[chunk_count++] = malloc(bytes);
        memcpy(kept, wire, bytes);
    }
    if (raft_wire_decode(kept != NULL ? kept : wire, bytes, &m, &snapshot, &why) != E_OK)
        return why;
    uint64_t refusals = raft_counters(&raft)->messages_refused;
    raft_receive(&raft, &m);
    text_add(out, ",\"refused\":%s", raft_counters(&raft)->messages_refused > refusals ? "true" : "false");
    return NULL;
}

static const char *verb_persisted(const struct json *a, struct text *out)
{
    uint64_t id;
    if (!json_number(a, "id", newest_write, &id))
        return "id is a number";
    if (newest_write == 0 || id < oldest_write || id > newest_write)
        return "no such write is under way";
    raft_persisted(&raft, id);
    oldest_write = id + 1;
    if (id == newest_write)
        newest_write = 0;
    return NULL;
}

static const char *finish_install(const struct json *a)
{
    bool ok;
    if (!json_truth(a, "ok", true, &ok))
        return "ok is true or false";
    installing = false;
    if (ok) {
        free(saved_data);
        saved_data = incoming_data;
        incoming_data = NULL;
        saved = raft.incoming;
    }
    raft_snapshot_installed(&raft, ok);
    return NULL;
}

/* What `ready` gave last to apply, be it a snapshot or entries, is applied. */
static const char *verb_applied(const struct json *a, struct text *out)
{
    uint64_t index;
    if (installing)
        return finish_install(a);
    if (!json_number(a, "index", apply_to, &index))
        return "index is a number";
    if (apply_to == 0 || index != apply_to)
        return "nothing is being applied up to there";
    apply_to = 0;
    raft_applied(&raft, index);
    return NULL;
}

/* Takes a snapshot of what is applied if there is none that covers `index`, then cuts the log there. */
static const char *verb_compact(const struct json *a, struct text *out)
{
    struct raft_status status;
    struct raft_snapshot label;
    uint64_t index;
    raft_status(&raft, &status);
    if (!json_number(a, "index", status.applied, &index) || index > status.applied || index > status.stable)
        return "only what is applied and durable can be cut off";
    if (apply_to != 0 || installing)
        return "something is being applied";
    if (index > saved.index) {
        raft_snapshot_label(&raft, &label);
        if (label.conf.count == 0)
            return "there is nothing to take a snapshot of";
        uint8_t *before = saved_data;
        saved_data = NULL;
        const char *why = keep_snapshot_data(json_part(a, "data"));
        if (why != NULL) {
            saved_data = before;
            return why;
        }
        free(before);
        label.bytes = saved.bytes;
        memcpy(label.digest, saved.digest, sizeof(label.digest));
        saved = label;
        raft_snapshot_saved(&raft, &saved);
    }
    raft_compact(&raft, index);
    text_add(out, ",\"index\":%llu,\"snapshot\":%llu", (ull)index, (ull)saved.index);
    return NULL;
}

static const char *verb_transfer(const struct json *a, struct text *out)
{
    struct raft_id to;
    const char *why = speech_read_id(json_part(a, "to"), &to);
    return why != NULL ? why : refused(raft_transfer(&raft, to));
}

static const char *verb_forget_leader(const struct json *a, struct text *out)
{
    raft_forget_leader(&raft);
    return NULL;
}

static const char *verb_unreachable(const struct json *a, struct text *out)
{
    struct raft_id to;
    const char *why = speech_read_id(json_part(a, "to"), &to);
    if (why == NULL)
        raft_unreachable(&raft, to);
    return why;
}

static const char *verb_read(const struct json *a, struct text *out)
{
    uint64_t token;
    if (!json_number(a, "token", 0, &token))
        return "token is a number";
    return refused(raft_read(&raft, token));
}

/* ---- ready ---- */

static void tell_entries(struct text *out, const char *name, uint64_t first, uint64_t last)
{
    text_add(out, ",\"%s\":[", name);
    for (uint64_t i = first; first != 0 && i <= last; i++) {
        struct raft_entry entry;
        bool known = raft_entry_at(&raft, i, &entry);
        ASSERT(known);
        text_add(out, "%s", i > first ? "," : "");
        speech_entry(out, &entry);
    }
    text_add(out, "]");
}

static void tell_persist(struct text *out, const struct raft_persist *p)
{
    tell_entries(out, "entries", p->first, p->last);
    if (p->id == 0)
        return;
    text_add(out, ",\"persist\":%llu,\"truncate\":%llu,\"reset\":%s", (ull)p->id, (ull)p->truncate_from,
             p->reset ? "true" : "false");
    text_add(out, ",\"hardstate\":{\"term\":%llu,\"vote\":", (ull)p->hard_state.term);
    speech_id(out, p->hard_state.vote, p->hard_state.vote.node != p->hard_state.vote.log);
    text_add(out, ",\"commit\":%llu,\"required\":%s}", (ull)p->hard_state.commit,
             p->hard_state_required ? "true" : "false");
    if (newest_write == 0)
        oldest_write = p->id;
    newest_write = p->id;
}

static void tell_messages(struct text *out, const struct raft_update *u)
{
    uint32_t told = 0;
    text_add(out, ",\"messages\":[");
    for (uint32_t i = 0; i < u->message_count; i++) {
        const struct raft_message *m = &u->messages[i];
        if (m->type == RAFT_MSG_SNAPSHOT && m->snapshot->index != saved.index)
            continue; /* a newer one took its place */
        text_add(out, "%s", told++ > 0 ? "," : "");
        speech_message(out, &raft, m,
                       m->type == RAFT_MSG_SNAPSHOT && saved_data != NULL ? saved_data + m->offset : NULL);
    }
    text_add(out, "]");
}

static void tell_reads(struct text *out, const struct raft_update *u)
{
    text_add(out, ",\"readstates\":[");
    for (uint32_t i = 0; i < u->read_count; i++)
        text_add(out, "%s{\"token\":%llu,\"index\":%llu,\"failed\":%s}", i > 0 ? "," : "", (ull)u->reads[i].token,
                 (ull)u->reads[i].index, u->reads[i].failed ? "true" : "false");
    text_add(out, "]");
}

static void keep_chunk(const struct raft_chunk *chunk)
{
    bool fits = chunk->snapshot->bytes <= SNAPSHOT_MAX && chunk->offset <= incoming_bytes;
    if (chunk->offset == 0) {
        free(incoming_data);
        incoming_data = fits ? malloc(chunk->snapshot->bytes) : NULL;
    }
    if (fits && incoming_data != NULL) {
        memcpy(incoming_data + chunk->offset, chunk->data, chunk->bytes);
        incoming_bytes = chunk->offset + chunk->bytes;
    }
    raft_chunk_stored(&raft, chunk->offset, fits && incoming_data != NULL);
}

static void tell_snapshot(struct text *out, const struct raft_snapshot *s)
{
    text_add(out, ",\"snapshot\":{\"index\":%llu,\"term\":%llu,\"conf\":\"", (ull)s->index, (ull)s->term);
    speech_conf(out, &s->conf);
    text_add(out, "\",\"data\":");
    text_string(out, incoming_data, s->bytes);
    text_add(out, "}");
    installing = true;
}

static const char *verb_ready(const struct json *a, struct text *out)
{
    struct raft_update u;
    if (!async && newest_write != 0)
        return "the last write is not persisted yet (the node is not asynchronous)";
    raft_update(&raft, &u);
    tell_persist(out, &u.persist);
    tell_entries(out, "committed", u.apply.first, u.apply.last);
    if (u.apply.first != 0)
        apply_to = u.apply.last;
    tell_messages(out, &u);
    tell_reads(out, &u);
    if (u.chunk.bytes > 0)
        keep_chunk(&u.chunk);
    if (u.install != NULL)
        tell_snapshot(out, u.install);
    text_add(out, ",\"snapshot_wanted\":%s,\"more\":%s", u.snapshot_wanted ? "true" : "false",
             u.more || u.chunk.bytes > 0 ? "true" : "false");
    forget_chunks();
    return NULL;
}

/* ---- looking ---- */

static void tell_progress(struct text *out)
{
    static const char *const states[] = {"StateProbe", "StateReplicate", "StateSnapshot"};
    const struct raft_conf *conf = raft_conf_now(&raft);
    uint32_t told = 0;
    text_add(out, ",\"progress\":{");
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct raft_peer *p = raft_peer(&raft, conf->members[i].id);
        if (p == NULL)
            continue;
        text_add(out, "%s", told++ > 0 ? "," : "");
        speech_id(out, p->id, true);
        text_add(out, ":{\"match\":%llu,\"next\":%llu,\"state\":\"%s\",\"inflight\":%u,\"paused\":%s}", (ull)p->match,
                 (ull)p->next, states[p->state], p->inflight_count, p->paused ? "true" : "false");
    }
    text_add(out, "}");
}

static const char *verb_status(const struct json *a, struct text *out)
{
    struct raft_status s;
    raft_status(&raft, &s);
    text_add(out, ",\"id\":");
    speech_id(out, s.id, s.id.node != s.id.log);
    text_add(out, ",\"role\":\"%s\",\"term\":%llu,\"vote\":", speech_role(s.role), (ull)s.term);
    speech_id(out, s.vote, s.vote.node != s.vote.log);
    text_add(out, ",\"lead\":");
    speech_id(out, s.leader, s.leader.node != s.leader.log);
    text_add(out, ",\"commit\":%llu,\"applied\":%llu,\"first\":%llu,\"last\":%llu,\"stable\":%llu", (ull)s.commit,
             (ull)s.applied, (ull)s.first, (ull)s.last, (ull)s.stable);
    text_add(out, ",\"quorum\":%s,\"stalled\":%s,\"transferring\":%s,\"repairing\":%llu,\"fault\":%s",
             s.quorum ? "true" : "false", s.stalled ? "true" : "false", s.transferring ? "true" : "false",
             (ull)s.repairing, s.fault == RAFT_FAULT_NONE ? "null" : "\"log lost\"");
    text_add(out, ",\"conf\":\"");
    speech_conf(out, raft_conf_now(&raft));
    text_add(out, "\"");
    tell_progress(out);
    return NULL;
}

static const char *verb_log(const struct json *a, struct text *out)
{
    struct raft_status s;
    raft_status(&raft, &s);
    text_add(out, ",\"first\":%llu,\"last\":%llu,\"snapshot\":{\"index\":%llu,\"term\":%llu}", (ull)s.first,
             (ull)s.last, (ull)saved.index, (ull)saved.term);
    tell_entries(out, "entries", s.first, s.last);
    return NULL;
}

/* ---- lines ---- */

static const struct verb {
    const char *name;
    const char *(*work)(const struct json *arguments, struct text *out); /* what is wrong; NULL: done */
    bool pure;                                                           /* needs no node */
} verbs[] = {
    {"new", verb_new, true},
    {"tick", verb_tick, false},
    {"timeout-set", verb_timeout_set, false},
    {"campaign", verb_campaign, false},
    {"propose", verb_propose, false},
    {"conf", verb_conf, false},
    {"step", verb_step, false},
    {"ready", verb_ready, false},
    {"persisted", verb_persisted, false},
    {"applied", verb_applied, false},
    {"compact", verb_compact, false},
    {"transfer", verb_transfer, false},
    {"forget-leader", verb_forget_leader, false},
    {"unreachable", verb_unreachable, false},
    {"read", verb_read, false},
    {"status", verb_status, false},
    {"log", verb_log, false},
    {"quorum-commit", algebra_quorum_commit, true},
    {"quorum-vote", algebra_quorum_vote, true},
    {"conf-simple", algebra_conf_simple, true},
    {"conf-enter", algebra_conf_enter, true},
    {"conf-leave", algebra_conf_leave, true},
};

static const struct verb *find_verb(const char *line, size_t length)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strlen(verbs[i].name) == length && memcmp(verbs[i].name, line, length) == 0)
            return &verbs[i];
    return NULL;
}

static const char *work_line(const char *line, size_t bytes, struct text *out)
{
    size_t length = 0;
    const char *why = NULL;
    while (length < bytes && line[length] != ' ' && line[length] != '{' && line[length] != '\r')
        length++;
    const struct verb *verb = find_verb(line, length);
    if (verb == NULL)
        return "there is no such verb";
    const struct json *arguments = json_parse(line + length, bytes - length, &why);
    if (arguments == NULL)
        return why;
    if (arguments->kind != JSON_OBJECT)
        return "what follows a verb is an object";
    if (!verb->pure && !exists)
        return "there is no node yet: new";
    return verb->work(arguments, out);
}

static void answer(const char *line, size_t bytes)
{
    static struct text out;
    out.bytes = 0;
    text_add(&out, "{\"ok\":true");
    const char *why = bytes > LINE_MAX ? "the line is too long" : work_line(line, bytes, &out);
    if (why != NULL) {
        out.bytes = 0;
        text_add(&out, "{\"ok\":false,\"error\":");
        text_string(&out, why, strlen(why));
    }
    text_add(&out, "}\n");
    fwrite(out.at, 1, out.bytes, stdout);
    fflush(stdout);
}

/* Reads a line into `line`; what is beyond LINE_MAX is dropped, and the length says so. False: the end. */
static bool read_line(char *line, size_t *bytes_out)
{
    int c;
    size_t bytes = 0;
    while ((c = getchar()) != EOF && c != '\n') {
        if (bytes < LINE_MAX)
            line[bytes] = (char)c;
        bytes += bytes <= LINE_MAX;
    }
    *bytes_out = bytes;
    return c != EOF || bytes > 0;
}

int main(void)
{
    static char line[LINE_MAX + 1];
    size_t bytes;
    while (read_line(line, &bytes))
        if (bytes > 0)
            answer(line, bytes);
    return 0;
}
