/* What a node says of itself and of the others. */
#include "node_state.h"

static bool quorum(const struct node *n)
{
    struct raft_status s;
    if (!n->raft_running)
        return false;
    raft_status(n->raft, &s);
    return s.quorum;
}

/* ---- what it waits for, in words ---- */

static const char *waiting_for_log(const struct node *n)
{
    if (!n->log_known || n->phase == LOG_PHASE_NONE)
        return "the log server";
    return "the log on the disk to be read";
}

static const char *waiting_for_network(const struct node *n)
{
    switch (n->peer_state) {
    case UINT32_MAX:
        return "the network server";
    case 1:
        return "a network card";
    case 2:
        return "a network address";
    default:
        return "the network";
    }
}

static void put_voters(struct text *t, uint32_t heard, uint32_t all)
{
    text_put(t, "voters: ");
    text_number(t, heard);
    text_put(t, " of ");
    text_number(t, all);
    text_put(t, " heard");
}

/* Logs that vote, not machines: one whose log was lost is heard and yet does not count. */
static void put_conf_voters(struct node *n, struct text *t)
{
    const struct raft_conf *conf = raft_conf_now(n->raft);
    uint32_t heard = 0, all = 0;
    for (uint32_t i = 0; i < conf->count; i++) {
        const struct raft_member *m = &conf->members[i];
        const struct other *o = node_other_by_raft(n, m->id.node);
        if (!(m->flags & (RAFT_VOTER | RAFT_VOTER_OLD)))
            continue;
        bool self = raft_id_equal(m->id, raft_id_of(n->config.node_id, n->log_id));
        heard += self || (o && o->heard && o->hello.log_id[0] == m->id.log);
        all++;
    }
    put_voters(t, heard, all);
}

static void put_missing(struct text *t, const struct node *n)
{
    bool any = false;
    put_voters(t, node_voters_linked(n), n->config.voter_count);
    for (uint32_t v = 1; v <= n->config.voter_count; v++) {
        if (!node_voter_missing(n, v))
            continue;
        text_put(t, any ? " and " : ", missing: voter ");
        text_number(t, v);
        any = true;
    }
}

static void waiting_before_start(const struct node *n, struct text *t)
{
    const struct other *o = node_hears_cluster(n);
    if (o && !o->hello.led) {
        text_put(t, "the cluster that is heard to have a leader, who can take this node's log in");
    } else if (n->stage == STAGE_PREPARED) {
        text_put(t, "all voters to have recorded the new cluster; ");
        put_missing(t, n);
    } else if (n->config.genesis && n->config.voter) {
        text_put(t, "all voters of the new cluster; ");
        put_missing(t, n);
    } else {
        text_put(t, "a node that is in the cluster (this one's log ");
        text_put(t, n->log_state == LOG_NONE ? "is in memory, so what it held before is gone" : "is blank");
        text_put(t, ", and it was not told to begin a new cluster)");
    }
}

static bool log_server_gone(const struct node *n)
{
    return n->durable && n->phase == LOG_PHASE_NONE;
}

/* What is amiss with the disk, though the node goes on. */
static void waiting_for_disk(const struct node *n, struct text *t)
{
    uint64_t repairing = node_repairing(n);
    if (log_server_gone(n)) {
        text_put(t, "the log server, which ended ");
        text_number(t, n->log_ends);
        text_put(t, " times (does the disk fail?); nothing is promised before it is back");
    } else if (repairing) {
        text_put(t, "a leader to send again the entries up to ");
        text_number(t, repairing);
        text_put(t, ", of which this log disk lost some; it gives no vote until then");
    } else if (n->snapshot_too_big) {
        text_put(t, "keys to be removed: the log disk is full, the tables do not fit on it");
    } else if (n->full_said) {
        text_put(t, "room: the log disk is full");
    }
}

static void waiting_in_cluster(struct node *n, struct text *t)
{
    struct raft_status s;
    raft_status(n->raft, &s);
    if (!n->network && !(s.role == RAFT_LEADER && n->applied_join)) {
        text_put(t, waiting_for_network(n));
    } else if (node_is_removed(n)) {
        text_put(t, "nothing: this node was removed from the cluster; `nodes add` on another node takes it back");
    } else if (no_raft_conf(n)) {
        text_put(t, "the leader to take this log in");
    } else if (!s.leader.log && node_put_lost_majority(n, t)) {
        return;
    } else if (!s.leader.log) {
        text_put(t, "a leader: ");
        text_put(t, s.voter ? "more than half of the voters must be reachable; " : "none is heard; ");
        put_conf_voters(n, t);
        const struct refused *refused = node_refused(n, NULL);
        if (refused && refused->reason == LINK_OTHER_CLUSTER)
            text_put(t, node_kin(n, refused->cluster_id) == KIN_STRANGER
                            ? "; nodes of another cluster are refused: see `raft wipe`"
                            : "; nodes of another epoch are refused: see `raft wipe`");
    } else if (!n->applied_join) {
        text_put(t, "the leader to give this boot its place");
    } else if (s.applied < s.commit && !log_server_gone(n)) { /* without it nothing can be applied */
        text_put(t, "its copy of the tables to catch up");
    } else {
        waiting_for_disk(n, t);
    }
}

static void put_waiting(struct node *n, struct text *t)
{
    enum cluster_state state = node_state(n);
    if (n->problem)
        text_put(t, n->problem);
    else if (state != CLUSTER_MEMBER && node_put_key_missing(n, t))
        return;
    else if (n->adopting)
        text_put(t, "the recovered state to be written");
    else if (state == CLUSTER_LOG)
        text_put(t, waiting_for_log(n));
    else if (n->raft_running)
        waiting_in_cluster(n, t);
    else if (state == CLUSTER_LINK)
        text_put(t, waiting_for_network(n));
    else
        waiting_before_start(n, t);
}

/* ---- status ---- */

static uint32_t role_of(const struct raft_status *s)
{
    switch (s->role) {
    case RAFT_LEADER:
        return 4;
    case RAFT_CANDIDATE:
    case RAFT_PRE_CANDIDATE:
        return 3;
    default:
        return s->voter ? 2 : 1;
    }
}

uint32_t node_number_of(struct node *n, uint64_t raft_node)
{
    for (uint32_t i = 1; n->tables && i <= NODES_MAX; i++) {
        const struct tables_node *row = tables_node(n->tables, i);
        if (row && row->node_id[0] == raft_node)
            return i;
    }
    if (raft_node == n->config.node_id[0])
        return node_number(n);
    const struct other *o = node_other_by_raft(n, raft_node);
    return o ? o->number : 0;
}

static void put_raft(struct node *n, struct cluster_status *s)
{
    struct raft_status r;
    raft_status(n->raft, &r);
    s->role = role_of(&r);
    s->leader = r.leader.log ? node_number_of(n, r.leader.node) : 0;
    s->term = r.term;
    s->commit = r.commit;
    s->applied = r.applied;
    s->last_index = r.last;
    s->durable_index = r.stable;
    s->voter = r.voter;
    s->quorum = r.quorum;
}

static void put_links(struct node *n, struct cluster_status *s)
{
    struct link_statistics l;
    link_statistics(n->link, &l);
    s->frames_wrong_key = l.rejected.wrong_key;
    s->frames_replayed = l.rejected.replayed;
    s->frames_damaged = l.rejected.damaged;
    s->frames_foreign = l.rejected.foreign;
    s->frames_old_key = l.rejected.old_key;
    s->frames_excess = l.rejected.excess;
    s->frames_false_log = l.rejected.false_log;
    for (uint32_t i = 0; i < SEAL_COUNTERS; i++)
        s->refused_ipv4[i] = l.rejected_from[i].ipv4;
    s->frames_sent = l.frames_out;
    s->frames_received = l.frames_in;
    s->bytes_sent = l.bytes_out;
    s->bytes_received = l.bytes_in;
}

static void count_nodes(struct node *n, struct cluster_status *s)
{
    struct cluster_node row;
    for (uint32_t i = 1; i <= NODES_MAX; i++) {
        if (!node_row(n, i, &row))
            continue;
        s->nodes_known++;
        s->nodes_up += row.state == 1;
    }
}

void node_status(struct node *n, struct cluster_status *s)
{
    memset(s, 0, sizeof(*s));
    struct text t = text_begin(s->waiting, sizeof(s->waiting));
    put_waiting(n, &t);
    s->state = node_state(n);
    s->node = node_number(n);
    memcpy(s->node_id, n->config.node_id, sizeof(s->node_id));
    memcpy(s->boot_id, n->config.boot_id, sizeof(s->boot_id));
    if (n->stage != STAGE_BLANK)
        memcpy(s->cluster_id, n->cluster_id, sizeof(s->cluster_id));
    if (n->log_known)
        memcpy(s->log_id, n->log_id, sizeof(s->log_id));
    s->durable = n->durable;
    memcpy(s->cluster_name, n->config.cluster_name, sizeof(s->cluster_name));
    if (n->raft_running)
        put_raft(n, s);
    t = text_begin(s->voters, sizeof(s->voters));
    node_put_voters(n, &t);
    put_links(n, s);
    count_nodes(n, s);
}

/* ---- nodes ---- */

static void put_member(struct node *n, struct cluster_node *row)
{
    struct raft_status s;
    if (!n->raft_running)
        return;
    raft_status(n->raft, &s);
    struct raft_id id = raft_id_of(row->node_id, row->log_id);
    const struct raft_member *m = raft_conf_member(raft_conf_now(n->raft), id);
    const struct raft_peer *p = raft_peer(n->raft, id);
    row->voter = m && m->flags & RAFT_VOTER;
    row->leader = s.leader.log && s.leader.node == id.node;
    row->match_index = p ? p->match : 0;
}

static const struct other *other_with(struct node *n, const uint64_t node_id[2])
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session && same_id(n->others[i].node_id, node_id))
            return &n->others[i];
    }
    return NULL;
}

/* The row's node, as its link shows it now: its disk may be another than the tables know. */
static enum trouble trouble_of(struct node *n, const struct cluster_node *row)
{
    const struct other *o = other_with(n, row->node_id);
    if (same_id(row->node_id, n->config.node_id))
        return node_trouble(n);
    return o && o->heard ? o->hello.trouble : TROUBLE_NONE;
}

static bool old_log_votes(struct node *n, const struct cluster_node *row)
{
    const struct raft_conf *conf = n->raft_running ? raft_conf_now(n->raft) : NULL;
    for (uint32_t i = 0; conf && i < conf->count; i++) {
        const struct raft_member *m = &conf->members[i];
        if (m->id.node == row->node_id[0] && m->id.log != row->log_id[0] && m->flags & RAFT_VOTER)
            return true;
    }
    return false;
}

static const char *membership(const struct raft_member *m)
{
    if (!m)
        return "";
    if (m->flags & RAFT_LEARNER_NEXT || m->flags == RAFT_VOTER_OLD)
        return "is giving up its vote";
    return m->flags == RAFT_VOTER ? "" : m->flags & RAFT_VOTER_OLD ? "joint" : "";
}

static void put_note(struct node *n, struct cluster_node *row)
{
    static const char *const wishes[TABLES_WISHES] = {"", "votes by hand", "does not vote by hand", "drained",
                                                      "removed"};
    enum trouble trouble = trouble_of(n, row);
    const struct tables_node *known = n->tables ? tables_node(n->tables, row->node) : NULL;
    struct text t = text_begin(row->note, sizeof(row->note));
    const struct raft_conf *conf = n->raft_running ? raft_conf_now(n->raft) : NULL;
    const char *joint = conf ? membership(raft_conf_member(conf, raft_id_of(row->node_id, row->log_id))) : "";
    if (known && known->wish)
        text_put(&t, wishes[known->wish]);
    if (known && known->wish == TABLES_WISH_REMOVED)
        row->state = 3;
    if (trouble != TROUBLE_NONE) {
        text_put(&t, t.used ? ", " : "");
        text_put(&t, node_trouble_note(trouble));
        return;
    }
    if (row->state == 4) {
        text_put(&t, t.used ? ", " : "");
        text_put(&t, node_refused_note(n, node_refused(n, row->node_id)));
        return;
    }
    if (joint[0]) {
        text_put(&t, t.used ? ", " : "");
        text_put(&t, joint);
    }
    if (old_log_votes(n, row)) {
        text_put(&t, t.used ? ", " : "");
        text_put(&t, "its log was lost: takes part without a vote");
    }
}

static void put_heard(struct node *n, const struct other *o, struct cluster_node *row)
{
    struct link_peer_view view;
    if (!link_peer(n->link, node_other_slot(n, o), &view))
        return;
    row->state = 1;
    row->ipv4 = view.address.ipv4;
    row->last_heard_ns = n->now_ns - view.heard_ns;
    row->free_bytes = o->load.free_bytes;
    row->running = o->load.running;
    row->busy_percent = o->load.busy_percent;
}

static void put_self(struct node *n, struct cluster_node *row)
{
    row->state = 1;
    row->ipv4 = n->ipv4;
    row->free_bytes = n->load.free_bytes;
    row->running = n->load.running;
    row->busy_percent = n->load.busy_percent;
}

/* Not heard now: when it last was, as far as the link remembers. */
static void put_silence(struct node *n, struct cluster_node *row)
{
    struct link_peer_view view;
    row->state = node_refused(n, row->node_id) ? 4 : 2;
    row->last_heard_ns = UINT64_MAX;
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (link_peer(n->link, i, &view) && same_id(view.identity.node_id, row->node_id))
            row->last_heard_ns = n->now_ns - view.heard_ns;
    }
}

static void put_presence(struct node *n, struct cluster_node *row)
{
    const struct other *o = other_with(n, row->node_id);
    if (same_id(row->node_id, n->config.node_id))
        put_self(n, row);
    else if (o)
        put_heard(n, o, row);
    else
        put_silence(n, row);
}

static bool row_from_tables(struct node *n, uint32_t number, struct cluster_node *row)
{
    const struct tables_node *t = n->tables ? tables_node(n->tables, number) : NULL;
    if (!t)
        return false;
    memcpy(row->node_id, t->node_id, sizeof(row->node_id));
    memcpy(row->log_id, t->log_id, sizeof(row->log_id));
    memcpy(row->boot_id, t->boot_id, sizeof(row->boot_id));
    memcpy(row->name, t->name, sizeof(row->name));
    row->durable = t->durable;
    row->cpus = t->cpus;
    return true;
}

/* Known from its link alone, as before there are tables. */
static bool row_from_link(struct node *n, uint32_t number, struct cluster_node *row)
{
    struct link_peer_view view;
    const struct other *o = node_other_by_number(n, number);
    if (number == node_number(n)) {
        memcpy(row->node_id, n->config.node_id, sizeof(row->node_id));
        memcpy(row->log_id, n->log_id, sizeof(row->log_id));
        memcpy(row->boot_id, n->config.boot_id, sizeof(row->boot_id));
        memcpy(row->name, n->config.name, sizeof(row->name));
        row->durable = n->durable;
        return true;
    }
    if (!o || !link_peer(n->link, node_other_slot(n, o), &view))
        return false;
    memcpy(row->node_id, o->node_id, sizeof(row->node_id));
    memcpy(row->log_id, o->hello.log_id, sizeof(row->log_id));
    memcpy(row->boot_id, o->boot_id, sizeof(row->boot_id));
    memcpy(row->name, view.identity.name, sizeof(row->name));
    row->durable = o->hello.durable;
    return true;
}

bool node_row(struct node *n, uint32_t number, struct cluster_node *row)
{
    memset(row, 0, sizeof(*row));
    if (!number || (!row_from_tables(n, number, row) && !row_from_link(n, number, row)))
        return false;
    row->node = number;
    put_presence(n, row);
    put_member(n, row);
    put_note(n, row);
    return true;
}

/* ---- for people ---- */

static const char *member_role(const struct raft_conf *conf, uint32_t flags)
{
    if (flags & RAFT_LEARNER_NEXT)
        return "  old voter, then learner";
    if (flags == RAFT_VOTER)
        return raft_conf_is_joint(conf) ? "  new voter" : "  voter";
    if (flags == RAFT_VOTER_OLD)
        return "  old voter";
    return flags & RAFT_VOTER ? "  voter" : "  learner";
}

static void put_member_line(struct node *n, struct text *t, const struct raft_member *m)
{
    const struct raft_peer *p = raft_peer(n->raft, m->id);
    uint32_t number = node_number_of(n, m->id.node);
    const struct tables_node *row = n->tables ? tables_node(n->tables, number) : NULL;
    text_put(t, "  node ");
    text_number(t, number);
    text_put(t, "  log ");
    text_hex(t, m->id.log);
    text_put(t, member_role(raft_conf_now(n->raft), m->flags));
    if (node_log_lost(n, m->id))
        text_put(t, ", lost");
    else if (row)
        text_put(t, row->durable ? ", durable" : ", memory");
    if (p) {
        text_put(t, "  match ");
        text_number(t, p->match);
    }
    text_put(t, "\n");
}

static void put_line(struct text *t, const char *what, uint64_t number)
{
    text_put(t, what);
    text_number(t, number);
    text_put(t, "\n");
}

static void put_words(struct text *t, const char *what, const char *words)
{
    if (!words[0])
        return;
    text_put(t, what);
    text_put(t, words);
    text_put(t, "\n");
}

size_t node_raft_text(struct node *n, char *to, size_t room)
{
    static const char *const roles[] = {"none", "learner", "follower", "candidate", "leader"};
    struct text t = text_begin(to, room);
    struct cluster_status s;
    node_status(n, &s);
    text_put(&t, "role         ");
    text_put(&t, roles[s.role]);
    put_line(&t, s.durable ? ", log on disk\nleader       node " : ", log in memory\nleader       node ", s.leader);
    put_line(&t, "term         ", s.term);
    put_line(&t, "last entry   ", s.last_index);
    put_line(&t, "durable      ", s.durable_index);
    put_line(&t, "committed    ", s.commit);
    put_line(&t, "applied      ", s.applied);
    put_line(&t, "snapshot     ", n->saved_label.index);
    text_put(&t, quorum(n) ? "quorum       yes\n" : "quorum       no\n");
    put_words(&t, "voters       ", s.voters);
    text_put(&t, "members\n");
    const struct raft_conf *conf = n->raft_running ? raft_conf_now(n->raft) : NULL;
    for (uint32_t i = 0; conf && i < conf->count; i++)
        put_member_line(n, &t, &conf->members[i]);
    put_words(&t, "waits for    ", s.waiting);
    return t.used;
}
