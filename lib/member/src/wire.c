#include <member/wire.h>

#include <base/assert.h>
#include <member/member.h>

/* version, kind, 0, 0; cluster; from; boot; to; target; incarnation; sequence; count of updates. */
#define COUNT_AT (MEMBER_HEADER_BYTES - 1)

void member_encode_begin(struct wire_writer *w, const struct member_packet *p, const uint64_t *digests)
{
    wire_put_u8(w, MEMBER_VERSION);
    wire_put_u8(w, (uint8_t)p->kind);
    wire_put_u16(w, 0);
    wire_put_u64(w, p->cluster[0]);
    wire_put_u64(w, p->cluster[1]);
    wire_put_u64(w, p->from);
    wire_put_u64(w, p->boot);
    wire_put_u64(w, p->to);
    wire_put_u64(w, p->target);
    wire_put_u32(w, p->incarnation);
    wire_put_u32(w, p->sequence);
    wire_put_u8(w, 0);
    for (uint32_t i = 0; p->kind == MEMBER_COMPARE && i < MEMBER_BUCKETS; i++)
        wire_put_u64(w, digests[i]);
}

static size_t update_bytes(uint32_t state)
{
    return 13 + (state == MEMBER_ALIVE ? 8 : state == MEMBER_SUSPECT ? 2 : 0);
}

bool member_encode_update(struct wire_writer *w, const struct member_update *u)
{
    if (w->failed || w->room - w->used < update_bytes(u->state))
        return false;
    wire_put_u8(w, (uint8_t)u->state);
    wire_put_u64(w, u->node);
    wire_put_u32(w, u->incarnation);
    if (u->state == MEMBER_ALIVE)
        wire_put_u64(w, u->boot);
    else if (u->state == MEMBER_SUSPECT)
        wire_put_u16(w, u->accuser);
    return true;
}

void member_encode_end(struct wire_writer *w, uint32_t update_count)
{
    ASSERT(!w->failed && update_count <= UINT8_MAX);
    w->to[COUNT_AT] = (uint8_t)update_count;
}

static const char *wrong_head(const uint8_t *head, const struct member_packet *p)
{
    bool has_target = p->kind == MEMBER_ACK || p->kind == MEMBER_REQ || p->kind == MEMBER_NACK;
    if (head[0] != MEMBER_VERSION)
        return "its version is not ours";
    if (p->kind < MEMBER_PING || p->kind > MEMBER_COMPARE)
        return "its kind is unknown";
    if (head[2] || head[3])
        return "a reserved byte is set";
    if (!p->from || !p->boot || !p->to)
        return "it does not say who, or to whom";
    if (!p->incarnation || p->incarnation > MEMBER_INCARNATION_MAX)
        return "the sender's incarnation is out of range";
    if (has_target != (p->target != 0))
        return has_target ? "it does not say about whom" : "it names somebody for nothing";
    if (p->kind == MEMBER_COMPARE ? p->sequence > 1 : p->kind >= MEMBER_GOSSIP && p->sequence)
        return "its number means nothing";
    return NULL;
}

static const char *wrong_update(struct wire_reader *r, struct member_update *u)
{
    *u = (struct member_update){.state = wire_get_u8(r)};
    u->node = wire_get_u64(r);
    u->incarnation = wire_get_u32(r);
    if (r->failed)
        return "it ends too early";
    if (u->state < MEMBER_ALIVE || u->state > MEMBER_LEFT)
        return "a member's state is unknown";
    if (u->state == MEMBER_ALIVE)
        u->boot = wire_get_u64(r);
    else if (u->state == MEMBER_SUSPECT)
        u->accuser = wire_get_u16(r);
    if (r->failed)
        return "it ends too early";
    if (!u->node)
        return "a member has no id";
    if (u->incarnation > MEMBER_INCARNATION_MAX)
        return "a member's incarnation is out of range";
    return NULL;
}

static const char *wrong_updates(struct wire_reader *r, uint32_t count)
{
    struct member_update u;
    for (uint32_t i = 0; i < count; i++) {
        const char *why = wrong_update(r, &u);
        if (why)
            return why;
    }
    return wire_done(r) ? NULL : "something follows its end";
}

static const char *wrong(struct wire_reader *r, struct member_packet *p)
{
    const uint8_t *head = wire_take(r, 4);
    p->kind = head ? head[1] : 0;
    p->cluster[0] = wire_get_u64(r);
    p->cluster[1] = wire_get_u64(r);
    p->from = wire_get_u64(r);
    p->boot = wire_get_u64(r);
    p->to = wire_get_u64(r);
    p->target = wire_get_u64(r);
    p->incarnation = wire_get_u32(r);
    p->sequence = wire_get_u32(r);
    p->update_count = wire_get_u8(r);
    if (!head || r->failed)
        return "it ends too early";
    const char *why = wrong_head(head, p);
    if (why)
        return why;
    if (p->kind == MEMBER_COMPARE)
        p->digests = wire_take(r, MEMBER_DIGEST_BYTES);
    if (r->failed)
        return "it ends too early";
    p->updates = r->from + r->used;
    p->update_bytes = (uint32_t)wire_left(r);
    return wrong_updates(r, p->update_count);
}

err_t member_decode(const void *from, size_t bytes, struct member_packet *packet_out, const char **why_out)
{
    struct wire_reader r = wire_reader(from, bytes);
    *packet_out = (struct member_packet){.kind = 0};
    const char *why = bytes > MEMBER_PACKET_MAX ? "it is too long" : wrong(&r, packet_out);
    if (why_out)
        *why_out = why;
    return why ? E_BAD_MESSAGE : E_OK;
}

bool member_update_at(const struct member_packet *packet, uint32_t *at, struct member_update *update_out)
{
    if (*at >= packet->update_bytes)
        return false;
    struct wire_reader r = wire_reader(packet->updates + *at, packet->update_bytes - *at);
    const char *why = wrong_update(&r, update_out);
    ASSERT(!why); /* member_decode() saw it */
    *at += (uint32_t)r.used;
    return true;
}
