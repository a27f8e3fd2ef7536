/* Messages of a link's call channel, as bytes: a kind, then the fields of that kind in the order written here. */
#include "remote_wire.h"

#include <wire/wire.h>

static void put_handle(struct wire_writer *w, const struct remote_handle *h)
{
    wire_put_u8(w, h->whose);
    wire_put_u8(w, h->type);
    wire_put_u16(w, h->rights);
    wire_put_u32(w, h->index);
    if (h->whose != REMOTE_SERVICE)
        return;
    wire_put_u32(w, h->permitted.classes);
    wire_put_u8(w, (uint8_t)h->permitted.prefix_bytes);
    wire_put_bytes(w, h->permitted.prefix, h->permitted.prefix_bytes);
}

static void put_body(struct wire_writer *w, const struct remote_message *m)
{
    wire_put_u64(w, m->tag);
    for (uint32_t i = 0; i < TAG_WORDS(m->tag); i++)
        wire_put_u64(w, m->words[i]);
    for (uint32_t i = 0; i < TAG_HANDLES(m->tag); i++)
        put_handle(w, &m->handles[i]);
    if (TAG_BYTES(m->tag))
        wire_put_bytes(w, m->bytes, TAG_BYTES(m->tag));
}

static void put_data(struct wire_writer *w, const struct remote_message *m)
{
    wire_put_u32(w, m->data_offset);
    wire_put_u32(w, m->data_bytes);
    if (m->data)
        wire_put_bytes(w, m->data, m->data_bytes);
    else
        wire_claim(w, m->data_bytes);
}

static void put_fence(struct wire_writer *w, const struct ipc_fence *f)
{
    wire_put_u64(w, f->lock[0]);
    wire_put_u64(w, f->lock[1]);
    wire_put_u64(w, f->value);
    wire_put_u8(w, (uint8_t)f->shared);
}

static void put_call(struct wire_writer *w, const struct remote_message *m)
{
    wire_put_u32(w, m->call);
    wire_put_u64(w, m->target);
    wire_put_u64(w, m->time_left_ns);
    wire_put_u32(w, m->lent_direction);
    wire_put_u32(w, m->lent_length);
    put_body(w, m);
    if (m->tag & TAG_FENCED)
        put_fence(w, &m->fence);
    put_data(w, m);
}

static void put_answer(struct wire_writer *w, const struct remote_message *m)
{
    wire_put_u32(w, m->call);
    wire_put_u32(w, m->outcome);
    put_body(w, m);
    put_data(w, m);
}

static void put_name(struct wire_writer *w, const char *name)
{
    uint8_t length = 0;
    while (length < REMOTE_NAME_MAX && name[length])
        length++;
    wire_put_u8(w, length);
    wire_put_bytes(w, name, length);
}

size_t remote_encode(const struct remote_message *m, uint8_t *to, size_t room)
{
    struct wire_writer w = wire_writer(to, room);
    wire_put_u8(&w, m->kind);
    switch (m->kind) {
    case REMOTE_CALL:
        put_call(&w, m);
        break;
    case REMOTE_ANSWER:
        put_answer(&w, m);
        break;
    case REMOTE_CANCEL:
        wire_put_u32(&w, m->call);
        break;
    case REMOTE_SIGNAL:
        wire_put_u64(&w, m->target);
        wire_put_u64(&w, m->bits);
        break;
    case REMOTE_RELEASE:
        wire_put_u64(&w, m->target);
        wire_put_u32(&w, m->count);
        break;
    case REMOTE_FIND:
        wire_put_u32(&w, m->call);
        put_name(&w, m->name);
        break;
    case REMOTE_FOUND:
        wire_put_u32(&w, m->call);
        wire_put_u32(&w, m->outcome);
        put_handle(&w, &m->handles[0]);
        break;
    case REMOTE_REPLY:
        wire_put_u64(&w, m->target);
        put_body(&w, m);
        break;
    default:
        return 0;
    }
    return w.failed ? 0 : w.used;
}

static const char *get_permissions(struct wire_reader *r, struct permissions *p)
{
    uint32_t classes = wire_get_u32(r);
    uint8_t bytes = wire_get_u8(r);
    const char *prefix = (const char *)wire_take(r, bytes);
    if (r->failed)
        return NULL; /* which is told by the whole message */
    return permissions_narrow(&permissions_all, classes, prefix, bytes, p) == E_OK ? NULL
                                                                                   : "its permissions are impossible";
}

static const char *get_handle(struct wire_reader *r, struct remote_handle *h)
{
    h->whose = wire_get_u8(r);
    h->type = wire_get_u8(r);
    h->rights = wire_get_u16(r);
    h->index = wire_get_u32(r);
    if (h->whose > REMOTE_SERVICE)
        return "a handle is neither mine nor yours nor of the service";
    if (h->type != OBJECT_ENDPOINT && h->type != OBJECT_REPLY && h->type != OBJECT_NOTIFICATION)
        return "a handle is of a type that stays on its node";
    if (h->whose != REMOTE_SERVICE)
        return NULL;
    return h->type == OBJECT_ENDPOINT ? get_permissions(r, &h->permitted) : "the service is no endpoint";
}

static const char *get_body(struct wire_reader *r, struct remote_message *m)
{
    m->tag = wire_get_u64(r);
    if (m->tag & ~(TAG(0xffff, 0xf, 0xf, 0xffff) | (uint64_t)TAG_SENDER_FLAGS))
        return "the tag has unknown bits";
    if (TAG_WORDS(m->tag) > IPC_WORDS_MAX || TAG_HANDLES(m->tag) > IPC_HANDLES_MAX || TAG_BYTES(m->tag) > IPC_BYTES_MAX)
        return "the tag counts more than a message can hold";
    for (uint32_t i = 0; i < TAG_WORDS(m->tag); i++)
        m->words[i] = wire_get_u64(r);
    for (uint32_t i = 0; i < TAG_HANDLES(m->tag); i++) {
        const char *wrong = get_handle(r, &m->handles[i]);
        if (wrong)
            return wrong;
    }
    m->bytes = wire_take(r, TAG_BYTES(m->tag));
    return NULL;
}

static const char *get_data(struct wire_reader *r, struct remote_message *m, uint32_t length)
{
    m->data_offset = wire_get_u32(r);
    m->data_bytes = wire_get_u32(r);
    if (m->data_offset > length || m->data_bytes > length - m->data_offset)
        return "the data lies outside the lent range";
    m->data = wire_take(r, m->data_bytes);
    return NULL;
}

static const char *get_fence(struct wire_reader *r, struct ipc_fence *f)
{
    f->lock[0] = wire_get_u64(r);
    f->lock[1] = wire_get_u64(r);
    f->value = wire_get_u64(r);
    f->shared = wire_get_u8(r);
    return f->shared > 1 ? "a fence is neither shared nor exclusive" : NULL;
}

static const char *get_call(struct wire_reader *r, struct remote_message *m)
{
    m->call = wire_get_u32(r);
    m->target = wire_get_u64(r);
    m->time_left_ns = wire_get_u64(r);
    m->lent_direction = wire_get_u32(r);
    m->lent_length = wire_get_u32(r);
    if (m->lent_length > IPC_LENT_MAX || (m->lent_direction & ~(uint32_t)(IPC_LEND_IN | IPC_LEND_OUT)))
        return "the lent range is impossible";
    const char *wrong = get_body(r, m);
    if (wrong)
        return wrong;
    if (!(m->tag & TAG_LENT) != (m->lent_length == 0 && m->lent_direction == 0))
        return "the tag and the lent range disagree";
    wrong = m->tag & TAG_FENCED ? get_fence(r, &m->fence) : NULL;
    if (wrong)
        return wrong;
    return get_data(r, m, m->lent_length);
}

static const char *get_answer_body(struct wire_reader *r, struct remote_message *m)
{
    const char *wrong = get_body(r, m);
    return !wrong && (m->tag & TAG_SENDER_FLAGS) ? "an answer lends nothing and needs no lock" : wrong;
}

static const char *get_answer(struct wire_reader *r, struct remote_message *m)
{
    m->call = wire_get_u32(r);
    m->outcome = wire_get_u32(r);
    const char *wrong = get_answer_body(r, m);
    if (wrong)
        return wrong;
    if (m->outcome != E_OK && m->tag)
        return "a failed call has no answer";
    return get_data(r, m, IPC_LENT_MAX);
}

static const char *get_name(struct wire_reader *r, char *name)
{
    uint8_t length = wire_get_u8(r);
    if (length == 0 || length > REMOTE_NAME_MAX)
        return "a name is empty or too long";
    wire_get_bytes(r, name, length);
    for (uint8_t i = 0; i < length; i++)
        if (name[i] == 0)
            return "a name has a zero byte";
    return NULL;
}

static const char *get_found(struct wire_reader *r, struct remote_message *m)
{
    m->call = wire_get_u32(r);
    m->outcome = wire_get_u32(r);
    if (m->outcome == E_OK) {
        const char *wrong = get_handle(r, &m->handles[0]);
        return !wrong && m->handles[0].type != OBJECT_ENDPOINT ? "what was found is no endpoint" : wrong;
    }
    wire_take(r, 8); /* the handle that is not there */
    return NULL;
}

static const char *get_kind(struct wire_reader *r, struct remote_message *m)
{
    switch (m->kind) {
    case REMOTE_CALL:
        return get_call(r, m);
    case REMOTE_ANSWER:
        return get_answer(r, m);
    case REMOTE_CANCEL:
        m->call = wire_get_u32(r);
        return NULL;
    case REMOTE_SIGNAL:
        m->target = wire_get_u64(r);
        m->bits = wire_get_u64(r);
        return NULL;
    case REMOTE_RELEASE:
        m->target = wire_get_u64(r);
        m->count = wire_get_u32(r);
        return m->count == 0 ? "nothing is released" : NULL;
    case REMOTE_FIND:
        m->call = wire_get_u32(r);
        return get_name(r, m->name);
    case REMOTE_FOUND:
        return get_found(r, m);
    case REMOTE_REPLY:
        m->target = wire_get_u64(r);
        return get_answer_body(r, m);
    default:
        return "the kind is unknown";
    }
}

const char *remote_decode(const uint8_t *from, size_t bytes, struct remote_message *m)
{
    *m = (struct remote_message){0};
    struct wire_reader r = wire_reader(from, bytes);
    m->kind = wire_get_u8(&r);
    const char *wrong = get_kind(&r, m);
    if (r.failed)
        return "it is cut short";
    if (wrong)
        return wrong;
    return wire_done(&r) ? NULL : "it has bytes left over";
}
