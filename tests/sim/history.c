/* What the clients saw, and whether it is linearizable: object by object, by the search of tools/linear. For queues the
 * state at the end is looked at as well: each element once, what was acknowledged there, nothing from nowhere. */
#include "sim.h"

struct operation {
    struct linear_op op;
    uint64_t of; /* CANCEL, END: the acquiring operation that it ends; all ones: none */
    char key[16];
};
static struct operation *operations;
static uint64_t count, room, order;
static FILE *written; /* NULL: nobody wants it */

#define STEPS_MAX 5000000u

/* ---- as text: docs/012-interfaces-for-tools.md ---- */

static const char *const call_names[] = {
    [LINEAR_READ] = "read",     [LINEAR_WRITE] = "write",     [LINEAR_CAS] = "cas",         [LINEAR_DELETE] = "delete",
    [LINEAR_APPEND] = "append", [LINEAR_ACQUIRE] = "acquire", [LINEAR_RELEASE] = "release", [LINEAR_RENEW] = "renew",
    [LINEAR_CANCEL] = "cancel", [LINEAR_END] = "end",         [LINEAR_TXN] = "txn"};

void history_open(const char *path)
{
    written = fopen(path, "w");
    if (written == NULL) {
        perror(path);
        exit(2);
    }
}

static void write_steps(const char *name, const struct linear_step *steps, uint32_t steps_count)
{
    static const char *const kinds[] = {[LINEAR_IS] = "\"c\":\"is\",",
                                        [LINEAR_PRESENT] = "\"c\":\"present\",",
                                        [LINEAR_FENCE] = "\"c\":\"fence\",",
                                        ""};
    fprintf(written, ",\"%s\":[", name);
    for (uint32_t i = 0; i < steps_count; i++) {
        fprintf(written, "%s{%s\"r\":%u,\"v\":", i > 0 ? "," : "", kinds[steps[i].kind], steps[i].cell);
        fprintf(written, steps[i].value != 0 ? "%llu}" : "null}", (unsigned long long)steps[i].value);
    }
    fprintf(written, "]");
}

static void write_txn(const struct linear_op *op, bool answered)
{
    static const struct linear_txn nothing;
    const struct linear_txn *txn = op->txn != NULL ? op->txn : &nothing;
    bool read = txn->thens + txn->elses == 0; /* what it saw is known with its answer */
    if (answered)
        fprintf(written, ",\"n\":%llu", (unsigned long long)op->a);
    if (answered && !read)
        return;
    write_steps("if", txn->steps, txn->ifs);
    write_steps("then", txn->steps + txn->ifs, txn->thens);
    write_steps("else", txn->steps + txn->ifs + txn->thens, txn->elses);
}

static void write_event(uint64_t number, const char *type, bool answered)
{
    const struct operation *o = &operations[number];
    const struct linear_op *op = &o->op;
    if (written == NULL)
        return;
    fprintf(written, "{\"p\":\"c%u\",\"i\":%llu,\"t\":\"%s\",\"f\":\"%s\",\"k\":\"%s\",\"at\":%llu", op->client,
            (unsigned long long)number, type, call_names[op->call], o->key, (unsigned long long)w.now_ns);
    if (op->call == LINEAR_WRITE || op->call == LINEAR_CAS || op->call == LINEAR_APPEND)
        fprintf(written, ",\"b\":%llu", (unsigned long long)op->b);
    if (op->call == LINEAR_CAS)
        fprintf(written, op->a != 0 ? ",\"a\":%llu" : ",\"a\":null", (unsigned long long)op->a);
    if (op->call == LINEAR_ACQUIRE)
        fprintf(written, ",\"mode\":\"%s\"", op->shared ? "S" : "X");
    if (op->call == LINEAR_ACQUIRE && op->permits > 0)
        fprintf(written, ",\"permits\":%u", op->permits);
    if (op->call == LINEAR_TXN)
        write_txn(op, answered);
    if (op->call == LINEAR_RELEASE || (op->call == LINEAR_ACQUIRE && answered && op->a != 0))
        fprintf(written, ",\"tok\":%llu", (unsigned long long)op->a);
    if (op->call == LINEAR_READ && answered && strncmp(o->key, "key", 3) == 0)
        fprintf(written, ",\"n\":%llu,\"h\":\"%llx\"", (unsigned long long)op->a, (unsigned long long)op->b);
    else if (op->call == LINEAR_READ && answered)
        fprintf(written, op->a != 0 ? ",\"a\":%llu" : ",\"a\":null", (unsigned long long)op->a);
    if (op->outcome == LINEAR_DONE && answered)
        fprintf(written, ",\"done\":true");
    if (o->of != UINT64_MAX)
        fprintf(written, ",\"of\":%llu", (unsigned long long)o->of);
    fprintf(written, "}\n");
}

/* ---- what happened ---- */

uint64_t history_invoke(const struct linear_op *op, const char *key, uint64_t of)
{
    if (count == room) {
        room = room ? 2 * room : 4096;
        operations = realloc(operations, room * sizeof(*operations));
    }
    struct operation *o = &operations[count];
    *o = (struct operation){.op = *op, .of = of};
    o->op.outcome = LINEAR_OPEN;
    o->op.invoked = ++order;
    snprintf(o->key, sizeof(o->key), "%s", key);
    if (of != UINT64_MAX) {
        o->op.ender = operations[of].op.ender;
        operations[of].op.ender = (uint32_t)count;
    }
    write_event(count, "invoke", false);
    return count++;
}

static void complete(uint64_t number, enum linear_outcome outcome)
{
    static const char *const types[] = {"ok", "fail", "info"};
    struct linear_op *op = &operations[number].op;
    op->outcome = (uint8_t)outcome;
    op->completed = ++order;
    write_event(number, types[outcome], true);
}

void history_complete(uint64_t number, enum linear_outcome outcome, uint64_t a, uint64_t b)
{
    operations[number].op.a = a;
    if (operations[number].op.call == LINEAR_READ)
        operations[number].op.b = b;
    complete(number, outcome);
}

void history_keep(uint64_t number, enum linear_outcome outcome)
{
    complete(number, outcome);
}

/* What a read of a group saw is known only now: it is the transaction that asks for just that. */
void history_saw(uint64_t number, const struct linear_txn *seen)
{
    operations[number].op.txn = seen;
    operations[number].op.a = 1;
    complete(number, LINEAR_OK);
}

/* ---- queues: what is there in the end ---- */

static uint32_t element_at(const uint8_t *value, uint32_t at)
{
    uint32_t element;
    memcpy(&element, value + 4 * at, 4);
    return element;
}

uint64_t history_hash(const uint8_t *value, uint32_t elements)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < elements; i++)
        hash = linear_queue_hash(hash, element_at(value, i));
    return hash;
}

/* Where it stands, from 1; 0: nowhere. */
static uint32_t position_of(const struct tables_key_view *view, uint64_t id)
{
    uint32_t position = 0;
    for (uint32_t i = 0; i < view->value_bytes / 4; i++) {
        if (element_at(view->value, i) != id)
            continue;
        if (position != 0)
            violation(EXIT_CORRECTNESS, "append %llu was applied twice", (unsigned long long)id);
        position = i + 1;
    }
    return position;
}

static void check_queue_end(const struct tables *t, const char *key, struct linear_op *ops, uint32_t op_count)
{
    struct tables_key_view view = {.value_bytes = 0};
    uint32_t appends = 0;
    tables_key(t, (struct tables_text){.at = key, .bytes = (uint32_t)strlen(key)}, &view);
    for (uint32_t i = 0; i < op_count; i++) {
        if (ops[i].call != LINEAR_APPEND)
            continue;
        ops[i].a = position_of(&view, ops[i].b);
        if (ops[i].a == 0 && ops[i].outcome == LINEAR_OK)
            violation(EXIT_CORRECTNESS, "append %llu to %s was acknowledged and is lost", (unsigned long long)ops[i].b,
                      key);
        appends += ops[i].a != 0;
    }
    if (appends != view.value_bytes / 4)
        violation(EXIT_CORRECTNESS, "%s holds %u elements, %u of them were appended", key, view.value_bytes / 4,
                  appends);
}

/* ---- the check, object by object ---- */

static enum linear_kind kind_of(const char *key)
{
    return key[0] == 'k' ? LINEAR_QUEUE : key[0] == 'r' ? LINEAR_REGISTER : key[0] == 'g' ? LINEAR_GROUP : LINEAR_LOCK;
}

static void judge(const char *key, const struct linear_op *ops, uint32_t op_count)
{
    struct linear_result result = linear_check(kind_of(key), ops, op_count, STEPS_MAX);
    w.s.linear_steps += result.steps;
    w.s.undecided += result.verdict == LINEAR_UNDECIDED;
    const struct linear_op *op = &ops[result.stuck];
    if (result.verdict == LINEAR_BROKEN)
        violation(EXIT_CORRECTNESS, "%s is not linearizable: no order has room for %s by client %u (%llx, %llx)", key,
                  call_names[op->call], op->client, (unsigned long long)op->a, (unsigned long long)op->b);
}

static void check_key(const struct tables *t, const char *key)
{
    struct linear_op *ops = malloc((count + 1) * sizeof(*ops));
    uint32_t *place = malloc((count + 1) * sizeof(*place)), op_count = 0;
    for (uint64_t i = 0; i < count; i++)
        if (strcmp(operations[i].key, key) == 0) {
            place[i] = op_count;
            ops[op_count++] = operations[i].op;
        }
    for (uint32_t i = 0; i < op_count; i++)
        if (ops[i].ender != LINEAR_NOBODY)
            ops[i].ender = place[ops[i].ender];
    if (kind_of(key) == LINEAR_QUEUE)
        check_queue_end(t, key, ops, op_count);
    judge(key, ops, op_count);
    free(place);
    free(ops);
}

/* A fence is given once, whatever the lock. (Within one lock the search sees to it that they rise.) */
static int by_fence(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_fences(void)
{
    uint64_t *fences = malloc((count + 1) * sizeof(*fences)), fence_count = 0;
    for (uint64_t i = 0; i < count; i++)
        if (operations[i].op.call == LINEAR_ACQUIRE && operations[i].op.outcome == LINEAR_OK)
            fences[fence_count++] = operations[i].op.a;
    qsort(fences, fence_count, sizeof(*fences), by_fence);
    for (uint64_t i = 1; i < fence_count; i++)
        if (fences[i] == fences[i - 1])
            violation(EXIT_CORRECTNESS, "fence %llx was given twice", (unsigned long long)fences[i]);
    free(fences);
}

void history_check(const struct tables *t)
{
    char(*keys)[16] = calloc(count + 1, sizeof(*keys));
    size_t key_count = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < key_count && strcmp(keys[k], operations[i].key) != 0)
            k++;
        if (k == key_count)
            memcpy(keys[key_count++], operations[i].key, sizeof(keys[0]));
    }
    for (size_t k = 0; k < key_count; k++)
        check_key(t, keys[k]);
    check_fences();
    free(keys);
    if (written != NULL)
        fclose(written);
}
