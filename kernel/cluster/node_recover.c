/* When a majority is lost for good: beginning a new epoch of the cluster from the best log that is left, and giving up
 * a log of the old one. Both only by hand.
 *
 * Recovering: every entry of this log is taken for committed, since any may have been acknowledged. The tables that
 * come of it, under a new cluster id and the next epoch, and with no node live, become a snapshot; with it the log is
 * adopted in one write. This node is then the only voter. Logs of the old epoch are of another cluster, and refused as
 * such.
 *
 * Wiping: this node forgets its log and waits to be taken in with a new one. The disk is written only when that
 * happens. */
#include "node_state.h"
#include "recover.h"

const struct refused *node_refused(const struct node *n, const uint64_t node_id[2])
{
    for (uint32_t i = 0; i < REFUSED_MAX; i++) {
        const struct refused *r = &n->refused[i];
        bool lately = r->at_ns && r->reason == LINK_OTHER_CLUSTER && n->now_ns - r->at_ns < REFUSED_NS;
        if (lately && (!node_id || same_id(r->node_id, node_id)))
            return r;
    }
    return NULL;
}

/* ---- what is seen ---- */

static uint64_t silence_of(const struct node *n, uint64_t raft_node)
{
    struct link_peer_view view;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (link_peer(n->link, i, &view) && view.identity.node_id[0] == raft_node && view.heard_ns)
            return n->now_ns - view.heard_ns;
    }
    return UINT64_MAX;
}

static void own_end(const struct node *n, struct recover_member *m)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    m->last_index = s.last;
    if (!raft_term_at(n->raft, s.last, &m->last_term))
        m->last_term = 0;
}

static void look_at(struct node *n, const struct raft_member *member, struct recover_member *m)
{
    const struct other *o = node_other_by_raft(n, member->id.node);
    *m = (struct recover_member){.id = member->id, .silent_ns = UINT64_MAX};
    m->voter = (member->flags & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
    m->self = raft_id_equal(member->id, raft_id_of(n->config.node_id, n->log_id));
    m->heard = o && o->heard && o->hello.log_id[0] == member->id.log && o->hello.trouble != TROUBLE_OLDER;
    if (m->self) {
        own_end(n, m);
    } else if (m->heard) {
        m->last_term = o->hello.last_term;
        m->last_index = o->hello.last_index;
    } else if (!o) {
        m->silent_ns = silence_of(n, member->id.node);
    }
}

static void look(struct node *n, struct recover_view *v)
{
    struct raft_status s = {.role = RAFT_FOLLOWER};
    memset(v, 0, sizeof(*v));
    v->started = n->raft_running && n->stage == STAGE_STARTED;
    v->durable = n->durable;
    v->epoch_left = n->epoch < EPOCH_MAX;
    if (!v->started)
        return;
    raft_status(n->raft, &s);
    v->leader = s.leader.log != 0;
    v->healthy = node_trouble(n) == TROUBLE_NONE && s.stable == s.last && !n->queue.count && !n->saving;
    v->conf = raft_conf_now(n->raft);
    v->count = v->conf->count;
    for (uint32_t i = 0; i < v->count; i++)
        look_at(n, &v->conf->members[i], &v->members[i]);
}

/* ---- in words ---- */

static void put_node(struct node *n, struct text *t, struct raft_id id)
{
    text_put(t, "node ");
    text_number(t, node_number_of(n, id.node));
    text_put(t, " (log ");
    text_hex(t, id.log);
    text_put(t, ")");
}

static void put_log_end(struct text *t, const struct recover_member *m)
{
    text_put(t, "its log ends at entry ");
    text_number(t, m->last_index);
    text_put(t, " of term ");
    text_number(t, m->last_term);
}

static void put_member(struct node *n, struct text *t, const struct recover_member *m)
{
    text_put(t, "  ");
    put_node(n, t, m->id);
    text_put(t, m->voter ? "  voter    " : "  learner  ");
    if (m->self || m->heard) {
        text_put(t, m->self ? "this one; " : "heard; ");
        put_log_end(t, m);
    } else if (m->silent_ns == UINT64_MAX) {
        text_put(t, "LOST: not heard with this log since this node started");
    } else {
        text_put(t, "LOST: not heard for ");
        text_number(t, m->silent_ns / SECOND_NS);
        text_put(t, " s");
    }
    text_put(t, "\n");
}

static const char *verdict_words(enum recover_verdict verdict)
{
    switch (verdict) {
    case RECOVER_YES:
        return "";
    case RECOVER_NOT_STARTED:
        return "this node takes part in no cluster: there is nothing here to recover from";
    case RECOVER_NOT_DURABLE:
        return "this node's log is in memory only: recover on a node with a disk";
    case RECOVER_NOT_HEALTHY:
        return "this node's log is not whole, or is being written: see `status`";
    case RECOVER_NO_EPOCH:
        return "there is no number left for another epoch";
    case RECOVER_LEADER:
        return "a majority of the voters lives: it has a leader";
    case RECOVER_MAJORITY:
        return "a majority of the voters is heard: it will elect a leader by itself";
    case RECOVER_SOON:
        return "a voter was heard less than 10 s ago: it may only be restarting. Wait, and look again";
    case RECOVER_BETTER:
        return "another node has a better log: recover there";
    }
    return "";
}

static void put_risk(struct node *n, struct text *t)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    text_put(t, "All entries of this log are kept: applied up to ");
    text_number(t, s.applied);
    text_put(t, ", the last is ");
    text_number(t, s.last);
    text_put(
        t, ".\nWhat may be lost: anything newer that only the lost voters have, acknowledged though it was.\n"
           "This node cannot see whether they live elsewhere and go on without it: make sure that they do not, and\n"
           "that they never come back with their disks. What they do then is refused here, and not merged.\n"
           "All sessions, locks and registered names end. Fences given from now on are above all earlier ones.\n"
           "Nothing on other disks is touched; this disk keeps its old superblock and snapshot until the next one.\n");
}

static err_t say_recover(struct node *n, struct text *t, const struct recover_view *v)
{
    uint32_t which = 0;
    enum recover_verdict verdict = recover_judge(v, &which);
    text_put(t, "cluster ");
    text_put(t, n->config.cluster_name);
    text_put(t, ", epoch ");
    text_number(t, n->epoch);
    text_put(t, "\n");
    for (uint32_t i = 0; i < v->count; i++)
        put_member(n, t, &v->members[i]);
    if (verdict == RECOVER_YES) {
        text_put(t, "No other reachable node has a better log than this one.\n");
        put_risk(n, t);
        return E_OK;
    }
    text_put(t, "Refused: ");
    text_put(t, verdict_words(verdict));
    if (verdict == RECOVER_BETTER || verdict == RECOVER_SOON) {
        text_put(t, ": ");
        put_node(n, t, v->members[which].id);
    }
    text_put(t, "\n");
    return E_CONFLICT;
}

/* ---- ids and links ---- */

static void draw_anew(struct node *n, const char *purpose, uint64_t id[2])
{
    char words[48];
    struct text t = text_begin(words, sizeof(words));
    text_put(&t, purpose);
    text_number(&t, ++n->drawn);
    node_draw_id(n, words, id);
}

/* Sessions stand on the identity of before: they begin anew. */
static void leave_links(struct node *n)
{
    node_identity_changed(n);
    memset(n->refused, 0, sizeof(n->refused));
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session)
            link_drop(n->link, i, n->others[i].session);
    }
}

/* ---- recovering ---- */

static bool apply_rest(struct node *n)
{
    struct raft_status s;
    struct raft_entry e;
    struct tables_result result;
    raft_status(n->raft, &s);
    for (uint64_t i = tables_applied_index(n->tables) + 1; i <= s.last; i++) {
        bool there = raft_entry_at(n->raft, i, &e), data = there && e.type == RAFT_ENTRY_DATA;
        if (!there || tables_apply(n->tables, i, e.term, data ? e.data : NULL, data ? e.length : 0, &result) != E_OK)
            return false;
    }
    return true;
}

static void begin_recovery(struct node *n)
{
    struct raft_status s;
    struct raft_snapshot label = {.conf = {.count = 1}};
    raft_status(n->raft, &s);
    label.conf.members[0] = (struct raft_member){.id = raft_id_of(n->config.node_id, n->log_id), .flags = RAFT_VOTER};
    label.index = s.last;
    bool known = raft_term_at(n->raft, s.last, &label.term);
    ASSERT(known);
    if (!apply_rest(n)) {
        node_fail(n, "no memory to recover the tables");
        return;
    }
    draw_anew(n, "recovered cluster ", n->cluster_id);
    n->epoch++;
    tables_recover(n->tables, n->cluster_id, n->epoch);
    n->hard_state = (struct raft_hard_state){.term = s.term + 1, .commit = s.last};
    n->conf.count = 0;
    node_raft_stop(n);
    n->hooks.replaced(n->hooks.context);
    node_tables_replaced(n);
    if (!node_snapshot_take(n, &label)) {
        node_fail(n, "no memory to recover the tables");
        return;
    }
    n->adopting = n->saving = true;
    n->saving_begun = n->snapshot_wanted = false;
    n->saving_offset = 0;
    node_say(n, "cluster: recovering by hand: ", "a new epoch begins with this log");
}

void node_recover_adopted(struct node *n)
{
    n->adopting = n->saving = false;
    node_pieces_clear(n, &n->saved);
    n->saved = n->incoming;
    n->saved_label = n->incoming_label;
    memset(&n->incoming, 0, sizeof(n->incoming));
    n->log_floor = n->disk_last = n->saved_label.index;
    n->checksum_index = 0;
    node_raft_prepare(n, &n->saved_label);
    node_raft_start(n, 0);
    leave_links(n);
    node_say(n, "cluster: recovered: ", "this node is the only voter of the new epoch");
}

/* ---- wiping ---- */

static err_t say_wipe(struct node *n, struct text *t)
{
    struct raft_status s = {.leader = {0, 0}};
    if (n->raft_running)
        raft_status(n->raft, &s);
    if (s.leader.log) {
        text_put(t, "Refused: this log takes part in the cluster, and a leader is heard\n");
        return E_CONFLICT;
    }
    if (n->adopting || n->recording || !n->log_known || n->phase == LOG_PHASE_NONE ||
        (n->stage == STAGE_BLANK && n->log_state != LOG_DAMAGED)) {
        text_put(t, "Refused: there is no log here that could be given up now\n");
        return E_CONFLICT;
    }
    text_put(t, "This node gives up its log (");
    text_hex(t, n->log_id[0]);
    text_put(t,
             ") and joins the cluster that it hears as a new member, without a vote.\n"
             "What only this log has is lost when it is taken in: until then the disk is not written.\n"
             "If a majority of the old voters is gone, look at `raft recover` first: this may be the best log left.\n");
    return E_OK;
}

/* Who waits for a proposal learns that nothing is known of it any more. */
static void answer_pending(struct node *n)
{
    struct tables_result unknown = {.err = E_UNKNOWN};
    for (uint32_t i = 0; i < NODE_REQUESTS_MAX; i++) {
        uint64_t token = n->pending[i].entry ? n->pending[i].token : 0;
        if (token)
            n->hooks.proposed(n->hooks.context, token, &unknown);
    }
    node_propose_close(n);
}

static void forget_log(struct node *n)
{
    node_log_close(n);
    node_pieces_clear(n, &n->saved);
    node_pieces_clear(n, &n->incoming);
    n->saved_label = n->incoming_label = (struct raft_snapshot){.index = 0};
    n->hard_state = (struct raft_hard_state){.term = 0};
    n->conf.count = 0;
    n->saving = n->saving_begun = n->installing = n->install_due = n->install_refused = n->snapshot_wanted = false;
    n->snapshot_lost = n->snapshot_too_big = n->full = n->full_said = n->prepared = n->start_on_record = false;
    n->log_floor = n->disk_last = n->checksum_index = n->saving_offset = 0;
    n->recorded_number = 0;
    n->problem = NULL;
    n->trouble = TROUBLE_NONE;
}

static void wipe(struct node *n)
{
    answer_pending(n);
    node_raft_close(n);
    n->hooks.replaced(n->hooks.context);
    forget_log(n);
    n->applied_join = n->opened = false;
    n->anew = n->log_state == LOG_DAMAGED;
    n->durable = n->durable || n->anew;
    n->log_state = n->durable ? LOG_BLANK : n->log_state;
    n->phase = LOG_PHASE_READY;
    n->stage = STAGE_BLANK;
    n->config.genesis = false;
    memset(n->cluster_id, 0, sizeof(n->cluster_id));
    n->epoch = 1;
    draw_anew(n, "log after a wipe ", n->log_id);
    leave_links(n);
    node_say(n, "cluster: this node gave up its log by hand: ", "it waits to be taken in anew");
}

err_t node_recover(struct node *n, enum recover_act act, char *to, size_t room, size_t *bytes_out)
{
    struct text t = text_begin(to, room);
    struct recover_view v;
    bool recovery = act == RECOVER_LOOK || act == RECOVER_DO;
    look(n, &v);
    err_t err = recovery ? say_recover(n, &t, &v) : say_wipe(n, &t);
    if (!err && act == RECOVER_DO)
        begin_recovery(n);
    if (!err && act == WIPE_DO)
        wipe(n);
    *bytes_out = t.used;
    return err;
}
