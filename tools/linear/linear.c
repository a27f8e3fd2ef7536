#include "linear.h"

#include <stdlib.h>
#include <string.h>

#define HOLDERS_MAX 16u

/* ---- states ---- */

struct state {
    uint64_t value; /* register: the value; queue: the hash; lock: the newest fence granted */
    uint32_t count; /* queue: elements; lock: holders */
    bool shared;
    uint64_t cells[LINEAR_CELLS]; /* group */
    struct {
        uint64_t fence; /* 0: not known */
        uint32_t client, op;
    } holders[HOLDERS_MAX]; /* in order of their operations */
};

static bool has_lock(enum linear_kind kind)
{
    return kind == LINEAR_LOCK || kind == LINEAR_GROUP;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint64_t linear_queue_hash(uint64_t before, uint64_t element)
{
    return mix(before * 0x9e3779b97f4a7c15ull + element + 1);
}

static uint64_t state_hash(enum linear_kind kind, const struct state *s, uint64_t salt)
{
    uint64_t hash = mix(s->value + salt) + s->count * 31 + s->shared;
    for (uint32_t i = 0; has_lock(kind) && i < s->count; i++)
        hash = mix(hash ^ s->holders[i].fence) + s->holders[i].op;
    for (uint32_t i = 0; kind == LINEAR_GROUP && i < LINEAR_CELLS; i++)
        hash = mix(hash + s->cells[i]);
    return mix(hash ^ salt);
}

/* ---- what an operation does; false: it cannot come now ---- */

static bool step_register(struct state *s, const struct linear_op *op)
{
    bool fits;
    switch (op->call) {
    case LINEAR_READ:
        return s->value == op->a;
    case LINEAR_WRITE:
        s->value = op->b;
        return op->outcome != LINEAR_FAIL;
    case LINEAR_CAS:
        fits = s->value == op->a;
        break;
    case LINEAR_DELETE:
        fits = s->value != 0;
        break;
    default:
        return false;
    }
    if ((op->outcome == LINEAR_OK && !fits) || (op->outcome == LINEAR_FAIL && fits))
        return false;
    if (fits)
        s->value = op->call == LINEAR_CAS ? op->b : 0;
    return true;
}

static bool step_queue(struct state *s, const struct linear_op *op)
{
    if (op->call == LINEAR_READ)
        return s->count == op->a && s->value == op->b;
    if (op->call != LINEAR_APPEND || op->outcome == LINEAR_FAIL)
        return op->call == LINEAR_APPEND; /* refused: nothing happened */
    if (op->a != 0 && op->a != s->count + 1)
        return false;
    s->value = linear_queue_hash(s->value, op->b);
    s->count++;
    return true;
}

static void drop_holder(struct state *s, uint32_t at)
{
    s->count--;
    memmove(&s->holders[at], &s->holders[at + 1], (s->count - at) * sizeof(s->holders[0]));
}

static bool has_room(const struct state *s, const struct linear_op *op)
{
    if (op->permits > 0)
        return s->count < op->permits;
    return s->count == 0 || (s->shared && op->shared);
}

static bool grant(struct state *s, const struct linear_op *op, uint32_t number)
{
    if (!has_room(s, op))
        return false;
    if (op->outcome == LINEAR_OK && op->a <= s->value)
        return false; /* a fence never goes back */
    if (s->count == HOLDERS_MAX)
        return false;
    uint32_t at = s->count++;
    while (at > 0 && s->holders[at - 1].op > number) {
        s->holders[at] = s->holders[at - 1];
        at--;
    }
    s->holders[at].fence = op->outcome == LINEAR_OK ? op->a : 0;
    s->holders[at].client = op->client;
    s->holders[at].op = number;
    s->shared = op->shared;
    if (op->outcome == LINEAR_OK)
        s->value = op->a;
    return true;
}

static bool release(struct state *s, const struct linear_op *op)
{
    uint32_t at = 0;
    while (at < s->count && !(s->holders[at].fence == op->a && op->a != 0))
        at++;
    bool held = at < s->count;
    if ((op->outcome == LINEAR_OK && !held) || (op->outcome == LINEAR_FAIL && held))
        return false;
    if (held && op->call == LINEAR_RELEASE)
        drop_holder(s, at);
    return true;
}

static bool ends(const struct linear_op *ops, uint32_t number, uint32_t acquire)
{
    uint32_t ender = ops[acquire].ender;
    while (ender != LINEAR_NOBODY && ender != number)
        ender = ops[ender].ender;
    return ender == number;
}

static void give_up(struct state *s, const struct linear_op *ops, uint32_t number)
{
    for (uint32_t i = s->count; i-- > 0;)
        if (ops[number].call == LINEAR_END ? s->holders[i].client == ops[number].client
                                           : ends(ops, number, s->holders[i].op))
            drop_holder(s, i);
}

/* Whichever of them comes first: one that was asked for may be done long before another that comes by itself. */
static bool is_given_up(const struct linear_op *ops, uint32_t acquire, const bool *done)
{
    uint32_t ender = ops[acquire].ender;
    while (ender != LINEAR_NOBODY && !done[ender])
        ender = ops[ender].ender;
    return ender != LINEAR_NOBODY;
}

/* `way`: 0 and, for an acquiring whose outcome is not known, 1: it came to nothing. */
static bool step_lock(struct state *s, const struct linear_op *ops, uint32_t number, uint32_t way, const bool *done)
{
    const struct linear_op *op = &ops[number];
    switch (op->call) {
    case LINEAR_ACQUIRE:
        if (op->outcome == LINEAR_FAIL)
            return op->permits > 0 ? s->count >= op->permits : s->count > 0;
        if (way == 1)
            return true;
        return !is_given_up(ops, number, done) && grant(s, op, number);
    case LINEAR_RELEASE:
    case LINEAR_RENEW:
        return release(s, op);
    case LINEAR_CANCEL:
    case LINEAR_END:
        give_up(s, ops, number);
        return true;
    default:
        return false;
    }
}

static bool holds(const struct state *s, const struct linear_step *step)
{
    uint32_t at = 0;
    switch (step->kind) {
    case LINEAR_IS:
        return s->cells[step->cell] == step->value;
    case LINEAR_PRESENT:
        return s->cells[step->cell] != 0;
    default:
        while (at < s->count && s->holders[at].fence != step->value)
            at++;
        return at < s->count && step->value != 0;
    }
}

static bool step_txn(struct state *s, const struct linear_op *op)
{
    const struct linear_txn *txn = op->txn;
    bool held = true;
    if (op->outcome == LINEAR_FAIL)
        return true; /* refused: nothing happened */
    for (uint32_t i = 0; i < txn->ifs; i++)
        held = held && holds(s, &txn->steps[i]);
    if (op->outcome == LINEAR_OK && held != (op->a != 0))
        return false;
    const struct linear_step *done = &txn->steps[txn->ifs + (held ? 0u : txn->thens)];
    for (uint32_t i = 0; i < (held ? txn->thens : txn->elses); i++)
        s->cells[done[i].cell] = done[i].value;
    return true;
}

static uint32_t ways_of(const struct linear_op *op)
{
    return op->call == LINEAR_ACQUIRE && op->outcome == LINEAR_DONE ? 2 : 1;
}

/* ---- what was tried already ---- */

struct memory {
    struct {
        uint64_t high, low;
    } * slots;
    size_t room, used; /* room: a power of two */
};

/* True: it is new. */
static bool remember(struct memory *m, uint64_t high, uint64_t low)
{
    if (2 * (m->used + 1) > m->room) {
        struct memory bigger = {.room = m->room ? 2 * m->room : 1024};
        bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
        for (size_t i = 0; i < m->room; i++)
            if (m->slots[i].high != 0)
                remember(&bigger, m->slots[i].high, m->slots[i].low);
        free(m->slots);
        *m = bigger;
    }
    high |= 1; /* 0 is an empty slot */
    for (size_t at = low;; at++) {
        size_t slot = at & (m->room - 1);
        if (m->slots[slot].high == 0) {
            m->slots[slot].high = high;
            m->slots[slot].low = low;
            m->used++;
            return true;
        }
        if (m->slots[slot].high == high && m->slots[slot].low == low)
            return false;
    }
}

/* ---- the search ---- */

/* Beginnings and ends, in order, linked so that an operation can be taken out and put back. */
struct moment {
    uint64_t at;
    uint32_t op;
    bool end;
};

struct place { /* in the list; 0 is its head */
    uint32_t next, before, op;
    bool end;
};

struct frame {
    struct state state; /* before it */
    uint32_t begin, way;
};

struct search {
    enum linear_kind kind;
    const struct linear_op *ops;
    uint32_t count, places_count, left; /* left: operations that must still be placed */
    struct place *places;
    uint32_t *begin_of, *end_of; /* places of an operation; end 0: none */
    bool *done;
    struct frame *frames;
    uint32_t depth, deepest, stuck;
    uint32_t *by_fence, fence_count, fences_done; /* acquirings whose fence is known, in its order */
    uint64_t high, low;                           /* of the set of operations that are done */
    struct memory memory;
};

static int by_time(const void *a, const void *b)
{
    const struct moment *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void link_places(struct search *s)
{
    struct moment *moments = malloc((2 * (size_t)s->count + 1) * sizeof(*moments));
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        moments[count++] = (struct moment){s->ops[i].invoked, i, false};
        if (s->ops[i].outcome != LINEAR_OPEN) {
            moments[count++] = (struct moment){s->ops[i].completed, i, true};
            s->left++;
        }
    }
    qsort(moments, count, sizeof(*moments), by_time);
    s->places[0] = (struct place){.next = count > 0 ? 1 : 0};
    for (uint32_t i = 0; i < count; i++) {
        s->places[i + 1] =
            (struct place){.next = i + 1 < count ? i + 2 : 0, .before = i, .op = moments[i].op, .end = moments[i].end};
        (moments[i].end ? s->end_of : s->begin_of)[moments[i].op] = i + 1;
    }
    free(moments);
}

static void unlink_place(struct search *s, uint32_t at)
{
    s->places[s->places[at].before].next = s->places[at].next;
    if (s->places[at].next != 0)
        s->places[s->places[at].next].before = s->places[at].before;
}

static void relink_place(struct search *s, uint32_t at)
{
    s->places[s->places[at].before].next = at;
    if (s->places[at].next != 0)
        s->places[s->places[at].next].before = at;
}

static bool has_fence(const struct linear_op *op)
{
    return op->call == LINEAR_ACQUIRE && op->outcome == LINEAR_OK;
}

static void sort_fences(struct search *s)
{
    s->by_fence = malloc((s->count + 1) * sizeof(*s->by_fence));
    for (uint32_t i = 0; has_lock(s->kind) && i < s->count; i++) {
        if (!has_fence(&s->ops[i]))
            continue;
        uint32_t at = s->fence_count++;
        for (; at > 0 && s->ops[s->by_fence[at - 1]].a > s->ops[i].a; at--)
            s->by_fence[at] = s->by_fence[at - 1];
        s->by_fence[at] = i;
    }
}

static void flip(struct search *s, uint32_t op, bool done)
{
    if (has_lock(s->kind) && has_fence(&s->ops[op]))
        s->fences_done += done ? 1u : -1u;
    s->done[op] = done;
    s->high ^= mix(2 * (uint64_t)op + 0x1234567);
    s->low ^= mix(2 * (uint64_t)op + 0x89abcde1);
    if (s->ops[op].outcome != LINEAR_OPEN)
        s->left += done ? -1u : 1u;
}

static void lift(struct search *s, uint32_t op)
{
    unlink_place(s, s->begin_of[op]);
    if (s->end_of[op] != 0)
        unlink_place(s, s->end_of[op]);
    flip(s, op, true);
}

static void unlift(struct search *s, uint32_t op)
{
    if (s->end_of[op] != 0)
        relink_place(s, s->end_of[op]);
    relink_place(s, s->begin_of[op]);
    flip(s, op, false);
}

static bool step(struct search *s, struct state *state, uint32_t op, uint32_t way)
{
    if (s->kind == LINEAR_REGISTER)
        return step_register(state, &s->ops[op]);
    if (s->kind == LINEAR_QUEUE)
        return step_queue(state, &s->ops[op]);
    if (s->ops[op].call == LINEAR_TXN)
        return s->kind == LINEAR_GROUP && step_txn(state, &s->ops[op]);
    /* All of them must come, and fences only rise: so they come in their order. */
    if (has_fence(&s->ops[op]) && s->by_fence[s->fences_done] != op)
        return false;
    return step_lock(state, s->ops, op, way, s->done);
}

/* Places the operation at `begin` in one of its ways from `way` on, if that leads somewhere new. */
static bool place_operation(struct search *s, struct state *state, uint32_t begin, uint32_t way)
{
    uint32_t op = s->places[begin].op;
    for (; way < ways_of(&s->ops[op]); way++) {
        struct state next = *state;
        if (!step(s, &next, op, way))
            continue;
        lift(s, op);
        if (remember(&s->memory, s->high ^ state_hash(s->kind, &next, 1), s->low ^ state_hash(s->kind, &next, 2))) {
            s->frames[s->depth++] = (struct frame){.state = *state, .begin = begin, .way = way};
            *state = next;
            return true;
        }
        unlift(s, op);
    }
    return false;
}

static enum linear_verdict run(struct search *s, struct state *state, uint64_t limit, uint64_t *steps)
{
    uint32_t at = s->places[0].next, way = 0;
    while (s->left > 0) {
        if (++*steps > limit)
            return LINEAR_UNDECIDED;
        bool end = at == 0 || s->places[at].end; /* what ended must have been placed */
        if (!end && place_operation(s, state, at, way)) {
            at = s->places[0].next;
            way = 0;
        } else if (!end) {
            at = s->places[at].next;
            way = 0;
        } else {
            if (s->depth >= s->deepest && at != 0) {
                s->deepest = s->depth;
                s->stuck = s->places[at].op;
            }
            if (s->depth == 0)
                return LINEAR_BROKEN;
            struct frame *frame = &s->frames[--s->depth];
            *state = frame->state;
            at = frame->begin;
            way = frame->way + 1;
            unlift(s, s->places[at].op);
        }
    }
    return LINEAR_SOUND;
}

struct linear_result linear_check(enum linear_kind kind, const struct linear_op *ops, uint32_t count, uint64_t limit)
{
    struct search s = {.kind = kind, .ops = ops, .count = count};
    struct linear_result result = {.steps = 0};
    struct state state = {.value = 0};
    s.places = malloc((2 * (size_t)count + 1) * sizeof(*s.places));
    s.begin_of = calloc(count + 1, sizeof(*s.begin_of));
    s.end_of = calloc(count + 1, sizeof(*s.end_of));
    s.done = calloc(count + 1, sizeof(*s.done));
    s.frames = malloc((count + 1) * sizeof(*s.frames));
    link_places(&s);
    sort_fences(&s);
    result.verdict = run(&s, &state, limit, &result.steps);
    result.stuck = s.stuck;
    free(s.places);
    free(s.by_fence);
    free(s.begin_of);
    free(s.end_of);
    free(s.done);
    free(s.frames);
    free(s.memory.slots);
    return result;
}
