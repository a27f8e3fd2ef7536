/* Clients: each has a session, one operation at a time, and asks again, maybe elsewhere, until it knows the outcome, or
 * knows that it was applied and what it answered is lost. They append to queues, read and change registers, and take
 * locks: at once, or standing in line, giving up, or ending with what they hold. */
#include <base/assert.h>

#include "sim.h"

enum phase { PHASE_JOIN, PHASE_SESSION, PHASE_RUN };
enum want {
    WANT_QUEUE_READ,
    WANT_APPEND,
    WANT_READ,
    WANT_PUT,
    WANT_CAS,
    WANT_DELETE,
    WANT_LOCK,
    WANT_LINE, /* is it granted by now? */
    WANT_CANCEL,
    WANT_UNLOCK,
    WANT_END /* the process that holds or waits ends */
};

struct known { /* of a register, from an answer; revision all ones: nothing */
    uint32_t value;
    uint64_t revision;
};

struct client {
    uint32_t number, node; /* node: its number in the tables */
    uint64_t boot, sequence, session, append_number, process;
    enum phase phase;
    enum want want;
    uint64_t attempt; /* of the request under way; answers to others are late */
    uint32_t target, hint;
    bool busy, stopped;
    uint32_t id; /* of the element or value being written */
    uint32_t reg;
    struct known known[REGISTERS];
    char key[16], lock[16];
    uint64_t op;           /* in the history */
    bool held, waiting;    /* the lock; a request for it stands in line */
    bool shared, try_only; /* of the newest request for a lock */
    bool must_end;         /* what became of the request is not known */
    uint64_t fence, ticket, acquire_op, patience_ns;
    uint8_t encoded[512];
    uint32_t bytes;
    uint32_t done, mark;
};
static struct client clients[CLIENTS_AT_MOST];
static uint32_t key_generation[KEYS], key_uses[KEYS], next_element;

/* ---- what is asked ---- */

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
    snprintf(c->lock, sizeof(c->lock), "lock%u", (uint32_t)rng_below(LOCKS));
    c->shared = rng_chance(400000);
    c->try_only = rng_chance(300000);
}

static struct tables_text text(const char *string)
{
    return (struct tables_text){.at = string, .bytes = (uint32_t)strlen(string)};
}

static uint64_t process_of(const struct client *c)
{
    return 1000 * (c->number + 1) + c->process;
}

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
}

static void encode_lock_change(const struct client *c, struct tables_op *op)
{
    if (c->want == WANT_LOCK) {
        op->kind = TABLES_LOCK;
        op->lock.mode = c->shared ? TABLES_SHARED : TABLES_EXCLUSIVE;
        op->lock.try_only = c->try_only;
        op->lock.process_id = process_of(c);
        op->lock.name = text(c->lock);
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

static void encode(struct client *c)
{
    struct tables_op op = {.node = c->node, .boot = {c->boot, 0}, .sequence = c->sequence};
    if (c->phase == PHASE_JOIN) {
        op = (struct tables_op){.kind = TABLES_NODE_JOIN};
        op.node_join.node_id[0] = 1000 + c->number;
        op.node_join.log_id[0] = 1;
        op.node_join.boot_id[0] = c->boot;
        op.node_join.name = text("client");
    } else if (c->phase == PHASE_SESSION) {
        op.kind = TABLES_SESSION_OPEN;
        op.session_open.process_id = c->number + 1;
    } else if (c->want == WANT_APPEND) {
        op.kind = TABLES_KEY_APPEND;
        op.key_append.session = c->session;
        op.key_append.number = c->append_number;
        op.key_append.process_id = c->number + 1;
        op.key_append.name = text(c->key);
        op.key_append.data = (struct tables_text){.at = &c->id, .bytes = sizeof(c->id)};
    } else if (c->want == WANT_PUT || c->want == WANT_CAS || c->want == WANT_DELETE) {
        encode_key_change(c, &op);
    } else {
        encode_lock_change(c, &op);
    }
    c->bytes = (uint32_t)tables_encode(&op, c->encoded, sizeof(c->encoded));
    ASSERT(c->bytes > 0);
}

static bool is_read(const struct client *c)
{
    return c->phase == PHASE_RUN && (c->want == WANT_QUEUE_READ || c->want == WANT_READ || c->want == WANT_LINE);
}

/* With a lock or in line for one, a client sometimes ends, gives up or lets go; else it does something new. */
static bool choose_about_lock(struct client *c)
{
    if (c->must_end || ((c->held || c->waiting) && rng_chance(20000)))
        c->want = WANT_END;
    else if (c->waiting)
        c->want = w.now_ns >= c->patience_ns ? WANT_CANCEL : WANT_LINE;
    else if (c->held && rng_chance(500000))
        c->want = WANT_UNLOCK;
    else
        return false;
    return true;
}

static void choose(struct client *c)
{
    if (choose_about_lock(c))
        return;
    uint64_t all = w.p.queue_share + w.p.register_share + (c->held ? 0 : w.p.lock_share) + 1;
    uint64_t at = rng_below(all);
    bool read = rng_chance(w.p.read_share);
    if (at <= w.p.queue_share) {
        c->want = read ? WANT_QUEUE_READ : WANT_APPEND;
        choose_queue(c);
    } else if (at <= (uint64_t)w.p.queue_share + w.p.register_share) {
        const enum want changes[] = {WANT_PUT, WANT_PUT, WANT_CAS, WANT_CAS, WANT_CAS, WANT_DELETE};
        c->want = read ? WANT_READ : changes[rng_below(6)];
        choose_register(c);
    } else {
        c->want = WANT_LOCK;
        choose_lock(c);
    }
}

static void begin_in_history(struct client *c)
{
    static const uint8_t calls[] = {
        [WANT_QUEUE_READ] = LINEAR_READ, [WANT_APPEND] = LINEAR_APPEND, [WANT_READ] = LINEAR_READ,
        [WANT_PUT] = LINEAR_WRITE,       [WANT_CAS] = LINEAR_CAS,       [WANT_DELETE] = LINEAR_DELETE,
        [WANT_LOCK] = LINEAR_ACQUIRE,    [WANT_CANCEL] = LINEAR_CANCEL, [WANT_UNLOCK] = LINEAR_RELEASE,
        [WANT_END] = LINEAR_END};
    if (c->want == WANT_LINE)
        return;
    struct linear_op op = {.client = c->number, .call = calls[c->want], .b = c->id, .ender = LINEAR_NOBODY};
    if (c->want == WANT_CAS)
        op.a = c->known[c->reg].value;
    if (c->want == WANT_UNLOCK)
        op.a = c->fence;
    op.shared = c->want == WANT_LOCK && c->shared;
    bool ends = (c->want == WANT_CANCEL || c->want == WANT_END) && (c->waiting || c->must_end);
    c->op = history_invoke(&op, c->want >= WANT_LOCK ? c->lock : c->key, ends ? c->acquire_op : UINT64_MAX);
    if (c->want == WANT_LOCK)
        c->acquire_op = c->op;
    w.s.operations++;
    w.s.reads += is_read(c);
}

static void begin_operation(struct client *c)
{
    c->busy = true;
    c->sequence++;
    if (c->phase == PHASE_RUN) {
        choose(c);
        if (c->want == WANT_APPEND || c->want == WANT_PUT || c->want == WANT_CAS)
            c->id = ++next_element;
        c->append_number += c->want == WANT_APPEND;
        begin_in_history(c);
    }
    if (!is_read(c))
        encode(c);
}

static uint64_t client_delay(void)
{
    return rng_between(w.p.delay_low_ns, w.p.delay_high_ns);
}

static void send_request(struct client *c)
{
    struct request *request = malloc(sizeof(*request));
    c->attempt++;
    *request = (struct request){.client = c->number, .attempt = c->attempt, .bytes = c->bytes, .ticket = c->ticket};
    if (is_read(c))
        request->read = c->want == WANT_LINE ? READ_TICKET : c->want == WANT_READ ? READ_REGISTER : READ_QUEUE;
    memcpy(request->key, c->key, sizeof(c->key));
    memcpy(request->op, c->encoded, c->bytes);
    if (c->hint >= 1 && c->hint <= w.p.nodes && rng_chance(900000))
        c->target = c->hint;
    else
        c->target = (uint32_t)rng_between(1, w.p.nodes);
    c->hint = 0;
    if (!w.calm && rng_chance(w.p.client_loss))
        free(request);
    else if (w.unreachable[c->target])
        free(request);
    else
        event_add(client_delay(), EVENT_REQUEST, c->target, 0, request, sizeof(*request));
    event_add(2 * w.p.election_ns + rng_below(w.p.election_ns), EVENT_CLIENT, c->number, c->attempt, NULL, 0);
}

static void later(struct client *c, uint64_t after_ns)
{
    c->attempt++;
    event_add(after_ns, EVENT_CLIENT, c->number, c->attempt, NULL, 0);
}

static void forget_known(struct client *c)
{
    for (uint32_t i = 0; i < REGISTERS; i++)
        c->known[i] = (struct known){.revision = UINT64_MAX};
}

void clients_start(void)
{
    memset(clients, 0, sizeof(clients));
    memset(key_generation, 0, sizeof(key_generation));
    memset(key_uses, 0, sizeof(key_uses));
    next_element = 0;
    for (uint32_t i = 0; i < w.p.clients; i++) {
        clients[i].number = i;
        clients[i].boot = 1;
        forget_known(&clients[i]);
        later(&clients[i], rng_below(SECOND));
    }
}

/* ---- what is answered ---- */

/* It was applied before, but what it answered is not known: only a new life of the client gets a session. */
static void start_over(struct client *c)
{
    c->boot++;
    c->sequence = 0;
    c->append_number = 0;
    c->phase = PHASE_JOIN;
    c->busy = false;
}

/* The request for the lock is over, and so is what ended it. */
static void finish_line(struct client *c)
{
    if (c->waiting || c->must_end)
        history_complete(c->acquire_op, LINEAR_DONE, 0, 0);
    c->waiting = c->must_end = c->held = false;
    w.s.given_up++;
}

static void finish_lock(struct client *c, const struct reply *reply)
{
    if (reply->repeated) {
        c->must_end = true;
        return;
    }
    if (reply->err == E_BUSY) {
        history_complete(c->op, LINEAR_FAIL, 0, 0);
        return;
    }
    c->ticket = reply->ticket;
    c->fence = reply->value;
    c->held = c->fence != 0;
    c->waiting = !c->held;
    c->patience_ns = w.now_ns + rng_below(8 * w.p.election_ns);
    if (c->held) {
        history_complete(c->op, LINEAR_OK, c->fence, 0);
        w.s.grants++;
    }
}

static void finish_waiting(struct client *c, const struct reply *reply)
{
    if (reply->err != E_OK)
        violation(EXIT_CORRECTNESS, "client %u stands in line for %s, and its request is gone", c->number, c->lock);
    if (reply->value == 0)
        return;
    c->fence = reply->value;
    c->waiting = false;
    c->held = true;
    history_complete(c->acquire_op, LINEAR_OK, c->fence, 0);
    w.s.grants_in_line++;
}

static void finish_register(struct client *c, const struct reply *reply)
{
    struct known *known = &c->known[c->reg];
    enum linear_outcome outcome = reply->repeated ? LINEAR_DONE : reply->err == E_OK ? LINEAR_OK : LINEAR_FAIL;
    known->revision = UINT64_MAX;
    if (c->want == WANT_READ) {
        history_complete(c->op, LINEAR_OK, reply->count, 0);
        *known = (struct known){.value = reply->count, .revision = reply->value};
        return;
    }
    if (outcome == LINEAR_OK && c->want != WANT_DELETE)
        *known = (struct known){.value = c->id, .revision = reply->value};
    w.s.cas_failed += c->want == WANT_CAS && outcome == LINEAR_FAIL;
    w.s.cas_done += c->want == WANT_CAS && outcome == LINEAR_OK;
    history_keep(c->op, c->want == WANT_PUT ? LINEAR_OK : outcome);
}

static void finish_operation(struct client *c, const struct reply *reply)
{
    if (c->want == WANT_LOCK) {
        finish_lock(c, reply);
    } else if (c->want == WANT_LINE) {
        finish_waiting(c, reply);
    } else if (c->want == WANT_QUEUE_READ) {
        history_complete(c->op, LINEAR_OK, reply->count, reply->hash);
    } else if (c->want == WANT_APPEND) {
        history_keep(c->op, LINEAR_OK);
    } else if (c->want == WANT_UNLOCK) {
        history_keep(c->op, reply->repeated ? LINEAR_DONE : reply->err == E_OK ? LINEAR_OK : LINEAR_FAIL);
        c->held = false;
    } else if (c->want == WANT_CANCEL || c->want == WANT_END) {
        c->process += c->want == WANT_END;
        history_keep(c->op, LINEAR_OK);
        finish_line(c);
    } else {
        finish_register(c, reply);
    }
    c->done += c->want != WANT_LINE;
}

static void finish(struct client *c, const struct reply *reply)
{
    if (c->phase == PHASE_JOIN) {
        c->node = (uint32_t)reply->value;
        c->phase = PHASE_SESSION;
    } else if (c->phase == PHASE_SESSION) {
        c->session = reply->value;
        c->phase = PHASE_RUN;
    } else {
        finish_operation(c, reply);
    }
    c->busy = false;
}

/* Refusals that a client may get from the tables when all is well; the checker sees whether it was well. */
static bool may_be_refused(const struct client *c, err_t err)
{
    if (c->phase != PHASE_RUN)
        return false;
    return (c->want == WANT_CAS && err == E_CONFLICT) || (c->want == WANT_DELETE && err == E_NOT_FOUND) ||
           (c->want == WANT_LOCK && c->try_only && err == E_BUSY) || c->want == WANT_LINE ||
           (c->want == WANT_UNLOCK && (err == E_STALE_FENCE || err == E_NOT_FOUND));
}

static void on_reply(struct client *c, const struct reply *reply)
{
    if (reply->attempt != c->attempt || !c->busy)
        return;
    c->hint = reply->hint;
    bool again = reply->err == E_AGAIN || reply->err == E_NOT_DELIVERED || reply->err == E_FULL || reply->err == E_BUSY;
    if (again && !reply->applied) {
        w.s.retries++;
        later(c, reply->hint != 0 ? rng_below(5 * MS) : rng_between(1 * MS, w.p.election_ns / 2));
        return;
    }
    if (reply->repeated && c->phase == PHASE_SESSION) {
        start_over(c);
    } else if (reply->err != E_OK && !reply->repeated && !may_be_refused(c, reply->err)) {
        violation(EXIT_CORRECTNESS, "client %u: operation refused with %u", c->number, reply->err);
    } else {
        w.s.answers_lost += reply->repeated;
        finish(c, reply);
    }
    later(c, rng_below(2 * w.p.think_ns));
}

/* Asking again with a new sequence leaves it to the session to tell that it is the same. */
static void ask_again(struct client *c)
{
    w.s.retries++;
    if (c->phase == PHASE_RUN && c->want == WANT_APPEND && rng_chance(500000)) {
        c->sequence++;
        encode(c);
    }
}

void client_event(struct event *e)
{
    struct client *c = &clients[e->who];
    if (e->kind == EVENT_REPLY) {
        on_reply(c, e->data);
    } else if (e->life == c->attempt) {
        if (!c->busy) {
            if (c->stopped)
                return;
            begin_operation(c);
        } else {
            ask_again(c);
        }
        send_request(c);
    }
    free(e->data);
}

void clients_mark(void)
{
    for (uint32_t i = 0; i < w.p.clients; i++)
        clients[i].mark = clients[i].done;
}

bool clients_progressed(uint32_t operations)
{
    for (uint32_t i = 0; i < w.p.clients; i++)
        if (clients[i].done < clients[i].mark + operations)
            return false;
    return true;
}

void clients_stop(void)
{
    for (uint32_t i = 0; i < w.p.clients; i++)
        clients[i].stopped = true;
}

/* ---- the node's side ---- */

void client_answer(const struct reply *reply)
{
    if (!w.calm && rng_chance(w.p.client_loss))
        return;
    struct reply *copy = malloc(sizeof(*copy));
    *copy = *reply;
    event_add(client_delay(), EVENT_REPLY, reply->client, 0, copy, sizeof(*copy));
}

static uint32_t hint_of(struct node *n)
{
    struct raft_status status;
    raft_status(n->raft, &status);
    return status.leader.log != 0 && !raft_id_equal(status.leader, n->id) ? (uint32_t)status.leader.node : 0;
}

static void refuse(struct node *n, const struct request *request, err_t err)
{
    struct reply reply = {.client = request->client, .attempt = request->attempt, .err = err, .hint = hint_of(n)};
    client_answer(&reply);
}

static void request_read(struct node *n, const struct request *request)
{
    uint64_t token = ++n->next_token;
    struct reader *reader = &n->readers[token % READERS];
    if (reader->used) {
        refuse(n, request, E_AGAIN);
        return;
    }
    err_t err = raft_read(n->raft, token);
    if (err != E_OK) {
        refuse(n, request, err);
        return;
    }
    *reader = (struct reader){.used = true,
                              .client = request->client,
                              .what = request->read,
                              .attempt = request->attempt,
                              .token = token,
                              .ticket = request->ticket,
                              .must_see = ghost_committed()};
    memcpy(reader->key, request->key, sizeof(reader->key));
}

void client_request(struct node *n, struct request *request)
{
    if (request->read != READ_NOTHING) {
        request_read(n, request);
        return;
    }
    uint64_t index, term;
    err_t err = raft_propose(n->raft, request->op, request->bytes, &index, &term);
    if (err != E_OK) {
        refuse(n, request, err);
        return;
    }
    n->waiters[index % WAITERS] =
        (struct waiter){.index = index, .term = term, .client = request->client, .attempt = request->attempt};
}

/* The proposal took effect if the entry applied at its index has its term; else it never will. */
void client_applied(struct node *n, const struct raft_entry *entry, const struct tables_result *result)
{
    struct waiter *waiter = &n->waiters[entry->index % WAITERS];
    if (waiter->index != entry->index)
        return;
    struct reply reply = {.client = waiter->client, .attempt = waiter->attempt, .err = E_AGAIN};
    if (waiter->term == entry->term) {
        reply.err = result->err;
        reply.applied = true;
        reply.repeated = result->repeated;
        reply.value = result->value;
        reply.ticket = result->ticket;
    }
    waiter->index = 0;
    client_answer(&reply);
}

static void look(struct node *n, const struct reader *reader, struct reply *reply)
{
    struct tables_key_view view = {.value_bytes = 0};
    struct tables_request_view request = {.fence = 0};
    reply->err = E_OK;
    if (reader->what == READ_TICKET) {
        if (!tables_request(n->tables, reader->ticket, &request))
            reply->err = E_NOT_FOUND;
        reply->value = request.fence;
        return;
    }
    tables_key(n->tables, text(reader->key), &view);
    if (reader->what == READ_QUEUE) {
        reply->count = view.value_bytes / 4;
        reply->hash = history_hash(view.value, reply->count);
        return;
    }
    reply->value = view.revision;
    if (view.value_bytes == sizeof(reply->count))
        memcpy(&reply->count, view.value, sizeof(reply->count));
}

void client_read_done(struct node *n, const struct raft_read_state *read)
{
    struct reader *reader = &n->readers[read->token % READERS];
    if (!reader->used || reader->token != read->token)
        violation(EXIT_CORRECTNESS, "node %u answers a read that nobody asked", n->number);
    reader->used = false;
    struct reply reply = {.client = reader->client, .attempt = reader->attempt, .err = E_AGAIN};
    if (read->failed) {
        w.s.reads_failed++;
        client_answer(&reply);
        return;
    }
    if (read->index > tables_applied_index(n->tables))
        violation(EXIT_CORRECTNESS, "node %u: a read may go ahead before its index is applied", n->number);
    if (read->index < reader->must_see)
        violation(EXIT_CORRECTNESS, "node %u: a read at %llu does not see %llu, committed before it", n->number,
                  (unsigned long long)read->index, (unsigned long long)reader->must_see);
    reply.applied = true;
    look(n, reader, &reply);
    client_answer(&reply);
}
