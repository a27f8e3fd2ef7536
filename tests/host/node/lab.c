#include "lab.h"

#include "node_state.h"

struct lab lab;

/* ---- hooks ---- */

static void *take(void *context, size_t bytes)
{
    struct machine *m = context;
    if (m->no_memory)
        return NULL;
    CHECK(m->block_count < LAB_BLOCKS);
    m->memory += bytes;
    uint8_t *block = malloc(bytes);
    memset(block, 0xa5, bytes);
    m->blocks[m->block_count++] = (struct lab_block){block, bytes};
    return block;
}

static bool holds(const uint8_t *at, size_t bytes, const uint8_t secret[32])
{
    for (const uint8_t *found = at, *end = at + bytes; found && end - found >= 32; found++) {
        found = memchr(found, secret[0], (size_t)(end - found) - 31);
        if (found && !memcmp(found, secret, 32))
            return true;
        if (!found)
            break;
    }
    return false;
}

static void give(void *context, void *block, size_t bytes)
{
    struct machine *m = context;
    uint32_t i = m->block_count;
    while (i > 0 && m->blocks[i - 1].at != block)
        i--;
    CHECK(i > 0 && m->blocks[i - 1].bytes == bytes);
    CHECK(!lab.secret || !holds(block, bytes, lab.secret));
    m->blocks[i - 1] = m->blocks[--m->block_count];
    m->memory -= bytes;
    free(block);
}

bool lab_memory_holds(uint32_t index, const uint8_t secret[32])
{
    const struct machine *m = &lab.machines[index];
    for (uint32_t i = 0; i < m->block_count; i++) {
        if (holds(m->blocks[i].at, m->blocks[i].bytes, secret))
            return true;
    }
    return false;
}

static bool log_put(void *context, const struct log_message *request, const void *data)
{
    struct machine *m = context;
    CHECK(m->log_attached);
    if (!m->disk.queue_count)
        m->disk_due_ns = lab.now_ns + random_below(&lab.random, 3000) * 1000ull;
    return disk_put(&m->disk, request, data);
}

static void proposed(void *context, uint64_t token, const struct tables_result *result)
{
    struct machine *m = context;
    if (m->answer.token != token)
        return;
    m->answer.done = true;
    m->answer.result = *result;
}

static void readable(void *context, uint64_t token, err_t err)
{
    struct machine *m = context;
    if (m->read_token != token)
        return;
    m->read_done = true;
    m->read_err = err;
}

static void members_answered(void *context, uint64_t token, err_t err, const char *words)
{
    struct machine *m = context;
    CHECK(words[0]);
    if (m->members.token != token)
        return;
    m->members.done = true;
    m->members.err = err;
    snprintf(m->members.words, sizeof(m->members.words), "%s", words);
}

static void event(void *context, const struct tables_event *e)
{
    struct machine *m = context;
    m->granted += e->kind == TABLES_EVENT_GRANTED;
}

static void replaced(void *context) {}

static void session_begin(void *context, uint32_t node, const uint64_t boot[2])
{
    struct machine *m = context;
    CHECK(!(m->calls_up >> node & 1));
    m->calls_up |= 1u << node;
}

static void session_end(void *context, uint32_t node)
{
    struct machine *m = context;
    CHECK(m->calls_up >> node & 1);
    m->calls_up &= ~(1u << node);
    m->call_ends++;
}

static bool call_message(void *context, uint32_t node, const uint8_t *message, size_t bytes)
{
    return true;
}
static const uint8_t *call_next(void *context, uint32_t node, size_t *bytes)
{
    return NULL;
}
static void call_sent(void *context, uint32_t node) {}
static void say(void *context, const char *line)
{
    struct machine *m = context;
    size_t used = strlen(m->log);
    m->lines++;
    snprintf(m->log + used, sizeof(m->log) - used, "%s\n", line);
}

/* ---- machines ---- */

static void attach_log(struct machine *m)
{
    m->log_attached = true;
    node_log_attach(m->n, m->has_disk ? m->disk.state : LOG_NONE);
}

void lab_power_on(uint32_t index, bool genesis)
{
    struct machine *m = &lab.machines[index];
    CHECK(!m->n);
    m->boot++;
    m->calls_up = 0;
    m->log[0] = 0;
    struct node_config config = {.cluster_name = "lab",
                                 .name = "machine",
                                 .node_id = {1000 + index, 1},
                                 .boot_id = {index + 1, m->boot},
                                 .voter_count = lab.voters,
                                 .voter = index < lab.voters ? index + 1 : 0,
                                 .genesis = genesis,
                                 .cpus = 1,
                                 .heartbeat_ns = 100 * MS,
                                 .election_ns = 500 * MS,
                                 .port = 7447,
                                 .window_entries = lab.window_entries,
                                 .window_bytes = 1u << 20,
                                 .link_bytes = 4u << 20};
    memset(config.cluster_key, m->key_byte ? m->key_byte : 5, sizeof(config.cluster_key));
    random_fill(&lab.random, config.random, sizeof(config.random));
    memcpy(m->seed, config.random, sizeof(m->seed));
    struct node_hooks hooks = {m,     take,     give,          log_put,     proposed,     readable,  members_answered,
                               event, replaced, session_begin, session_end, call_message, call_next, call_sent,
                               NULL,  say};
    CHECK_EQUAL(node_open(&config, &hooks, lab.now_ns, &m->n), E_OK);
    if (m->has_disk)
        disk_open(&m->disk);
    node_network(m->n, true, 3, 1 + index);
    attach_log(m);
}

void lab_power_cut(uint32_t index)
{
    struct machine *m = &lab.machines[index];
    if (!m->n)
        return;
    node_close(m->n);
    m->n = NULL;
    m->log_attached = false;
    CHECK_EQUAL(m->memory, 0);
    if (m->has_disk)
        disk_open(&m->disk);
}

static void lose_answer(void *context, const struct log_message *answer, const uint8_t *data) {}

void lab_log_restart(uint32_t index)
{
    struct machine *m = &lab.machines[index];
    for (uint64_t left = random_below(&lab.random, 8); left > 0 && disk_work(&m->disk, lose_answer, NULL);)
        left--;
    disk_open(&m->disk);
    node_log_detach(m->n);
    attach_log(m);
}

void lab_start(uint32_t voters, uint64_t seed)
{
    memset(&lab, 0, sizeof(lab));
    lab.random.state = seed;
    lab.now_ns = 5000 * MS;
    lab.voters = voters;
    lab.window_entries = 1024;
    lab.transit = malloc(LAB_TRANSIT * sizeof(struct lab_packet));
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        lab.machines[i].index = i;
        lab.machines[i].has_disk = true;
        disk_blank(&lab.machines[i].disk);
    }
}

void lab_stop(void)
{
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        lab_power_cut(i);
        disk_blank(&lab.machines[i].disk);
    }
    free(lab.transit);
}

/* ---- the wire ---- */

static void carry(struct lab_packet *p)
{
    if (lab.tap)
        lab.tap(p);
    if (random_below(&lab.random, 100) < lab.loss_percent || lab.transit_count == LAB_TRANSIT)
        return;
    p->due_ns = lab.now_ns + MS / 5 + random_below(&lab.random, lab.delay_ms * 1000 + 1) * 1000ull;
    lab.transit[lab.transit_count++] = *p;
}

static void deliver_due(void)
{
    for (uint32_t i = 0; i < lab.transit_count;) {
        struct lab_packet p = lab.transit[i];
        if (p.due_ns > lab.now_ns) {
            i++;
            continue;
        }
        lab.transit[i] = lab.transit[--lab.transit_count];
        for (uint32_t to = 0; to < LAB_NODES; to++) {
            bool there = to != p.from && (p.to == LAB_NODES || p.to == to) && !lab.cut[p.from][to];
            if (there && lab.machines[to].n)
                node_datagram(lab.machines[to].n, lab.now_ns, (struct link_address){1 + p.from, 7447}, p.data, p.bytes);
        }
    }
}

static void disk_answered(void *context, const struct log_message *answer, const uint8_t *data)
{
    struct machine *m = context;
    CHECK(node_log_answer(m->n, answer, data));
}

static void run_disk(struct machine *m)
{
    while (m->disk.queue_count && m->disk_due_ns <= lab.now_ns && !m->log_stuck) {
        disk_work(&m->disk, disk_answered, m);
        m->disk_due_ns = lab.now_ns + random_below(&lab.random, 3000) * 1000ull;
    }
}

static uint64_t run_machine(struct machine *m)
{
    struct lab_packet p = {.from = m->index};
    struct link_address to;
    uint32_t count = 0;
    run_disk(m);
    node_run(m->n, lab.now_ns);
    while ((p.bytes = (uint32_t)node_output(m->n, lab.now_ns, &to, p.data))) {
        CHECK(++count < 10000);
        p.to = to.ipv4 == LINK_BROADCAST ? LAB_NODES : to.ipv4 - 1;
        carry(&p);
    }
    uint64_t due = node_deadline(m->n);
    if (m->disk.queue_count && m->disk_due_ns < due && !m->log_stuck)
        due = m->disk_due_ns;
    return due;
}

static void step(uint64_t end)
{
    uint64_t next = end;
    deliver_due();
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (!lab.machines[i].n)
            continue;
        uint64_t due = run_machine(&lab.machines[i]);
        next = due < next ? due : next;
    }
    for (uint32_t i = 0; i < lab.transit_count; i++)
        next = lab.transit[i].due_ns < next ? lab.transit[i].due_ns : next;
    lab.now_ns = next > lab.now_ns ? next : lab.now_ns + MS / 20;
}

void lab_run(uint64_t ms)
{
    uint64_t end = lab.now_ns + ms * MS;
    while (lab.now_ns < end)
        step(end);
}

/* ---- looking ---- */

struct cluster_status lab_status(uint32_t machine)
{
    struct cluster_status s;
    node_status(lab.machines[machine].n, &s);
    return s;
}

bool lab_all_members(uint32_t mask)
{
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (mask >> i & 1 && (!lab.machines[i].n || node_state(lab.machines[i].n) != CLUSTER_MEMBER))
            return false;
    }
    return true;
}

bool lab_until_members(uint32_t mask, uint64_t ms)
{
    uint64_t end = lab.now_ns + ms * MS;
    while (lab.now_ns < end && !lab_all_members(mask))
        step(end);
    return lab_all_members(mask);
}

uint32_t lab_leader(void)
{
    uint64_t term = 0;
    uint32_t leader = LAB_NODES;
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (!lab.machines[i].n)
            continue;
        struct cluster_status s = lab_status(i);
        if (s.role == 4 && s.term > term) {
            leader = i;
            term = s.term;
        }
    }
    return leader;
}

err_t lab_propose(uint32_t machine, struct tables_op op, struct tables_result *result)
{
    struct machine *m = &lab.machines[machine];
    uint64_t end = lab.now_ns + 20000 * MS;
    m->answer = (struct lab_answer){.token = ++lab.next_token};
    err_t err;
    while ((err = node_propose(m->n, m->answer.token, &op)) != E_OK && err != E_FULL && lab.now_ns < end)
        step(end);
    if (err == E_FULL)
        return err;
    while (!m->answer.done && lab.now_ns < end)
        step(end);
    if (!m->answer.done)
        return E_TIMED_OUT;
    *result = m->answer.result;
    return result->err;
}

err_t lab_members(uint32_t machine, enum cluster_members action, uint32_t node)
{
    struct machine *m = &lab.machines[machine];
    uint64_t end = lab.now_ns + 70000 * MS;
    m->members = (struct lab_members){.token = ++lab.next_token};
    while (node_members(m->n, m->members.token, action, node) != E_OK && lab.now_ns < end)
        step(end);
    while (!m->members.done && lab.now_ns < end)
        step(end);
    return m->members.done ? m->members.err : E_TIMED_OUT;
}

static bool voters_are(uint32_t who, uint32_t voters)
{
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (!(who >> i & 1))
            continue;
        struct machine *m = &lab.machines[i];
        if (!m->n || !m->n->raft_running || raft_conf_is_joint(raft_conf_now(m->n->raft)))
            return false;
        const struct raft_conf *conf = raft_conf_now(m->n->raft);
        uint32_t found = 0;
        for (uint32_t at = 0; at < conf->count; at++) {
            bool lost = node_log_lost(m->n, conf->members[at].id);
            if (conf->members[at].flags & RAFT_VOTER && lost)
                return false;
            found |= conf->members[at].flags & RAFT_VOTER ? 1u << (conf->members[at].id.node - 1000) : 0;
        }
        if (found != voters)
            return false;
    }
    return true;
}

bool lab_until_voters(uint32_t who, uint32_t voters, uint64_t ms)
{
    uint64_t end = lab.now_ns + ms * MS;
    while (lab.now_ns < end && !voters_are(who, voters))
        step(lab.now_ns + 100 * MS < end ? lab.now_ns + 100 * MS : end);
    return voters_are(who, voters);
}

bool lab_until_said(uint32_t machine, const char *words)
{
    for (int i = 0; i < 100 && !strstr(lab_status(machine).voters, words); i++)
        lab_run(100);
    return strstr(lab_status(machine).voters, words);
}

static struct tables_text text(const char *s)
{
    return (struct tables_text){s, (uint32_t)strlen(s)};
}

err_t lab_put(uint32_t machine, const char *key, const char *value)
{
    struct tables_result result;
    return lab_propose(
        machine,
        (struct tables_op){.kind = TABLES_KEY_PUT,
                           .key_put = {.if_revision = TABLES_ANY_REVISION, .name = text(key), .value = text(value)}},
        &result);
}

bool lab_has(uint32_t machine, const char *key, const char *value)
{
    struct machine *m = &lab.machines[machine];
    struct tables_key_view view;
    uint64_t end = lab.now_ns + 20000 * MS;
    do {
        m->read_done = false;
        m->read_token = ++lab.next_token;
        while (node_read(m->n, m->read_token) != E_OK && lab.now_ns < end)
            step(end);
        while (!m->read_done && lab.now_ns < end)
            step(end);
    } while (m->read_err && lab.now_ns < end);
    return m->read_done && !m->read_err && tables_key(node_tables(m->n), text(key), &view) &&
           view.value_bytes == strlen(value) && !memcmp(view.value, value, view.value_bytes);
}

void lab_check_equal(uint32_t mask)
{
    uint64_t end = lab.now_ns + 10000 * MS, index = 0, hash = 0;
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (!(mask >> i & 1))
            continue;
        struct tables *t = node_tables(lab.machines[i].n);
        if (!index) {
            index = tables_applied_index(t);
            hash = tables_hash(t);
        } else if (tables_applied_index(t) != index) {
            CHECK(lab.now_ns < end);
            step(lab.now_ns + 10 * MS);
            index = 0;
            i = UINT32_MAX; /* from the first one */
        } else {
            CHECK(tables_hash(t) == hash);
        }
    }
}

err_t lab_recover(uint32_t machine, enum recover_act act)
{
    size_t bytes;
    return node_recover(lab.machines[machine].n, act, lab.text, sizeof(lab.text), &bytes);
}
