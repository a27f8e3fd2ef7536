#include "world.h"

#include <base/assert.h>
#include <math.h>

#define NO_PACKET  UINT32_MAX
#define UNREAD_MAX 256u /* what a stalled node's socket keeps */

enum what { TIMER, PACKET, STALL, WAKE };

/* ---- chance ---- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

uint64_t world_random(struct world *w, uint64_t below)
{
    w->random += 0x9e3779b97f4a7c15ull;
    return mix(w->random) % below;
}

/* Most within a millisecond, some up to 30. */
static uint64_t delay_ns(struct world *w)
{
    uint64_t ns = MS / 10 + world_random(w, MS);
    return world_random(w, 100) ? ns : ns + world_random(w, 30 * MS);
}

/* ---- what is to happen ---- */

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ns < b->at_ns;
}

static void plan(struct world *w, uint64_t at_ns, enum what what, uint32_t which)
{
    if (w->event_count == w->event_room) {
        w->event_room = w->event_room ? 2 * w->event_room : 1024;
        w->events = realloc(w->events, w->event_room * sizeof(struct event));
    }
    struct event e = {at_ns, what, which};
    uint32_t at = w->event_count++;
    while (at && before(&e, &w->events[(at - 1) / 2])) {
        w->events[at] = w->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w->events[at] = e;
}

static struct event next_event(struct world *w)
{
    struct event first = w->events[0], last = w->events[--w->event_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= w->event_count)
            break;
        if (child + 1 < w->event_count && before(&w->events[child + 1], &w->events[child]))
            child++;
        if (!before(&w->events[child], &last))
            break;
        w->events[at] = w->events[child];
        at = child;
    }
    w->events[at] = last;
    return first;
}

/* ---- packets ---- */

static uint32_t packet_take(struct world *w)
{
    if (w->packet_free == NO_PACKET) {
        uint32_t had = w->packet_room;
        w->packet_room = had ? 2 * had : 1024;
        w->packets = realloc(w->packets, w->packet_room * sizeof(struct packet));
        for (uint32_t i = had; i < w->packet_room; i++) {
            w->packets[i].next = w->packet_free;
            w->packet_free = i;
        }
    }
    uint32_t p = w->packet_free;
    w->packet_free = w->packets[p].next;
    return p;
}

static void packet_give(struct world *w, uint32_t p)
{
    w->packets[p].next = w->packet_free;
    w->packet_free = p;
}

static uint32_t node_of(uint64_t id)
{
    return (uint32_t)(id & 0xffff) - 1;
}

static void send(struct world *w, uint32_t from, uint64_t to_id, uint32_t p, size_t bytes)
{
    struct peer *s = &w->peers[from];
    uint32_t to = node_of(to_id);
    uint64_t total = bytes + w->config.overhead_bytes;
    s->bytes += total;
    s->window_bytes += total;
    s->packets++;
    w->tally.packets++;
    w->tally.bytes += total;
    if ((w->cut && s->side != w->peers[to].side) || world_random(w, 1000) < w->loss_thousandths) {
        w->tally.lost++;
        packet_give(w, p);
        return;
    }
    w->packets[p].from = from;
    w->packets[p].to = to;
    w->packets[p].bytes = (uint32_t)bytes;
    plan(w, w->now_ns + delay_ns(w), PACKET, p);
}

/* ---- what each believes ---- */

static void judge_verdict(struct world *w, uint32_t observer, uint32_t subject)
{
    const struct peer *s = &w->peers[subject];
    w->tally.dead_all++;
    const char *what = "crashed";
    if (!s->up) {
        w->tally.dead_crashed++;
    } else if (s->stalled_until_ns) {
        w->tally.dead_stalled++;
        what = "stalled";
    } else if (s->stall_ended_ns && w->now_ns - s->stall_ended_ns < SECOND) {
        w->tally.dead_woken++;
        what = "just woken";
    } else {
        w->tally.dead_healthy++;
        what = "healthy";
    }
    if (w->trace)
        printf("%10.3f s: node %u takes node %u for dead: it is %s\n", (double)w->now_ns / 1e9, observer, subject,
               what);
}

static void set_seen(struct world *w, uint32_t observer, uint32_t subject, uint8_t state)
{
    uint8_t *seen = &w->seen[(size_t)observer * w->room + subject], was = *seen;
    w->dead_at[subject] += (state == MEMBER_DEAD) - (was == MEMBER_DEAD);
    int32_t more = (state == MEMBER_ALIVE || state == MEMBER_SUSPECT) - (was == MEMBER_ALIVE || was == MEMBER_SUSPECT);
    w->present_at[subject] += (uint32_t)more;
    if (w->peers[subject].up)
        w->pairs += more;
    *seen = state;
}

static void look(struct world *w, uint32_t node)
{
    struct member_view v;
    while (member_next(w->peers[node].member, &v)) {
        uint32_t subject = node_of(v.node);
        bool old = v.boot != w->peers[subject].boot && v.state != MEMBER_DEAD;
        uint8_t was = w->seen[(size_t)node * w->room + subject];
        if (subject == node)
            continue;
        if (v.state == MEMBER_DEAD && was != MEMBER_DEAD)
            judge_verdict(w, node, subject);
        w->tally.suspicions += v.state == MEMBER_SUSPECT;
        set_seen(w, node, subject, old ? 0 : (uint8_t)v.state);
    }
}

static void finish_round(struct world *w, uint32_t node)
{
    struct peer *s = &w->peers[node];
    uint64_t to;
    for (;;) {
        uint32_t p = packet_take(w);
        size_t bytes = member_output(s->member, w->now_ns, &to, w->packets[p].data);
        if (!bytes) {
            packet_give(w, p);
            break;
        }
        send(w, node, to, p, bytes);
    }
    look(w, node);
    uint64_t due = member_deadline(s->member);
    due = due > w->now_ns ? due : w->now_ns + 1000;
    if (due != s->timer_ns) {
        s->timer_ns = due;
        plan(w, due, TIMER, node);
    }
}

static void run_node(struct world *w, uint32_t node)
{
    member_run(w->peers[node].member, w->now_ns);
    finish_round(w, node);
}

static void receive(struct world *w, uint32_t p)
{
    const struct packet *q = &w->packets[p];
    struct peer *s = &w->peers[q->to];
    const char *why;
    if (member_receive(s->member, w->now_ns, w->peers[q->from].id, q->data, q->bytes, &why) != E_OK) {
        fprintf(stderr, "a packet was refused: %s\n", why);
        abort();
    }
}

static void arrive(struct world *w, uint32_t p)
{
    uint32_t to = w->packets[p].to;
    struct peer *s = &w->peers[to];
    if (!s->up || (s->stalled_until_ns && s->unread_count == UNREAD_MAX)) {
        w->tally.unread_lost += s->up;
        packet_give(w, p);
        return;
    }
    if (s->stalled_until_ns) {
        w->packets[p].next = NO_PACKET;
        if (s->unread_count++)
            w->packets[s->unread_last].next = p;
        else
            s->unread_first = p;
        s->unread_last = p;
        return;
    }
    receive(w, p);
    packet_give(w, p);
    run_node(w, to);
}

/* ---- stalls: nothing is run, what comes is kept unread ---- */

static void plan_stall(struct world *w, uint32_t node)
{
    double mean_s = 3.0 * (1 - w->stalled_share) / w->stalled_share,
           u = (double)(world_random(w, 1u << 30) + 1) / (1u << 30);
    plan(w, w->now_ns + (uint64_t)(-log(u) * mean_s * 1e9), STALL, node);
}

void world_stalls(struct world *w, double share)
{
    w->stalled_share = share;
    for (uint32_t i = 0; share > 0 && i < w->count; i++)
        plan_stall(w, i);
}

static void stall(struct world *w, uint32_t node)
{
    struct peer *s = &w->peers[node];
    if (w->stalled_share <= 0)
        return;
    if (!s->up || s->stalled_until_ns) {
        plan_stall(w, node);
        return;
    }
    s->stalled_until_ns = w->now_ns + SECOND + world_random(w, 4 * SECOND);
    w->tally.stalls++;
    plan(w, s->stalled_until_ns, WAKE, node);
}

/* Timers first, now and then: what lay unread must not be needed for fairness. */
static void wake(struct world *w, uint32_t node)
{
    struct peer *s = &w->peers[node];
    if (!s->up || s->stalled_until_ns != w->now_ns)
        return;
    s->stalled_until_ns = 0;
    s->stall_ended_ns = w->now_ns;
    if (world_random(w, 2))
        run_node(w, node);
    while (s->unread_count) {
        uint32_t p = s->unread_first;
        s->unread_first = w->packets[p].next;
        s->unread_count--;
        receive(w, p);
        packet_give(w, p);
        finish_round(w, node);
    }
    run_node(w, node);
    plan_stall(w, node);
}

/* ---- running ---- */

static void close_window(struct world *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->peers[i].window_bytes > w->tally.most_bytes_a_second)
            w->tally.most_bytes_a_second = w->peers[i].window_bytes;
        w->peers[i].window_bytes = 0;
    }
    w->window_ns += SECOND;
}

static void happen(struct world *w)
{
    struct event e = next_event(w);
    while (e.at_ns >= w->window_ns)
        close_window(w);
    w->now_ns = e.at_ns;
    w->turns++;
    struct peer *s = &w->peers[e.which];
    switch (e.what) {
    case TIMER:
        if (s->up && !s->stalled_until_ns && s->timer_ns == e.at_ns)
            run_node(w, e.which);
        break;
    case PACKET:
        arrive(w, e.which);
        break;
    case STALL:
        stall(w, e.which);
        break;
    default:
        wake(w, e.which);
    }
}

void world_run(struct world *w, uint64_t until_ns)
{
    while (w->event_count && w->events[0].at_ns <= until_ns)
        happen(w);
    w->now_ns = until_ns;
}

bool world_until(struct world *w, bool (*done)(struct world *w, uint32_t node), uint32_t node, uint64_t limit_ns)
{
    uint64_t end_ns = w->now_ns + limit_ns;
    while (!done(w, node)) {
        if (!w->event_count || w->events[0].at_ns > end_ns)
            return false;
        happen(w);
    }
    return true;
}

/* ---- nodes ---- */

struct world *world_make(uint32_t room, uint64_t probe_ns, bool patient, uint64_t seed)
{
    struct world *w = calloc(1, sizeof(*w));
    w->room = room;
    w->random = mix(seed);
    w->now_ns = 1000 * SECOND;
    w->window_ns = w->now_ns + SECOND;
    w->packet_free = NO_PACKET;
    member_config_default(&w->config, probe_ns);
    if (patient)
        w->config.suspicion = 4;
    w->config.cluster[0] = seed;
    w->config.cluster[1] = 7;
    w->config.capacity = room;
    w->config.open = true;
    w->peers = calloc(room, sizeof(struct peer));
    w->seen = calloc((size_t)room * room, 1);
    w->dead_at = calloc(room, sizeof(uint32_t));
    w->present_at = calloc(room, sizeof(uint32_t));
    return w;
}

void world_free(struct world *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        free(w->peers[i].memory);
    free(w->peers);
    free(w->seen);
    free(w->dead_at);
    free(w->present_at);
    free(w->events);
    free(w->packets);
    free(w);
}

static void forget_views(struct world *w, uint32_t node)
{
    for (uint32_t j = 0; j < w->room; j++)
        set_seen(w, node, j, 0);
}

static void forget_boot(struct world *w, uint32_t node)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->seen[(size_t)i * w->room + node] != MEMBER_DEAD)
            set_seen(w, i, node, 0);
    }
}

uint32_t world_boot(struct world *w, uint32_t node)
{
    struct peer *s = &w->peers[node];
    struct member_config c = w->config;
    if (!s->memory)
        s->memory = malloc(member_bytes(&c));
    w->count = node < w->count ? w->count : node + 1;
    s->id = mix(node + w->config.cluster[0] * 65536) << 16 | (node + 1);
    s->boot = world_random(w, UINT64_MAX - 1) + 1;
    forget_boot(w, node);
    c.node = s->id;
    c.boot = s->boot;
    c.random = world_random(w, UINT64_MAX);
    err_t err = member_init(&c, s->memory, w->now_ns, &s->member);
    ASSERT(err == E_OK);
    s->up = true;
    w->pairs += w->present_at[node];
    s->stall_ended_ns = s->stalled_until_ns = 0;
    s->timer_ns = w->now_ns + 1;
    plan(w, s->timer_ns, TIMER, node);
    w->running++;
    return node;
}

void world_introduce(struct world *w, uint32_t node, uint32_t to)
{
    member_add(w->peers[node].member, w->now_ns, w->peers[to].id, 0);
}

void world_crash(struct world *w, uint32_t node)
{
    struct peer *s = &w->peers[node];
    s->up = false;
    w->pairs -= w->present_at[node];
    while (s->unread_count) {
        uint32_t p = s->unread_first;
        s->unread_first = w->packets[p].next;
        s->unread_count--;
        packet_give(w, p);
    }
    forget_views(w, node);
    w->running--;
    w->tally.crashes++;
}

/* One packet of what there is to know, for all. */
static uint32_t make_rows(struct world *w, uint32_t from, uint8_t *packet, size_t *bytes)
{
    struct wire_writer writer = wire_writer(packet, MEMBER_PACKET_MAX);
    struct member_packet head = {.kind = MEMBER_ROWS,
                                 .cluster = {w->config.cluster[0], w->config.cluster[1]},
                                 .from = w->peers[0].id,
                                 .boot = w->peers[0].boot,
                                 .to = 1,
                                 .incarnation = 1};
    uint32_t count = 0;
    member_encode_begin(&writer, &head, NULL);
    for (; from + count < w->count; count++) {
        struct member_update u = {MEMBER_ALIVE, w->peers[from + count].id, 1, w->peers[from + count].boot, 0};
        if (!member_encode_update(&writer, &u))
            break;
    }
    member_encode_end(&writer, count);
    *bytes = writer.used;
    return count;
}

static void tell(struct world *w, uint32_t node, uint8_t *packet, size_t bytes)
{
    struct peer *s = &w->peers[node];
    uint32_t first = node == 0; /* which cannot hear it from itself */
    memcpy(packet + 20, &w->peers[first].id, 8);
    memcpy(packet + 28, &w->peers[first].boot, 8);
    memcpy(packet + 36, &s->id, 8);
    err_t err = member_receive(s->member, w->now_ns, w->peers[first].id, packet, bytes, NULL);
    ASSERT(err == E_OK);
}

void world_settled(struct world *w, uint32_t count)
{
    uint8_t packet[MEMBER_PACKET_MAX];
    size_t bytes;
    for (uint32_t i = 0; i < count; i++)
        world_boot(w, i);
    for (uint32_t from = 0; from < count;) {
        uint32_t rows = make_rows(w, from, packet, &bytes);
        for (uint32_t i = 0; i < count; i++)
            tell(w, i, packet, bytes);
        from += rows;
    }
    for (uint32_t i = 0; i < count; i++)
        look(w, i);
    world_run(w, w->now_ns + 15 * SECOND);
    w->tally = (struct tally){0};
    for (uint32_t i = 0; i < w->count; i++)
        w->peers[i].bytes = w->peers[i].packets = w->peers[i].window_bytes = 0;
}

void base_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
    abort();
}
