#include <base/assert.h>
#include <raft/conf.h>

#include "bytes.h"

#define MEMBER_BYTES 20u
#define CHANGE_BYTES 20u

static int id_compare(struct raft_id a, struct raft_id b)
{
    if (a.node != b.node)
        return a.node < b.node ? -1 : 1;
    if (a.log != b.log)
        return a.log < b.log ? -1 : 1;
    return 0;
}

/* Where `id` stands, or where it would. */
static uint32_t place_of(const struct raft_conf *conf, struct raft_id id)
{
    uint32_t at = 0;
    while (at < conf->count && id_compare(conf->members[at].id, id) < 0)
        at++;
    return at;
}

static struct raft_member *find(struct raft_conf *conf, struct raft_id id)
{
    uint32_t at = place_of(conf, id);
    return at < conf->count && raft_id_equal(conf->members[at].id, id) ? &conf->members[at] : NULL;
}

const struct raft_member *raft_conf_member(const struct raft_conf *conf, struct raft_id id)
{
    return find((struct raft_conf *)conf, id);
}

bool raft_conf_is_voter(const struct raft_conf *conf, struct raft_id id)
{
    const struct raft_member *member = raft_conf_member(conf, id);
    return member != NULL && (member->flags & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
}

static uint32_t count_flag(const struct raft_conf *conf, uint32_t flag)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->count; i++)
        count += (conf->members[i].flags & flag) != 0;
    return count;
}

bool raft_conf_is_joint(const struct raft_conf *conf)
{
    return count_flag(conf, RAFT_VOTER_OLD) != 0;
}

bool raft_conf_equal(const struct raft_conf *a, const struct raft_conf *b)
{
    if (a->count != b->count || a->auto_leave != b->auto_leave)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!raft_id_equal(a->members[i].id, b->members[i].id) || a->members[i].flags != b->members[i].flags)
            return false;
    return true;
}

static bool flags_go_together(uint32_t flags)
{
    if (flags == 0 || (flags & ~(uint32_t)RAFT_FLAGS_ALL) != 0)
        return false;
    if ((flags & RAFT_LEARNER) != 0)
        return flags == RAFT_LEARNER;
    if ((flags & RAFT_LEARNER_NEXT) != 0)
        return flags == (RAFT_LEARNER_NEXT | RAFT_VOTER_OLD);
    return true;
}

bool raft_conf_valid(const struct raft_conf *conf)
{
    if (conf->count == 0 || conf->count > RAFT_MEMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct raft_member *member = &conf->members[i];
        if (member->id.node == 0 || member->id.log == 0 || !flags_go_together(member->flags))
            return false;
        if (i > 0 && id_compare(conf->members[i - 1].id, member->id) >= 0)
            return false;
    }
    if (conf->auto_leave && !raft_conf_is_joint(conf))
        return false;
    uint32_t voters = count_flag(conf, RAFT_VOTER);
    return voters >= 1 && voters <= RAFT_VOTERS_MAX && count_flag(conf, RAFT_VOTER_OLD) <= RAFT_VOTERS_MAX;
}

/* ---- the algebra ---- */

/* The member's place, made with flags 0 if it was not there; NULL: no room. */
static struct raft_member *find_or_insert(struct raft_conf *conf, struct raft_id id)
{
    struct raft_member *member = find(conf, id);
    if (member != NULL)
        return member;
    if (conf->count == RAFT_MEMBERS_MAX)
        return NULL;
    uint32_t at = place_of(conf, id);
    memmove(&conf->members[at + 1], &conf->members[at], (conf->count - at) * sizeof(conf->members[0]));
    conf->members[at] = (struct raft_member){.id = id};
    conf->count++;
    return &conf->members[at];
}

static void drop_empty(struct raft_conf *conf)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < conf->count; i++)
        if (conf->members[i].flags != 0)
            conf->members[kept++] = conf->members[i];
    conf->count = kept;
}

static void make_learner(struct raft_member *member)
{
    if ((member->flags & RAFT_VOTER_OLD) != 0) /* it counts in the old half until that is left */
        member->flags = RAFT_VOTER_OLD | RAFT_LEARNER_NEXT;
    else
        member->flags = RAFT_LEARNER;
}

static err_t make_changes(struct raft_conf *conf, const struct raft_conf_change *change)
{
    for (uint32_t i = 0; i < change->count; i++) {
        const struct raft_change *one = &change->changes[i];
        if (one->op == RAFT_REMOVE) {
            struct raft_member *member = find(conf, one->id);
            if (member != NULL)
                member->flags &= RAFT_VOTER_OLD;
            continue;
        }
        struct raft_member *member = find_or_insert(conf, one->id);
        if (member == NULL)
            return E_FULL;
        if (one->op == RAFT_ADD_VOTER)
            member->flags = RAFT_VOTER | (member->flags & RAFT_VOTER_OLD);
        else
            make_learner(member);
    }
    drop_empty(conf);
    return E_OK;
}

/* How many are voters (incoming) in one and not in the other. */
static uint32_t voters_that_differ(const struct raft_conf *a, const struct raft_conf *b)
{
    uint32_t differ = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct raft_member *other = raft_conf_member(b, a->members[i].id);
        if ((a->members[i].flags & RAFT_VOTER) != 0 && (other == NULL || (other->flags & RAFT_VOTER) == 0))
            differ++;
    }
    return differ;
}

static void leave_joint(struct raft_conf *conf)
{
    for (uint32_t i = 0; i < conf->count; i++) {
        uint32_t flags = conf->members[i].flags;
        conf->members[i].flags = (flags & RAFT_LEARNER_NEXT) != 0 ? RAFT_LEARNER : flags & ~(uint32_t)RAFT_VOTER_OLD;
    }
    conf->auto_leave = false;
    drop_empty(conf);
}

static void enter_joint(struct raft_conf *conf, bool auto_leave)
{
    for (uint32_t i = 0; i < conf->count; i++)
        if ((conf->members[i].flags & RAFT_VOTER) != 0)
            conf->members[i].flags |= RAFT_VOTER_OLD;
    conf->auto_leave = auto_leave;
}

static const char *why_not(const struct raft_conf *from, const struct raft_conf_change *change)
{
    bool joint = raft_conf_is_joint(from);
    if (change->mode < RAFT_CHANGE_SIMPLE || change->mode > RAFT_CHANGE_LEAVE)
        return "no such mode of change";
    if (change->mode == RAFT_CHANGE_LEAVE) {
        if (!joint)
            return "the configuration is not joint";
        return change->count != 0 ? "leaving takes no changes" : NULL;
    }
    return joint ? "the configuration is joint already" : NULL;
}

err_t raft_conf_apply(const struct raft_conf *from, const struct raft_conf_change *change, struct raft_conf *to_out,
                      const char **why_out)
{
    const char *ignored;
    const char **why = why_out != NULL ? why_out : &ignored;
    ASSERT(from != to_out);
    *why = why_not(from, change);
    if (*why != NULL)
        return E_INVALID;
    *to_out = *from;
    if (change->mode == RAFT_CHANGE_LEAVE) {
        leave_joint(to_out);
        ASSERT(raft_conf_valid(to_out));
        return E_OK;
    }
    if (change->mode != RAFT_CHANGE_SIMPLE)
        enter_joint(to_out, change->mode == RAFT_CHANGE_JOINT);
    *why = "there are too many members";
    if (make_changes(to_out, change) != E_OK)
        return E_FULL;
    *why = "no voter would be left";
    if (count_flag(to_out, RAFT_VOTER) == 0)
        return E_INVALID;
    *why = "there are too many voters";
    if (count_flag(to_out, RAFT_VOTER) > RAFT_VOTERS_MAX)
        return E_FULL;
    *why = "more than one voter would change at once";
    if (change->mode == RAFT_CHANGE_SIMPLE && voters_that_differ(from, to_out) + voters_that_differ(to_out, from) > 1)
        return E_INVALID;
    *why = NULL;
    ASSERT(raft_conf_valid(to_out));
    return E_OK;
}

/* ---- quorums ---- */

/* The highest value that a majority of those with `flag` has reached. */
static uint64_t half_value(const struct raft_conf *conf, uint32_t flag, const uint64_t *values)
{
    uint64_t sorted[RAFT_VOTERS_MAX]; /* falling */
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        if ((conf->members[i].flags & flag) == 0)
            continue;
        ASSERT(count < RAFT_VOTERS_MAX);
        uint32_t at = count++;
        while (at > 0 && sorted[at - 1] < values[i]) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = values[i];
    }
    return count == 0 ? UINT64_MAX : sorted[count / 2];
}

uint64_t raft_conf_quorum_value(const struct raft_conf *conf, const uint64_t *values)
{
    uint64_t incoming = half_value(conf, RAFT_VOTER, values), outgoing = half_value(conf, RAFT_VOTER_OLD, values);
    return incoming < outgoing ? incoming : outgoing;
}

static enum raft_vote_result half_result(const struct raft_conf *conf, uint32_t flag, const uint8_t *votes)
{
    uint32_t voters = 0, yes = 0, no = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        if ((conf->members[i].flags & flag) == 0)
            continue;
        voters++;
        yes += votes[i] == RAFT_VOTE_YES;
        no += votes[i] == RAFT_VOTE_NO;
    }
    if (voters == 0 || yes > voters / 2)
        return RAFT_VOTE_WON;
    return yes + (voters - yes - no) > voters / 2 ? RAFT_VOTE_PENDING : RAFT_VOTE_LOST;
}

enum raft_vote_result raft_conf_vote_result(const struct raft_conf *conf, const uint8_t *votes)
{
    enum raft_vote_result incoming = half_result(conf, RAFT_VOTER, votes);
    enum raft_vote_result outgoing = half_result(conf, RAFT_VOTER_OLD, votes);
    if (incoming == RAFT_VOTE_LOST || outgoing == RAFT_VOTE_LOST)
        return RAFT_VOTE_LOST;
    return incoming == RAFT_VOTE_WON && outgoing == RAFT_VOTE_WON ? RAFT_VOTE_WON : RAFT_VOTE_PENDING;
}

/* ---- encoded forms ---- */

size_t raft_conf_encode(const struct raft_conf *conf, void *to)
{
    uint8_t *at = to;
    put_le16(at, (uint16_t)conf->count);
    at[2] = conf->auto_leave;
    at[3] = 0;
    at += 4;
    for (uint32_t i = 0; i < conf->count; i++, at += MEMBER_BYTES) {
        put_le64(at, conf->members[i].id.node);
        put_le64(at + 8, conf->members[i].id.log);
        put_le32(at + 16, conf->members[i].flags);
    }
    return (size_t)(at - (uint8_t *)to);
}

err_t raft_conf_decode(const void *from, size_t bytes, struct raft_conf *conf_out)
{
    const uint8_t *at = from;
    if (bytes < 4)
        return E_BAD_MESSAGE;
    conf_out->count = get_le16(at);
    conf_out->auto_leave = at[2] == 1;
    if (conf_out->count > RAFT_MEMBERS_MAX || at[2] > 1 || at[3] != 0 || bytes != 4 + conf_out->count * MEMBER_BYTES)
        return E_BAD_MESSAGE;
    at += 4;
    for (uint32_t i = 0; i < conf_out->count; i++, at += MEMBER_BYTES) {
        conf_out->members[i].id = (struct raft_id){get_le64(at), get_le64(at + 8)};
        conf_out->members[i].flags = get_le32(at + 16);
    }
    return raft_conf_valid(conf_out) ? E_OK : E_BAD_MESSAGE;
}

size_t raft_conf_change_encode(const struct raft_conf_change *change, void *to)
{
    uint8_t *at = to;
    put_le16(at, (uint16_t)change->mode);
    put_le16(at + 2, (uint16_t)change->count);
    at += 4;
    for (uint32_t i = 0; i < change->count; i++, at += CHANGE_BYTES) {
        put_le32(at, change->changes[i].op);
        put_le64(at + 4, change->changes[i].id.node);
        put_le64(at + 12, change->changes[i].id.log);
    }
    return (size_t)(at - (uint8_t *)to);
}

err_t raft_conf_change_decode(const void *from, size_t bytes, struct raft_conf_change *change_out)
{
    const uint8_t *at = from;
    if (bytes < 4)
        return E_BAD_MESSAGE;
    change_out->mode = get_le16(at);
    change_out->count = get_le16(at + 2);
    if (change_out->mode < RAFT_CHANGE_SIMPLE || change_out->mode > RAFT_CHANGE_LEAVE ||
        change_out->count > RAFT_CHANGES_MAX || bytes != 4 + change_out->count * CHANGE_BYTES)
        return E_BAD_MESSAGE;
    at += 4;
    for (uint32_t i = 0; i < change_out->count; i++, at += CHANGE_BYTES) {
        struct raft_change *one = &change_out->changes[i];
        one->op = get_le32(at);
        one->id = (struct raft_id){get_le64(at + 4), get_le64(at + 12)};
        if (one->op < RAFT_ADD_VOTER || one->op > RAFT_REMOVE || one->id.node == 0 || one->id.log == 0)
            return E_BAD_MESSAGE;
    }
    return E_OK;
}
