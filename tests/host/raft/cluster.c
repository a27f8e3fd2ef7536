#include "cluster.h"

#include <test/random.h>

static struct raft_config config_of(const struct cluster *c, const struct unit *u)
{
    return (struct raft_config){.id = u->id,
                                .cluster = 77,
                                .seed = u->id.node,
                                .heartbeat_ns = HEARTBEAT_MS * MS,
                                .election_ns = ELECTION_MS * MS,
                                .commit_notice_ns = c->commit_notice_ns,
                                .message_bytes = c->message_bytes,
                                .inflight_messages = 4,
                                .inflight_bytes = 4096,
                                .inflight_short = c->inflight_short,
                                .uncommitted_bytes = 2048,
                                .persist_bytes = 4096,
                                .apply_bytes = 4096,
                                .snapshot_chunk_bytes = 3};
}

static void boot(struct cluster *c, uint32_t unit)
{
    struct unit *u = c->units[unit];
    struct raft_config config = config_of(c, u);
    struct raft_memory memory = {u->slots, 256, u->bytes, 256 * 1024};
    const struct raft_snapshot *snapshot = u->snapshot.index > 0 ? &u->snapshot : NULL;
    CHECK_EQUAL(raft_init(u->r, &config, &memory, &u->hard_state, snapshot, c->now_ns), E_OK);
    for (uint64_t i = u->disk_base + 1; i <= u->disk_last; i++) {
        struct disk_entry *d = &u->disk[i];
        struct raft_entry entry = {.index = i, .term = d->term, .type = d->type, .length = d->length, .data = d->data};
        CHECK_EQUAL(raft_restore(u->r, &entry), E_OK);
    }
    if (u->harmed_to > 0)
        raft_repair(u->r, u->harmed_to);
    CHECK_EQUAL(raft_start(u->r), E_OK);
    u->applied = u->snapshot.index;
    memcpy(&u->state, u->snapshot.digest, sizeof(u->state));
    u->up = true;
    u->write_count = u->read_count = 0;
}

static struct unit *new_unit(uint32_t number, uint64_t log)
{
    struct unit *u = calloc(1, sizeof(*u));
    u->r = malloc(sizeof(*u->r));
    u->bytes = malloc(256 * 1024);
    u->id = (struct raft_id){number, log};
    return u;
}

struct cluster *cluster_make(uint32_t voters)
{
    struct cluster *c = calloc(1, sizeof(*c));
    struct raft_id ids[UNITS_MAX];
    struct raft_snapshot label;
    c->count = voters;
    c->message_bytes = 1024;
    for (uint32_t i = 1; i <= voters; i++)
        ids[voters - i] = (struct raft_id){i, 100 + i};
    CHECK_EQUAL(raft_genesis_label(ids, voters, &label), E_OK);
    label.bytes = 8;
    for (uint32_t i = 1; i <= voters; i++) {
        c->units[i] = new_unit(i, 100 + i);
        c->units[i]->snapshot = label;
        c->units[i]->disk_base = c->units[i]->disk_last = 1;
        boot(c, i);
    }
    cluster_settle(c);
    return c;
}

void cluster_add_blank(struct cluster *c, uint32_t unit, uint64_t log)
{
    CHECK(c->units[unit] == NULL);
    c->units[unit] = new_unit(unit, log);
    boot(c, unit);
}

uint32_t cluster_draw(struct cluster *c, uint32_t limit)
{
    struct random random = {c->drawn};
    uint32_t drawn = random_below(&random, limit);
    c->drawn = random.state;
    return drawn;
}

void cluster_free(struct cluster *c)
{
    for (uint32_t i = 1; i <= UNITS_MAX; i++) {
        struct unit *u = c->units[i];
        if (u == NULL)
            continue;
        for (uint32_t p = 0; p < u->write_count; p++)
            free(u->writes[p].entries);
        free(u->r);
        free(u->bytes);
        free(u);
    }
    for (uint32_t i = 0; i < c->packet_count; i++)
        free(c->packets[i].data);
    free(c);
}

/* ---- disk ---- */

static void hold_write(struct unit *u, const struct raft_persist *p)
{
    CHECK(u->write_count < RAFT_PERSISTS_MAX);
    struct pending_write *write = &u->writes[u->write_count++];
    *write = (struct pending_write){.persist = *p};
    if (p->first == 0)
        return;
    write->entries = calloc(p->last - p->first + 1, sizeof(*write->entries));
    for (uint64_t i = p->first; i <= p->last; i++) {
        struct raft_entry e;
        CHECK(raft_entry_at(u->r, i, &e) && e.length <= ENTRY_MAX);
        write->entries[i - p->first] = (struct disk_entry){.term = e.term, .type = e.type, .length = e.length};
        memcpy(write->entries[i - p->first].data, e.data, e.length);
    }
}

static void land_write(struct unit *u, struct pending_write *write)
{
    const struct raft_persist *p = &write->persist;
    if (p->reset)
        u->disk_base = u->disk_last = u->snapshot.index;
    if (p->truncate_from != 0)
        u->disk_last = p->truncate_from - 1;
    for (uint64_t i = p->first; i != 0 && i <= p->last; i++) {
        CHECK_EQUAL(i, u->disk_last + 1);
        u->disk[i] = write->entries[i - p->first];
        u->disk_last = i;
    }
    if (p->hard_state_required) {
        struct raft_status status;
        raft_status(u->r, &status);
        u->hard_state = p->hard_state;
        u->harmed_to = status.repairing;
    }
    free(write->entries);
}

void unit_flush(struct cluster *c, uint32_t unit, uint32_t writes)
{
    struct unit *u = c->units[unit];
    for (; writes > 0; writes--) {
        CHECK(u->write_count > 0);
        uint64_t id = u->writes[0].persist.id;
        land_write(u, &u->writes[0]);
        memmove(&u->writes[0], &u->writes[1], --u->write_count * sizeof(u->writes[0]));
        raft_persisted(u->r, id);
    }
    unit_work(c, unit);
}

/* ---- doing what is asked ---- */

static void post(struct cluster *c, struct unit *u, const struct raft_message *m)
{
    static uint8_t buffer[RAFT_WIRE_HEADER_MAX + 128 * 1024];
    size_t bytes;
    const uint8_t *chunk = m->type == RAFT_MSG_SNAPSHOT ? u->snapshot.digest + m->offset : NULL; /* state: 8 bytes */
    CHECK_EQUAL(raft_wire_encode(u->r, m, chunk, buffer, sizeof(buffer), &bytes), E_OK);
    c->messages++;
    uint32_t to = (uint32_t)m->to.node;
    if (to > UNITS_MAX || c->units[to] == NULL || c->cut[u->id.node][to] || (c->drop_types >> m->type & 1) != 0)
        return;
    CHECK(c->packet_count < 4096);
    struct packet *p = &c->packets[c->packet_count++];
    *p = (struct packet){.to = to, .bytes = bytes, .data = malloc(bytes)};
    memcpy(p->data, buffer, bytes);
}

static void apply(struct unit *u, const struct raft_apply *range)
{
    for (uint64_t i = range->first; i <= range->last; i++) {
        struct raft_entry e;
        CHECK(raft_entry_at(u->r, i, &e));
        CHECK_EQUAL(i, u->applied + 1);
        CHECK(i <= u->disk_last);
        u->applied = i;
        u->applied_terms[i] = e.term;
        u->state = u->state * 31 + e.term;
        for (uint32_t b = 0; b < e.length; b++)
            u->state = u->state * 31 + e.data[b];
    }
    raft_applied(u->r, range->last);
}

static void install(struct unit *u, const struct raft_snapshot *snapshot)
{
    if (memcmp(u->incoming, snapshot->digest, 8) != 0) {
        raft_snapshot_installed(u->r, false);
        return;
    }
    u->snapshot = *snapshot;
    memcpy(&u->state, u->incoming, 8);
    u->applied = snapshot->index;
    raft_snapshot_installed(u->r, true);
}

/* Sometimes, if a test wants that, so much is to be sent already that no message finds room. */
static void maybe_fill(struct cluster *c, struct unit *u)
{
    if (c->full_percent == 0 || cluster_draw(c, 100) >= c->full_percent)
        return;
    u->r->messages_given = false;
    u->r->message_count = RAFT_MESSAGES_MAX;
    u->full = true;
}

static bool do_update(struct cluster *c, struct unit *u)
{
    struct raft_update update;
    maybe_fill(c, u);
    raft_update(u->r, &update);
    if (u->full)
        update.message_count = 0; /* they were none of its own */
    u->full = false;
    bool busy = update.message_count > 0 || update.persist.id != 0 || update.apply.first != 0 ||
                update.read_count > 0 || update.chunk.bytes > 0 || update.install != NULL;
    for (uint32_t i = 0; i < update.message_count; i++)
        post(c, u, &update.messages[i]);
    for (uint32_t i = 0; i < update.read_count && u->read_count < 64; i++)
        u->reads[u->read_count++] = update.reads[i];
    u->snapshot_wanted += update.snapshot_wanted;
    if (update.persist.id != 0)
        hold_write(u, &update.persist);
    if (update.chunk.bytes > 0)
        memcpy(u->incoming + update.chunk.offset, update.chunk.data, update.chunk.bytes);
    if (update.apply.first != 0)
        apply(u, &update.apply);
    if (u->hold_chunk && update.chunk.offset + update.chunk.bytes == sizeof(u->state))
        u->chunk_offset = update.chunk.offset;
    else if (update.chunk.bytes > 0)
        raft_chunk_stored(u->r, update.chunk.offset, true);
    if (update.install != NULL)
        install(u, update.install);
    return busy;
}

void unit_work(struct cluster *c, uint32_t unit)
{
    struct unit *u = c->units[unit];
    for (uint32_t rounds = 0; do_update(c, u); rounds++) {
        CHECK(rounds < 1000);
        if (u->hold_disk)
            continue;
        while (u->write_count > 0) {
            uint64_t id = u->writes[0].persist.id;
            land_write(u, &u->writes[0]);
            memmove(&u->writes[0], &u->writes[1], --u->write_count * sizeof(u->writes[0]));
            raft_persisted(u->r, id);
        }
    }
}

void unit_store_chunk(struct cluster *c, uint32_t unit)
{
    struct unit *u = c->units[unit];
    u->hold_chunk = false;
    raft_chunk_stored(u->r, u->chunk_offset, true);
    unit_work(c, unit);
}

static void deliver_first(struct cluster *c)
{
    struct packet p = c->packets[0];
    struct unit *u = c->units[p.to];
    struct raft_message m;
    struct raft_snapshot snapshot;
    const char *why;
    memmove(&c->packets[0], &c->packets[1], --c->packet_count * sizeof(c->packets[0]));
    if (u->up) {
        CHECK_EQUAL(raft_wire_decode(p.data, p.bytes, &m, &snapshot, &why), E_OK);
        maybe_fill(c, u);
        raft_receive(u->r, &m);
        unit_work(c, p.to);
    }
    free(p.data);
}

void cluster_settle(struct cluster *c)
{
    for (uint32_t i = 1; i <= UNITS_MAX; i++)
        if (c->units[i] != NULL && c->units[i]->up)
            unit_work(c, i);
    for (uint32_t count = 0; c->packet_count > 0; count++) {
        CHECK(count < 100000);
        deliver_first(c);
    }
}

void cluster_pass(struct cluster *c, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed++) {
        c->now_ns += MS;
        for (uint32_t i = 1; i <= UNITS_MAX; i++)
            if (c->units[i] != NULL && c->units[i]->up)
                raft_tick(c->units[i]->r, c->now_ns);
        cluster_settle(c);
    }
}

/* ---- what tests say ---- */

void cluster_isolate(struct cluster *c, uint32_t unit, bool cut)
{
    for (uint32_t i = 1; i <= UNITS_MAX; i++)
        c->cut[unit][i] = c->cut[i][unit] = cut;
}

uint32_t cluster_leader(struct cluster *c)
{
    uint32_t found = 0;
    uint64_t term = 0;
    for (uint32_t i = 1; i <= UNITS_MAX; i++) {
        if (c->units[i] == NULL || !c->units[i]->up)
            continue;
        struct raft_status status = unit_status(c, i);
        if (status.role == RAFT_LEADER && status.term > term) {
            found = i;
            term = status.term;
        }
    }
    return found;
}

void cluster_elect(struct cluster *c, uint32_t unit)
{
    for (uint32_t i = 1; i <= UNITS_MAX; i++)
        if (c->units[i] != NULL && c->units[i]->up)
            raft_forget_leader(c->units[i]->r);
    CHECK_EQUAL(raft_campaign(c->units[unit]->r), E_OK);
    cluster_settle(c);
    CHECK_EQUAL(unit_status(c, unit).role, RAFT_LEADER);
}

void cluster_make_equal(struct cluster *c)
{
    const struct unit *first = NULL;
    for (uint32_t i = 1; i <= UNITS_MAX; i++) {
        const struct unit *u = c->units[i];
        if (u == NULL || !u->up)
            continue;
        if (first == NULL)
            first = u;
        CHECK_EQUAL(u->applied, first->applied);
        CHECK_EQUAL(u->state, first->state);
    }
}

void unit_crash(struct cluster *c, uint32_t unit)
{
    struct unit *u = c->units[unit];
    u->up = false;
    for (uint32_t p = 0; p < u->write_count; p++)
        free(u->writes[p].entries);
    u->write_count = 0;
}

void unit_restart(struct cluster *c, uint32_t unit)
{
    boot(c, unit);
    unit_work(c, unit);
}

void unit_harm(struct cluster *c, uint32_t unit, uint64_t last)
{
    struct unit *u = c->units[unit];
    CHECK(!u->up && last < u->disk_last);
    u->harmed_to = u->disk_last;
    u->disk_last = last;
}

void unit_snapshot(struct cluster *c, uint32_t unit, uint64_t keep)
{
    struct unit *u = c->units[unit];
    struct raft_snapshot label;
    raft_snapshot_label(u->r, &label);
    CHECK_EQUAL(label.index, u->applied);
    label.bytes = 8;
    memcpy(label.digest, &u->state, 8);
    CHECK(raft_snapshot_saved(u->r, &label));
    u->snapshot = label;
    uint64_t index = label.index > keep ? label.index - keep : 0;
    raft_compact(u->r, index);
    if (index > u->disk_base)
        u->disk_base = index;
    unit_work(c, unit);
}

err_t unit_propose(struct cluster *c, uint32_t unit, const char *text)
{
    uint64_t index, term;
    return raft_propose(c->units[unit]->r, text, strlen(text), &index, &term);
}

void unit_propose_ok(struct cluster *c, uint32_t unit, const char *text)
{
    CHECK_EQUAL(unit_propose(c, unit, text), E_OK);
    cluster_settle(c);
}

err_t unit_change(struct cluster *c, uint32_t unit, uint32_t mode, uint32_t op, uint32_t who)
{
    struct raft_conf_change change = {.mode = mode};
    uint64_t index, term;
    if (op != 0) {
        change.count = 1;
        change.changes[0] = (struct raft_change){.op = op, .id = c->units[who]->id};
    }
    return raft_propose_conf(c->units[unit]->r, &change, &index, &term, NULL);
}

struct raft_status unit_status(struct cluster *c, uint32_t unit)
{
    struct raft_status status;
    raft_status(c->units[unit]->r, &status);
    return status;
}
