/* Packets as bytes: there and back, and whatever else may come. */
#include "lab.h"

static const struct member_update updates[] = {{MEMBER_ALIVE, 11, 3, 77, 0},
                                               {MEMBER_SUSPECT, 12, 0, 0, 999},
                                               {MEMBER_DEAD, 13, MEMBER_INCARNATION_MAX, 0, 0},
                                               {MEMBER_LEFT, 14, 1, 0, 0}};

static size_t encode(uint32_t kind, uint8_t packet[MEMBER_PACKET_MAX])
{
    static uint64_t digests[MEMBER_BUCKETS];
    struct wire_writer w = wire_writer(packet, MEMBER_PACKET_MAX);
    struct member_packet p = {
        .kind = kind, .cluster = {1, 2}, .from = 3, .boot = 4, .to = 5, .incarnation = 6, .sequence = 1};
    for (uint32_t i = 0; i < MEMBER_BUCKETS; i++)
        digests[i] = i * 0x123456789abcull;
    if (kind == MEMBER_ACK || kind == MEMBER_REQ || kind == MEMBER_NACK)
        p.target = 9;
    if (kind == MEMBER_GOSSIP || kind == MEMBER_ROWS)
        p.sequence = 0;
    member_encode_begin(&w, &p, digests);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(member_encode_update(&w, &updates[i]));
    member_encode_end(&w, 4);
    return w.used;
}

static void refuse(const uint8_t *packet, size_t bytes, const char *wanted)
{
    struct member_packet p;
    const char *why = NULL;
    uint8_t *exact = malloc(bytes + !bytes);
    memcpy(exact, packet, bytes);
    CHECK_EQUAL(member_decode(exact, bytes, &p, &why), E_BAD_MESSAGE);
    CHECK(why);
    if (wanted)
        CHECK_STRING(why, wanted);
    free(exact);
}

static void test_there_and_back(void)
{
    for (uint32_t kind = MEMBER_PING; kind <= MEMBER_COMPARE; kind++) {
        uint8_t packet[MEMBER_PACKET_MAX];
        size_t bytes = encode(kind, packet);
        struct member_packet p;
        struct member_update u;
        CHECK_EQUAL(member_decode(packet, bytes, &p, NULL), E_OK);
        CHECK(p.kind == kind && p.cluster[0] == 1 && p.cluster[1] == 2 && p.from == 3 && p.boot == 4 && p.to == 5);
        CHECK(p.incarnation == 6 && p.update_count == 4 && (p.digests != NULL) == (kind == MEMBER_COMPARE));
        uint32_t at = 0;
        for (uint32_t i = 0; i < 4; i++) {
            CHECK(member_update_at(&p, &at, &u));
            CHECK(u.state == updates[i].state && u.node == updates[i].node && u.boot == updates[i].boot);
            CHECK(u.incarnation == updates[i].incarnation && u.accuser == updates[i].accuser);
        }
        CHECK(!member_update_at(&p, &at, &u));
        for (size_t cut = 0; cut < bytes; cut++)
            refuse(packet, cut, NULL);
        packet[bytes] = 0;
        refuse(packet, bytes + 1, "something follows its end");
    }
}

static void refuse_with(uint32_t kind, size_t at, uint8_t value, size_t count, const char *wanted)
{
    uint8_t packet[MEMBER_PACKET_MAX];
    size_t bytes = encode(kind, packet);
    memset(packet + at, value, count);
    refuse(packet, bytes, wanted);
}

static void test_what_is_wrong_is_named(void)
{
    uint8_t long_one[MEMBER_PACKET_MAX + 1] = {MEMBER_VERSION};
    refuse_with(MEMBER_PING, 0, 9, 1, "its version is not ours");
    refuse_with(MEMBER_PING, 1, 0, 1, "its kind is unknown");
    refuse_with(MEMBER_PING, 1, 8, 1, "its kind is unknown");
    refuse_with(MEMBER_PING, 2, 1, 1, "a reserved byte is set");
    refuse_with(MEMBER_PING, 20, 0, 8, "it does not say who, or to whom");
    refuse_with(MEMBER_PING, 28, 0, 8, "it does not say who, or to whom");
    refuse_with(MEMBER_PING, 36, 0, 8, "it does not say who, or to whom");
    refuse_with(MEMBER_PING, 44, 1, 8, "it names somebody for nothing");
    refuse_with(MEMBER_REQ, 44, 0, 8, "it does not say about whom");
    refuse_with(MEMBER_PING, 52, 0, 4, "the sender's incarnation is out of range");
    refuse_with(MEMBER_PING, 52, 0xff, 4, "the sender's incarnation is out of range");
    refuse_with(MEMBER_GOSSIP, 56, 1, 1, "its number means nothing");
    refuse_with(MEMBER_COMPARE, 56, 2, 1, "its number means nothing");
    refuse_with(MEMBER_PING, 60, 5, 1, "it ends too early");
    refuse_with(MEMBER_PING, MEMBER_HEADER_BYTES, 0, 1, "a member's state is unknown");
    refuse_with(MEMBER_PING, MEMBER_HEADER_BYTES, 5, 1, "a member's state is unknown");
    refuse_with(MEMBER_PING, MEMBER_HEADER_BYTES + 1, 0, 8, "a member has no id");
    refuse_with(MEMBER_PING, MEMBER_HEADER_BYTES + 9, 0xff, 4, "a member's incarnation is out of range");
    refuse(long_one, sizeof(long_one), "it is too long");
}

int main(void)
{
    RUN(test_there_and_back);
    RUN(test_what_is_wrong_is_named);
    return 0;
}
