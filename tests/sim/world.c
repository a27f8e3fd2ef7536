/* Virtual time: a heap of events, ordered by time and then by chance. */
#include <stdarg.h>
#include <unistd.h>

#include <base/assert.h>

#include "sim.h"

struct world w;

/* ---- randomness: xoshiro would do as well; SplitMix64 is enough and tiny ---- */
static uint64_t rng_state;

uint64_t rng(void)
{
    uint64_t z = rng_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
uint64_t rng_below(uint64_t limit)
{
    return rng() % limit;
}
uint64_t rng_between(uint64_t low, uint64_t high)
{
    return low + rng_below(high - low + 1);
}
bool rng_chance(uint32_t per_million)
{
    return rng_below(1000000) < per_million;
}

/* ---- what is said ---- */

void trace(const char *format, ...)
{
    if (!w.trace)
        return;
    va_list arguments;
    printf("%10.6f ", (double)w.now_ns / SECOND);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

/* How the nodes stand, for who reads the trace. */
static void trace_nodes(void)
{
    for (uint32_t i = 1; w.trace && i <= w.p.nodes; i++) {
        const struct node *n = &w.nodes[i];
        const struct raft *r = n->raft;
        trace("node %u%s: %s of term %llu, leader %llu; base %llu applied %llu commit %llu stable %llu last %llu, "
              "%u writes and %u reads under way, %s%s",
              i, n->up ? "" : " (down)",
              r->role == RAFT_LEADER     ? "leader"
              : r->role == RAFT_FOLLOWER ? "follower"
                                         : "candidate",
              (unsigned long long)r->term, (unsigned long long)r->leader.node, (unsigned long long)r->base,
              (unsigned long long)r->applied, (unsigned long long)r->commit, (unsigned long long)r->stable,
              (unsigned long long)r->last, r->persist_count, r->read_count,
              raft_conf_is_voter(&r->conf, n->id) ? "voter" : "no voter",
              raft_conf_is_joint(&r->conf) ? ", joint" : "");
        for (uint32_t p = 0; r->role == RAFT_LEADER && p < r->conf.count; p++)
            trace("    peer %llu.%llx: match %llu next %llu state %u%s inflight %u flags %u",
                  (unsigned long long)r->peers[p].id.node, (unsigned long long)r->peers[p].id.log,
                  (unsigned long long)r->peers[p].match, (unsigned long long)r->peers[p].next, r->peers[p].state,
                  r->peers[p].paused ? " paused" : "", r->peers[p].inflight_count, r->conf.members[p].flags);
    }
}

_Noreturn void violation(enum exit_code code, const char *format, ...)
{
    char said[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof(said), format, arguments);
    va_end(arguments);
    trace_nodes();
    fflush(stdout);
    /* One write: several seeds run side by side. */
    dprintf(STDERR_FILENO, "seed %llu at %.6f s: %s\n", (unsigned long long)w.seed, (double)w.now_ns / SECOND, said);
    _exit(code);
}

_Noreturn void base_assert_failed(const char *condition, const char *file, int line)
{
    violation(EXIT_CRASH, "%s:%d: invariant broken: %s", file, line, condition);
}

/* ---- the heap ---- */

static struct event *heap;
static size_t heap_count, heap_room;

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->tie < b->tie;
}

static void heap_push(struct event e)
{
    if (heap_count == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 1024;
        heap = realloc(heap, heap_room * sizeof(*heap));
    }
    size_t at = heap_count++;
    while (at > 0 && sooner(&e, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = e;
}

static struct event heap_pop(void)
{
    struct event first = heap[0], last = heap[--heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap_count)
            break;
        if (child + 1 < heap_count && sooner(&heap[child + 1], &heap[child]))
            child++;
        if (!sooner(&heap[child], &last))
            break;
        heap[at] = heap[child];
        at = child;
    }
    if (heap_count > 0)
        heap[at] = last;
    return first;
}

void event_add(uint64_t after_ns, enum event_kind kind, uint32_t who, uint64_t life, void *data, size_t bytes)
{
    heap_push((struct event){.at_ns = w.now_ns + after_ns,
                             .tie = rng(),
                             .kind = kind,
                             .who = who,
                             .life = life,
                             .data = data,
                             .bytes = bytes});
}

/* ---- running ---- */

static bool is_client_event(uint32_t kind)
{
    return kind == EVENT_CLIENT || kind == EVENT_REPLY || kind == EVENT_NOTICE;
}
static bool is_nemesis_event(uint32_t kind)
{
    return kind == EVENT_NEMESIS || kind == EVENT_RESTART || kind == EVENT_UPGRADE || kind == EVENT_HEAL ||
           kind == EVENT_ADMIN || kind == EVENT_NOISE || kind == EVENT_CRASH;
}

static void dispatch(struct event *e)
{
    w.s.events++;
    if (is_client_event(e->kind))
        client_event(e);
    else if (is_nemesis_event(e->kind))
        nemesis_event(e);
    else if (e->kind == EVENT_BEAT)
        duties_beat(e->who);
    else
        node_event(&w.nodes[e->who], e);
}

static bool run_until(uint64_t end_ns, bool (*enough)(void))
{
    while (heap_count > 0 && heap[0].at_ns <= end_ns) {
        struct event e = heap_pop();
        w.now_ns = e.at_ns;
        dispatch(&e);
        if (enough != NULL && enough())
            return true;
    }
    w.now_ns = end_ns;
    return false;
}

static bool clients_are_served(void)
{
    return clients_progressed(3);
}

/* All nodes of the core have applied all that is committed. */
static bool core_is_equal(void)
{
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        if (!w.broken[i] && (!n->up || tables_applied_index(n->tables) < ghost_committed()))
            return false;
    }
    return true;
}

static bool dead_are_gone(void)
{
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        const struct node *n = &w.nodes[i];
        if (!w.broken[i] && n->up && clients_dead_are_gone(n->tables))
            return true;
    }
    return false;
}

/* Silence is seen, the lease runs from the last renewal, and the leader looks at each of its own. */
#define LEASE_BOUND_NS (SILENCE_NS + TABLES_LEASE_NS + 2 * LEASE_RENEW_NS + 2 * REPORT_NS)

/* Nodes that apply entry by entry, and slowly, have a way to go before they answer. */
static uint64_t catching_up_ns(void)
{
    uint64_t behind = 0;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        uint64_t applied = w.nodes[i].up ? tables_applied_index(w.nodes[i].tables) : 0;
        if (!w.broken[i] && ghost_committed() > applied + behind)
            behind = ghost_committed() - applied;
    }
    return w.p.apply_bytes == 1 ? behind * w.p.apply_ns : 0;
}

static void liveness(void)
{
    nemesis_calm();
    if (!nemesis_may_live())
        return;
    clients_calm();
    clients_mark();
    uint64_t bound = 60 * w.p.election_ns + 100 * w.p.flush_high_ns + 20 * SECOND + catching_up_ns();
    if (!run_until(w.now_ns + bound, clients_are_served)) {
        if (nemesis_lost_by_wish())
            return;
        violation(EXIT_LIVENESS, "a healed quorum does not serve its clients within %llu s",
                  (unsigned long long)(bound / SECOND));
    }
    if (!dead_are_gone() && !run_until(w.now_ns + LEASE_BOUND_NS + bound, dead_are_gone))
        violation(EXIT_LIVENESS, "the leases of dead clients do not end");
    nemesis_end();
    clients_stop();
    if (!run_until(w.now_ns + bound, core_is_equal))
        violation(EXIT_LIVENESS, "the nodes of a healed quorum do not come to the same state");
}

static void check_history(void)
{
    struct node *newest = NULL;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        if (n->up && (newest == NULL || tables_applied_index(n->tables) > tables_applied_index(newest->tables)))
            newest = n;
    }
    if (tables_applied_index(newest->tables) < ghost_committed())
        return; /* a majority was lost: who has the rest is off, or may not speak */
    history_check(newest->tables);
}

void world_run(void)
{
    rng_state = w.seed * 0x2545f4914f6cdd1dull + 1;
    nemesis_draw();
    ghost_start();
    node_genesis();
    clients_start();
    duties_start();
    nemesis_start();
    run_until(w.p.safety_ns, NULL);
    liveness();
    check_history();
    w.s.virtual_ns = w.now_ns;
}
