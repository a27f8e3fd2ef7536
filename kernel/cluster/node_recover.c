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

/* ---- other clusters, and other epochs of this one ---- */

enum kin node_kin(const struct node *n, const uint64_t cluster_id[2])
{
    if (with_epoch(cluster_id[1], 0) != with_epoch(n->cluster_id[1], 0))
        return KIN_STRANGER;
    if (epoch_of(cluster_id) == epoch_of(n->cluster_id))
        return KIN_BESIDE;
    return epoch_of(cluster_id) > epoch_of(n->cluster_id) ? KIN_LATER : KIN_EARLIER;
}

void node_recover_saw(struct node *n, const uint64_t cluster_id[2])
{
    uint32_t epoch = epoch_of(cluster_id);
    if (n->stage == STAGE_STARTED && node_kin(n, cluster_id) != KIN_STRANGER && epoch > n->epoch_seen)
        n->epoch_seen = epoch;
}

static bool lately(const struct node *n, const struct refused *r)
{
    return r->at_ns && r->reason != LINK_SAME_NODE && n->now_ns - r->at_ns < REFUSED_NS;
}

const struct refused *node_refused(const struct node *n, const uint64_t node_id[2])
{
    for (uint32_t i = 0; i < REFUSED_MAX; i++) {
        const struct refused *r = &n->refused[i];
        if (lately(n, r) && (!node_id || same_id(r->node_id, node_id)))
            return r;
    }
    return NULL;
}

static bool hears_later_epoch(const struct node *n)
{
    for (uint32_t i = 0; i < REFUSED_MAX; i++) {
        bool proven = n->refused[i].reason == LINK_OTHER_CLUSTER; /* not by the word of who has an old key */
        if (proven && lately(n, &n->refused[i]) && node_kin(n, n->refused[i].cluster_id) == KIN_LATER)
            return true;
    }
    return false;
}

const char *node_refused_note(const struct node *n, const struct refused *r)
{
    static const char *const words[] = {[KIN_STRANGER] = "refused: of another cluster of this name and key",
                                        [KIN_EARLIER] = "refused: of an older epoch; `raft wipe` there ends that",
                                        [KIN_LATER] = "refused: of a later epoch; `raft wipe` here joins that",
                                        [KIN_BESIDE] = "refused: recovered beside this one; `raft wipe` ends one"};
    if (r->reason == LINK_FALSE_LOG)
        return "refused: it has not the key of the log it names";
    return r->reason == LINK_OLD_KEY ? "refused: its key was dropped; `key enter` there"
                                     : words[node_kin(n, r->cluster_id)];
}

/* ---- what is seen ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Who was never heard may come yet, as long as it was not listened for. */
static uint64_t silence_of(const struct node *n, uint64_t raft_node)
{
    struct link_peer_view view;
    uint64_t heard_ns = n->network_ns;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (link_peer(n->link, i, &view) && view.identity.node_id[0] == raft_node)
            heard_ns = later(heard_ns, view.heard_ns);
    }
    return n->now_ns - heard_ns;
}

static void own_end(const struct node *n, struct recover_member *m)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    m->durable = n->durable;
    m->last_index = s.last;
    if (!raft_term_at(n->raft, s.last, &m->last_term))
        m->last_term = 0;
}

/* Its disk is being read, or its newest word is old: nothing is known of its log yet. */
static bool unsure_of(const struct node *n, const struct other *o)
{
    bool starting = !o->hello.ready && o->hello.trouble == TROUBLE_NONE;
    return !o->heard || starting || n->now_ns - o->hello_ns > 5 * HELLO_NS;
}

static void hear(const struct node *n, const struct other *o, struct recover_member *m)
{
    enum trouble trouble = o->hello.trouble;
    bool gone = trouble == TROUBLE_OLDER || trouble == TROUBLE_MOVED || trouble == TROUBLE_FAILED;
    m->unsure = unsure_of(n, o);
    m->leader = o->heard && o->hello.led && same_id(o->hello.cluster_id, n->cluster_id);
    m->heard = !m->unsure && o->hello.log_id[0] == m->id.log && o->hello.stage == STAGE_STARTED && !gone;
    m->amiss = trouble != TROUBLE_NONE && trouble != TROUBLE_FULL;
    m->durable = o->hello.durable;
    if (!m->heard)
        return;
    m->last_term = o->hello.last_term;
    m->last_index = o->hello.last_index;
}

static struct raft_id own_id(const struct node *n)
{
    return raft_id_of(n->config.node_id, n->log_id);
}

static void look_at(struct node *n, const struct raft_member *member, struct recover_member *m)
{
    const struct other *o = node_other_by_raft(n, member->id.node);
    *m = (struct recover_member){.id = member->id, .silent_ns = UINT64_MAX};
    m->voter = (member->flags & (RAFT_VOTER | RAFT_VOTER_OLD)) != 0;
    m->self = raft_id_equal(member->id, own_id(n));
    if (m->self)
        own_end(n, m);
    else if (o)
        hear(n, o, m);
    else
        m->silent_ns = silence_of(n, member->id.node);
}

/* Logs of this cluster that came into it, or got their votes, without this node's knowing. */
static void look_at_others(struct node *n, struct recover_view *v)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        const struct other *o = &n->others[i];
        struct raft_id id = raft_id_of(o->node_id, o->hello.log_id);
        if (!o->session || !o->heard || o->hello.stage != STAGE_STARTED ||
            !same_id(o->hello.cluster_id, n->cluster_id) || raft_conf_member(v->conf, id))
            continue;
        struct recover_member *m = &v->members[v->count++];
        *m = (struct recover_member){.id = id, .silent_ns = UINT64_MAX};
        hear(n, o, m);
    }
}

static void look(struct node *n)
{
    struct raft_status s = {.role = RAFT_FOLLOWER};
    struct recover_view *v = &n->view;
    enum trouble trouble = node_trouble(n);
    memset(v, 0, sizeof(*v));
    v->started = n->raft_running && n->stage == STAGE_STARTED;
    v->network = n->network;
    v->newer = hears_later_epoch(n);
    v->epoch_left = later(n->epoch, n->epoch_seen) < EPOCH_MAX;
    if (!v->started)
        return;
    raft_status(n->raft, &s);
    v->leader = s.leader.log != 0;
    v->healthy = (trouble == TROUBLE_NONE || trouble == TROUBLE_FULL || !n->durable) && !n->installing &&
                 n->phase == LOG_PHASE_READY;
    v->conf = raft_conf_now(n->raft);
    v->count = v->conf->count;
    for (uint32_t i = 0; i < v->count; i++)
        look_at(n, &v->conf->members[i], &v->members[i]);
    look_at_others(n, v);
    if (!raft_conf_member(v->conf, own_id(n))) {
        struct recover_member *m = &v->members[v->count++];
        *m = (struct recover_member){.id = own_id(n), .self = true, .silent_ns = UINT64_MAX};
        own_end(n, m);
    }
}

/* ---- in words ---- */

static void put_node(struct node *n, struct text *t, struct raft_id id)
{
    uint32_t number = node_number_of(n, id.node);
    text_put(t, number ? "node " : "a node without a number");
    if (number)
        text_number(t, number);
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
    text_put(t, m->durable ? "" : ", in memory only");
    text_put(t, m->amiss ? ", and is not whole: see `nodes`" : "");
}

static void put_member(struct node *n, struct text *t, const struct recover_member *m)
{
    text_put(t, "  ");
    put_node(n, t, m->id);
    text_put(t, m->voter ? "  voter    " : raft_conf_member(n->view.conf, m->id) ? "  learner  " : "  outside  ");
    if (m->self || m->heard) {
        text_put(t, m->self ? "this one; " : "heard; ");
        put_log_end(t, m);
    } else if (m->unsure) {
        text_put(t, "heard; it has not said yet what its log is");
    } else if (m->silent_ns == UINT64_MAX) {
        text_put(t, "LOST: its node is there without this log");
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
    case RECOVER_NOT_HEALTHY:
        return "this node's log is not whole, or is being written: see `status`";
    case RECOVER_NO_NETWORK:
        return "this node has no network: it cannot see whether others live";
    case RECOVER_NO_EPOCH:
        return "there is no number left for another epoch";
    case RECOVER_NEWER:
        return "a later epoch of this cluster is heard: it was recovered elsewhere. See `raft wipe`";
    case RECOVER_LEADER:
        return "a majority of the voters lives: it has a leader, or had one a moment ago. If the others have just "
               "died, look again in 10 s";
    case RECOVER_MAJORITY:
        return "a majority of the voters is heard: it will elect a leader by itself";
    case RECOVER_SOON:
        return "heard less than 10 s ago, or starting: it may be back in a moment. Wait, and look again";
    case RECOVER_BETTER:
        return "another node has a better log, or is to be taken of equal ones: recover there";
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
    text_put(t,
             ".\nWhat may be lost: anything newer that only the lost voters have, acknowledged though it was.\n"
             "This node cannot see whether they live elsewhere and go on without it: make sure that they do not, and\n"
             "that they never come back with their disks. What they do then is refused here, and not merged.\n"
             "All sessions, locks and registered names end. Fences given from now on are above all earlier ones.\n"
             "Nothing on other disks is touched");
    text_put(t, n->durable ? "; this disk keeps what it had of the old epoch as long as there is room.\n"
                           : ". This log is in memory only, and so is what comes of it.\n");
}

static err_t say_recover(struct node *n, struct text *t)
{
    const struct recover_view *v = &n->view;
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

/* Another first half: whatever else began from the same epoch has another id. */
static void draw_epoch(struct node *n)
{
    uint64_t lineage = n->cluster_id[1];
    memcpy(n->former_cluster_id, n->cluster_id, sizeof(n->cluster_id));
    n->former_epoch = n->epoch;
    n->epoch = (uint32_t)later(n->epoch, n->epoch_seen) + 1;
    draw_anew(n, "recovered cluster ", n->cluster_id);
    n->cluster_id[1] = with_epoch(lineage, n->epoch);
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

/* Whatever of the old log still waits to be written has no part in the new one. */
static void drop_writes(struct node *n)
{
    node_log_close(n);
    node_pieces_clear(n, &n->incoming);
    n->saving = n->saving_begun = n->installing = n->install_due = n->install_refused = n->snapshot_wanted = false;
    n->snapshot_too_big = n->full = n->full_said = false;
    n->saving_offset = n->snapshot_retry_ns = 0;
}

static struct raft_snapshot new_label(const struct node *n, const struct raft_status *s)
{
    struct raft_snapshot label = {.index = s->last, .conf = {.count = 1}};
    label.conf.members[0] = (struct raft_member){.id = own_id(n), .flags = RAFT_VOTER};
    bool known = raft_term_at(n->raft, s->last, &label.term);
    ASSERT(known);
    return label;
}

static void begin_recovery(struct node *n)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    struct raft_snapshot label = new_label(n, &s);
    bool applied = apply_rest(n);
    n->adopting = true;
    draw_epoch(n);
    drop_writes(n);
    if (applied)
        tables_recover(n->tables, n->cluster_id, n->epoch, n->config.node_id);
    n->hard_state = (struct raft_hard_state){.term = s.term + 1, .commit = s.last};
    n->conf.count = 0;
    node_raft_stop(n);
    n->hooks.replaced(n->hooks.context);
    node_tables_replaced(n);
    if (!applied || !node_snapshot_take(n, &label)) {
        node_recover_failed(n, "no memory to recover the tables");
        return;
    }
    n->saving = true;
    n->hello_changed = true;
    node_say(n, "cluster: recovering by hand: ", "a new epoch begins with this log");
    if (!n->durable)
        node_recover_adopted(n);
}

/* The disk is what it was, and says so after a restart. */
void node_recover_failed(struct node *n, const char *why)
{
    drop_writes(n);
    n->adopting = false;
    memcpy(n->cluster_id, n->former_cluster_id, sizeof(n->cluster_id));
    n->epoch = n->former_epoch;
    node_fail(n, why);
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
    memset(n->seen, 0, sizeof(n->seen));
    node_raft_prepare(n, &n->saved_label);
    node_raft_start(n, 0);
    leave_links(n);
    node_say(n, "cluster: recovered: ", "this node is the only voter of the new epoch");
}

/* ---- wiping ---- */

/* Why this log is needed, or there is none; NULL: it may be given up. */
static const char *not_to_be_wiped(const struct node *n)
{
    const struct recover_view *v = &n->view;
    if (n->adopting || n->recording || !n->log_known || n->phase == LOG_PHASE_NONE ||
        (n->stage == STAGE_BLANK && n->log_state != LOG_DAMAGED))
        return "there is no log here that could be given up now";
    if (!v->started || v->newer)
        return NULL;
    if (v->leader)
        return "this log takes part in the cluster, and a leader is heard";
    return v->conf->count && recover_majority(v) ? "a majority of the voters is heard: it will elect a leader by itself"
                                                 : NULL;
}

static err_t say_wipe(struct node *n, struct text *t)
{
    const char *why = not_to_be_wiped(n);
    if (why) {
        text_put(t, "Refused: ");
        text_put(t, why);
        text_put(t, "\n");
        return E_CONFLICT;
    }
    text_put(t, "This node gives up its log (");
    text_hex(t, n->log_id[0]);
    text_put(t,
             ") and joins a cluster with a leader as a new member, without a vote.\n"
             "What only this log has is lost when it hears one: until then the disk is not written.\n"
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
    drop_writes(n);
    node_pieces_clear(n, &n->saved);
    n->saved_label = n->incoming_label = (struct raft_snapshot){.index = 0};
    n->hard_state = (struct raft_hard_state){.term = 0};
    n->conf.count = 0;
    n->snapshot_lost = n->prepared = n->start_on_record = n->first_election = false;
    n->log_floor = n->disk_last = n->checksum_index = 0;
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
    n->epoch_seen = 0;
    memset(n->seen, 0, sizeof(n->seen));
    draw_anew(n, "log after a wipe ", n->log_id);
    node_log_key_draw(n);
    node_log_key_seal(n);
    leave_links(n);
    node_say(n, "cluster: this node gave up its log by hand: ", "it waits to be taken in anew");
}

err_t node_recover(struct node *n, enum recover_act act, char *to, size_t room, size_t *bytes_out)
{
    struct text t = text_begin(to, room);
    bool recovery = act == RECOVER_LOOK || act == RECOVER_DO;
    look(n);
    err_t err = recovery ? say_recover(n, &t) : say_wipe(n, &t);
    if (!err && act == RECOVER_DO)
        begin_recovery(n);
    if (!err && act == WIPE_DO)
        wipe(n);
    *bytes_out = t.used;
    return err;
}
