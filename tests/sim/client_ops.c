/* What clients ask: they append to queues, read and change registers, make transactions on a group of registers,
 * guarded by its lock or not, put keys that end with their session, and take locks, permits, offices and places at a
 * barrier: at once, or standing in line, giving up, or ending with what they hold. */
#include <abi/transaction.h>
#include <base/assert.h>

#include "client.h"

static struct tables_text text(const char *string)
{
    return (struct tables_text){.at = string, .bytes = (uint32_t)strlen(string)};
}

static uint64_t process_of(const struct client *c)
{
    return 1000 * (c->number + 1) + c->process;
}

bool client_is_read(const struct client *c)
{
    return c->want == WANT_QUEUE_READ || c->want == WANT_READ || c->want == WANT_GROUP_READ || c->want == WANT_LINE;
}

bool client_about_lock(const struct client *c)
{
    return c->want >= WANT_LOCK;
}

/* ---- choosing ---- */

static void choose_queue(struct client *c)
{
    uint32_t key = (uint32_t)rng_below(KEYS);
    if (c->want == WANT_APPEND && ++key_uses[key] > KEY_OPS_MAX) {
        key_generation[key]++;
        key_uses[key] = 1;
    }
    snprintf(c->key, sizeof(c->key), "key%u.%u", key, key_generation[key]);
}

static void choose_register(struct client *c)
{
    c->reg = (uint32_t)rng_below(REGISTERS);
    snprintf(c->key, sizeof(c->key), "reg%u", c->reg);
    if (c->want == WANT_CAS && c->known[c->reg].revision == UINT64_MAX)
        c->want = WANT_READ;
}

static void choose_lock(struct client *c)
{
    const char *const names[] = {"lock0", "lock1", "lock0", "lock1", "sem0", "ele0", "bar0", GUARD, GUARD, GUARD};
    snprintf(c->lock, sizeof(c->lock), "%s", names[rng_below(10)]);
    bool plain = c->lock[0] == 'l' && strcmp(c->lock, GUARD) != 0;
    c->shared = plain && rng_chance(400000);
    c->mode = c->lock[0] == 's'   ? TABLES_PERMIT
              : c->lock[0] == 'e' ? TABLES_CANDIDATE
              : c->lock[0] == 'b' ? TABLES_PARTY
              : c->shared         ? TABLES_SHARED
                                  : TABLES_EXCLUSIVE;
    c->delay_ns = c->mode == TABLES_CANDIDATE && rng_chance(600000) ? rng_below(2 * SECOND) : 0;
    c->try_only = (plain || c->mode == TABLES_PERMIT) && rng_chance(300000); /* the others may be refused for a delay */
}

/* With a lock or in line for one, a client sometimes ends, gives up or lets go; else it does something new. */
static bool choose_about_lock(struct client *c)
{
    if (c->must_end || ((c->held || c->waiting) && rng_chance(20000)))
        c->want = WANT_END;
    else if (c->waiting)
        c->want = w.now_ns >= c->patience_ns ? WANT_CANCEL : WANT_LINE;
    else if (c->held && rng_chance(strcmp(c->lock, GUARD) == 0 ? 250000 : 500000))
        c->want = WANT_UNLOCK;
    else
        return false;
    return true;
}

static void choose_session(struct client *c)
{
    const enum want wants[] = {WANT_EPHEMERAL, WANT_EPHEMERAL, WANT_SEQUENCE, WANT_CLOSE};
    c->want = wants[rng_below(4)];
    snprintf(c->key, sizeof(c->key), c->want == WANT_SEQUENCE ? "seq" : "eph%u", c->number);
}

static void choose(struct client *c)
{
    if (choose_about_lock(c))
        return;
    bool guards = c->held && strcmp(c->lock, GUARD) == 0;
    uint64_t queues = w.p.queue_share, registers = queues + w.p.register_share,
             txns = registers + w.p.txn_share * (guards ? 4u : 1u), sessions = txns + w.p.session_share,
             all = sessions + (c->held ? 0 : w.p.lock_share) + 1, at = rng_below(all);
    bool read = rng_chance(w.p.read_share);
    if (at <= queues) {
        c->want = read ? WANT_QUEUE_READ : WANT_APPEND;
        choose_queue(c);
    } else if (at <= registers) {
        const enum want changes[] = {WANT_PUT, WANT_PUT, WANT_CAS, WANT_CAS, WANT_CAS, WANT_DELETE};
        c->want = read ? WANT_READ : changes[rng_below(6)];
        choose_register(c);
    } else if (at <= txns) {
        c->want = read ? WANT_GROUP_READ : WANT_TXN;
    } else if (at <= sessions) {
        choose_session(c);
    } else {
        c->want = WANT_LOCK;
        choose_lock(c);
    }
}

/* ---- transactions: as the checker knows them, and from that as the tables do ---- */

static struct linear_step set(struct client *c)
{
    uint32_t value = rng_chance(200000) ? 0 : ++next_element;
    (void)c;
    return (struct linear_step){.kind = LINEAR_SET, .cell = (uint8_t)rng_below(CELLS), .value = value};
}

static uint64_t choose_fence(const struct client *c)
{
    if (c->held && strcmp(c->lock, GUARD) == 0)
        return c->fence;
    return rng_chance(500000) ? c->old_guard : 0;
}

static void make_txn(struct client *c)
{
    struct linear_txn *txn = calloc(1, sizeof(*txn)); /* the history keeps it */
    struct linear_step *next = txn->steps;
    uint64_t fence = choose_fence(c);
    if (fence != 0)
        next[txn->ifs++] = (struct linear_step){.kind = LINEAR_FENCE, .value = fence};
    if (c->cells_known && rng_chance(500000)) {
        uint8_t cell = (uint8_t)rng_below(CELLS);
        next[txn->ifs++] = (struct linear_step){.kind = LINEAR_IS, .cell = cell, .value = c->cells[cell]};
    } else if (rng_chance(300000)) {
        next[txn->ifs++] = (struct linear_step){.kind = LINEAR_PRESENT, .cell = (uint8_t)rng_below(CELLS)};
    }
    next += txn->ifs;
    next[txn->thens++] = set(c);
    if (rng_chance(300000))
        next[txn->thens++] = (struct linear_step){.kind = LINEAR_SET, .cell = !next[0].cell, .value = ++next_element};
    if (rng_chance(300000))
        next[txn->thens + txn->elses++] = set(c);
    c->txn = txn;
}

static uint32_t put_step(uint8_t *to, uint32_t section, const struct linear_step *step)
{
    char name[4] = {'g', (char)('0' + step->cell), 0, 0};
    uint32_t value = (uint32_t)step->value;
    const char *named = step->kind == LINEAR_FENCE ? GUARD : name;
    bool valued = step->kind != LINEAR_FENCE && step->kind != LINEAR_PRESENT && value != 0;
    struct txn_step head = {.section = (uint8_t)section, .name_bytes = (uint16_t)strlen(named)};
    head.kind = step->kind == LINEAR_FENCE     ? TXN_FENCE
                : step->kind == LINEAR_PRESENT ? TXN_PRESENT
                : step->kind == LINEAR_IS      ? (value != 0 ? TXN_VALUE : TXN_ABSENT)
                : value != 0                   ? TXN_PUT
                                               : TXN_DELETE;
    head.value_bytes = valued ? sizeof(value) : 0;
    head.number = step->kind == LINEAR_FENCE ? step->value : 0;
    uint32_t used = sizeof(head) + head.name_bytes + head.value_bytes, padded = (used + 7) & ~7u;
    memset(to, 0, padded);
    memcpy(to, &head, sizeof(head));
    memcpy(to + sizeof(head), named, head.name_bytes);
    if (valued)
        memcpy(to + sizeof(head) + head.name_bytes, &value, sizeof(value));
    return padded;
}

static uint32_t put_steps(uint8_t *to, const struct linear_txn *txn)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < (uint32_t)txn->ifs + txn->thens + txn->elses; i++)
        used += put_step(to + used,
                         i < txn->ifs                          ? TXN_IF
                         : i < (uint32_t)txn->ifs + txn->thens ? TXN_THEN
                                                               : TXN_ELSE,
                         &txn->steps[i]);
    return used;
}

/* ---- encoding ---- */

static void encode_key_change(const struct client *c, struct tables_op *op)
{
    if (c->want == WANT_DELETE) {
        op->kind = TABLES_KEY_DELETE;
        op->key_delete.if_revision = TABLES_ANY_REVISION;
        op->key_delete.name = text(c->key);
        return;
    }
    op->kind = TABLES_KEY_PUT;
    op->key_put.if_revision = c->want == WANT_CAS ? c->known[c->reg].revision : TABLES_ANY_REVISION;
    op->key_put.name = text(c->key);
    op->key_put.value = (struct tables_text){.at = &c->id, .bytes = sizeof(c->id)};
    if (c->want != WANT_EPHEMERAL && c->want != WANT_SEQUENCE)
        return;
    op->key_put.session = c->session;
    op->key_put.process_id = c->number + 1;
    op->key_put.sequential = c->want == WANT_SEQUENCE;
}

static void encode_lock_change(const struct client *c, struct tables_op *op)
{
    if (c->want == WANT_LOCK) {
        op->kind = TABLES_LOCK;
        op->lock.mode = c->mode;
        op->lock.try_only = c->try_only;
        op->lock.process_id = process_of(c);
        op->lock.name = text(c->lock);
        op->lock.delay_ns = c->delay_ns;
        op->lock.permits = c->mode == TABLES_PERMIT ? SEMAPHORE : c->mode == TABLES_PARTY ? PARTIES : 0;
        if (c->mode == TABLES_CANDIDATE)
            op->lock.value = (struct tables_text){.at = &c->id, .bytes = sizeof(c->id)};
    } else if (c->want == WANT_CANCEL) {
        op->kind = TABLES_LOCK_CANCEL;
        op->lock_cancel.ticket = c->ticket;
    } else if (c->want == WANT_UNLOCK) {
        op->kind = TABLES_UNLOCK;
        op->unlock.fence = c->fence;
        op->unlock.process_id = process_of(c);
        op->unlock.name = text(c->lock);
    } else {
        op->kind = TABLES_PROCESS_END;
        op->process_end.process_id = process_of(c);
    }
}

void client_encode(struct client *c)
{
    struct tables_op op = {.node = c->node, .boot = {c->boot, 0}, .sequence = c->sequence};
    uint8_t steps[LINEAR_STEPS * 40];
    if (c->want == WANT_APPEND) {
        op.kind = TABLES_KEY_APPEND;
        op.key_append.session = c->session;
        op.key_append.number = c->append_number;
        op.key_append.process_id = c->number + 1;
        op.key_append.name = text(c->key);
        op.key_append.data = (struct tables_text){.at = &c->id, .bytes = sizeof(c->id)};
    } else if (c->want == WANT_TXN) {
        op.kind = TABLES_TXN;
        op.txn.process_id = process_of(c);
        op.txn.steps = (struct tables_text){.at = steps, .bytes = put_steps(steps, c->txn)};
    } else if (c->want == WANT_CLOSE) {
        op.kind = TABLES_SESSION_CLOSE;
        op.session_close.session = c->session;
        op.session_close.process_id = c->number + 1;
    } else if (client_about_lock(c)) {
        encode_lock_change(c, &op);
    } else {
        encode_key_change(c, &op);
    }
    c->bytes = (uint32_t)tables_encode(&op, c->encoded, sizeof(c->encoded));
    ASSERT(c->bytes > 0);
}

void client_encode_setup(struct client *c)
{
    struct tables_op op = {.kind = TABLES_NODE_JOIN};
    if (c->phase == PHASE_JOIN) {
        op.node_join.node_id[0] = CLIENT_ID + c->number;
        op.node_join.log_id[0] = 1;
        op.node_join.boot_id[0] = c->boot;
        op.node_join.level = TABLES_LEVEL_NOW;
        op.node_join.name = text("client");
    } else {
        op = (struct tables_op){
            .kind = TABLES_SESSION_OPEN, .node = c->node, .boot = {c->boot, 0}, .sequence = ++c->sequence};
        op.session_open.process_id = c->number + 1;
        c->opened++;
    }
    c->setup_bytes = (uint32_t)tables_encode(&op, c->setup, sizeof(c->setup));
    ASSERT(c->setup_bytes > 0);
}

/* ---- in the history ---- */

static const char *object_of(const struct client *c)
{
    if (c->want == WANT_TXN || c->want == WANT_GROUP_READ)
        return "group";
    return !client_about_lock(c) ? c->key : strcmp(c->lock, GUARD) == 0 ? "group" : c->lock;
}

static bool has_history(const struct client *c)
{
    bool keys = c->want != WANT_EPHEMERAL && c->want != WANT_SEQUENCE && c->want != WANT_CLOSE;
    return keys && c->want != WANT_LINE && !(client_about_lock(c) && c->mode == TABLES_PARTY);
}

static void begin_in_history(struct client *c)
{
    static const uint8_t calls[] = {
        [WANT_QUEUE_READ] = LINEAR_READ, [WANT_APPEND] = LINEAR_APPEND,  [WANT_READ] = LINEAR_READ,
        [WANT_PUT] = LINEAR_WRITE,       [WANT_CAS] = LINEAR_CAS,        [WANT_DELETE] = LINEAR_DELETE,
        [WANT_TXN] = LINEAR_TXN,         [WANT_GROUP_READ] = LINEAR_TXN, [WANT_LOCK] = LINEAR_ACQUIRE,
        [WANT_CANCEL] = LINEAR_CANCEL,   [WANT_UNLOCK] = LINEAR_RELEASE, [WANT_END] = LINEAR_END};
    static const struct linear_txn nothing;
    w.s.operations += c->want != WANT_LINE;
    w.s.reads += client_is_read(c) && c->want != WANT_LINE;
    c->op = NOWHERE;
    if (c->want == WANT_LOCK)
        c->acquire_op = NOWHERE;
    if (!has_history(c))
        return;
    struct linear_op op = {.client = c->number, .call = calls[c->want], .b = c->id, .ender = LINEAR_NOBODY};
    if (c->want == WANT_CAS)
        op.a = c->known[c->reg].value;
    if (c->want == WANT_UNLOCK)
        op.a = c->fence;
    if (op.call == LINEAR_TXN)
        op.txn = c->want == WANT_TXN ? c->txn : &nothing;
    op.shared = c->want == WANT_LOCK && c->shared;
    op.permits = c->want == WANT_LOCK && c->mode == TABLES_PERMIT ? SEMAPHORE : 0;
    bool ends = (c->want == WANT_CANCEL || c->want == WANT_END) && (c->waiting || c->must_end);
    c->op = history_invoke(&op, object_of(c), ends ? c->acquire_op : UINT64_MAX);
    if (c->want == WANT_LOCK)
        c->acquire_op = c->op;
}

static void complete(uint64_t op, enum linear_outcome outcome, uint64_t a, uint64_t b)
{
    if (op != NOWHERE)
        history_complete(op, outcome, a, b);
}

static void keep(uint64_t op, enum linear_outcome outcome)
{
    if (op != NOWHERE)
        history_keep(op, outcome);
}

void client_begin(struct client *c)
{
    c->busy = true;
    c->sequence++;
    choose(c);
    if (c->want == WANT_APPEND || c->want == WANT_PUT || c->want == WANT_CAS || c->want == WANT_LOCK)
        c->id = ++next_element;
    c->append_number += c->want == WANT_APPEND;
    if (c->want == WANT_TXN)
        make_txn(c);
    begin_in_history(c);
    if (!client_is_read(c))
        client_encode(c);
}

/* ---- what is answered ---- */

void client_line_over(struct client *c)
{
    if (c->waiting || c->must_end)
        complete(c->acquire_op, LINEAR_DONE, 0, 0);
    if (c->held && strcmp(c->lock, GUARD) == 0)
        c->old_guard = c->fence;
    c->waiting = c->must_end = c->held = false;
}

static void finish_lock(struct client *c, const struct reply *reply)
{
    if (reply->repeated) {
        c->must_end = true;
        return;
    }
    if (reply->err == E_BUSY) {
        complete(c->op, LINEAR_FAIL, 0, 0);
        return;
    }
    c->ticket = reply->ticket;
    c->fence = reply->value;
    c->held = c->fence != 0;
    c->waiting = !c->held;
    c->patience_ns = w.now_ns + rng_below(8 * w.p.election_ns);
    if (c->held) {
        complete(c->op, LINEAR_OK, c->fence, 0);
        w.s.grants++;
    }
}

static void finish_waiting(struct client *c, const struct reply *reply)
{
    if (reply->err != E_OK && !c->lost)
        violation(EXIT_CORRECTNESS, "client %u stands in line for %s, and its request is gone", c->number, c->lock);
    if (reply->err != E_OK) { /* with its machine's lease */
        client_line_over(c);
        return;
    }
    if (reply->value == 0)
        return;
    c->fence = reply->value;
    c->waiting = false;
    c->held = true;
    complete(c->acquire_op, LINEAR_OK, c->fence, 0);
    w.s.grants_in_line++;
}

static void finish_register(struct client *c, const struct reply *reply)
{
    struct known *known = &c->known[c->reg];
    enum linear_outcome outcome = reply->repeated ? LINEAR_DONE : reply->err == E_OK ? LINEAR_OK : LINEAR_FAIL;
    known->revision = UINT64_MAX;
    if (c->want == WANT_READ) {
        complete(c->op, LINEAR_OK, reply->count, 0);
        *known = (struct known){.value = reply->count, .revision = reply->value};
        return;
    }
    if (outcome == LINEAR_OK && c->want != WANT_DELETE)
        *known = (struct known){.value = c->id, .revision = reply->value};
    w.s.cas_failed += c->want == WANT_CAS && outcome == LINEAR_FAIL;
    w.s.cas_done += c->want == WANT_CAS && outcome == LINEAR_OK;
    keep(c->op, c->want == WANT_PUT ? LINEAR_OK : outcome);
}

static void finish_group(struct client *c, const struct reply *reply)
{
    c->cells_known = c->want == WANT_GROUP_READ;
    if (c->want == WANT_TXN) {
        complete(c->op, reply->repeated ? LINEAR_DONE : LINEAR_OK, reply->number, 0);
        return;
    }
    struct linear_txn *seen = calloc(1, sizeof(*seen));
    for (uint32_t i = 0; i < CELLS; i++) {
        c->cells[i] = reply->cells[i];
        seen->steps[seen->ifs++] = (struct linear_step){.kind = LINEAR_IS, .cell = (uint8_t)i, .value = c->cells[i]};
    }
    history_saw(c->op, seen);
}

static void finish_unlock(struct client *c, const struct reply *reply)
{
    keep(c->op, reply->repeated ? LINEAR_DONE : reply->err == E_OK ? LINEAR_OK : LINEAR_FAIL);
    client_line_over(c);
}

void client_finish(struct client *c, const struct reply *reply)
{
    if (c->want == WANT_LOCK) {
        finish_lock(c, reply);
    } else if (c->want == WANT_LINE) {
        finish_waiting(c, reply);
    } else if (c->want == WANT_QUEUE_READ) {
        complete(c->op, LINEAR_OK, reply->count, reply->hash);
    } else if (c->want == WANT_APPEND) {
        keep(c->op, LINEAR_OK);
    } else if (c->want == WANT_UNLOCK) {
        finish_unlock(c, reply);
    } else if (c->want == WANT_CANCEL || c->want == WANT_END) {
        c->process += c->want == WANT_END;
        keep(c->op, LINEAR_OK);
        client_line_over(c);
        w.s.given_up++;
    } else if (c->want == WANT_TXN || c->want == WANT_GROUP_READ) {
        finish_group(c, reply);
    } else if (c->want == WANT_CLOSE) {
        c->phase = PHASE_SESSION;
    } else if (c->want != WANT_EPHEMERAL && c->want != WANT_SEQUENCE) {
        finish_register(c, reply);
    }
    c->done += c->want != WANT_LINE;
    c->busy = false;
}

/* Refusals that a client may get from the tables when all is well; the checker sees whether it was well. */
bool client_may_be_refused(const struct client *c, err_t err)
{
    if (c->phase != PHASE_RUN)
        return false;
    return (c->want == WANT_CAS && err == E_CONFLICT) || (c->want == WANT_DELETE && err == E_NOT_FOUND) ||
           (c->want == WANT_LOCK && c->try_only && err == E_BUSY) || c->want == WANT_LINE ||
           (c->want == WANT_UNLOCK && (err == E_STALE_FENCE || err == E_NOT_FOUND));
}
