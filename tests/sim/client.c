/* Clients: each has a session, one operation at a time, and asks again, maybe elsewhere, until it knows the outcome. */
#include <base/assert.h>

#include "sim.h"

enum phase { PHASE_JOIN, PHASE_SESSION, PHASE_RUN };

struct client {
    uint32_t number, node; /* node: its number in the tables */
    uint64_t boot, sequence, session, append_number;
    enum phase phase;
    uint64_t attempt; /* of the request under way; answers to others are late */
    uint32_t target, hint;
    bool busy, read, stopped;
    uint32_t id; /* of the element being appended */
    char key[16];
    uint64_t op; /* in the history */
    uint8_t encoded[512];
    uint32_t bytes;
    uint32_t done, mark;
};
static struct client clients[CLIENTS_AT_MOST];
static uint32_t key_generation[KEYS], key_uses[KEYS], next_element;

/* ---- what is asked ---- */

static void choose_key(struct client *c)
{
    uint32_t key = (uint32_t)rng_below(KEYS);
    if (!c->read && ++key_uses[key] > KEY_OPS_MAX) {
        key_generation[key]++;
        key_uses[key] = 1;
    }
    snprintf(c->key, sizeof(c->key), "key%u.%u", key, key_generation[key]);
}

static struct tables_text text(const char *string)
{
    return (struct tables_text){.at = string, .bytes = (uint32_t)strlen(string)};
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
    } else {
        op.kind = TABLES_KEY_APPEND;
        op.key_append.session = c->session;
        op.key_append.number = c->append_number;
        op.key_append.name = text(c->key);
        op.key_append.data = (struct tables_text){.at = &c->id, .bytes = sizeof(c->id)};
    }
    c->bytes = (uint32_t)tables_encode(&op, c->encoded, sizeof(c->encoded));
    ASSERT(c->bytes > 0);
}

static void begin_operation(struct client *c)
{
    c->busy = true;
    c->read = c->phase == PHASE_RUN && rng_chance(w.p.read_share);
    c->sequence++;
    if (c->phase == PHASE_RUN) {
        choose_key(c);
        if (!c->read) {
            c->id = ++next_element;
            c->append_number++;
        }
        c->op = history_invoke(c->number, c->key, c->read, c->id);
        w.s.operations++;
        w.s.reads += c->read;
    }
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
    *request = (struct request){.client = c->number, .attempt = c->attempt, .read = c->read, .bytes = c->bytes};
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

void clients_start(void)
{
    memset(clients, 0, sizeof(clients));
    memset(key_generation, 0, sizeof(key_generation));
    memset(key_uses, 0, sizeof(key_uses));
    next_element = 0;
    for (uint32_t i = 0; i < w.p.clients; i++) {
        clients[i].number = i;
        clients[i].boot = 1;
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

static void finish(struct client *c, const struct reply *reply)
{
    if (c->phase == PHASE_JOIN) {
        c->node = (uint32_t)reply->value;
        c->phase = PHASE_SESSION;
    } else if (c->phase == PHASE_SESSION) {
        c->session = reply->value;
        c->phase = PHASE_RUN;
    } else {
        history_complete(c->op, reply->count, reply->hash);
        c->done++;
    }
    c->busy = false;
}

static void on_reply(struct client *c, const struct reply *reply)
{
    if (reply->attempt != c->attempt || !c->busy)
        return;
    c->hint = reply->hint;
    if (reply->err == E_AGAIN || reply->err == E_NOT_DELIVERED || reply->err == E_FULL || reply->err == E_BUSY) {
        w.s.retries++;
        later(c, reply->hint != 0 ? rng_below(5 * MS) : rng_between(1 * MS, w.p.election_ns / 2));
        return;
    }
    if (reply->repeated && c->phase == PHASE_SESSION) {
        start_over(c);
    } else if (reply->err != E_OK && !reply->repeated) {
        violation(EXIT_CORRECTNESS, "client %u: operation refused with %u", c->number, reply->err);
    } else {
        finish(c, reply);
    }
    later(c, rng_below(2 * w.p.think_ns));
}

/* Asking again with a new sequence leaves it to the session to tell that it is the same. */
static void ask_again(struct client *c)
{
    w.s.retries++;
    if (c->phase == PHASE_RUN && !c->read && rng_chance(500000)) {
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
                              .attempt = request->attempt,
                              .token = token,
                              .must_see = ghost_committed()};
    memcpy(reader->key, request->key, sizeof(reader->key));
}

void client_request(struct node *n, struct request *request)
{
    if (request->read) {
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
        reply.repeated = result->repeated;
        reply.value = result->value;
    }
    waiter->index = 0;
    client_answer(&reply);
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
    struct tables_key_view view = {.value_bytes = 0};
    tables_key(n->tables, text(reader->key), &view);
    reply.err = E_OK;
    reply.count = view.value_bytes / 4;
    reply.hash = history_hash(view.value, reply.count);
    client_answer(&reply);
}
