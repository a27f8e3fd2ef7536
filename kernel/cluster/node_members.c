/* Who takes part and who votes: what the leader knows of each log is put before the rule (members.h), and what that
 * decides is proposed; what an operator asks for is carried to the leader, checked there, recorded as a wish in the
 * tables, and answered when it has come true. */
#include "node_state.h"

#define LOOK_NS         (SECOND_NS / 10)
#define BEHIND_MAX      256u            /* entries that a log may lack and yet count as caught up */
#define HEARD_NS        (4 * SECOND_NS) /* raft must have heard it within */
#define TOLD_NS         (5 * SECOND_NS) /* a word of the leader, that this node was removed or on voters, holds so long */
#define LEADER_WAITS_NS (25 * SECOND_NS) /* for a wish to come true */
#define ASKER_WAITS_NS  (60 * SECOND_NS)
#define BUSY_NS         (5 * SECOND_NS) /* for a change that is under way to be over */
#define NO_LEADER_NS    (10 * SECOND_NS)
#define HAND_OVER_NS                                                                                                   \
    (5 * SECOND_NS) /* nothing is proposed while one is under way: who cannot lead must not be asked always */
#define ASK_BYTES 16u

/* ---- what is known of a log ---- */

static const struct tables_node *row_of(const struct node *n, uint64_t raft_node)
{
    for (uint32_t i = 1; n->tables && i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (row && row->node_id[0] == raft_node)
            return row;
    }
    return NULL;
}

/* The session with its node, as whatever log. */
static const struct other *session_of(const struct node *n, uint64_t raft_node)
{
    const struct other *o = node_other_by_raft((struct node *)(uintptr_t)n, raft_node);
    bool ours = o && o->heard && o->hello.ready && o->hello.stage == STAGE_STARTED &&
                same_id(o->hello.cluster_id, n->cluster_id);
    return ours ? o : NULL;
}

static bool is_own(const struct node *n, struct raft_id id)
{
    return raft_id_equal(id, raft_id_of(n->config.node_id, n->log_id));
}

bool node_log_lost(const struct node *n, struct raft_id id)
{
    const struct other *o = node_other_by_raft((struct node *)(uintptr_t)n, id.node);
    const struct tables_node *row = row_of(n, id.node);
    if (id.node == n->config.node_id[0])
        return !is_own(n, id);
    if (o && o->heard && o->hello.ready) /* in the cluster, or not yet in it with what it has now */
        return o->hello.log_id[0] != id.log;
    return row && row->log_id[0] != id.log;
}

static uint64_t good_since(struct node *n, const struct other *o, bool good, uint64_t now_ns)
{
    struct members_good *g = &n->members.good[o ? node_other_slot(n, o) : LINK_PEERS_MAX];
    uint32_t session = o ? o->session : 1;
    if (!good || g->session != session) {
        g->session = good ? session : 0;
        g->since_ns = now_ns;
    }
    return good ? g->since_ns : MEMBERS_NEVER;
}

static void describe_self(struct node *n, const struct raft_status *s, struct members_log *log)
{
    log->heard = log->caught_up = true;
    log->durable = n->durable;
    log->settled = s->stable >= n->members.settled_at;
    log->good_since_ns = good_since(n, NULL, true, n->members.view.now_ns);
}

static void describe_other(struct node *n, const struct raft_status *s, struct members_log *log)
{
    const struct other *o = session_of(n, log->id.node);
    const struct raft_peer *p = raft_peer(n->raft, log->id);
    const struct tables_node *row = row_of(n, log->id.node);
    bool linked = o && o->hello.log_id[0] == log->id.log;
    uint64_t silent_ns = p ? n->now_ns - p->heard_ns : 0, now_ns = n->members.view.now_ns;
    log->heard = linked && silent_ns < HEARD_NS;
    log->durable = linked ? o->hello.durable : row && row->log_id[0] == log->id.log && row->durable;
    log->behind = p && p->match < s->commit ? s->commit - p->match : 0;
    log->caught_up =
        p && p->state == RAFT_REPLICATE && log->behind <= BEHIND_MAX && (!linked || o->hello.trouble == TROUBLE_NONE);
    log->settled = p && p->match >= n->members.settled_at;
    log->silent_since_ns = now_ns > silent_ns ? now_ns - silent_ns : 0;
    log->good_since_ns = MEMBERS_NEVER;
    if (linked)
        log->good_since_ns = good_since(n, o, log->heard && log->caught_up, now_ns);
}

static void put_log(struct node *n, const struct raft_status *s, struct raft_id id)
{
    struct members_view *v = &n->members.view;
    const struct tables_node *row = row_of(n, id.node);
    const struct other *o = session_of(n, id.node);
    if (members_find(v, id) || v->count == MEMBERS_LOGS_MAX)
        return;
    struct members_log *log = &v->logs[v->count++];
    *log = (struct members_log){.id = id, .wish = row ? row->wish : TABLES_WISH_NONE};
    log->number = row ? row->number : o ? o->hello.number : 0;
    log->lost = node_log_lost(n, id);
    if (is_own(n, id))
        describe_self(n, s, log);
    else
        describe_other(n, s, log);
}

/* ---- changes seen ---- */

static uint64_t hash_voters(const struct raft_conf *conf)
{
    uint64_t hash = 1;
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct raft_member *m = &conf->members[i];
        if (m->flags & (RAFT_VOTER | RAFT_VOTER_OLD))
            hash = (hash ^ m->id.node ^ m->id.log << 1 ^ m->flags) * 0x100000001b3ull;
    }
    return hash;
}

/* Entries appended from here on are sent with a commit index that covers the newest change: whoever acknowledges the
 * first of them cannot forget that change. */
static void note_changes(struct node *n, const struct raft_status *s)
{
    uint64_t changes = raft_counters(n->raft)->conf_changes, voters = hash_voters(raft_conf_now(n->raft));
    if (changes != n->members.changes_seen)
        n->members.settled_at = s->last + 1;
    if (voters != n->members.voters_seen)
        n->members.changed_ns = n->members.view.now_ns;
    n->members.changes_seen = changes;
    n->members.voters_seen = voters;
}

static void look(struct node *n, const struct raft_status *s)
{
    struct members_view *v = &n->members.view;
    v->conf = raft_conf_now(n->raft);
    v->self = s->id;
    v->hold_ns = MEMBERS_HOLD_NS;
    v->rest_ns = MEMBERS_REST_NS;
    v->now_ns = n->now_ns;
    note_changes(n, s);
    v->changed_ns = n->members.changed_ns;
    v->busy = s->applied < n->members.proposed_at;
    v->count = v->disks = 0;
    for (uint32_t i = 0; i < v->conf->count; i++)
        put_log(n, s, v->conf->members[i].id);
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = n->others[i].session ? session_of(n, n->others[i].node_id[0]) : NULL;
        if (o)
            put_log(n, s, raft_id_of(o->node_id, o->hello.log_id));
    }
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (row)
            put_log(n, s, raft_id_of(row->node_id, row->log_id));
        v->disks += row && row->durable && row->wish != TABLES_WISH_REMOVED;
    }
}

/* ---- the leader carries out ---- */

static void carry_out(struct node *n)
{
    const struct members_decision *d = &n->members.decision;
    uint64_t index, term;
    if (!d->change || raft_propose_conf(n->raft, &d->what, &index, &term, NULL) != E_OK)
        return;
    n->members.proposed_at = index;
    node_say(n, "cluster: ", d->why);
}

/* A leader that is not to lead, or to give up its vote, first finds another. */
static void hand_over(struct node *n, const struct raft_status *s)
{
    const struct tables_node *row = node_own_row(n);
    const struct members_log *to = members_successor(&n->members.view);
    bool unwanted = row && (row->wish == TABLES_WISH_DRAINED || row->wish == TABLES_WISH_LEARNER);
    if (!unwanted || !to || s->transferring || n->now_ns < n->members.hand_over_due_ns)
        return;
    n->members.hand_over_due_ns = n->now_ns + HAND_OVER_NS;
    raft_transfer(n->raft, to->id);
}

void node_members_lead(struct node *n, bool begins)
{
    struct raft_status s;
    if (begins) {
        memset(n->members.good, 0, sizeof(n->members.good));
        n->members.changes_seen = n->members.voters_seen = UINT64_MAX;
        n->members.proposed_at = n->members.look_due_ns = n->members.hand_over_due_ns = 0;
        n->members.ask.active = false;
    }
    if (n->now_ns < n->members.look_due_ns)
        return;
    n->members.look_due_ns = n->now_ns + LOOK_NS;
    raft_status(n->raft, &s);
    look(n, &s);
    members_decide(&n->members.view, &n->members.decision);
    hand_over(n, &s);
    carry_out(n);
    node_members_ask(n, &s);
}

/* ---- removed ---- */

static bool was_told(const struct node *n)
{
    return n->members.removed_told_ns && n->now_ns - n->members.removed_told_ns < TOLD_NS;
}

bool node_is_removed(const struct node *n)
{
    const struct tables_node *row = node_own_row(n);
    return was_told(n) || (row && row->wish == TABLES_WISH_REMOVED && n->raft_running && !no_raft_conf(n) &&
                           !raft_conf_member(raft_conf_now(n->raft), raft_id_of(n->config.node_id, n->log_id)));
}

bool node_other_is_removed(const struct node *n, const struct other *o)
{
    const struct tables_node *row = n->tables ? tables_node_by_id(n->tables, o->node_id) : NULL;
    return row && row->wish == TABLES_WISH_REMOVED;
}

/* A node says what it is; the leader says whether it is still one of us. */
void node_members_heard(struct node *n, struct other *o)
{
    struct raft_id id = raft_id_of(o->node_id, o->hello.log_id);
    if (n->leading && node_other_is_removed(n, o) && !raft_conf_member(raft_conf_now(n->raft), id))
        node_send_control(n, o, CONTROL_REMOVED, n->cluster_id, sizeof(n->cluster_id));
}

void node_take_removed(struct node *n, struct wire_reader *r)
{
    uint64_t cluster_id[2];
    for (int i = 0; i < 2; i++)
        cluster_id[i] = wire_get_u64(r);
    if (!wire_done(r) || !same_id(cluster_id, n->cluster_id))
        return;
    if (!n->members.removed_told_ns)
        node_say(n, "cluster: this node was removed; `nodes add` on another node takes it back", "");
    n->members.removed_told_ns = n->now_ns;
}

/* ---- the leader answers ---- */

static enum tables_wish wish_of(uint32_t action)
{
    static const enum tables_wish wishes[] = {[CLUSTER_MEMBERS_PROMOTE] = TABLES_WISH_VOTER,
                                              [CLUSTER_MEMBERS_DEMOTE] = TABLES_WISH_LEARNER,
                                              [CLUSTER_MEMBERS_DRAIN] = TABLES_WISH_DRAINED,
                                              [CLUSTER_MEMBERS_REMOVE] = TABLES_WISH_REMOVED};
    return action <= CLUSTER_MEMBERS_REMOVE ? wishes[action] : TABLES_WISH_NONE;
}

static struct members_request *request_of(struct node *n, uint64_t id)
{
    for (uint32_t i = 0; i < NODE_ASKS_MAX; i++) {
        if (n->members.requests[i].id && n->members.requests[i].id == id)
            return &n->members.requests[i];
    }
    return NULL;
}

static void take_answer(struct node *n, uint64_t id, err_t err, uint64_t index, const char *words, size_t bytes)
{
    struct members_request *r = request_of(n, id);
    if (!r || r->answered || bytes >= sizeof(r->words))
        return;
    r->answered = true;
    r->err = err;
    r->index = index;
    memcpy(r->words, words, bytes);
    r->words[bytes] = 0;
}

static void answer(struct node *n, const struct members_ask *a, err_t err, uint64_t index, const char *words)
{
    uint8_t bytes[18 + MEMBERS_WORDS_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    size_t length = strlen(words);
    if (a->own) {
        take_answer(n, a->id, err, index, words, length);
        return;
    }
    wire_put_u64(&w, a->id);
    wire_put_u64(&w, index);
    wire_put_u16(&w, (uint16_t)err);
    wire_put_bytes(&w, words, length);
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        struct other *o = &n->others[i];
        if (o->session && same_id(o->boot_id, a->boot_id))
            node_send_control(n, o, CONTROL_MEMBERS_ANSWER, bytes, w.used);
    }
}

static void begin_words(const struct members_ask *a, struct text *t, char words[MEMBERS_WORDS_BYTES])
{
    *t = text_begin(words, MEMBERS_WORDS_BYTES);
    text_put(t, "node ");
    text_number(t, a->number);
    text_put(t, ": ");
}

static void finish(struct node *n, err_t err, uint64_t index, const char *what)
{
    struct members_ask *a = &n->members.ask;
    char words[MEMBERS_WORDS_BYTES];
    struct text t;
    begin_words(a, &t, words);
    text_put(&t, what);
    a->active = false;
    answer(n, a, err, index, words);
}

/* A request that came, its own or another's. It is one at a time. */
static void take_ask(struct node *n, const struct members_ask *a)
{
    struct members_ask *now = &n->members.ask;
    if (!n->leading || (now->active && now->id == a->id && same_id(now->boot_id, a->boot_id)))
        return;
    if (now->active) {
        char words[MEMBERS_WORDS_BYTES];
        struct text t;
        begin_words(a, &t, words);
        text_put(&t, "a change is under way: of node ");
        text_number(&t, now->number);
        answer(n, a, E_BUSY, 0, words);
        return;
    }
    *now = *a;
    now->active = true;
    now->since_ns = n->now_ns;
    n->members.look_due_ns = 0;
}

/* Any log of that node, in either half. */
static uint32_t flags_of_node(const struct node *n, uint32_t number)
{
    const struct members_view *v = &n->members.view;
    uint32_t flags = 0;
    for (uint32_t i = 0; i < v->count; i++) {
        const struct raft_member *m = v->logs[i].number == number ? raft_conf_member(v->conf, v->logs[i].id) : NULL;
        flags |= m ? m->flags : 0;
    }
    return flags;
}

static bool all_settled(const struct members_view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->logs[i].heard && !v->logs[i].settled && raft_conf_is_voter(v->conf, v->logs[i].id))
            return false;
    }
    return true;
}

/* The words for a wish that has come true; NULL: not yet. */
static const char *came_true(const struct node *n, const struct members_log *log, enum tables_wish wish)
{
    const struct members_view *v = &n->members.view;
    uint32_t flags = flags_of_node(n, log->number);
    bool votes = flags & (RAFT_VOTER | RAFT_VOTER_OLD), leads = raft_id_equal(log->id, v->self);
    if (v->busy || raft_conf_is_joint(v->conf) || !all_settled(v))
        return NULL;
    switch (wish) {
    case TABLES_WISH_VOTER:
        return votes ? "is a voter" : NULL;
    case TABLES_WISH_LEARNER:
        return votes ? NULL : "is a learner";
    case TABLES_WISH_DRAINED:
        if (leads || (votes && members_substitute(v, log)))
            return NULL;
        return votes ? "is drained; it keeps its vote: no other node can take it" : "is drained";
    case TABLES_WISH_REMOVED:
        return flags ? NULL : "is removed";
    default:
        return flags || !log->heard ? "takes part" : NULL;
    }
}

static void propose_wish(struct node *n, struct members_ask *a, enum tables_wish wish)
{
    struct tables_op op = {.kind = TABLES_NODE_WISH, .node_wish = {a->number, wish}};
    uint64_t index, term;
    size_t bytes = tables_encode(&op, n->record, TABLES_ENTRY_MAX);
    a->wished = raft_propose(n->raft, n->record, bytes, &index, &term) == E_OK;
}

static void ask_wish(struct node *n, const struct raft_status *s, struct members_ask *a)
{
    char why[MEMBERS_WHY_BYTES];
    enum tables_wish wish = wish_of(a->action);
    const struct members_log *log = members_of_node(&n->members.view, a->number);
    if (a->wished || (log && log->wish == wish)) { /* asked for before, or by who led before */
        const char *words = log && log->wish == wish ? came_true(n, log, wish) : NULL;
        if (words)
            finish(n, E_OK, s->applied, words);
        return;
    }
    err_t err = members_check(&n->members.view, a->number, wish, why);
    if (err == E_BUSY && n->now_ns - a->since_ns < BUSY_NS)
        return;
    if (err)
        finish(n, err, 0, why);
    else
        propose_wish(n, a, wish);
}

static void ask_transfer(struct node *n, const struct raft_status *s, struct members_ask *a)
{
    char why[MEMBERS_WHY_BYTES];
    const struct members_log *log = members_of_node(&n->members.view, a->number);
    if (log && raft_id_equal(log->id, s->id)) {
        finish(n, E_OK, s->applied, "leads");
        return;
    }
    err_t err = members_check_transfer(&n->members.view, a->number, why);
    if (err)
        finish(n, err, 0, why);
    else if (!a->wished)
        a->wished = raft_transfer(n->raft, log->id) == E_OK;
    else if (!s->transferring)
        finish(n, E_TIMED_OUT, 0, "did not take over in time");
}

/* What is asked for goes on, or is answered. */
void node_members_ask(struct node *n, const struct raft_status *s)
{
    struct members_ask *a = &n->members.ask;
    if (!a->active)
        return;
    if (n->now_ns - a->since_ns >= LEADER_WAITS_NS)
        finish(n, E_TIMED_OUT, 0, n->members.decision.why);
    else if (a->action == CLUSTER_MEMBERS_TRANSFER)
        ask_transfer(n, s, a);
    else
        ask_wish(n, s, a);
}

void node_take_members(struct node *n, struct other *o, struct wire_reader *r)
{
    struct members_ask a = {.id = wire_get_u64(r)};
    a.action = wire_get_u32(r);
    a.number = wire_get_u32(r);
    memcpy(a.boot_id, o->boot_id, sizeof(a.boot_id));
    if (wire_done(r) && a.action >= CLUSTER_MEMBERS_ADD && a.action <= CLUSTER_MEMBERS_TRANSFER)
        take_ask(n, &a);
}

void node_take_members_answer(struct node *n, struct wire_reader *r)
{
    uint64_t id = wire_get_u64(r), index = wire_get_u64(r);
    err_t err = wire_get_u16(r);
    size_t left = wire_left(r);
    const uint8_t *words = wire_take(r, left);
    if (words && wire_done(r) && err < E_COUNT)
        take_answer(n, id, err, index, (const char *)words, left);
}

/* ---- asking ---- */

err_t node_members(struct node *n, uint64_t token, uint32_t action, uint32_t number)
{
    if (!n->raft_running)
        return E_NOT_DELIVERED;
    for (uint32_t i = 0; i < NODE_ASKS_MAX; i++) {
        struct members_request *r = &n->members.requests[i];
        if (r->id)
            continue;
        *r = (struct members_request){.id = ++n->members.next_id,
                                      .token = token,
                                      .action = action,
                                      .number = number,
                                      .since_ns = n->now_ns,
                                      .leader_ns = n->now_ns};
        return E_OK;
    }
    return E_FULL;
}

static void ask_leader(struct node *n, const struct raft_status *s, struct members_request *r)
{
    struct members_ask a = {.id = r->id, .action = r->action, .number = r->number, .own = true};
    const struct other *o = s->leader.log ? node_other_by_raft(n, s->leader.node) : NULL;
    uint8_t bytes[ASK_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    if (s->leader.log)
        r->leader_ns = n->now_ns;
    if (r->sent_ns && r->sent_term == s->term && n->now_ns - r->sent_ns < RETRY_NS)
        return;
    r->sent_ns = n->now_ns;
    r->sent_term = s->term;
    memcpy(a.boot_id, n->config.boot_id, sizeof(a.boot_id));
    wire_put_u64(&w, a.id);
    wire_put_u32(&w, a.action);
    wire_put_u32(&w, a.number);
    if (s->role == RAFT_LEADER)
        take_ask(n, &a);
    else if (o)
        node_send_control(n, o, CONTROL_MEMBERS, bytes, w.used);
}

static void end_request(struct node *n, struct members_request *r, err_t err, const char *words)
{
    struct members_request copy = *r;
    *r = (struct members_request){0};
    n->hooks.members_answered(n->hooks.context, copy.token, err, words ? words : copy.words);
}

void node_members_run(struct node *n)
{
    struct raft_status s;
    if (!n->raft_running)
        return;
    raft_status(n->raft, &s);
    for (uint32_t i = 0; i < NODE_ASKS_MAX; i++) {
        struct members_request *r = &n->members.requests[i];
        if (!r->id)
            continue;
        bool own_removal = r->action == CLUSTER_MEMBERS_REMOVE && r->number == node_number(n);
        if (own_removal && was_told(n)) /* whoever leads now goes on without this node, and does not hear it any more */
            end_request(n, r, E_OK, "this node is removed");
        else if (r->answered && (r->err || own_removal || s.applied >= r->index))
            end_request(n, r, r->err, NULL);
        else if (!r->answered && n->now_ns - r->leader_ns >= NO_LEADER_NS)
            end_request(n, r, E_NOT_DELIVERED, "no leader is reachable");
        else if (n->now_ns - r->since_ns >= ASKER_WAITS_NS)
            end_request(n, r, E_UNKNOWN, "the leader does not answer; it may yet happen: see `nodes`");
        else if (!r->answered)
            ask_leader(n, &s, r);
    }
}

uint64_t node_members_deadline(const struct node *n)
{
    for (uint32_t i = 0; i < NODE_ASKS_MAX; i++) {
        if (n->members.requests[i].id)
            return n->now_ns + RETRY_NS / 4;
    }
    return UINT64_MAX;
}

/* ---- what the leader says of the voters, known to all ---- */

void node_members_words(const struct node *n, struct wire_writer *w)
{
    wire_put_bytes(w, n->members.decision.why, n->leading ? strlen(n->members.decision.why) : 0);
}

static struct raft_id leader_of(const struct node *n)
{
    struct raft_status s = {.leader = {0, 0}};
    if (n->raft_running)
        raft_status(n->raft, &s);
    return s.leader;
}

/* Only those of who leads here count. */
void node_members_take_words(struct node *n, const struct other *o, struct wire_reader *r)
{
    struct raft_id leader = leader_of(n), sender = raft_id_of(o->node_id, o->hello.log_id);
    size_t left = wire_left(r);
    const uint8_t *words = wire_take(r, left);
    if (!words || !left || left >= sizeof(n->members.said) || !o->heard || !leader.log ||
        !raft_id_equal(leader, sender))
        return;
    n->members.said_by = leader;
    n->members.said_ns = n->now_ns;
    memcpy(n->members.said, words, left);
    n->members.said[left] = 0;
}

static const char *leader_words(const struct node *n)
{
    if (n->leading)
        return n->members.decision.why;
    bool holds = n->members.said_ns && n->now_ns - n->members.said_ns < TOLD_NS &&
                 raft_id_equal(n->members.said_by, leader_of(n));
    return holds ? n->members.said : "";
}

static void put_half(const struct node *n, struct text *t, uint32_t half, const char *what)
{
    const struct raft_conf *conf = raft_conf_now(n->raft);
    uint32_t count = 0, lost = 0, heard = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct raft_member *m = &conf->members[i];
        const struct other *o = session_of(n, m->id.node);
        if (!(m->flags & half))
            continue;
        count++;
        lost += node_log_lost(n, m->id);
        heard += is_own(n, m->id) || (o && o->hello.log_id[0] == m->id.log);
    }
    text_number(t, count);
    text_put(t, what);
    text_put(t, ", ");
    text_number(t, heard);
    text_put(t, " heard, ");
    if (lost) {
        text_number(t, lost);
        text_put(t, " with their log lost, ");
    }
    text_number(t, count / 2 + 1);
    text_put(t, " needed");
}

/* Unless it is known to be in memory only: nothing is claimed of a log that nobody told of. */
static bool may_be_kept(const struct node *n, struct raft_id id)
{
    const struct other *o = node_other_by_raft((struct node *)(uintptr_t)n, id.node);
    const struct tables_node *row = row_of(n, id.node);
    if (is_own(n, id))
        return n->durable;
    if (o && o->heard && o->hello.log_id[0] == id.log)
        return o->hello.durable;
    return !row || row->log_id[0] != id.log || row->durable;
}

enum kept node_kept(const struct node *n, const struct raft_conf *conf)
{
    uint32_t voters = 0, kept = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        bool votes = conf->members[i].flags & RAFT_VOTER;
        voters += votes;
        kept += votes && may_be_kept(n, conf->members[i].id);
    }
    return !kept ? KEPT_NOTHING : kept <= voters / 2 ? KEPT_TOO_FEW : KEPT_MAJORITY;
}

void node_put_voters(const struct node *n, struct text *t)
{
    static const char *const kept_words[] = {
        [KEPT_NOTHING] = "; no voter has a disk: what they hold is gone when they are off together",
        [KEPT_TOO_FEW] = "; no majority has disks: when they were off together only `raft recover` goes on",
        [KEPT_MAJORITY] = ""};
    const char *words;
    if (!n->raft_running || no_raft_conf(n))
        return;
    put_half(n, t, RAFT_VOTER, raft_conf_is_joint(raft_conf_now(n->raft)) ? " new" : "");
    if (raft_conf_is_joint(raft_conf_now(n->raft))) {
        text_put(t, "; joint with ");
        put_half(n, t, RAFT_VOTER_OLD, " old");
    }
    words = leader_words(n);
    if (words[0]) {
        text_put(t, "; ");
        text_put(t, words);
    }
    text_put(t, kept_words[node_kept(n, raft_conf_now(n->raft))]);
}

/* ---- so many logs are lost that nothing can be decided ever again ---- */

bool node_put_lost_majority(const struct node *n, struct text *t)
{
    const struct raft_conf *conf = raft_conf_now(n->raft);
    uint32_t voters = 0, lost = 0;
    struct raft_status s;
    raft_status(n->raft, &s);
    for (uint32_t i = 0; i < conf->count; i++) {
        bool votes = conf->members[i].flags & RAFT_VOTER;
        voters += votes;
        lost += votes && node_log_lost(n, conf->members[i].id);
    }
    if (voters - lost > voters / 2)
        return false;
    text_put(t, "the state is lost: of ");
    text_number(t, voters);
    text_put(t, " voters ");
    text_number(t, lost);
    text_put(t, " came back without their log; last applied entry ");
    text_number(t, s.applied);
    text_put(t, "; lost logs");
    for (uint32_t i = 0; i < conf->count; i++) {
        if (!(conf->members[i].flags & RAFT_VOTER) || !node_log_lost(n, conf->members[i].id))
            continue;
        text_put(t, " ");
        text_hex(t, conf->members[i].id.log);
    }
    return true;
}
