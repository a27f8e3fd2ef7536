/* Membership: a member takes packets that others could have sent, and any others, in any order and at any time; it
 * stays within its memory and its rate of answers, and its state stays one that it can tell others. */
#include <member/member.h>
#include <member/wire.h>

#include "fuzz.h"

static void take_all(struct member *m, uint64_t now_ns)
{
    uint8_t packet[MEMBER_PACKET_MAX];
    struct member_packet p;
    struct member_view v;
    uint64_t to;
    size_t bytes;
    uint32_t count = 0;
    while ((bytes = member_output(m, now_ns, &to, packet))) {
        const char *why = NULL;
        MUST(count++ < 1000);
        MUST(member_decode(packet, bytes, &p, &why) == E_OK && !why && p.to == to);
    }
    while (member_next(m, &v))
        MUST(v.node && v.state >= MEMBER_ALIVE && v.state <= MEMBER_LEFT);
    MUST(member_deadline(m) >= now_ns);
}

/* The header right, so that what comes behind it is looked at. */
static void mend(uint8_t *packet, size_t bytes)
{
    static const uint8_t head[] = {MEMBER_VERSION, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2};
    if (bytes < MEMBER_HEADER_BYTES)
        return;
    uint8_t kind = packet[1] % 8;
    memcpy(packet, head, sizeof(head));
    packet[1] = kind;
    memset(packet + 13, 0, 7);
    memset(packet + 21, 0, 7); /* from: one of a few */
    packet[20] = (uint8_t)(2 + packet[20] % 6);
    packet[28] |= 1;
    memset(packet + 37, 0, 7);
    packet[36] = 1; /* to: this one */
    packet[52] |= 1;
    packet[55] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    struct member_config c;
    struct member *m;
    uint64_t now_ns = 1000000000ull;
    member_config_default(&c, 250000000);
    c.cluster[0] = 1;
    c.cluster[1] = 2;
    c.node = 1;
    c.boot = 5;
    c.capacity = 6;
    c.open = input_byte(&in) & 1;
    void *memory = malloc(member_bytes(&c));
    MUST(member_init(&c, memory, now_ns, &m) == E_OK);
    for (uint64_t i = 2; i < 5; i++)
        MUST(member_add(m, now_ns, i, 0) == E_OK);
    while (in.left) {
        uint8_t what = input_byte(&in);
        size_t size;
        uint8_t *packet = input_piece(&in, &size);
        now_ns += (uint64_t)what * 20000000;
        if (what & 1)
            mend(packet, size);
        const char *why = NULL;
        err_t err = member_receive(m, now_ns, size > 20 ? packet[20] : 1, packet, size, &why);
        MUST((err == E_OK) == (why == NULL));
        if (what % 16 == 0)
            member_remove(m, 2 + what / 16 % 5);
        if (what % 16 == 2)
            member_add(m, now_ns, 2 + what / 16 % 5, what);
        if (what % 16 == 4)
            member_heard(m, 2 + what / 16 % 5, what, now_ns);
        if (what == 254)
            member_leave(m, now_ns);
        free(packet);
        member_run(m, now_ns);
        take_all(m, now_ns);
    }
    free(memory);
    return 0;
}
