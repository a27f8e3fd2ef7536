/* The node's side of what clients ask. */
#include "client.h"

static struct tables_text text(const char *string)
{
    return (struct tables_text){.at = string, .bytes = (uint32_t)strlen(string)};
}

uint64_t client_delay(void)
{
    return rng_between(w.p.delay_low_ns, w.p.delay_high_ns);
}

void client_answer(const struct node *n, const struct reply *reply)
{
    if ((!w.calm && rng_chance(w.p.client_loss)) || !client_hears(reply->client, n->number))
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
    client_answer(n, &reply);
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
    if (request->joins && request->attempt != clients[request->client].attempt)
        return; /* on links nothing of before overtakes what comes later */
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
        reply.number = result->number;
    }
    waiter->index = 0;
    client_answer(n, &reply);
}

static void look_at_group(struct node *n, struct reply *reply)
{
    const char *const cells[CELLS] = {"g0", "g1"};
    for (uint32_t i = 0; i < CELLS; i++) {
        struct tables_key_view view = {.value_bytes = 0};
        if (tables_key(n->tables, text(cells[i]), &view) && view.value_bytes == sizeof(reply->cells[i]))
            memcpy(&reply->cells[i], view.value, sizeof(reply->cells[i]));
    }
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
    if (reader->what == READ_GROUP) {
        look_at_group(n, reply);
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
        client_answer(n, &reply);
        return;
    }
    if (read->index > tables_applied_index(n->tables))
        violation(EXIT_CORRECTNESS, "node %u: a read may go ahead before its index is applied", n->number);
    if (read->index < reader->must_see)
        violation(EXIT_CORRECTNESS, "node %u: a read at %llu does not see %llu, committed before it", n->number,
                  (unsigned long long)read->index, (unsigned long long)reader->must_see);
    reply.applied = true;
    look(n, reader, &reply);
    client_answer(n, &reply);
}
