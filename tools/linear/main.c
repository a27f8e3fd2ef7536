/* linear HISTORY.ndjson: is what clients saw linearizable? The format is that of docs/012-interfaces-for-tools.md: one
 * event a line, in real order, object by object ("k"). Ends with 0: it is; 1: it is not; 2: that is no history; 3: the
 * search was given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear.h"
#include <json.h>

#define STEPS_MAX 100000000u

struct row {
    struct linear_op op;
    char *client, *key;
    uint64_t number, of; /* of: the number of the operation that it ends; all ones: none */
    bool ended;
};
static struct row *rows;
static uint32_t row_count, row_room;
static uint64_t lines;

static void malformed(const char *why)
{
    fprintf(stderr, "linear: line %llu: %s\n", (unsigned long long)lines, why);
    exit(2);
}

/* ---- values: any JSON value stands for itself; null and what is missing is 0, nothing ---- */

static uint64_t value_of(const struct json *value)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    if (value == NULL || value->kind == JSON_NULL)
        return 0;
    if (value->kind == JSON_NUMBER || value->kind == JSON_BOOL)
        return value->number + 1 != 0 ? value->number + 1 : 1;
    for (size_t i = 0; i < value->bytes; i++)
        hash = (hash ^ (unsigned char)value->text[i]) * 0x100000001b3ull;
    return hash | 1ull << 63;
}

static uint64_t element_of(const struct json *value)
{
    return value->kind == JSON_NUMBER ? value->number : value_of(value);
}

/* What a queue held: its elements in a list, or how many and their hash. */
static void take_elements(struct linear_op *op, const struct json *event)
{
    const struct json *list = json_part(event, "b"), *hash = json_part(event, "h");
    op->a = op->b = 0;
    if (list != NULL && list->kind == JSON_ARRAY) {
        for (const struct json *element = list->first; element != NULL; element = element->next) {
            op->b = linear_queue_hash(op->b, element_of(element));
            op->a++;
        }
        return;
    }
    if (!json_number(event, "n", 0, &op->a) || hash == NULL || hash->kind != JSON_STRING)
        malformed("a read of a queue has its elements in b, or n and h");
    op->b = strtoull(hash->text, NULL, 16);
}

/* ---- events ---- */

static const struct {
    const char *name;
    enum linear_call call;
} calls[] = {{"read", LINEAR_READ},     {"write", LINEAR_WRITE},     {"cas", LINEAR_CAS},
             {"delete", LINEAR_DELETE}, {"append", LINEAR_APPEND},   {"acquire", LINEAR_ACQUIRE},
             {"renew", LINEAR_RENEW},   {"release", LINEAR_RELEASE}, {"cancel", LINEAR_CANCEL},
             {"end", LINEAR_END},       {"txn", LINEAR_TXN}};

static const char *word(const struct json *event, const char *key)
{
    const struct json *part = json_part(event, key);
    if (part == NULL || part->kind != JSON_STRING)
        malformed("a part is missing: p, i, t, f and k are needed");
    return part->text;
}

static struct row *find_row(const char *client, uint64_t number)
{
    for (uint32_t i = row_count; i-- > 0;)
        if (rows[i].number == number && strcmp(rows[i].client, client) == 0)
            return &rows[i];
    return NULL;
}

static uint32_t number_of_client(const char *client)
{
    for (uint32_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].client, client) == 0)
            return rows[i].op.client;
    return row_count;
}

static uint8_t call_of(const char *name)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (strcmp(calls[i].name, name) == 0)
            return (uint8_t)calls[i].call;
    malformed("there is no such operation");
    return 0;
}

/* ---- transactions ---- */

static void take_step(struct linear_txn *txn, const struct json *part, bool asks)
{
    static const char *const names[] = {[LINEAR_IS] = "is", [LINEAR_PRESENT] = "present", [LINEAR_FENCE] = "fence"};
    struct linear_step *step = &txn->steps[txn->ifs + txn->thens + txn->elses];
    const struct json *kind = json_part(part, "c");
    uint64_t cell;
    if (txn->ifs + txn->thens + txn->elses == LINEAR_STEPS)
        malformed("a transaction has too many steps");
    if (!json_number(part, "r", 0, &cell) || cell >= LINEAR_CELLS)
        malformed("r is the number of a register of the group");
    *step = (struct linear_step){.kind = LINEAR_SET, .cell = (uint8_t)cell, .value = value_of(json_part(part, "v"))};
    if (!asks)
        return;
    for (step->kind = 0; step->kind < LINEAR_SET; step->kind++)
        if (kind != NULL && kind->kind == JSON_STRING && strcmp(kind->text, names[step->kind]) == 0)
            break;
    if (step->kind == LINEAR_SET)
        malformed("c is is, present or fence");
    if (step->kind == LINEAR_FENCE && !json_number(part, "v", 0, &step->value))
        malformed("a fence is a number");
}

static void take_steps(struct linear_txn *txn, const struct json *event, const char *key, uint8_t *count)
{
    const struct json *list = json_part(event, key);
    for (const struct json *part = list != NULL ? list->first : NULL; part != NULL; part = part->next) {
        take_step(txn, part, count == &txn->ifs);
        ++*count;
    }
}

static const struct linear_txn *take_txn(const struct json *event)
{
    struct linear_txn *txn = calloc(1, sizeof(*txn));
    take_steps(txn, event, "if", &txn->ifs);
    take_steps(txn, event, "then", &txn->thens);
    take_steps(txn, event, "else", &txn->elses);
    return txn;
}

static void take_arguments(struct row *row, const struct json *event)
{
    struct linear_op *op = &row->op;
    const struct json *mode = json_part(event, "mode");
    uint64_t fence, permits;
    if (!json_number(event, "tok", 0, &fence))
        malformed("tok is a number");
    if (op->call == LINEAR_WRITE || op->call == LINEAR_CAS)
        op->b = value_of(json_part(event, "b"));
    if (op->call == LINEAR_APPEND) /* an element without a name of its own is the operation's */
        op->b = json_part(event, "b") != NULL ? element_of(json_part(event, "b")) : row->number;
    if (op->call == LINEAR_CAS)
        op->a = value_of(json_part(event, "a"));
    if (op->call == LINEAR_RELEASE || op->call == LINEAR_RENEW)
        op->a = fence;
    if (op->call == LINEAR_ACQUIRE)
        op->shared = mode != NULL && mode->kind == JSON_STRING && strcmp(mode->text, "S") == 0;
    if (!json_number(event, "permits", 0, &permits) || permits > UINT32_MAX)
        malformed("permits is a number");
    op->permits = (uint32_t)permits;
    if (op->call == LINEAR_TXN)
        op->txn = take_txn(event);
}

static void begin(const char *client, uint64_t number, const struct json *event)
{
    if (find_row(client, number) != NULL)
        malformed("that operation began already");
    if (row_count == row_room) {
        row_room = row_room ? 2 * row_room : 1024;
        rows = realloc(rows, row_room * sizeof(*rows));
    }
    struct row row = {.number = number, .client = strdup(client), .key = strdup(word(event, "k"))};
    row.op = (struct linear_op){.client = number_of_client(client),
                                .call = call_of(word(event, "f")),
                                .outcome = LINEAR_OPEN,
                                .ender = LINEAR_NOBODY,
                                .invoked = lines};
    if (!json_number(event, "of", UINT64_MAX, &row.of))
        malformed("of is a number");
    take_arguments(&row, event);
    rows[row_count++] = row;
}

static bool is_queue(const char *key)
{
    for (uint32_t i = 0; i < row_count; i++)
        if (rows[i].op.call == LINEAR_APPEND && strcmp(rows[i].key, key) == 0)
            return true;
    return false;
}

static void take_answer(struct row *row, const struct json *event)
{
    struct linear_op *op = &row->op;
    uint64_t fence;
    if (!json_number(event, "tok", 0, &fence))
        malformed("tok is a number");
    if (op->call == LINEAR_ACQUIRE)
        op->a = fence;
    if (op->call == LINEAR_TXN && !json_number(event, "n", 0, &op->a))
        malformed("n is 1 or 0");
    if (op->call == LINEAR_TXN && json_part(event, "if") != NULL) /* a read: it asks for what it saw */
        op->txn = take_txn(event);
    if (op->call == LINEAR_READ && (json_part(event, "h") != NULL || json_part(event, "b") != NULL))
        take_elements(op, event);
    else if (op->call == LINEAR_READ)
        op->a = value_of(json_part(event, "a"));
}

static void end(const char *client, uint64_t number, const char *type, const struct json *event)
{
    struct row *row = find_row(client, number);
    bool done;
    if (row == NULL || row->ended)
        malformed("that operation is not under way");
    if (!json_truth(event, "done", false, &done))
        malformed("done is true or false");
    row->ended = true;
    row->op.completed = lines;
    if (strcmp(type, "ok") == 0)
        row->op.outcome = LINEAR_OK;
    else if (strcmp(type, "fail") == 0)
        row->op.outcome = LINEAR_FAIL;
    else if (strcmp(type, "info") == 0)
        row->op.outcome = done ? LINEAR_DONE : LINEAR_OPEN;
    else
        malformed("t is invoke, ok, fail or info");
    if (row->op.outcome == LINEAR_OK)
        take_answer(row, event);
}

static void take_line(const char *line, size_t bytes)
{
    const char *why;
    uint64_t number;
    lines++;
    const struct json *event = json_parse(line, bytes, &why);
    if (event == NULL)
        malformed(why);
    if (!json_number(event, "i", 0, &number))
        malformed("i is a number");
    const char *client = word(event, "p"), *type = word(event, "t");
    if (strcmp(type, "invoke") == 0)
        begin(client, number, event);
    else
        end(client, number, type, event);
}

/* ---- judging ---- */

static enum linear_kind kind_of(const char *key)
{
    for (uint32_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].key, key) == 0 && rows[i].op.call == LINEAR_TXN)
            return LINEAR_GROUP;
    for (uint32_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].key, key) == 0 && rows[i].op.call >= LINEAR_ACQUIRE)
            return LINEAR_LOCK;
    return is_queue(key) ? LINEAR_QUEUE : LINEAR_REGISTER;
}

/* A read that told nothing says nothing, and a refused call of a kind that cannot be refused did not happen. */
static bool says_something(const struct linear_op *op)
{
    bool answered = op->outcome == LINEAR_OK;
    if (op->call == LINEAR_READ)
        return answered;
    return op->outcome != LINEAR_FAIL || (op->call != LINEAR_WRITE && op->call != LINEAR_APPEND);
}

static enum linear_verdict judge(const char *key)
{
    struct linear_op *ops = malloc((row_count + 1) * sizeof(*ops));
    uint32_t *origin = malloc((row_count + 1) * sizeof(*origin)), count = 0;
    for (uint32_t i = 0; i < row_count; i++)
        if (strcmp(rows[i].key, key) == 0 && says_something(&rows[i].op)) {
            origin[count] = i;
            ops[count++] = rows[i].op;
        }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; rows[origin[i]].of != UINT64_MAX && k < count; k++)
            if (rows[origin[k]].number == rows[origin[i]].of && ops[k].client == ops[i].client) {
                ops[i].ender = ops[k].ender;
                ops[k].ender = i;
            }
    struct linear_result result = linear_check(kind_of(key), ops, count, STEPS_MAX);
    const struct row *stuck = count > 0 ? &rows[origin[result.stuck]] : NULL;
    if (result.verdict == LINEAR_BROKEN)
        printf("%s: not linearizable: no order has room for operation %llu of %s\n", key,
               (unsigned long long)stuck->number, stuck->client);
    else if (result.verdict == LINEAR_UNDECIDED)
        printf("%s: given up\n", key);
    free(ops);
    free(origin);
    return result.verdict;
}

static int judge_all(void)
{
    uint32_t broken = 0, given_up = 0, keys = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        uint32_t k = 0;
        while (strcmp(rows[k].key, rows[i].key) != 0)
            k++;
        if (k != i)
            continue;
        enum linear_verdict verdict = judge(rows[i].key);
        keys++;
        broken += verdict == LINEAR_BROKEN;
        given_up += verdict == LINEAR_UNDECIDED;
    }
    printf("%u operations on %u objects: %s\n", row_count, keys,
           broken > 0     ? "not linearizable"
           : given_up > 0 ? "not known"
                          : "linearizable");
    return broken > 0 ? 1 : given_up > 0 ? 3 : 0;
}

int main(int argc, char **argv)
{
    FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    if (in == NULL) {
        fprintf(stderr, "linear: usage: linear HISTORY.ndjson\n");
        return 2;
    }
    while ((bytes = getline(&line, &room, in)) > 0) {
        if (line[bytes - 1] == '\n')
            bytes--;
        if (bytes > 0)
            take_line(line, (size_t)bytes);
    }
    fclose(in);
    return judge_all();
}
