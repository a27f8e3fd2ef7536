/* Operations on keys, and the sessions under which appending happens at most once. */
#include "service_private.h"

static void begin_put(struct request *r)
{
    DECODE(put, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_KEY_PUT,
                                           .key_put = {.if_revision = in.if_revision,
                                                       .name = text_of(in.key, in.key_length),
                                                       .value = text_of(in.value, in.value_length)}});
}

static void begin_put_owned(struct request *r)
{
    DECODE(put_owned, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_KEY_PUT,
                                           .key_put = {.if_revision = TABLES_ANY_REVISION,
                                                       .name = text_of(in.key, in.key_length),
                                                       .value = text_of(in.value, in.value_length),
                                                       .process_id = r->process_id,
                                                       .session = in.session,
                                                       .sequential = in.sequential}});
}

static void finish_put_owned(struct request *r, const struct tables_result *result)
{
    ANSWER(r, put_owned, .revision = result->value, .number = result->number);
}

/* What does not make sense is told at once, without the others. */
static void begin_txn(struct request *r)
{
    DECODE(txn, r)
    struct tables_text steps = {in.steps, in.steps_length};
    err_t err = tables_txn_check(steps);
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        service_propose(r, &(struct tables_op){.kind = TABLES_TXN, .txn = {r->process_id, steps}});
}

static void finish_txn(struct request *r, const struct tables_result *result)
{
    ANSWER(r, txn, .revision = result->value, .held = (uint32_t)result->number);
}

static void begin_session_close(struct request *r)
{
    DECODE(session_close, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_SESSION_CLOSE, .session_close = {in.session, r->process_id}});
}

static void begin_del(struct request *r)
{
    DECODE(del, r)
    service_propose(r, &(struct tables_op){.kind = TABLES_KEY_DELETE,
                                           .key_delete = {in.if_revision, text_of(in.key, in.key_length)}});
}

static void begin_append(struct request *r)
{
    DECODE(append, r)
    service_propose(
        r, &(struct tables_op){.kind = TABLES_KEY_APPEND,
                               .key_append = {in.session, in.sequence, r->process_id, text_of(in.key, in.key_length),
                                              text_of(in.data, in.data_length)}});
}

static void begin_session_open(struct request *r)
{
    service_propose(r, &(struct tables_op){.kind = TABLES_SESSION_OPEN, .session_open = {r->process_id}});
}

static void finish_put(struct request *r, const struct tables_result *result)
{
    ANSWER(r, put, .revision = result->value);
}

static void finish_del(struct request *r, const struct tables_result *result)
{
    ANSWER(r, del, .revision = result->value);
}

static void finish_append(struct request *r, const struct tables_result *result)
{
    ANSWER(r, append, .revision = result->value);
}

static void finish_session_open(struct request *r, const struct tables_result *result)
{
    ANSWER(r, session_open, .session = result->value);
}

static void read_get(struct request *r, const struct tables *t)
{
    DECODE(get, r)
    struct tables_key_view key;
    err_t err = E_OK;
    if (!tables_key(t, text_of(in.key, in.key_length), &key))
        err = E_NOT_FOUND;
    if (err == E_OK && key.value_bytes > CLUSTER_GET_VALUE_MAX)
        err = E_TOO_LONG;
    if (err != E_OK)
        cluster_answer(r, err, NULL);
    else
        ANSWER(r, get, .revision = key.revision, .value = key.value, .value_length = key.value_bytes);
}

static bool put_key(struct tables_key_view *key, uint32_t *used)
{
    uint32_t padded = (key->name_bytes + 7) & ~7u;
    if (*used + 16 + padded > CLUSTER_LIST_KEYS_MAX)
        return false;
    memset(service_rows + *used, 0, 16 + padded);
    memcpy(service_rows + *used, &key->revision, 8);
    memcpy(service_rows + *used + 8, &key->value_bytes, 4);
    memcpy(service_rows + *used + 12, &key->name_bytes, 4);
    memcpy(service_rows + *used + 16, key->name, key->name_bytes);
    *used += 16 + padded;
    return true;
}

static void read_list(struct request *r, const struct tables *t)
{
    DECODE(list, r)
    struct tables_key_view key;
    uint32_t used = 0;
    struct tables_text prefix = text_of(in.prefix, in.prefix_length), after = text_of(in.after, in.after_length);
    while (tables_key_next(t, prefix, after, &key) && put_key(&key, &used))
        after = text_of(key.name, key.name_bytes);
    ANSWER(r, list, .keys = service_rows, .keys_length = used);
}

const struct service_op service_get_op = {.begin = service_ask_read, .read = read_get};
const struct service_op service_put_op = {.begin = begin_put, .finish = finish_put};
const struct service_op service_del_op = {.begin = begin_del, .finish = finish_del};
const struct service_op service_list_op = {.begin = service_ask_read, .read = read_list};
const struct service_op service_append_op = {.begin = begin_append, .finish = finish_append};
const struct service_op service_session_open_op = {.begin = begin_session_open, .finish = finish_session_open};
const struct service_op service_put_owned_op = {.begin = begin_put_owned, .finish = finish_put_owned};
const struct service_op service_txn_op = {.begin = begin_txn, .finish = finish_txn};
const struct service_op service_session_close_op = {.begin = begin_session_close};
