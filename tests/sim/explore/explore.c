/* explore [--states N] [--depth D] [--campaigns C] [--ops O] [--crashes K] [--losses L] [--copies U] [--beats B]
 *
 * Three nodes of the unchanged core, and every order of what may happen to them within the bounds: messages arrive in
 * any order, get lost, come twice; log writes become durable one by one, or are lost with a crash; nodes campaign, a
 * leader beats, clients propose. The search goes deep first and remembers what it has seen, as a hash of all that the
 * core would act upon. What must hold is looked at after every step.
 *
 * Exit status: 0: nothing is wrong in what was searched (all of it, or as far as --states goes); 127 a broken invariant
 * of the core; 129 not correct: the steps that led there are printed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/assert.h>
#include <raft/raft.h>
#include <raft/raft_wire.h>

#define NODES          3u
#define SLOTS          16u
#define MESSAGE_BYTES  160u
#define MESSAGES_MAX_  14u /* under way; beyond that the search turns back */
#define WRITES_MAX     RAFT_PERSISTS_MAX
#define TERMS          16u
#define DEPTH_MAX      64u
#define HEARTBEAT_NS   10u
#define LOG_BYTES      (2u * (RAFT_ENTRY_BYTES_MAX + 1))
#define LOG_BYTES_USED 64u /* payloads are a byte long */
#define CLUSTER        7u

/* ---- a state ---- */

struct record {
    uint64_t term;
    uint8_t type, value;
};
struct write { /* on its way to the disk */
    uint64_t id, truncate_from, first, last;
    struct record records[SLOTS];
    struct raft_hard_state hard_state;
};
struct disk {
    struct record records[SLOTS]; /* by index */
    uint64_t last;
    struct raft_hard_state hard_state;
    uint32_t writes;
    struct write queue[WRITES_MAX];
};
struct letter {
    uint8_t to, bytes;
    uint8_t data[MESSAGE_BYTES];
};
struct left { /* of what is allowed */
    uint8_t campaigns, ops, crashes, losses, copies, beats;
};
struct ghost {
    struct record committed[SLOTS];
    uint64_t committed_to;
    uint8_t leader_of[TERMS], vote_of[NODES][TERMS]; /* node + 1 */
    uint64_t seen_term[NODES], seen_commit[NODES];
};
struct model {
    struct raft r[NODES];
    struct raft_slot slots[NODES][SLOTS];
    uint8_t payloads[NODES][LOG_BYTES_USED];
    struct disk disks[NODES];
    uint32_t letters;
    struct letter under_way[MESSAGES_MAX_];
    struct left left;
    struct ghost ghost;
    bool turned_back;
};
static struct model now, *saved[DEPTH_MAX];
static uint8_t log_bytes[NODES][LOG_BYTES];

/* ---- what is said ---- */

enum step_kind {
    STEP_ARRIVES,
    STEP_COMES_TWICE,
    STEP_LOST,
    STEP_DURABLE,
    STEP_CRASH,
    STEP_CAMPAIGN,
    STEP_PROPOSE,
    STEP_BEAT
};
struct step {
    uint8_t kind, which; /* a node, or a letter */
    uint8_t type, from, to;
};
static struct step path[DEPTH_MAX];
static uint32_t depth;
static uint64_t states, steps, turned_back;

static void print_path(void)
{
    static const char *const names[] = {"arrives",
                                        "arrives, and once more later",
                                        "is lost",
                                        "a write becomes durable",
                                        "crashes and starts",
                                        "campaigns",
                                        "proposes",
                                        "beats"};
    for (uint32_t i = 0; i < depth; i++) {
        const struct step *s = &path[i];
        if (s->kind <= STEP_LOST)
            printf("%3u  message of type %u, %u to %u, %s\n", i + 1, s->type, s->from, s->to, names[s->kind]);
        else
            printf("%3u  node %u: %s\n", i + 1, s->which + 1u, names[s->kind]);
    }
}

static _Noreturn void fail(int status, const char *format, ...)
{
    va_list arguments;
    print_path();
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n0 passed, 1 failed\n");
    fflush(stdout);
    exit(status);
}
#define MUST(condition, ...)                                                                                           \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail(129, __VA_ARGS__);                                                                                    \
    } while (0)

_Noreturn void base_assert_failed(const char *condition, const char *file, int line)
{
    fail(127, "%s:%d: invariant broken: %s", file, line, condition);
}

/* ---- nodes ---- */

static struct raft_id id_of(uint32_t node)
{
    return (struct raft_id){node + 1, node + 1};
}

static struct raft_snapshot genesis(void)
{
    const struct raft_id voters[NODES] = {{1, 1}, {2, 2}, {3, 3}};
    struct raft_snapshot label;
    err_t err = raft_genesis_label(voters, NODES, &label);
    ASSERT(err == E_OK);
    return label;
}

static void start(uint32_t node)
{
    struct disk *d = &now.disks[node];
    const struct raft_config config = {.id = id_of(node),
                                       .cluster = CLUSTER,
                                       .seed = node + 1,
                                       .heartbeat_ns = HEARTBEAT_NS,
                                       .election_ns = 1000 * HEARTBEAT_NS,
                                       .message_bytes = 1,
                                       .inflight_messages = 2,
                                       .inflight_bytes = 64,
                                       .uncommitted_bytes = 64,
                                       .persist_bytes = 64,
                                       .apply_bytes = 64,
                                       .snapshot_chunk_bytes = 64};
    const struct raft_memory memory = {now.slots[node], SLOTS, log_bytes[node], LOG_BYTES};
    const struct raft_snapshot label = genesis();
    memset(&now.r[node], 0, sizeof(now.r[node]));
    memset(now.slots[node], 0, sizeof(now.slots[node]));
    d->writes = 0;
    err_t err = raft_init(&now.r[node], &config, &memory, &d->hard_state, &label, 1);
    for (uint64_t i = 2; err == E_OK && i <= d->last; i++) {
        const struct record *record = &d->records[i];
        const struct raft_entry entry = {.index = i,
                                         .term = record->term,
                                         .type = record->type,
                                         .length = record->type == RAFT_ENTRY_DATA,
                                         .data = &record->value};
        err = raft_restore(&now.r[node], &entry);
    }
    if (err == E_OK)
        err = raft_start(&now.r[node]);
    MUST(err == E_OK, "node %u does not start from its disk: %u", node + 1, err);
    now.ghost.seen_commit[node] = now.r[node].commit;
}

static struct record record_at(const struct raft *r, uint64_t index)
{
    struct raft_entry entry;
    bool known = raft_entry_at(r, index, &entry);
    ASSERT(known);
    return (struct record){entry.term, (uint8_t)entry.type, entry.length > 0 ? entry.data[0] : 0};
}

static void begin_write(uint32_t node, const struct raft_persist *p)
{
    struct disk *d = &now.disks[node];
    ASSERT(d->writes < WRITES_MAX);
    struct write *w = &d->queue[d->writes++];
    memset(w, 0, sizeof(*w));
    w->id = p->id;
    w->truncate_from = p->truncate_from;
    w->first = p->first;
    w->last = p->last;
    w->hard_state = p->hard_state;
    for (uint64_t i = p->first; i != 0 && i <= p->last; i++)
        w->records[i] = record_at(&now.r[node], i);
}

static void send(uint32_t node, const struct raft_message *m)
{
    struct ghost *g = &now.ghost;
    size_t bytes;
    if (m->type == RAFT_MSG_VOTE_REPLY && !m->reject) {
        uint8_t *vote = &g->vote_of[node][m->term];
        MUST(*vote == 0 || *vote == m->to.node, "node %u votes twice in term %u", node + 1, (unsigned)m->term);
        *vote = (uint8_t)m->to.node;
    }
    if (now.letters == MESSAGES_MAX_) {
        now.turned_back = true;
        return;
    }
    struct letter *letter = &now.under_way[now.letters];
    memset(letter, 0, sizeof(*letter));
    if (raft_wire_encode(&now.r[node], m, NULL, letter->data, MESSAGE_BYTES, &bytes) != E_OK) {
        now.turned_back = true;
        return;
    }
    letter->to = (uint8_t)(m->to.node - 1);
    letter->bytes = (uint8_t)bytes;
    now.letters++;
}

static void work(uint32_t node)
{
    struct raft *r = &now.r[node];
    struct raft_update u;
    do {
        raft_update(r, &u);
        for (uint32_t i = 0; i < u.message_count; i++)
            send(node, &u.messages[i]);
        if (u.persist.id != 0)
            begin_write(node, &u.persist);
        if (u.apply.first != 0)
            raft_applied(r, u.apply.last);
    } while (u.more || u.apply.first != 0 || u.message_count > 0);
}

/* ---- what must hold ---- */

static bool is_durable(uint32_t node, uint64_t index, const struct record *record)
{
    const struct disk *d = &now.disks[node];
    return index <= d->last && memcmp(&d->records[index], record, sizeof(*record)) == 0;
}

static bool equal(const struct record *a, const struct record *b)
{
    return a->term == b->term && a->type == b->type && a->value == b->value;
}

static void check_commit(uint32_t node)
{
    const struct raft *r = &now.r[node];
    struct ghost *g = &now.ghost;
    for (uint64_t i = g->seen_commit[node] + 1; i <= r->commit; i++) {
        struct record record = record_at(r, i);
        if (i <= g->committed_to) {
            MUST(equal(&record, &g->committed[i]), "node %u commits another entry %u", node + 1, (unsigned)i);
            continue;
        }
        uint32_t durable = 0;
        for (uint32_t other = 0; other < NODES; other++)
            durable += is_durable(other, i, &record);
        MUST(durable > NODES / 2, "node %u commits %u, which %u have durable", node + 1, (unsigned)i, durable);
        g->committed[i] = record;
        g->committed_to = i;
    }
    MUST(r->commit >= g->seen_commit[node], "node %u: its commit index falls", node + 1);
    g->seen_commit[node] = r->commit;
}

static void check_leader(uint32_t node)
{
    const struct raft *r = &now.r[node];
    struct ghost *g = &now.ghost;
    uint8_t *leader = &g->leader_of[r->term];
    if (r->role != RAFT_LEADER)
        return;
    MUST(*leader == 0 || *leader == node + 1, "two leaders of term %u", (unsigned)r->term);
    if (*leader != 0)
        return;
    *leader = (uint8_t)(node + 1);
    for (uint64_t i = 2; i <= g->committed_to; i++) {
        struct record record = {0};
        bool has = i <= r->last;
        if (has)
            record = record_at(r, i);
        MUST(has && equal(&record, &g->committed[i]), "leader %u of term %u lacks committed entry %u", node + 1,
             (unsigned)r->term, (unsigned)i);
    }
}

static void check_matching(uint32_t a, uint32_t b)
{
    const struct raft *x = &now.r[a], *y = &now.r[b];
    bool same = false;
    for (uint64_t i = x->last < y->last ? x->last : y->last; i >= 2; i--) {
        struct record p = record_at(x, i), q = record_at(y, i);
        same = same || p.term == q.term;
        MUST(!same || equal(&p, &q), "logs of nodes %u and %u differ at %u, below where they are the same", a + 1,
             b + 1, (unsigned)i);
    }
}

static void check(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        MUST(now.r[i].term >= now.ghost.seen_term[i], "node %u: its term falls", i + 1);
        now.ghost.seen_term[i] = now.disks[i].hard_state.term; /* what a crash cannot take back */
        check_commit(i);
        check_leader(i);
        check_matching(i, (i + 1) % NODES);
        MUST(now.r[i].fault == RAFT_FAULT_NONE, "node %u finds its log lost", i + 1);
    }
}

/* ---- what it has seen ---- */

static uint64_t hash_bytes(uint64_t hash, const void *from, size_t bytes)
{
    const uint8_t *at = from;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    for (; bytes > 0; bytes--, at++)
        hash = (hash ^ *at) * 0x100000001b3ull;
    return hash ^ hash >> 32;
}
#define PART(hash, part) hash_bytes(hash, &(part), sizeof(part))

static uint64_t hash_peers(uint64_t hash, const struct raft *r)
{
    for (uint32_t i = 0; i < NODES; i++) {
        const struct raft_peer *p = &r->peers[i];
        const uint64_t parts[] = {p->match,          p->next,
                                  p->state,          p->paused,
                                  p->nudge,          p->commit_told,
                                  p->inflight_count, p->inflight_count > 0 ? p->inflight_last[p->inflight_head] : 0,
                                  r->votes[i]};
        hash = PART(hash, parts);
    }
    return hash;
}

static uint64_t hash_node(uint64_t hash, uint32_t node)
{
    const struct raft *r = &now.r[node];
    const uint64_t parts[] = {r->term,
                              r->vote.node,
                              r->commit,
                              r->applied,
                              r->stable,
                              r->handed,
                              r->durable_term,
                              r->durable_commit,
                              r->durable_vote.node,
                              r->handed_term,
                              r->handed_commit,
                              r->handed_vote.node,
                              r->truncate_from,
                              r->persist_count,
                              r->role,
                              r->leader.node,
                              r->campaign_owed,
                              r->vote_reply_to.node,
                              r->term_start,
                              r->verified,
                              r->acked,
                              r->ack_owed,
                              r->last,
                              r->now_ns,
                              r->heartbeat_due_ns};
    hash = PART(hash, parts);
    for (uint64_t i = 2; i <= r->last; i++) {
        struct record record = record_at(r, i);
        hash = hash_bytes(hash_bytes(hash, &record.term, 8), &record.type, 2);
    }
    if (r->role == RAFT_LEADER || r->role == RAFT_CANDIDATE || r->role == RAFT_PRE_CANDIDATE)
        hash = hash_peers(hash, r);
    const struct disk *d = &now.disks[node];
    for (uint64_t i = 2; i <= d->last; i++)
        hash = hash_bytes(hash_bytes(hash, &d->records[i].term, 8), &d->records[i].type, 2);
    for (uint32_t i = 0; i < d->writes; i++) {
        const uint64_t write[] = {d->queue[i].first,
                                  d->queue[i].last,
                                  d->queue[i].truncate_from,
                                  d->queue[i].hard_state.term,
                                  d->queue[i].hard_state.vote.node,
                                  d->queue[i].hard_state.commit};
        hash = PART(hash, write);
    }
    return PART(hash, d->hard_state);
}

static uint64_t hash_now(void)
{
    uint64_t hash = 1, letters = 0;
    for (uint32_t i = 0; i < NODES; i++)
        hash = hash_node(hash, i);
    for (uint32_t i = 0; i < now.letters; i++) /* in whatever order */
        letters += hash_bytes(3, &now.under_way[i], 2u + now.under_way[i].bytes);
    return PART(PART(hash, letters), now.left);
}

/* By hash: the least depth at which it was seen. */
static uint64_t *seen;
static uint8_t *seen_depth;
static uint64_t seen_room;

static bool is_new(uint64_t hash)
{
    hash |= 1;
    for (uint64_t at = hash >> 20;; at++) {
        uint64_t slot = at & (seen_room - 1);
        if (seen[slot] == hash && seen_depth[slot] <= depth)
            return false;
        if (seen[slot] == 0)
            states++;
        if (seen[slot] == 0 || seen[slot] == hash) {
            seen[slot] = hash;
            seen_depth[slot] = (uint8_t)depth;
            return true;
        }
    }
}

/* ---- steps ---- */

/* The messages of the core lie behind all that a state is made of. */
#define RAFT_BYTES offsetof(struct raft, messages)

static void keep(struct model *to, const struct model *from)
{
    for (uint32_t i = 0; i < NODES; i++)
        memcpy(&to->r[i], &from->r[i], RAFT_BYTES);
    memcpy((char *)to + offsetof(struct model, slots), (const char *)from + offsetof(struct model, slots),
           sizeof(*to) - offsetof(struct model, slots));
}

static void save(void)
{
    for (uint32_t i = 0; i < NODES; i++)
        memcpy(now.payloads[i], log_bytes[i], LOG_BYTES_USED);
    if (saved[depth] == NULL)
        saved[depth] = malloc(sizeof(struct model));
    keep(saved[depth], &now);
}

static void restore(void)
{
    keep(&now, saved[depth]);
    for (uint32_t i = 0; i < NODES; i++) {
        memcpy(log_bytes[i], now.payloads[i], LOG_BYTES_USED);
        now.r[i].message_count = 0;
    }
}

static void take_out(uint32_t which)
{
    now.under_way[which] = now.under_way[--now.letters];
}

static void arrive(uint32_t which)
{
    struct letter letter = now.under_way[which];
    struct raft_message m;
    struct raft_snapshot snapshot;
    err_t err = raft_wire_decode(letter.data, letter.bytes, &m, &snapshot, NULL);
    ASSERT(err == E_OK);
    raft_receive(&now.r[letter.to], &m);
    work(letter.to);
}

static void become_durable(uint32_t node)
{
    struct disk *d = &now.disks[node];
    struct write w = d->queue[0];
    d->writes--;
    memmove(&d->queue[0], &d->queue[1], d->writes * sizeof(d->queue[0]));
    if (w.truncate_from != 0 && w.truncate_from <= d->last)
        d->last = w.truncate_from - 1;
    for (uint64_t i = w.first; i != 0 && i <= w.last; i++)
        d->records[i] = w.records[i];
    if (w.first != 0)
        d->last = w.last;
    d->hard_state = w.hard_state;
    raft_persisted(&now.r[node], w.id);
    work(node);
}

/* Long enough has been silence that nobody holds on to who led; that one need not know. */
static void campaign(uint32_t node)
{
    for (uint32_t i = 0; i < NODES; i++)
        if (now.r[i].role != RAFT_LEADER)
            raft_forget_leader(&now.r[i]);
    raft_campaign(&now.r[node]);
    work(node);
}

static void propose(uint32_t node)
{
    uint8_t value = now.left.ops;
    uint64_t index, term;
    raft_propose(&now.r[node], &value, 1, &index, &term);
    work(node);
}

static void beat(uint32_t node)
{
    raft_tick(&now.r[node], now.r[node].now_ns + HEARTBEAT_NS);
    work(node);
}

static void take(const struct step *s)
{
    switch (s->kind) {
    case STEP_ARRIVES:
        arrive(s->which);
        take_out(s->which);
        break;
    case STEP_COMES_TWICE:
        now.left.copies--;
        arrive(s->which);
        break;
    case STEP_LOST:
        now.left.losses--;
        take_out(s->which);
        break;
    case STEP_DURABLE:
        become_durable(s->which);
        break;
    case STEP_CRASH:
        now.left.crashes--;
        start(s->which);
        work(s->which);
        break;
    case STEP_CAMPAIGN:
        now.left.campaigns--;
        campaign(s->which);
        break;
    case STEP_PROPOSE:
        now.left.ops--;
        propose(s->which);
        break;
    default:
        now.left.beats--;
        beat(s->which);
        break;
    }
    check();
}

static bool was_before(uint32_t which)
{
    for (uint32_t i = 0; i < which; i++)
        if (memcmp(&now.under_way[i], &now.under_way[which], sizeof(now.under_way[0])) == 0)
            return true;
    return false;
}

static uint32_t list_steps(struct step *list)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < now.letters; i++) {
        const uint8_t *data = now.under_way[i].data;
        struct step s = {STEP_ARRIVES, i, data[1], data[12], (uint8_t)(now.under_way[i].to + 1)};
        if (was_before(i))
            continue;
        for (; s.kind <= STEP_LOST; s.kind++)
            if ((s.kind == STEP_ARRIVES) || (s.kind == STEP_COMES_TWICE && now.left.copies > 0) ||
                (s.kind == STEP_LOST && now.left.losses > 0))
                list[count++] = s;
    }
    for (uint8_t i = 0; i < NODES; i++) {
        bool leads = now.r[i].role == RAFT_LEADER, idle = now.r[i].role == RAFT_FOLLOWER;
        if (now.disks[i].writes > 0)
            list[count++] = (struct step){.kind = STEP_DURABLE, .which = i};
        if (leads && now.left.ops > 0)
            list[count++] = (struct step){.kind = STEP_PROPOSE, .which = i};
        if (idle && now.left.campaigns > 0)
            list[count++] = (struct step){.kind = STEP_CAMPAIGN, .which = i};
        if (leads && now.left.beats > 0)
            list[count++] = (struct step){.kind = STEP_BEAT, .which = i};
        if (now.left.crashes > 0)
            list[count++] = (struct step){.kind = STEP_CRASH, .which = i};
    }
    return count;
}

/* ---- the search ---- */

static uint64_t states_max = UINT64_MAX;
static uint32_t depth_max = 40;

static void search(void)
{
    struct step list[3 * MESSAGES_MAX_ + 5 * NODES];
    if (depth == depth_max || states >= states_max) {
        turned_back++;
        return;
    }
    uint32_t count = list_steps(list);
    save();
    for (uint32_t i = 0; i < count && states < states_max; i++) {
        path[depth++] = list[i];
        steps++;
        take(&list[i]);
        turned_back += now.turned_back;
        if (!now.turned_back && is_new(hash_now()))
            search();
        depth--;
        restore();
    }
}

static void parse(int argc, char **argv)
{
    const struct {
        const char *name;
        uint8_t *to;
    } bounds[] = {{"--campaigns", &now.left.campaigns}, {"--ops", &now.left.ops},
                  {"--crashes", &now.left.crashes},     {"--losses", &now.left.losses},
                  {"--copies", &now.left.copies},       {"--beats", &now.left.beats}};
    now.left = (struct left){.campaigns = 2, .ops = 2, .crashes = 1, .losses = 1, .copies = 1, .beats = 1};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 0);
        uint32_t at = 0;
        while (at < 6 && strcmp(argv[i], bounds[at].name) != 0)
            at++;
        if (at < 6)
            *bounds[at].to = (uint8_t)number;
        else if (strcmp(argv[i], "--states") == 0)
            states_max = number;
        else if (strcmp(argv[i], "--depth") == 0 && number < DEPTH_MAX)
            depth_max = (uint32_t)number;
        else
            fail(2, "explore: what is %s?", argv[i]);
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    for (seen_room = 1 << 16; seen_room < 2 * states_max && seen_room < 1u << 27;)
        seen_room *= 2;
    if (states_max > seen_room / 2)
        states_max = seen_room / 2;
    seen = calloc(seen_room, sizeof(*seen));
    seen_depth = calloc(seen_room, 1);
    for (uint32_t i = 0; i < NODES; i++) {
        now.disks[i].last = 1;
        start(i);
        work(i);
    }
    search();
    printf("%llu states, %llu steps, up to %u deep: %s\n1 passed, 0 failed\n", (unsigned long long)states,
           (unsigned long long)steps, depth_max,
           states >= states_max ? "as far as --states goes"
           : turned_back > 0    ? "all within the bounds, but for too long ones"
                                : "all within the bounds");
    return 0;
}
