/* Clients: each on a machine of its own, with a clock, a lease and a session. One operation at a time, asked for again,
 * maybe elsewhere, until it knows the outcome, or knows that it was applied and what it answered is lost. A machine may
 * stop for a while and go on as if nothing had been, fall silent, or start anew. */
#include <base/assert.h>

#include "client.h"

struct client clients[CLIENTS_AT_MOST];
uint32_t key_generation[KEYS], key_uses[KEYS], next_element;

/* ---- its machine ---- */

static uint64_t local_time(const struct client *c)
{
    __int128 passed = w.now_ns - c->clock_global_ns;
    return c->clock_local_ns + (uint64_t)(passed + passed * c->drift_ppm / 1000000);
}

static bool is_down(const struct client *c)
{
    return c->dead || c->down_until_ns > w.now_ns;
}

bool client_hears(uint32_t client, uint32_t node)
{
    const struct client *c = &clients[client];
    return c->silent_until_ns <= w.now_ns || (c->silent_to >> node & 1) == 0;
}

void clients_beat(uint32_t machine)
{
    const struct client *c = &clients[machine - NODES_AT_MOST - 1];
    if (!is_down(c) && c->paused_until_ns <= w.now_ns)
        duties_send(machine, c->boot, 1, local_time(c));
}

static void later(struct client *c, uint64_t after_ns)
{
    c->attempt++;
    c->awaiting = false;
    event_add(after_ns, EVENT_CLIENT, c->number, c->attempt, NULL, 0);
}

static void forget_known(struct client *c)
{
    for (uint32_t i = 0; i < REGISTERS; i++)
        c->known[i] = (struct known){.revision = UINT64_MAX};
    c->cells_known = false;
}

void clients_start(void)
{
    memset(clients, 0, sizeof(clients));
    memset(key_generation, 0, sizeof(key_generation));
    memset(key_uses, 0, sizeof(key_uses));
    next_element = 0;
    for (uint32_t i = 0; i < w.p.clients; i++) {
        struct client *c = &clients[i];
        c->number = i;
        c->boot = 1;
        c->clock_local_ns = rng_below(1000 * SECOND);
        c->drift_ppm = (int64_t)rng_below(2 * w.p.client_drift_ppm + 1) - w.p.client_drift_ppm;
        forget_known(c);
        later(c, rng_below(SECOND));
    }
}

/* ---- what is asked ---- */

static void fill(struct client *c, struct request *request)
{
    bool setup = c->phase != PHASE_RUN;
    *request = (struct request){.client = c->number, .attempt = c->attempt, .ticket = c->ticket};
    request->joins = c->phase == PHASE_JOIN;
    request->bytes = setup ? c->setup_bytes : c->bytes;
    memcpy(request->op, setup ? c->setup : c->encoded, request->bytes);
    memcpy(request->key, c->key, sizeof(c->key));
    if (!setup && client_is_read(c))
        request->read = c->want == WANT_LINE         ? READ_TICKET
                        : c->want == WANT_READ       ? READ_REGISTER
                        : c->want == WANT_GROUP_READ ? READ_GROUP
                                                     : READ_QUEUE;
}

static void send_request(struct client *c)
{
    struct request *request = malloc(sizeof(*request));
    c->attempt++;
    c->awaiting = true;
    fill(c, request);
    if (c->hint >= 1 && c->hint <= w.p.nodes && rng_chance(900000))
        c->target = c->hint;
    else
        c->target = (uint32_t)rng_between(1, w.p.nodes);
    c->hint = 0;
    if ((!w.calm && rng_chance(w.p.client_loss)) || w.unreachable[c->target] || !client_hears(c->number, c->target))
        free(request);
    else
        event_add(client_delay(), EVENT_REQUEST, c->target, 0, request, sizeof(*request));
    event_add(2 * w.p.election_ns + rng_below(w.p.election_ns), EVENT_CLIENT, c->number, c->attempt, NULL, 0);
}

/* Asking again with a new sequence leaves it to the session to tell that it is the same. */
static void ask_again(struct client *c)
{
    w.s.retries++;
    if (c->want == WANT_APPEND && rng_chance(500000)) {
        c->sequence++;
        client_encode(c);
    }
}

static void act(struct client *c)
{
    if (c->phase != PHASE_RUN) {
        if (!c->awaiting)
            client_encode_setup(c);
    } else if (c->busy) {
        ask_again(c);
    } else if (c->stopped) {
        return;
    } else {
        client_begin(c);
    }
    send_request(c);
}

/* ---- what is answered ---- */

/* Only a new boot of its machine gets it anywhere; what it was about stays open. */
static void start_over(struct client *c)
{
    if (c->held && strcmp(c->lock, GUARD) == 0)
        c->old_guard = c->fence;
    c->held = c->waiting = c->must_end = false;
    c->boot++;
    c->sequence = 0;
    c->opened = 0;
    c->phase = PHASE_JOIN;
    c->busy = c->lost = c->renewed = false;
    c->lease = (struct lease){.until_ns = 0};
}

/* An operation that was under way when the lease ended: it is asked for again with the same sequence, if that can tell
 * anything. */
static void lease_lost(struct client *c)
{
    bool ended = c->phase == PHASE_RUN && (c->want == WANT_CANCEL || c->want == WANT_END);
    struct reply as_if = {.err = E_OK};
    w.s.leases_lost++;
    if (rng_chance(300000)) {
        start_over(c);
        return;
    }
    if (ended)
        client_finish(c, &as_if); /* what was to end has ended */
    else if (c->want != WANT_LOCK || !c->busy)
        client_line_over(c);
    if (c->want == WANT_APPEND || c->want == WANT_EPHEMERAL || c->want == WANT_SEQUENCE || c->want == WANT_CLOSE)
        c->busy = false; /* the session that it needs is gone */
    c->phase = PHASE_JOIN;
    c->lost = c->renewed = false;
}

static void take_setup(struct client *c, const struct reply *reply)
{
    if (reply->repeated && c->phase == PHASE_SESSION) {
        start_over(c);
    } else if (c->phase == PHASE_JOIN) {
        c->node = (uint32_t)reply->value;
        c->phase = PHASE_SESSION;
    } else {
        c->session = reply->value;
        c->append_number = 0;
        c->phase = PHASE_RUN;
    }
}

static void take_answer(struct client *c, const struct reply *reply)
{
    if (reply->applied && reply->err == E_GONE) {
        if (!c->lost)
            violation(EXIT_CORRECTNESS, "client %u: its lease is said to be over, and was not ended", c->number);
        lease_lost(c);
    } else if (c->phase == PHASE_SESSION && reply->err == E_FULL && c->opened > TABLES_OWNER_SESSIONS) {
        start_over(c); /* so often did it ask again that it may have all it can: they end with it alone */
    } else if (reply->err != E_OK && !reply->repeated && !client_may_be_refused(c, reply->err)) {
        violation(EXIT_CORRECTNESS, "client %u: operation refused with %u", c->number, reply->err);
    } else if (c->phase != PHASE_RUN) {
        take_setup(c, reply);
    } else {
        w.s.answers_lost += reply->repeated;
        client_finish(c, reply);
    }
}

static void on_reply(struct client *c, const struct reply *reply)
{
    if (reply->attempt != c->attempt || !c->awaiting || is_down(c))
        return;
    c->hint = reply->hint;
    bool again = reply->err == E_AGAIN || reply->err == E_NOT_DELIVERED || reply->err == E_FULL || reply->err == E_BUSY;
    if (again && !reply->applied) {
        w.s.retries++;
        later(c, reply->hint != 0 ? rng_below(5 * MS) : rng_between(1 * MS, w.p.election_ns / 2));
        return;
    }
    take_answer(c, reply);
    later(c, rng_below(2 * w.p.think_ns));
}

static void on_notice(struct client *c, const struct notice *notice)
{
    if (is_down(c) || notice->boot != c->boot)
        return;
    if (notice->row)
        lease_stands(&c->lease, notice->index, notice->term);
    else if (notice->stamp_ns <= local_time(c))
        lease_note(&c->lease, notice->index, notice->term, notice->stamp_ns);
}

void client_event(struct event *e)
{
    struct client *c = &clients[e->who];
    if (c->paused_until_ns > w.now_ns && !c->dead) { /* it all waits in its machine */
        event_add(c->paused_until_ns - w.now_ns + rng_below(MS), e->kind, e->who, e->life, e->data, e->bytes);
        return;
    }
    if (e->kind == EVENT_REPLY)
        on_reply(c, e->data);
    else if (e->kind == EVENT_NOTICE)
        on_notice(c, e->data);
    else if (e->life == c->attempt && !is_down(c))
        act(c);
    free(e->data);
}

/* ---- progress ---- */

void clients_mark(void)
{
    for (uint32_t i = 0; i < w.p.clients; i++)
        clients[i].mark = clients[i].done;
}

bool clients_progressed(uint32_t operations)
{
    for (uint32_t i = 0; i < w.p.clients; i++)
        if (!clients[i].dead && clients[i].done < clients[i].mark + operations)
            return false;
    return true;
}

void clients_stop(void)
{
    for (uint32_t i = 0; i < w.p.clients; i++)
        clients[i].stopped = true;
}

/* ---- what goes wrong ---- */

static void crash(struct client *c, uint64_t down_ns)
{
    w.s.client_crashes++;
    trace("client %u starts anew", c->number);
    start_over(c);
    c->down_until_ns = w.now_ns + down_ns;
    later(c, down_ns + 1);
}

static void jump(struct client *c)
{
    c->clock_local_ns = local_time(c) + rng_below(3 * SECOND);
    c->clock_global_ns = w.now_ns;
}

void clients_strike(void)
{
    struct client *c = &clients[rng_below(w.p.clients)];
    if (is_down(c))
        return;
    if (rng_chance(w.p.client_pause)) {
        w.s.client_pauses++;
        c->paused_until_ns = w.now_ns + rng_between(100 * MS, rng_chance(500000) ? 2 * SECOND : 15 * SECOND);
        trace("client %u pauses", c->number);
    }
    if (rng_chance(w.p.client_silence)) {
        w.s.client_silences++;
        c->silent_until_ns = w.now_ns + rng_between(100 * MS, rng_chance(500000) ? 3 * SECOND : 15 * SECOND);
        c->silent_to = rng_chance(500000) ? UINT32_MAX : (uint32_t)rng();
        trace("client %u is cut off", c->number);
    }
    if (rng_chance(w.p.client_crash))
        crash(c, rng_chance(500000) ? rng_below(100 * MS) : rng_below(12 * SECOND));
    if (rng_chance(w.p.client_jump))
        jump(c);
}

/* ---- calm ---- */

void clients_calm(void)
{
    for (uint32_t i = 0; i < w.p.clients; i++) {
        struct client *c = &clients[i];
        c->paused_until_ns = c->silent_until_ns = 0;
        c->dead = i > 0 && rng_chance(250000);
        w.s.dead_in_calm += c->dead;
        if (c->down_until_ns > w.now_ns)
            later(c, 1);
        c->down_until_ns = 0;
    }
}

bool clients_dead_are_gone(const struct tables *t)
{
    for (uint32_t i = 0; i < w.p.clients; i++) {
        const uint64_t id[2] = {CLIENT_ID + i, 0};
        const struct tables_node *row = tables_node_by_id(t, id);
        if (clients[i].dead && row != NULL && row->live)
            return false;
    }
    return true;
}

/* ---- what the ghost tells ---- */

static void end_in_history(struct client *c, const char *object, bool waits_there)
{
    struct linear_op op = {.client = c->number, .call = LINEAR_END, .ender = LINEAR_NOBODY};
    uint64_t of = waits_there && c->acquire_op != NOWHERE ? c->acquire_op : UINT64_MAX;
    history_keep(history_invoke(&op, object, of), LINEAR_OK);
}

/* At that very moment all that the boot held is free: the first who applied it could give it to another. */
void client_ended(uint32_t client, uint64_t boot, bool expired)
{
    static const char *const objects[] = {"lock0", "lock1", "sem0", "ele0", "group"};
    struct client *c = &clients[client];
    bool present = boot == c->boot;
    const char *waits_for = !present || !c->waiting ? "" : strcmp(c->lock, GUARD) == 0 ? "group" : c->lock;
    for (uint32_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
        end_in_history(c, objects[i], strcmp(objects[i], waits_for) == 0);
    if (!present)
        return;
    trace("the lease of client %u is over", client);
    c->lost = true;
    if (!expired || is_down(c))
        return;
    if (w.good_clocks && local_time(c) < c->lease.until_ns)
        violation(EXIT_CORRECTNESS, "the lease of client %u is ended %llu ms before it may count it as over", client,
                  (unsigned long long)((c->lease.until_ns - local_time(c)) / MS));
    if (w.calm && c->renewed)
        violation(EXIT_CORRECTNESS, "client %u is well and its lease is ended", client);
}

/* A leader of the calm hears it from now on. */
void client_renewed(uint32_t client, uint64_t boot)
{
    struct client *c = &clients[client];
    c->renewed |= w.calm && !c->dead && boot == c->boot;
}

static bool stands_against(const struct client *c, uint32_t mode)
{
    bool gives_back = c->busy && (c->want == WANT_UNLOCK || c->want == WANT_END);
    if (!c->held || is_down(c) || gives_back || c->mode == TABLES_PERMIT || c->mode == TABLES_PARTY)
        return false;
    return !(c->mode == TABLES_SHARED && mode == TABLES_SHARED);
}

/* Whoever else takes itself for the holder must know by its clock that it may be none; only fences keep it off. */
void client_granted(uint32_t client, struct tables_text lock, uint32_t mode)
{
    for (uint32_t i = 0; i < w.p.clients; i++) {
        const struct client *c = &clients[i];
        if (i == client || lock.bytes != strlen(c->lock) || memcmp(lock.at, c->lock, lock.bytes) != 0 ||
            !stands_against(c, mode))
            continue;
        bool sure = local_time(c) < c->lease.until_ns;
        w.s.outlived += !sure;
        w.s.both_sure += sure;
        if (sure && w.good_clocks)
            violation(EXIT_CORRECTNESS, "clients %u and %u are both sure to hold %s", i, client, c->lock);
    }
}
