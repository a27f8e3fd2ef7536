/* A mount of lib/raft: does what updates ask for, with delays, and tells the core when it is done. */
#include <base/assert.h>
#include <base/crc32c.h>

#include "sim.h"

#define LOG_BYTES (192u * 1024u)
static const uint64_t cluster_id[2] = {0x5b0a1, 7};

/* ---- clock ---- */

uint64_t node_local_time(const struct node *n)
{
    __int128 passed = w.now_ns - n->clock_global_ns;
    return n->clock_local_ns + (uint64_t)(passed + passed * n->drift_ppm / 1000000);
}

static uint64_t global_delay(const struct node *n, uint64_t local_ns)
{
    uint64_t now = node_local_time(n);
    if (local_ns <= now)
        return 1;
    __int128 wait = local_ns - now;
    return (uint64_t)(wait * 1000000 / (1000000 + n->drift_ppm)) + 1000;
}

/* ---- who is who ---- */

struct node *node_of(struct raft_id id)
{
    struct node *n = id.node <= w.p.nodes && id.node > 0 ? &w.nodes[id.node] : NULL;
    return n != NULL && raft_id_equal(n->id, id) ? n : NULL;
}

struct node *leader_now(void)
{
    struct node *found = NULL;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        if (n->up && n->raft->role == RAFT_LEADER && (found == NULL || n->raft->term > found->raft->term))
            found = n;
    }
    return found;
}

/* ---- state machine ---- */

static void *take_chunk(void *context)
{
    struct node *n = context;
    if (n->chunk_count == sizeof(n->chunks) / sizeof(n->chunks[0]))
        return NULL;
    return n->chunks[n->chunk_count++] = aligned_alloc(16, TABLES_CHUNK_BYTES);
}

static void tables_drop(struct node *n)
{
    while (n->chunk_count > 0)
        free(n->chunks[--n->chunk_count]);
    n->tables = NULL;
}

static void tables_make(struct node *n)
{
    struct tables_memory memory = {.chunk = take_chunk, .context = n};
    tables_drop(n);
    err_t err = tables_init(&memory, cluster_id, 1, &n->tables);
    ASSERT(err == E_OK);
    tables_pretend_level(n->tables, n->level);
    ghost_tables_watch(n);
}

static uint8_t *tables_bytes(const struct tables *t, uint64_t *bytes_out)
{
    struct tables_saver saver;
    tables_save_begin(t, &saver);
    uint8_t *bytes = malloc(saver.total + 1);
    uint64_t at = 0;
    for (size_t got; (got = tables_save(t, &saver, bytes + at, saver.total + 1 - at)) > 0;)
        at += got;
    ASSERT(at == saver.total);
    *bytes_out = at;
    return bytes;
}

/* False: it is of a level that its build does not know. */
static bool tables_restore(struct node *n, const uint8_t *bytes, uint64_t count, uint64_t index)
{
    struct tables_loader loader;
    tables_load_begin(n->tables, &loader);
    err_t err = tables_load(n->tables, &loader, bytes, count);
    if (err == E_NOT_SUPPORTED && n->level < TABLES_LEVEL_NOW)
        return false;
    if (err != E_OK || tables_load_end(n->tables, &loader) != E_OK)
        violation(EXIT_CORRECTNESS, "node %u cannot load a snapshot", n->number);
    if (tables_applied_index(n->tables) != index)
        violation(EXIT_CORRECTNESS, "node %u: snapshot of %llu holds %llu", n->number, (unsigned long long)index,
                  (unsigned long long)tables_applied_index(n->tables));
    return true;
}

static void digest_of(const uint8_t *bytes, uint64_t count, uint8_t digest_out[32])
{
    memset(digest_out, 0, 32);
    uint32_t sum = crc32c(0, bytes, count);
    memcpy(digest_out, &sum, sizeof(sum));
}

/* ---- starting and stopping ---- */

static struct raft_config config_of(const struct node *n)
{
    return (struct raft_config){.id = n->id,
                                .cluster = cluster_id[0],
                                .seed = rng(),
                                .heartbeat_ns = w.p.heartbeat_ns,
                                .election_ns = w.p.election_ns,
                                .stall_ns = 0,
                                .commit_notice_ns = w.p.heartbeat_ns / 8,
                                .message_bytes = w.p.message_bytes,
                                .inflight_messages = w.p.inflight,
                                .inflight_bytes = 4 * w.p.message_bytes,
                                .inflight_short = n->number % 3,
                                .uncommitted_bytes = 48 * 1024,
                                .persist_bytes = w.p.persist_bytes,
                                .apply_bytes = w.p.apply_bytes,
                                .snapshot_chunk_bytes = w.p.chunk_bytes};
}

static void new_identity(struct node *n)
{
    n->logs++;
    n->id = (struct raft_id){.node = n->number, .log = (uint64_t)n->number << 32 | n->logs};
    n->promised_term = 0;
}

static void first_snapshot(struct node *n, const struct raft_snapshot *label)
{
    struct platter *d = &n->disk;
    struct tables_result result;
    tables_make(n);
    tables_pretend_level(n->tables, w.p.older ? 1 : TABLES_LEVEL_NOW);
    err_t err = tables_apply(n->tables, 1, 1, NULL, 0, &result);
    ASSERT(err == E_OK);
    d->snapshot = *label;
    d->snapshot_data = tables_bytes(n->tables, &d->snapshot.bytes);
    digest_of(d->snapshot_data, d->snapshot.bytes, d->snapshot.digest);
    d->has_snapshot = true;
}

void node_genesis(void)
{
    struct raft_id voters[NODES_AT_MOST];
    struct raft_snapshot label;
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        struct node *n = &w.nodes[i];
        n->number = i;
        n->level = w.p.older && (i == 1 || rng_chance(500000)) ? 1 : TABLES_LEVEL_NOW;
        new_identity(n);
        voters[i - 1] = n->id;
        n->drift_ppm = (int64_t)rng_below(2 * w.p.drift_ppm + 1) - w.p.drift_ppm;
        n->raft = malloc(sizeof(struct raft));
        n->memory = (struct raft_memory){.slots = malloc(w.p.slots * sizeof(struct raft_slot)),
                                         .slot_count = w.p.slots,
                                         .bytes = malloc(LOG_BYTES),
                                         .byte_count = LOG_BYTES};
    }
    err_t err = raft_genesis_label(voters, w.p.nodes, &label);
    ASSERT(err == E_OK);
    ghost_genesis(&label.conf);
    for (uint32_t i = 1; i <= w.p.nodes; i++) {
        first_snapshot(&w.nodes[i], &label);
        node_start(&w.nodes[i]);
    }
}

static void forget_volatile(struct node *n)
{
    free(n->taking_data);
    free(n->incoming);
    n->taking_data = n->incoming = NULL;
    n->incoming_bytes = 0;
    n->snapshotting = n->too_old = false;
    n->applying = (struct raft_apply){.first = 0};
    n->installing = (struct raft_snapshot){.index = 0};
    memset(n->waiters, 0, sizeof(n->waiters));
    memset(n->readers, 0, sizeof(n->readers));
    memset(n->seen, 0, sizeof(n->seen));
    n->duties.leading = false;
    n->duties.clock = (struct lease_clock){.begun = false};
    n->seen_role = RAFT_FOLLOWER;
    n->wake_at_ns = UINT64_MAX;
}

void node_start(struct node *n)
{
    struct platter *d = &n->disk;
    if (n->id.log == 0 || n->logs == 0)
        new_identity(n);
    n->life++;
    forget_volatile(n);
    n->clock_global_ns = w.now_ns;
    n->clock_local_ns = rng_below(1000 * SECOND);
    tables_make(n);
    struct raft_hard_state hard_state = {.term = 0};
    uint64_t repair = 0;
    if (d->store != NULL && disk_open(d, &hard_state, &repair) == DISK_LOST)
        node_new_log(n); /* what was acknowledged is lost: it must not take part as who it was */
    if (d->store == NULL)
        disk_format(d);
    if (repair != 0)
        trace("node %u finds its log damaged, which reached %llu", n->number, (unsigned long long)repair);
    if (d->has_snapshot && !tables_restore(n, d->snapshot_data, d->snapshot.bytes, d->snapshot.index))
        violation(EXIT_CORRECTNESS, "node %u has a snapshot that it could not take", n->number);
    struct raft_config config = config_of(n);
    err_t err =
        raft_init(n->raft, &config, &n->memory, &hard_state, d->has_snapshot ? &d->snapshot : NULL, node_local_time(n));
    if (err == E_OK)
        err = disk_feed(d, n->raft);
    if (err == E_OK && repair != 0)
        raft_repair(n->raft, repair);
    if (err == E_OK)
        err = raft_start(n->raft);
    if (err != E_OK)
        violation(EXIT_CORRECTNESS, "node %u cannot start from its disk: error %u", n->number, err);
    n->up = true;
    ghost_restart(n);
    trace("node %u starts: log id %llx term %llu commit %llu last %llu", n->number, (unsigned long long)n->id.log,
          (unsigned long long)n->raft->term, (unsigned long long)n->raft->commit, (unsigned long long)n->raft->last);
    node_round(n);
}

void node_crash(struct node *n)
{
    trace("node %u crashes", n->number);
    n->up = false;
    n->life++;
    n->paused_until_ns = 0;
    disk_crash(&n->disk);
    forget_volatile(n);
    tables_drop(n);
}

void node_new_log(struct node *n)
{
    ghost_wipe(n);
    disk_wipe(&n->disk);
    new_identity(n);
}

/* ---- doing what updates ask ---- */

static void send_one(struct node *n, const struct raft_message *m)
{
    static uint8_t buffer[RAFT_WIRE_HEADER_MAX + 256 * 1024];
    const void *chunk = NULL;
    size_t bytes;
    ghost_send(n, m);
    trace_json_message(n, m, true);
    if (m->type == RAFT_MSG_SNAPSHOT) {
        if (m->snapshot->index != n->disk.snapshot.index)
            return; /* the core has been told of a newer one since */
        chunk = n->disk.snapshot_data + m->offset;
    }
    uint32_t level = n->seen[m->to.node].level;
    level = level == 0 ? 1 : level < n->level ? level : n->level;
    err_t err = raft_wire_encode_as(level, n->raft, m, chunk, buffer, sizeof(buffer), &bytes);
    ASSERT(err == E_OK);
    network_send(n, m->to, buffer, bytes);
}

/* Only who was removed, or never joined, may be left behind. */
static void too_old(struct node *n)
{
    const uint64_t id[2] = {n->number, 0};
    const struct tables_node *row = tables_node_by_id(n->tables, id);
    if (row != NULL && row->wish != TABLES_WISH_REMOVED && row->boot_id[0] == n->life)
        violation(EXIT_CORRECTNESS, "node %u is left behind at level %u", n->number, n->level);
    nemesis_too_old(n);
}

static void apply_range(struct node *n)
{
    struct raft_apply range = n->applying;
    n->applying = (struct raft_apply){.first = 0};
    for (uint64_t i = range.first; i <= range.last; i++) {
        struct raft_entry entry;
        struct tables_result result;
        bool known = raft_entry_at(n->raft, i, &entry);
        ASSERT(known);
        bool data = entry.type == RAFT_ENTRY_DATA;
        ghost_tables_before(n, i);
        err_t err = tables_apply(n->tables, i, entry.term, data ? entry.data : NULL, data ? entry.length : 0, &result);
        if (err == E_NOT_SUPPORTED) {
            too_old(n);
            return;
        }
        ASSERT(err == E_OK);
        ghost_apply(n, &entry);
        ghost_tables_after(n, &entry, &result);
        client_applied(n, &entry, &result);
    }
    raft_applied(n->raft, range.last);
}

static void take_snapshot(struct node *n)
{
    if (n->disk.queue_count > DISK_QUEUE / 2 || n->snapshotting || n->too_old || n->applying.first != 0 ||
        n->installing.index != 0)
        return;
    if (raft_snapshot_sending(n->raft))
        return;
    raft_snapshot_label(n->raft, &n->taking);
    n->taking_data = tables_bytes(n->tables, &n->taking.bytes);
    digest_of(n->taking_data, n->taking.bytes, n->taking.digest);
    n->snapshotting = true;
    w.s.snapshots_taken++;
    event_add(rng_between(w.p.flush_low_ns, 4 * w.p.flush_high_ns), EVENT_SNAPSHOT_SAVED, n->number, n->life, NULL, 0);
}

static void keep_chunk(struct node *n, const struct raft_chunk *chunk)
{
    if (chunk->offset == 0) {
        free(n->incoming);
        n->incoming = malloc(chunk->snapshot->bytes);
        n->incoming_bytes = 0;
    }
    ASSERT(chunk->offset == n->incoming_bytes);
    memcpy(n->incoming + chunk->offset, chunk->data, chunk->bytes);
    n->incoming_bytes += chunk->bytes;
    n->chunk_offset = chunk->offset;
    uint64_t takes = rng_below(w.p.flush_high_ns);
    if (!w.calm && rng_chance(w.p.slow_chunk)) /* leaders may change, and entries overtake it */
        takes += rng_below(4 * w.p.election_ns);
    event_add(takes, EVENT_CHUNK_STORED, n->number, n->life, NULL, 0);
}

static void begin_install(struct node *n, const struct raft_snapshot *snapshot)
{
    n->installing = *snapshot;
    event_add(rng_between(w.p.flush_low_ns, 4 * w.p.flush_high_ns), EVENT_INSTALLED, n->number, n->life, NULL, 0);
}

static void do_update(struct node *n, const struct raft_update *u)
{
    if (u->message_count > 0 || u->persist.id != 0 || u->apply.first != 0)
        trace_json(n, "Ready");
    for (uint32_t i = 0; i < u->message_count; i++)
        send_one(n, &u->messages[i]);
    if (u->persist.id != 0) {
        disk_write_persist(n, &u->persist);
        for (uint64_t i = u->persist.first; i != 0 && i <= u->persist.last; i++)
            ghost_persist(n, i);
    }
    if (u->conf_changed) {
        ghost_conf(n);
        trace_json_conf(n);
    }
    for (uint32_t i = 0; i < u->read_count; i++)
        client_read_done(n, &u->reads[i]);
    if (u->chunk.bytes > 0)
        keep_chunk(n, &u->chunk);
    if (u->install != NULL)
        begin_install(n, u->install);
    if (u->snapshot_wanted) /* before more is applied: it is of what is applied now */
        take_snapshot(n);
    if (u->apply.first != 0) {
        n->applying = u->apply;
        uint64_t takes = w.p.apply_ns == 0 ? 0 : rng_below(w.p.apply_ns);
        if (takes > 0)
            event_add(takes, EVENT_APPLIED, n->number, n->life, NULL, 0);
        else
            apply_range(n);
    }
}

static void sleep_until_deadline(struct node *n)
{
    uint64_t deadline = raft_deadline(n->raft);
    if (deadline == UINT64_MAX)
        return;
    uint64_t delay = global_delay(n, deadline);
    if (n->wake_at_ns > w.now_ns && n->wake_at_ns <= w.now_ns + delay)
        return; /* an earlier one is set already */
    n->wake_at_ns = w.now_ns + delay;
    event_add(delay, EVENT_WAKE, n->number, n->life, NULL, 0);
}

static bool has_more(const struct raft_update *u)
{
    return u->more || u->apply.first != 0 || u->install != NULL || u->message_count > 0 || u->read_count > 0;
}

/* The order in which followers ask for a lost leader's place makes some histories rare; where a seed wants it, a tool
 * sets each timeout anew, as raft_set_election_timeout() lets it. */
static void time_out_by_chance(struct node *n)
{
    const struct raft *r = n->raft;
    bool new_leader = r->role == RAFT_FOLLOWER && r->leader.node != 0 && r->leader.node != n->seen_leader;
    n->seen_leader = r->leader.node;
    if (new_leader && w.p.chance_timeouts != 0)
        raft_set_election_timeout(n->raft, w.p.election_ns + rng_below(w.p.election_ns));
}

void node_round(struct node *n)
{
    struct raft_update update;
    uint32_t rounds = 0;
    do {
        raft_update(n->raft, &update);
        ghost_step(n);
        do_update(n, &update);
        ASSERT(++rounds < 10000);
    } while (has_more(&update));
    ghost_step(n);
    time_out_by_chance(n);
    if (n->raft->fault != RAFT_FAULT_NONE)
        violation(EXIT_CORRECTNESS, "node %u finds its log lost", n->number);
    sleep_until_deadline(n);
}

/* ---- events ---- */

/* A damaged copy is looked at and thrown away: links deliver none, yet the decoder must stand them. */
static void try_damaged(const struct event *e)
{
    static uint8_t copy[RAFT_WIRE_HEADER_MAX + 256 * 1024];
    struct raft_message m;
    struct raft_snapshot snapshot;
    size_t bytes = rng_below(e->bytes) + 1;
    memcpy(copy, e->data, bytes);
    copy[rng_below(bytes)] ^= (uint8_t)(1u << rng_below(8));
    w.s.malformed += raft_wire_decode(copy, bytes, &m, &snapshot, NULL) != E_OK;
}

static void on_packet(struct node *n, const struct event *e)
{
    struct raft_message m;
    struct raft_snapshot snapshot;
    const char *why;
    if (rng_chance(5000))
        try_damaged(e);
    if (raft_wire_decode(e->data, e->bytes, &m, &snapshot, &why) != E_OK)
        violation(EXIT_CORRECTNESS, "a message does not decode: %s", why);
    if (*(const uint8_t *)e->data > n->level)
        violation(EXIT_CORRECTNESS, "node %u is sent version %u, and knows %u", n->number, *(const uint8_t *)e->data,
                  n->level);
    duties_linked(n, m.from, e->life);
    raft_receive(n->raft, &m);
    if (raft_id_equal(m.to, n->id))
        trace_json_message(n, &m, false);
}

static void on_snapshot_saved(struct node *n)
{
    struct platter *d = &n->disk;
    n->snapshotting = false;
    if (!raft_snapshot_saved(n->raft, &n->taking)) {
        free(n->taking_data);
        n->taking_data = NULL;
        return;
    }
    free(d->snapshot_data);
    d->snapshot = n->taking;
    d->snapshot_data = n->taking_data;
    d->has_snapshot = true;
    n->taking_data = NULL;
    uint64_t keep = w.p.trailing;
    uint64_t index = d->snapshot.index > keep ? d->snapshot.index - keep : 0;
    if (index > n->raft->stable)
        index = n->raft->stable;
    raft_compact(n->raft, index);
    disk_compact(n, index);
}

static void on_installed(struct node *n)
{
    struct platter *d = &n->disk;
    uint8_t digest[32];
    ASSERT(n->incoming_bytes == n->installing.bytes);
    digest_of(n->incoming, n->incoming_bytes, digest);
    ASSERT(memcmp(digest, n->installing.digest, sizeof(digest)) == 0);
    if (n->snapshotting) { /* an older one of its own is being written: it loses its place */
        n->snapshotting = false;
        free(n->taking_data);
        n->taking_data = NULL;
        n->taking.index = 0;
    }
    ghost_install(n, &n->installing);
    tables_make(n);
    if (!tables_restore(n, n->incoming, n->incoming_bytes, n->installing.index)) {
        nemesis_too_old(n);
        return;
    }
    free(d->snapshot_data);
    d->snapshot = n->installing;
    d->snapshot_data = n->incoming;
    d->has_snapshot = true;
    n->incoming = NULL;
    n->incoming_bytes = 0;
    n->installing = (struct raft_snapshot){.index = 0};
    w.s.snapshots_installed++;
    raft_snapshot_installed(n->raft, true);
}

static void handle(struct node *n, struct event *e)
{
    switch (e->kind) {
    case EVENT_PACKET:
        on_packet(n, e);
        break;
    case EVENT_DISK:
        disk_done(n);
        break;
    case EVENT_APPLIED:
        apply_range(n);
        break;
    case EVENT_SNAPSHOT_SAVED:
        if (n->snapshotting)
            on_snapshot_saved(n);
        break;
    case EVENT_CHUNK_STORED:
        raft_chunk_stored(n->raft, n->chunk_offset, true);
        break;
    case EVENT_INSTALLED:
        on_installed(n);
        break;
    case EVENT_REQUEST:
        client_request(n, e->data);
        break;
    case EVENT_REPORT:
        duties_report(n, e->data);
        break;
    default: /* EVENT_WAKE: time is told in any case */
        break;
    }
}

static bool survives_restart(uint32_t kind)
{
    return kind == EVENT_PACKET || kind == EVENT_REQUEST || kind == EVENT_REPORT;
}

void node_event(struct node *n, struct event *e)
{
    bool void_now = !n->up || (!survives_restart(e->kind) && e->life != n->life);
    if (!void_now && n->paused_until_ns > w.now_ns) {
        event_add(n->paused_until_ns - w.now_ns, e->kind, e->who, e->life, e->data, e->bytes);
        return;
    }
    if (!void_now) {
        raft_tick(n->raft, node_local_time(n));
        handle(n, e);
        duties_run(n);
        node_round(n);
    }
    free(e->data);
}
