#include "members.h"

#include <string.h>

#include "text.h"

/* ---- looking ---- */

const struct members_log *members_find(const struct members_view *v, struct raft_id id)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (raft_id_equal(v->logs[i].id, id))
            return &v->logs[i];
    }
    return NULL;
}

const struct members_log *members_of_node(const struct members_view *v, uint32_t number)
{
    const struct members_log *found = NULL;
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->logs[i].number == number && (!found || found->lost || v->logs[i].heard))
            found = &v->logs[i];
    }
    return found;
}

uint32_t members_voters(const struct members_view *v, const struct raft_conf *conf, uint32_t half, uint32_t *heard_out)
{
    uint32_t count = 0, heard = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct members_log *log = members_find(v, conf->members[i].id);
        if (!(conf->members[i].flags & half))
            continue;
        count++;
        heard += log && log->heard;
    }
    if (heard_out)
        *heard_out = heard;
    return count;
}

static uint32_t flags_of(const struct members_view *v, const struct members_log *log)
{
    const struct raft_member *m = raft_conf_member(v->conf, log->id);
    return m ? m->flags : 0;
}

static bool is_voter(const struct members_view *v, const struct members_log *log)
{
    return flags_of(v, log) & RAFT_VOTER;
}

/* More than half of each half is heard, not counting `without` (NULL: all count). */
static bool has_quorum(const struct members_view *v, const struct raft_conf *conf, const struct members_log *without)
{
    for (uint32_t half = RAFT_VOTER; half <= RAFT_VOTER_OLD; half <<= 1) {
        uint32_t heard, count = members_voters(v, conf, half, &heard);
        const struct raft_member *m = without ? raft_conf_member(conf, without->id) : NULL;
        heard -= m && m->flags & half && without->heard;
        if (count && heard <= count / 2)
            return false;
    }
    return true;
}

/* Whether all that are heard and vote know that the newest change is over: only then may the next one come. */
static const struct members_log *unsettled(const struct members_view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->logs[i].heard && !v->logs[i].settled && is_voter(v, &v->logs[i]))
            return &v->logs[i];
    }
    return NULL;
}

/* ---- words ---- */

static void put_node(struct text *t, const char *before, const struct members_log *log, const char *after)
{
    text_put(t, before);
    if (log->number) {
        text_put(t, "node ");
        text_number(t, log->number);
    } else {
        text_put(t, "a node whose number is not known yet");
    }
    text_put(t, after);
}

static void put_seconds(struct text *t, uint64_t ns)
{
    text_put(t, " in ");
    text_number(t, (ns + MEMBERS_SECOND_NS - 1) / MEMBERS_SECOND_NS);
    text_put(t, " s");
}

/* ---- making a change ---- */

static void add(struct raft_conf_change *c, enum raft_change_op op, struct raft_id id)
{
    if (c->count < RAFT_CHANGES_MAX)
        c->changes[c->count++] = (struct raft_change){op, id};
}

/* All other logs of a node; of the learners alone, or of the voters too. */
static void add_removals(const struct members_view *v, struct raft_conf_change *c, struct raft_id but, bool voters)
{
    for (uint32_t i = 0; i < v->conf->count; i++) {
        const struct raft_member *m = &v->conf->members[i];
        if (m->id.node == but.node && m->id.log != but.log && (voters || m->flags == RAFT_LEARNER))
            add(c, RAFT_REMOVE, m->id);
    }
}

/* Whether it may be made now. */
static bool safe(const struct members_view *v, const struct raft_conf_change *c)
{
    struct raft_conf next;
    return raft_conf_apply(v->conf, c, &next, NULL) == E_OK && has_quorum(v, &next, NULL);
}

static bool decided(struct members_decision *d, const struct raft_conf_change *c)
{
    d->change = true;
    d->what = *c;
    return true;
}

/* ---- who can have a vote ---- */

static bool may_vote(const struct members_view *v, const struct members_log *log)
{
    return log->durable || v->disks < MEMBERS_DISKS;
}

/* A log that its node lost still has its vote: the new one may have that, and no other. */
static bool has_voting_twin(const struct members_view *v, const struct members_log *log)
{
    for (uint32_t i = 0; i < v->conf->count; i++) {
        const struct raft_member *m = &v->conf->members[i];
        if (m->id.node == log->id.node && m->id.log != log->id.log && m->flags & RAFT_VOTER)
            return true;
    }
    return false;
}

const struct members_log *members_substitute(const struct members_view *v, const struct members_log *leaving)
{
    const struct members_log *best = NULL;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *log = &v->logs[i];
        bool wanted = log->wish == TABLES_WISH_NONE || log->wish == TABLES_WISH_VOTER;
        if (flags_of(v, log) != RAFT_LEARNER || !wanted || !log->heard || !log->caught_up || !may_vote(v, log) ||
            has_voting_twin(v, log) || (leaving->durable && !log->durable))
            continue;
        if (!best || (log->durable && !best->durable) || (log->durable == best->durable && log->number < best->number))
            best = log;
    }
    return best;
}

const struct members_log *members_successor(const struct members_view *v)
{
    const struct members_log *best = NULL;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *log = &v->logs[i];
        bool wanted = log->wish == TABLES_WISH_NONE || log->wish == TABLES_WISH_VOTER;
        if (is_voter(v, log) && wanted && log->heard && log->caught_up && !raft_id_equal(log->id, v->self) &&
            (!best || log->number < best->number))
            best = log;
    }
    return best;
}

/* ---- what an operator wishes ---- */

static struct raft_conf_change removal(const struct members_view *v, const struct members_log *log)
{
    struct raft_conf_change c = {.mode = RAFT_CHANGE_JOINT};
    const struct members_log *substitute = is_voter(v, log) ? members_substitute(v, log) : NULL;
    add(&c, RAFT_REMOVE, log->id);
    add_removals(v, &c, log->id, true);
    if (substitute)
        add(&c, RAFT_ADD_VOTER, substitute->id);
    if (!is_voter(v, log))
        c.mode = RAFT_CHANGE_SIMPLE;
    for (uint32_t i = 1; i < c.count; i++) { /* a former log of it that still counts as a voter */
        const struct raft_member *m = raft_conf_member(v->conf, c.changes[i].id);
        if (m && m->flags & RAFT_VOTER)
            c.mode = RAFT_CHANGE_JOINT;
    }
    return c;
}

/* The vote goes to the substitute, or to nobody. */
static struct raft_conf_change demotion(const struct members_view *v, const struct members_log *log)
{
    struct raft_conf_change c = {.mode = RAFT_CHANGE_JOINT};
    const struct members_log *substitute = members_substitute(v, log);
    if (substitute)
        add(&c, RAFT_ADD_VOTER, substitute->id);
    add(&c, log->lost ? RAFT_REMOVE : RAFT_ADD_LEARNER, log->id);
    return c;
}

static bool wish_away(const struct members_view *v, const struct members_log *log, struct members_decision *d)
{
    struct text t = text_begin(d->why, sizeof(d->why));
    bool remove = log->wish == TABLES_WISH_REMOVED;
    struct raft_conf_change c = remove ? removal(v, log) : demotion(v, log);
    if (log->wish == TABLES_WISH_DRAINED && !members_substitute(v, log)) {
        put_node(&t, "", log, " is drained and keeps its vote: no other node can take it");
        return false;
    }
    if (!safe(v, &c)) {
        put_node(&t, "", log, remove ? " is to be removed" : " is to give up its vote");
        text_put(&t, ": waits until that leaves a quorum");
        return false;
    }
    if (!remove && raft_id_equal(log->id, v->self) && members_successor(v)) {
        put_node(&t, "", log, " is to give up its vote: hands its leadership over first");
        return false;
    }
    put_node(&t, "", log, remove ? " is being removed" : " gives up its vote");
    return decided(d, &c);
}

static bool wish_promotion(const struct members_view *v, const struct members_log *log, struct members_decision *d)
{
    struct text t = text_begin(d->why, sizeof(d->why));
    struct raft_conf_change c = {.mode = RAFT_CHANGE_JOINT};
    if (!log->heard || !log->caught_up) {
        put_node(&t, "waiting for ", log, log->heard ? " to catch up" : " to be heard");
        return false;
    }
    add(&c, RAFT_ADD_VOTER, log->id);
    add_removals(v, &c, log->id, true);
    if (!safe(v, &c)) {
        put_node(&t, "", log, " is to become a voter: waits until that leaves a quorum");
        return false;
    }
    put_node(&t, "", log, " becomes a voter");
    return decided(d, &c);
}

/* False, and d->why is not empty: there is a wish that has to wait. */
static bool by_wish(const struct members_view *v, struct members_decision *d)
{
    char waits[MEMBERS_WHY_BYTES] = "";
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *log = &v->logs[i];
        uint32_t flags = flags_of(v, log);
        bool made = false;
        d->why[0] = 0;
        if (log->wish == TABLES_WISH_REMOVED && flags)
            made = wish_away(v, log, d);
        else if ((log->wish == TABLES_WISH_LEARNER || log->wish == TABLES_WISH_DRAINED) && flags & RAFT_VOTER)
            made = wish_away(v, log, d);
        else if (log->wish == TABLES_WISH_VOTER && flags == RAFT_LEARNER && !log->lost)
            made = wish_promotion(v, log, d);
        if (made)
            return true;
        if (d->why[0] && !waits[0])
            memcpy(waits, d->why, sizeof(waits));
    }
    memcpy(d->why, waits, sizeof(waits));
    return false;
}

/* ---- by itself: taking in ---- */

static bool take_in(const struct members_view *v, struct members_decision *d)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *log = &v->logs[i];
        struct raft_conf_change c = {.mode = RAFT_CHANGE_SIMPLE};
        if (!log->heard || log->wish == TABLES_WISH_REMOVED || flags_of(v, log))
            continue;
        add(&c, RAFT_ADD_LEARNER, log->id);
        add_removals(v, &c, log->id, false); /* a voter's former log counts until it is replaced */
        if (!safe(v, &c))
            continue;
        struct text t = text_begin(d->why, sizeof(d->why));
        put_node(&t, "", log, " is taken in");
        return decided(d, &c);
    }
    return false;
}

/* ---- by itself: a node's new log in the place of its lost one ---- */

/* The log that its node has now. NULL: it is not there, or it must not vote. */
static const struct members_log *successor_log(const struct members_view *v, const struct members_log *old)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *log = &v->logs[i];
        if (log->id.node == old->id.node && log != old && log->heard && !log->lost && may_vote(v, log) &&
            flags_of(v, log) == RAFT_LEARNER && (log->wish == TABLES_WISH_NONE || log->wish == TABLES_WISH_VOTER))
            return log;
    }
    return NULL;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When it may vote: proved for long enough, and the last change long enough ago. */
static uint64_t due(const struct members_view *v, const struct members_log *log)
{
    return later(log->good_since_ns + v->hold_ns, v->changed_ns + v->rest_ns);
}

/* Decides on it, if its time has come and it is safe; else says what it waits for. */
static bool when_due(const struct members_view *v, struct members_decision *d, struct text *t,
                     const struct raft_conf_change *c, uint64_t at)
{
    if (v->now_ns >= at && safe(v, c))
        return decided(d, c);
    if (v->now_ns < at)
        put_seconds(t, at - v->now_ns);
    else
        text_put(t, ": waits until that leaves a quorum");
    return false;
}

static bool replace(const struct members_view *v, struct members_decision *d)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *old = &v->logs[i];
        const struct members_log *now = is_voter(v, old) && !old->heard ? successor_log(v, old) : NULL;
        struct text t = text_begin(d->why, sizeof(d->why));
        struct raft_conf_change c = {.mode = RAFT_CHANGE_JOINT};
        if (!now)
            continue;
        if (now->good_since_ns == MEMBERS_NEVER) {
            put_node(&t, "waiting for ", now, " to catch up: it gets its vote back");
            return false;
        }
        uint64_t at = later(due(v, now), old->silent_since_ns + v->hold_ns);
        add(&c, RAFT_ADD_VOTER, now->id);
        add_removals(v, &c, now->id, true);
        put_node(&t, "", now, " gets its vote back");
        return when_due(v, d, &t, &c, at);
    }
    d->why[0] = 0;
    return false;
}

/* ---- by itself: growing ---- */

static bool can_grow_by(const struct members_view *v, const struct members_log *log)
{
    return flags_of(v, log) == RAFT_LEARNER && log->wish == TABLES_WISH_NONE && log->durable && !log->lost &&
           !has_voting_twin(v, log);
}

/* Ready ones first, the longest ready of them first; then by number. */
static bool goes_before(const struct members_log *a, const struct members_log *b)
{
    if (a->good_since_ns != b->good_since_ns)
        return a->good_since_ns < b->good_since_ns;
    return a->number < b->number;
}

/* The best `wanted` (1 or 2) of those it can grow by; how many there are. */
static uint32_t choose(const struct members_view *v, const struct members_log *best[2], uint32_t wanted)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct members_log *log = &v->logs[i];
        if (!can_grow_by(v, log))
            continue;
        if (found < wanted)
            best[found++] = log;
        else if (goes_before(log, best[wanted - 1]))
            best[wanted - 1] = log;
        if (found == 2 && goes_before(best[1], best[0])) {
            const struct members_log *first = best[1];
            best[1] = best[0];
            best[0] = first;
        }
    }
    return found;
}

static void put_best(struct text *t, const struct members_log *best[2], uint32_t count)
{
    const struct members_log *low = best[0], *high = best[count - 1];
    if (count == 1) {
        put_node(t, "", low, " becomes a voter");
        return;
    }
    text_put(t, "nodes ");
    text_number(t, low->number < high->number ? low->number : high->number);
    text_put(t, " and ");
    text_number(t, low->number < high->number ? high->number : low->number);
    text_put(t, " become voters");
}

/* Voters come in odd numbers: an even one bears no more failures than the odd one below it. */
static bool grow(const struct members_view *v, struct members_decision *d)
{
    const struct members_log *best[2] = {NULL, NULL};
    struct text t = text_begin(d->why, sizeof(d->why));
    struct raft_conf_change c = {.mode = RAFT_CHANGE_JOINT};
    uint32_t voters = members_voters(v, v->conf, RAFT_VOTER, NULL), wanted = voters % 2 ? 2 : 1;
    if (voters + wanted > MEMBERS_AIM)
        return false;
    uint32_t found = choose(v, best, wanted);
    if (found < wanted) {
        if (found)
            put_node(&t, "", best[0], " stays a learner: an even number of voters bears no more failures");
        return false;
    }
    const struct members_log *last = best[wanted - 1];
    if (last->good_since_ns == MEMBERS_NEVER) {
        put_node(&t, "waiting for ", last, last->heard ? " to catch up" : " to be heard");
        return false;
    }
    uint64_t at = due(v, last); /* the others are good for as long at least */
    for (uint32_t i = 0; i < wanted; i++) {
        add(&c, RAFT_ADD_VOTER, best[i]->id);
        add_removals(v, &c, best[i]->id, false);
    }
    put_best(&t, best, wanted);
    return when_due(v, d, &t, &c, at);
}

/* ---- the decision ---- */

static void keep_first(char kept[MEMBERS_WHY_BYTES], struct members_decision *d)
{
    if (!kept[0])
        memcpy(kept, d->why, MEMBERS_WHY_BYTES);
    d->why[0] = 0;
}

void members_decide(const struct members_view *v, struct members_decision *d)
{
    char waits[MEMBERS_WHY_BYTES] = "";
    memset(d, 0, sizeof(*d));
    struct text t = text_begin(d->why, sizeof(d->why));
    if (v->busy || raft_conf_is_joint(v->conf)) {
        text_put(&t, "a change is under way");
        return;
    }
    if (take_in(v, d))
        return;
    const struct members_log *late = unsettled(v);
    if (late) {
        put_node(&t, "waiting for ", late, " to learn of the last change");
        return;
    }
    bool (*const rules[])(const struct members_view *v, struct members_decision *d) = {by_wish, replace, grow};
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i](v, d))
            return;
        keep_first(waits, d);
    }
    t = text_begin(d->why, sizeof(d->why));
    text_put(&t, waits[0] ? waits : "nothing to change");
}

/* ---- may an operator wish that ---- */

static err_t refuse(struct text *t, err_t err, const char *why)
{
    text_put(t, why);
    return err;
}

static err_t refuse_quorum(const struct members_view *v, struct text *t, const struct raft_conf *conf,
                           const struct members_log *without)
{
    uint32_t heard, count = members_voters(v, conf, RAFT_VOTER, &heard);
    bool memory = false;
    const struct raft_member *self = raft_conf_member(conf, without->id);
    heard -= self && self->flags & RAFT_VOTER && without->heard;
    for (uint32_t i = 0; i < v->count; i++)
        memory = memory || (is_voter(v, &v->logs[i]) && v->logs[i].heard && !v->logs[i].durable);
    text_put(t, memory ? "that would break the majority of memory voters: " : "that would leave no quorum: ");
    text_number(t, heard);
    text_put(t, " of ");
    text_number(t, count);
    text_put(t, memory ? " voters with their log would be left, " : " voters would be heard, ");
    text_number(t, count / 2 + 1);
    text_put(t, " are needed");
    return E_CONFLICT;
}

/* Without that node, and with whoever takes its vote, more than half of the voters must still be heard. */
static err_t check_away(const struct members_view *v, const struct members_log *log, enum tables_wish wish,
                        struct text *t)
{
    struct raft_conf next = *v->conf, after;
    struct raft_conf_change c = wish == TABLES_WISH_REMOVED ? removal(v, log) : demotion(v, log);
    const struct raft_conf_change leave = {.mode = RAFT_CHANGE_LEAVE};
    bool moves = wish != TABLES_WISH_DRAINED || members_substitute(v, log);
    if (!flags_of(v, log) || (!is_voter(v, log) && wish != TABLES_WISH_REMOVED))
        return E_OK;
    const char *why;
    if (moves && raft_conf_apply(v->conf, &c, &next, &why) != E_OK)
        return refuse(t, E_CONFLICT, why);
    if (raft_conf_is_joint(&next)) {
        if (raft_conf_apply(&next, &leave, &after, NULL) != E_OK)
            return refuse(t, E_CONFLICT, "a change is under way");
        next = after;
    }
    return has_quorum(v, &next, log) ? E_OK : refuse_quorum(v, t, &next, log);
}

static err_t check_promotion(const struct members_view *v, const struct members_log *log, struct text *t)
{
    if (is_voter(v, log))
        return E_OK;
    if (!log->heard)
        return refuse(t, E_CONFLICT, "it is not heard");
    if (!log->durable && v->disks >= MEMBERS_DISKS)
        return refuse(t, E_CONFLICT, "it has no disk, and three nodes with disks exist");
    if (!log->caught_up) {
        text_put(t, "it has not caught up: ");
        text_number(t, log->behind);
        return refuse(t, E_CONFLICT, " entries behind");
    }
    if (members_voters(v, v->conf, RAFT_VOTER, NULL) >= RAFT_VOTERS_MAX)
        return refuse(t, E_CONFLICT, "there are as many voters as there can be");
    return E_OK;
}

err_t members_check(const struct members_view *v, uint32_t number, enum tables_wish wish, char why[MEMBERS_WHY_BYTES])
{
    struct text t = text_begin(why, MEMBERS_WHY_BYTES);
    const struct members_log *log = members_of_node(v, number);
    if (!log)
        return refuse(&t, E_NOT_FOUND, "no such node is a member");
    if (v->busy || raft_conf_is_joint(v->conf))
        return refuse(&t, E_BUSY, "a change is under way");
    if (log->wish == TABLES_WISH_REMOVED && wish != TABLES_WISH_NONE && wish != TABLES_WISH_REMOVED)
        return refuse(&t, E_NOT_FOUND, "it was removed: `nodes add` takes it back");
    if (log->wish == TABLES_WISH_DRAINED && wish == TABLES_WISH_VOTER)
        return refuse(&t, E_CONFLICT, "it is drained: `nodes add` takes it back");
    if (wish == TABLES_WISH_VOTER)
        return check_promotion(v, log, &t);
    return wish == TABLES_WISH_NONE ? E_OK : check_away(v, log, wish, &t);
}

err_t members_check_transfer(const struct members_view *v, uint32_t number, char why[MEMBERS_WHY_BYTES])
{
    struct text t = text_begin(why, MEMBERS_WHY_BYTES);
    const struct members_log *log = members_of_node(v, number);
    if (!log || log->wish == TABLES_WISH_REMOVED)
        return refuse(&t, E_NOT_FOUND, "no such node is a member");
    if (!is_voter(v, log))
        return refuse(&t, E_CONFLICT, "it is not a voter");
    if (log->wish == TABLES_WISH_DRAINED)
        return refuse(&t, E_CONFLICT, "it is drained");
    if (!log->heard)
        return refuse(&t, E_CONFLICT, "it is not heard");
    if (!log->caught_up)
        return refuse(&t, E_CONFLICT, "it has not caught up");
    return E_OK;
}
