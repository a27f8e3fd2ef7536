/* Links and what comes over them: sessions, hellos, loads, and the way to each part. */
#include "node_state.h"

#define HELLO_BYTES 76u
#define LOAD_BYTES  (40u + MEMBERS_WHY_BYTES)

#define TURNED_AWAY_NS (10 * SECOND_NS) /* between lines of log on that, for each reason */

uint32_t node_other_slot(const struct node *n, const struct other *o)
{
    return (uint32_t)(o - n->others);
}

struct other *node_other_by_raft(struct node *n, uint64_t raft_node)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session && n->others[i].node_id[0] == raft_node)
            return &n->others[i];
    }
    return NULL;
}

struct other *node_other_by_number(struct node *n, uint32_t number)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session && n->others[i].number == number)
            return &n->others[i];
    }
    return NULL;
}

bool node_send_control(struct node *n, const struct other *o, enum control kind, const void *data, size_t bytes)
{
    uint8_t head = (uint8_t)kind;
    uint32_t number;
    return link_send(n->link, node_other_slot(n, o), o->session, LINK_RAFT, &head, 1, data, bytes, &number) == E_OK;
}

/* ---- hellos: what a node is, beyond its link identity ---- */

/* By which a recovery by hand knows the best log. */
static void put_log_end(const struct node *n, struct wire_writer *w)
{
    struct raft_status s = {.last = 0};
    uint64_t term = 0;
    if (n->raft_running) {
        raft_status(n->raft, &s);
        if (!raft_term_at(n->raft, s.last, &term))
            term = 0;
    }
    wire_put_u64(w, n->epoch);
    wire_put_u64(w, term);
    wire_put_u64(w, s.last);
}

static void send_hello(struct node *n, const struct other *o)
{
    uint8_t bytes[HELLO_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    bool cluster_known = n->stage != STAGE_BLANK && !n->adopting; /* what is being recovered is not yet so */
    wire_put_u8(&w, (uint8_t)(n->adopting ? STAGE_BLANK : n->stage));
    wire_put_u8(&w, (uint8_t)n->config.voter);
    wire_put_u8(&w, (uint8_t)node_number(n));
    wire_put_u8(&w, (uint8_t)(n->config.genesis | n->durable << 1 | node_log_usable(n) << 2 | n->was_led << 3));
    wire_put_u32(&w, node_trouble(n));
    wire_put_u64(&w, cluster_known ? n->cluster_id[0] : 0);
    wire_put_u64(&w, cluster_known ? n->cluster_id[1] : 0);
    wire_put_u64(&w, n->log_id[0]);
    wire_put_u64(&w, n->log_id[1]);
    put_log_end(n, &w);
    wire_put_u32(&w, TABLES_LEVEL_NOW);
    node_send_control(n, o, CONTROL_HELLO, bytes, w.used);
}

void node_hello_all(struct node *n)
{
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session)
            send_hello(n, &n->others[i]);
    }
    n->hello_changed = false;
    n->hello_due_ns = n->now_ns + (node_state(n) == CLUSTER_MEMBER ? 30 : 1) * HELLO_NS;
}

/* A build of level 1 says nothing of it, and a later one may say more than is known here. */
static bool read_hello(struct wire_reader *r, struct hello *h)
{
    h->stage = wire_get_u8(r);
    h->voter = wire_get_u8(r);
    h->number = wire_get_u8(r);
    uint32_t flags = wire_get_u8(r);
    uint32_t trouble = wire_get_u32(r);
    h->trouble = (enum trouble)trouble;
    h->genesis = flags & 1;
    h->durable = flags >> 1 & 1;
    h->ready = flags >> 2 & 1;
    h->led = flags >> 3 & 1;
    for (int i = 0; i < 2; i++)
        h->cluster_id[i] = wire_get_u64(r);
    for (int i = 0; i < 2; i++)
        h->log_id[i] = wire_get_u64(r);
    uint64_t epoch = wire_get_u64(r);
    h->epoch = (uint32_t)epoch;
    h->last_term = wire_get_u64(r);
    h->last_index = wire_get_u64(r);
    h->level = wire_left(r) ? wire_get_u32(r) : 1;
    return !r->failed && h->level && h->stage <= STAGE_STARTED && h->voter <= NODE_VOTERS_MAX &&
           h->number <= NODES_MAX && trouble < TROUBLE_COUNT && epoch && epoch <= EPOCH_MAX;
}

/* Remote calls name nodes by number; once both are known they may go there: a call from a node without a number means
 * nothing to who gets it. */
static void tell_calls(struct node *n, struct other *o, uint32_t number)
{
    if (node_other_is_removed(n, o) || node_is_removed(n))
        number = 0;
    if (o->told && o->number != number) {
        n->hooks.session_end(n->hooks.context, o->number);
        o->told = false;
        o->number = 0;
    }
    if (o->told || !number || !node_number(n) || number == node_number(n) || node_other_by_number(n, number))
        return;
    o->number = number;
    o->told = true;
    n->hooks.session_begin(n->hooks.context, number, o->boot_id);
}

/* Where it is, or what gives way to it: of nodes that nobody knows the oldest, since anybody with a key that was
 * dropped can say that it is many, and only then a member. */
static struct refused *place_of_refused(struct node *n, const uint64_t node_id[2])
{
    struct refused *to = NULL;
    bool to_known = false;
    for (uint32_t i = 0; i < REFUSED_MAX; i++) {
        struct refused *r = &n->refused[i];
        if (same_id(r->node_id, node_id))
            return r;
        bool known = n->tables && n->now_ns - r->at_ns < REFUSED_NS && tables_node_by_id(n->tables, r->node_id);
        if (!to || known < to_known || (known == to_known && r->at_ns < to->at_ns)) {
            to = r;
            to_known = known;
        }
    }
    return to;
}

/* Remembered for a while. True: it is news. */
static bool remember_refused(struct node *n, const uint64_t node_id[2], const uint64_t cluster_id[2], uint32_t reason)
{
    struct refused *to = place_of_refused(n, node_id);
    bool news = !same_id(to->node_id, node_id) || to->reason != reason || n->now_ns - to->at_ns >= REFUSED_NS;
    *to = (struct refused){{node_id[0], node_id[1]}, {cluster_id[0], cluster_id[1]}, n->now_ns, reason};
    if (reason == LINK_OTHER_CLUSTER)
        node_recover_saw(n, cluster_id);
    return news;
}

/* Both take part, and in different clusters: the session began before one of them had read its disk. */
static bool of_another_cluster(const struct node *n, const struct hello *h)
{
    return h->stage == STAGE_STARTED && n->stage == STAGE_STARTED && !n->adopting &&
           !same_id(h->cluster_id, n->cluster_id);
}

static void take_hello(struct node *n, struct other *o, struct wire_reader *r)
{
    struct hello h;
    if (!read_hello(r, &h)) {
        link_drop(n->link, node_other_slot(n, o), o->session);
        return;
    }
    if (!same_id(h.log_id, o->log_id)) { /* it has another log since: then another session is to prove that */
        link_drop(n->link, node_other_slot(n, o), o->session);
        return;
    }
    if (of_another_cluster(n, &h)) {
        send_hello(n, o);
        remember_refused(n, o->node_id, h.cluster_id, LINK_OTHER_CLUSTER);
        link_drop(n->link, node_other_slot(n, o), o->session);
        return;
    }
    o->hello = h;
    o->hello_ns = n->now_ns;
    o->heard = true;
    tell_calls(n, o, h.number); /* now: the next message may be a call */
    n->genesis_due_ns = 0;
    node_members_heard(n, o);
    node_seen_check(n, o);
}

/* ---- loads ---- */

/* What this log will have for ever. */
static uint64_t applied(const struct node *n)
{
    struct raft_status s = {.applied = 0};
    if (n->raft_running)
        raft_status(n->raft, &s);
    return s.applied;
}

static void send_loads(struct node *n)
{
    uint8_t bytes[LOAD_BYTES];
    struct wire_writer w = wire_writer(bytes, sizeof(bytes));
    if (n->now_ns < n->load_due_ns)
        return;
    n->load_due_ns = n->now_ns + LOAD_NS;
    link_vet_again(n->link); /* the tables may say more than when they began */
    wire_put_u64(&w, n->load.free_bytes);
    wire_put_u32(&w, n->load.running);
    wire_put_u32(&w, n->load.busy_percent);
    wire_put_u64(&w, n->now_ns);
    wire_put_u64(&w, applied(n));
    node_members_words(n, &w);
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        if (n->others[i].session)
            link_send_datagram(n->link, i, n->others[i].session, bytes, w.used);
    }
}

static void take_load(struct node *n, struct other *o, const struct link_event *event)
{
    struct wire_reader r = wire_reader(event->data, event->bytes);
    struct node_load load = {.free_bytes = wire_get_u64(&r)};
    load.running = wire_get_u32(&r);
    load.busy_percent = wire_get_u32(&r);
    uint64_t stamp_ns = wire_get_u64(&r), applied = wire_get_u64(&r);
    if (r.failed || stamp_ns < o->load_stamp_ns) /* datagrams may overtake each other */
        return;
    node_members_take_words(n, o, &r);
    node_seen_note(n, o, applied);
    o->load = load;
    o->load_ns = n->now_ns;
    o->load_stamp_ns = stamp_ns;
}

/* ---- events ---- */

static void take_control(struct node *n, struct other *o, const struct link_event *event)
{
    struct wire_reader r = wire_reader(event->data, event->bytes);
    switch (wire_get_u8(&r)) {
    case CONTROL_RAFT:
        node_take_raft(n, o, event->data + 1, event->bytes - 1);
        break;
    case CONTROL_HELLO:
        take_hello(n, o, &r);
        break;
    case CONTROL_PREPARE:
        node_take_prepare(n, o, &r);
        break;
    case CONTROL_PREPARED:
        node_take_prepared(n, o, &r);
        break;
    case CONTROL_START:
        node_take_start(n, o, &r);
        break;
    case CONTROL_PROPOSE:
        node_take_propose(n, o, event->data + 1, event->bytes - 1);
        break;
    case CONTROL_MEMBERS:
        node_take_members(n, o, &r);
        break;
    case CONTROL_MEMBERS_ANSWER:
        node_take_members_answer(n, &r);
        break;
    case CONTROL_REMOVED:
        node_take_removed(n, &r);
        break;
    case CONTROL_OLDER:
        node_take_older(n, &r);
        break;
    case CONTROL_KEY:
        node_take_key(n, &r);
        break;
    case CONTROL_RENEWED:
        if (!node_lease_take(n, &r))
            link_drop(n->link, event->peer, event->session);
        break;
    default:
        link_drop(n->link, event->peer, event->session);
    }
}

static void take_message(struct node *n, struct other *o, const struct link_event *event)
{
    if (event->channel == LINK_RAFT)
        take_control(n, o, event);
    else if (!o->told || event->channel != LINK_CALLS ||
             !n->hooks.call_message(n->hooks.context, o->number, event->data, event->bytes))
        link_drop(n->link, event->peer, event->session);
}

static void link_up(struct node *n, struct other *o, const struct link_event *event)
{
    struct link_peer_view view;
    bool known = link_peer(n->link, event->peer, &view);
    ASSERT(known);
    memset(o, 0, sizeof(*o));
    o->session = event->session;
    memcpy(o->node_id, view.identity.node_id, sizeof(o->node_id));
    memcpy(o->boot_id, view.identity.boot_id, sizeof(o->boot_id));
    memcpy(o->log_id, view.identity.log_id, sizeof(o->log_id));
    memcpy(o->log_key, view.log_key, sizeof(o->log_key));
    send_hello(n, o);
}

static void link_down(struct node *n, struct other *o)
{
    if (o->told)
        n->hooks.session_end(n->hooks.context, o->number);
    if (n->raft_running && o->heard)
        raft_unreachable(n->raft, raft_id_of(o->node_id, o->hello.log_id));
    memset(o, 0, sizeof(*o));
}

static void refused(struct node *n, const struct link_event *event)
{
    static const char *const why[] = {
        [LINK_SAME_NODE] = "it has the same node id as this one (cloned disk or placeholder UUID?)",
        [LINK_OTHER_CLUSTER] = "its log is of another cluster of this name and key, or of an older epoch of this one",
        [LINK_OLD_KEY] = "it has a cluster key that was dropped; `key enter` there gives it the new one",
        [LINK_FALSE_LOG] = "it has the cluster key, and not the key of the log it names"};
    uint64_t *said_ns = &n->turned_away_said_ns[event->reason];
    if (event->reason == LINK_KEY_DROPPED) {
        node_keys_told_dropped(n);
    } else if (remember_refused(n, event->node_id, event->cluster_id, event->reason) &&
               (!*said_ns || n->now_ns - *said_ns >= TURNED_AWAY_NS)) {
        *said_ns = n->now_ns;
        node_say(n, "cluster: a node was turned away: ", why[event->reason]);
    }
}

/* ---- frames of strangers, in the log ---- */

static void put_address(struct text *t, uint32_t ipv4)
{
    for (int i = 0; i < 4; i++) {
        text_put(t, i ? "." : "");
        text_number(t, ipv4 >> 8 * i & 255);
    }
}

static void say_refused(struct node *n, const struct link_statistics *s, uint32_t which, uint64_t count)
{
    static const char *const why[SEAL_COUNTERS] = {"made with another key",
                                                   "played again",
                                                   "damaged or altered",
                                                   "of another cluster",
                                                   "made with a dropped key",
                                                   "too many hellos",
                                                   "made without the key of the log they name"};
    char words[96];
    struct text t = text_begin(words, sizeof(words));
    text_number(&t, count - n->refused_said[which].count);
    text_put(&t, " ");
    text_put(&t, why[which]);
    text_put(&t, ", the last from ");
    put_address(&t, s->rejected_from[which].ipv4);
    node_say(n, "cluster: frames were refused: ", words);
    n->refused_said[which].count = count;
    n->refused_said[which].said_ns = n->now_ns;
}

/* Of each kind at most a line a minute, however many come. */
static void watch_refused(struct node *n)
{
    struct link_statistics s;
    uint64_t counts[SEAL_COUNTERS];
    if (n->now_ns < n->refused_look_ns)
        return;
    n->refused_look_ns = n->now_ns + SECOND_NS;
    link_statistics(n->link, &s);
    memcpy(counts, &s.rejected, sizeof(counts));
    for (uint32_t i = 0; i < SEAL_COUNTERS; i++) {
        uint64_t said_ns = n->refused_said[i].said_ns;
        if (counts[i] != n->refused_said[i].count && (!said_ns || n->now_ns - said_ns >= REFUSED_NS))
            say_refused(n, &s, i, counts[i]);
    }
}

static void take_event(struct node *n, const struct link_event *event)
{
    struct other *o = event->peer < LINK_PEERS_MAX ? &n->others[event->peer] : NULL;
    if (event->kind == LINK_REFUSED)
        refused(n, event);
    else if (event->kind == LINK_UP)
        link_up(n, o, event);
    else if (o->session != event->session)
        return; /* of a session that is over */
    else if (event->kind == LINK_DOWN)
        link_down(n, o);
    else if (event->kind == LINK_DATAGRAM)
        take_load(n, o, event);
    else
        take_message(n, o, event);
}

void node_links_run(struct node *n)
{
    struct link_event event;
    while (link_next_event(n->link, &event)) {
        take_event(n, &event);
        link_event_done(n->link, &event);
    }
}

/* ---- what goes out ---- */

static void send_calls(struct node *n, struct other *o)
{
    size_t bytes;
    uint32_t number;
    const uint8_t *message;
    while (o->told && (message = n->hooks.call_next(n->hooks.context, o->number, &bytes))) {
        if (bytes == 0) {
            link_drop(n->link, node_other_slot(n, o), o->session);
            return;
        }
        err_t err = link_send(n->link, node_other_slot(n, o), o->session, LINK_CALLS, message, bytes, "", 0, &number);
        if (err == E_FULL)
            return; /* it goes out when the queue has drained a little */
        n->hooks.call_sent(n->hooks.context, o->number);
    }
}

void node_links_say(struct node *n)
{
    uint32_t up = 0;
    if (n->hello_changed || n->now_ns >= n->hello_due_ns)
        node_hello_all(n); /* before calls: they are refused by who does not know our number */
    for (uint32_t i = 0; i < LINK_PEERS_MAX; i++) {
        struct other *o = &n->others[i];
        up += o->session != 0;
        if (o->heard)
            tell_calls(n, o, o->hello.number);
        send_calls(n, o);
    }
    send_loads(n);
    watch_refused(n);
    uint32_t expected = n->config.voter_count ? n->config.voter_count - (n->config.voter != 0) : 1;
    link_seek(n->link, up < expected);
}
