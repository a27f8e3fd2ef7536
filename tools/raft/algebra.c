#include "algebra.h"

#include <string.h>

#include "speech.h"

/* {"conf":"voters=(1 2)&&(2 3)", KEY:{"1":VALUE, ...}}: the part that belongs to a member; NULL: none. */
static const struct json *value_of(const struct json *values, struct raft_id id)
{
    struct text name = {NULL, 0, 0};
    text_add(&name, "%s", "");
    speech_id(&name, id, false);
    const struct json *value = json_part(values, name.at);
    text_free(&name);
    return value;
}

static const char *read_arguments(const struct json *arguments, const char *key, struct raft_conf *conf_out,
                                  const struct json **values_out)
{
    const char *why = speech_read_conf(json_part(arguments, "conf"), conf_out);
    *values_out = json_part(arguments, key);
    if (why == NULL && *values_out != NULL && (*values_out)->kind != JSON_OBJECT)
        why = "values are an object by id";
    return why;
}

const char *algebra_quorum_commit(const struct json *arguments, struct text *out)
{
    struct raft_conf conf;
    const struct json *values;
    uint64_t acknowledged[RAFT_MEMBERS_MAX] = {0};
    const char *why = read_arguments(arguments, "acked", &conf, &values);
    for (uint32_t i = 0; why == NULL && i < conf.count; i++) {
        const struct json *value = value_of(values, conf.members[i].id);
        if (value != NULL && value->kind != JSON_NUMBER)
            return "an acknowledged index is a number";
        acknowledged[i] = value == NULL ? 0 : value->number;
    }
    if (why != NULL)
        return why;
    uint64_t index = raft_conf_quorum_value(&conf, acknowledged);
    if (index == UINT64_MAX) /* nobody votes: nothing stands against any index */
        text_add(out, ",\"commit\":\"infinite\"");
    else
        text_add(out, ",\"commit\":%llu", (unsigned long long)index);
    return NULL;
}

const char *algebra_quorum_vote(const struct json *arguments, struct text *out)
{
    static const char *const results[] = {"VotePending", "VoteWon", "VoteLost"};
    struct raft_conf conf;
    const struct json *values;
    uint8_t votes[RAFT_MEMBERS_MAX] = {0};
    const char *why = read_arguments(arguments, "votes", &conf, &values);
    for (uint32_t i = 0; why == NULL && i < conf.count; i++) {
        const struct json *value = value_of(values, conf.members[i].id);
        if (value == NULL || value->kind == JSON_NULL)
            continue;
        if (value->kind != JSON_BOOL)
            return "a vote is true or false, or null for none yet";
        votes[i] = value->number ? RAFT_VOTE_YES : RAFT_VOTE_NO;
    }
    if (why == NULL)
        text_add(out, ",\"result\":\"%s\"", results[raft_conf_vote_result(&conf, votes)]);
    return why;
}

/* What a leader begins to know of each member with. */
static void tracker(struct text *out, const struct raft_conf *conf, uint64_t last)
{
    text_add(out, ",\"tracker\":[");
    for (uint32_t i = 0; i < conf->count; i++) {
        text_add(out, "%s\"", i > 0 ? "," : "");
        speech_id(out, conf->members[i].id, false);
        text_add(out, ": StateProbe match=0 next=%llu%s\"", (unsigned long long)last + 1,
                 (conf->members[i].flags & (RAFT_VOTER | RAFT_VOTER_OLD)) == 0 ? " learner" : "");
    }
    text_add(out, "]");
}

static const char *change(const struct json *arguments, uint32_t mode, struct text *out)
{
    struct raft_conf conf, next;
    struct raft_conf_change change = {.mode = mode};
    uint64_t last;
    const char *why = speech_read_conf(json_part(arguments, "conf"), &conf);
    if (why == NULL)
        why = speech_read_changes(json_part(arguments, "changes"), &change);
    if (why == NULL && !json_number(arguments, "last", 0, &last))
        why = "the last index is a number";
    if (why != NULL || raft_conf_apply(&conf, &change, &next, &why) != E_OK)
        return why;
    text_add(out, ",\"conf\":\"");
    speech_conf(out, &next);
    text_add(out, "\"");
    tracker(out, &next, last);
    return NULL;
}

const char *algebra_conf_simple(const struct json *arguments, struct text *out)
{
    return change(arguments, RAFT_CHANGE_SIMPLE, out);
}

const char *algebra_conf_enter(const struct json *arguments, struct text *out)
{
    bool leaves;
    if (!json_truth(arguments, "autoleave", false, &leaves))
        return "autoleave is true or false";
    return change(arguments, leaves ? RAFT_CHANGE_JOINT : RAFT_CHANGE_JOINT_STAY, out);
}

const char *algebra_conf_leave(const struct json *arguments, struct text *out)
{
    return change(arguments, RAFT_CHANGE_LEAVE, out);
}
