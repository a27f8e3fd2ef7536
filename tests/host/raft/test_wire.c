/* Messages as bytes: there and back, and whatever else may come. */
#include "cluster.h"

static struct cluster *one_with_entries(void)
{
    struct cluster *c = cluster_make(1);
    cluster_pass(c, 3 * ELECTION_MS);
    for (uint32_t i = 0; i < 5; i++)
        unit_propose_ok(c, 1, "some text");
    return c;
}

static struct raft_message message_of(uint32_t type)
{
    return (struct raft_message){
        .type = type, .cluster = 0x1122334455667788, .from = {1, 2}, .to = {3, 4}, .term = 300};
}

/* Fills in what the type carries. */
static struct raft_message full_message(uint32_t type, const struct raft_snapshot *snapshot)
{
    struct raft_message m = message_of(type);
    m.reject = m.lost = type == RAFT_MSG_APPEND_REPLY;
    m.transfer = type == RAFT_MSG_VOTE;
    if (type != RAFT_MSG_HEARTBEAT && type != RAFT_MSG_HEARTBEAT_REPLY && type != RAFT_MSG_READ &&
        type != RAFT_MSG_PREVOTE_REPLY && type != RAFT_MSG_VOTE_REPLY && type != RAFT_MSG_TIMEOUT_NOW)
        m.index = type == RAFT_MSG_APPEND ? 2 : RAFT_INDEX_MAX;
    if (type == RAFT_MSG_APPEND || type == RAFT_MSG_VOTE || type == RAFT_MSG_PREVOTE || type == RAFT_MSG_APPEND_REPLY)
        m.log_term = 2;
    bool election = type == RAFT_MSG_VOTE || type == RAFT_MSG_PREVOTE || type == RAFT_MSG_VOTE_REPLY ||
                    type == RAFT_MSG_PREVOTE_REPLY;
    if (type == RAFT_MSG_APPEND || type == RAFT_MSG_HEARTBEAT || election)
        m.commit = 129;
    if (election)
        m.commit_term = 3;
    if (type == RAFT_MSG_APPEND)
        m.entry_count = 5;
    if (type == RAFT_MSG_APPEND_REPLY)
        m.hint = 127;
    if (type == RAFT_MSG_HEARTBEAT || type == RAFT_MSG_HEARTBEAT_REPLY || type == RAFT_MSG_READ ||
        type == RAFT_MSG_READ_REPLY)
        m.context = UINT64_MAX;
    if (type == RAFT_MSG_SNAPSHOT) {
        m.snapshot = snapshot;
        m.index = 0;
        m.offset = 4;
        m.chunk_bytes = 6;
    }
    if (type == RAFT_MSG_SNAPSHOT_REPLY)
        m.offset = 10;
    return m;
}

/* For a receiver that knows no more than the first version. */
static void test_the_first_version(void)
{
    struct cluster *c = one_with_entries();
    const uint32_t types[] = {RAFT_MSG_PREVOTE, RAFT_MSG_VOTE, RAFT_MSG_PREVOTE_REPLY, RAFT_MSG_VOTE_REPLY};
    for (uint32_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct raft_message m = full_message(types[i], NULL), back;
        struct raft_snapshot snapshot;
        uint8_t bytes[512];
        size_t count;
        CHECK_EQUAL(raft_wire_encode_as(RAFT_WIRE_OLDEST, c->units[1]->r, &m, NULL, bytes, sizeof(bytes), &count),
                    E_OK);
        CHECK_EQUAL(bytes[0], RAFT_WIRE_OLDEST);
        CHECK_EQUAL(raft_wire_decode(bytes, count, &back, &snapshot, NULL), E_OK);
        CHECK(back.type == m.type && back.term == m.term && back.index == m.index && back.log_term == m.log_term);
        CHECK(back.commit == 0 && back.commit_term == 0);
        bytes[0] = RAFT_WIRE_VERSION; /* the numbers that a later one has are missing */
        CHECK_EQUAL(raft_wire_decode(bytes, count, &back, &snapshot, NULL), E_BAD_MESSAGE);
    }
    cluster_free(c);
}

static struct raft_snapshot label(void)
{
    struct raft_id voters[3] = {{3, 30}, {1, 10}, {2, 20}};
    struct raft_snapshot s;
    CHECK_EQUAL(raft_genesis_label(voters, 3, &s), E_OK);
    s.index = 12;
    s.term = 2;
    s.bytes = 10;
    memset(s.digest, 0xab, sizeof(s.digest));
    return s;
}

static size_t encode(struct cluster *c, const struct raft_message *m, uint8_t *to, size_t room)
{
    size_t bytes;
    CHECK_EQUAL(raft_wire_encode(c->units[1]->r, m, m->type == RAFT_MSG_SNAPSHOT ? "chunks" : NULL, to, room, &bytes),
                E_OK);
    return bytes;
}

static void check_same(const struct raft_message *a, const struct raft_message *b)
{
    CHECK_EQUAL(a->type, b->type);
    CHECK_EQUAL(a->reject, b->reject);
    CHECK_EQUAL(a->transfer, b->transfer);
    CHECK_EQUAL(a->lost, b->lost);
    CHECK_EQUAL(a->cluster, b->cluster);
    CHECK(raft_id_equal(a->from, b->from) && raft_id_equal(a->to, b->to));
    CHECK_EQUAL(a->term, b->term);
    CHECK_EQUAL(a->index, b->index);
    CHECK_EQUAL(a->log_term, b->log_term);
    CHECK_EQUAL(a->commit, b->commit);
    CHECK_EQUAL(a->hint, b->hint);
    CHECK_EQUAL(a->context, b->context);
    CHECK_EQUAL(a->entry_count, b->entry_count);
    CHECK_EQUAL(a->offset, b->offset);
    CHECK_EQUAL(a->chunk_bytes, b->chunk_bytes);
}

static void test_round_trip(void)
{
    struct cluster *c = one_with_entries();
    struct raft_snapshot s = label(), s_back;
    uint8_t bytes[4096];
    for (uint32_t type = 1; type < RAFT_MSG_TYPES; type++) {
        struct raft_message m = full_message(type, &s), back;
        const char *why;
        size_t count = encode(c, &m, bytes, sizeof(bytes));
        CHECK_EQUAL(raft_wire_decode(bytes, count, &back, &s_back, &why), E_OK);
        CHECK(why == NULL);
        check_same(&m, &back);
        if (type == RAFT_MSG_SNAPSHOT) {
            CHECK(memcmp(back.chunk, "chunks", 6) == 0);
            CHECK(raft_conf_equal(&s.conf, &s_back.conf));
            CHECK(s_back.index == 12 && s_back.term == 2 && s_back.bytes == 10);
            CHECK(memcmp(s.digest, s_back.digest, sizeof(s.digest)) == 0);
        }
        /* Any beginning of it is refused, and it does not fit in less. */
        for (size_t cut = 0; cut < count; cut++) {
            size_t ignored;
            CHECK_EQUAL(raft_wire_decode(bytes, cut, &back, &s_back, &why), E_BAD_MESSAGE);
            CHECK(why != NULL);
            CHECK_EQUAL(raft_wire_encode(c->units[1]->r, &m, type == RAFT_MSG_SNAPSHOT ? "chunks" : NULL, bytes + 2048,
                                         cut, &ignored),
                        E_FULL);
        }
        bytes[count] = 0;
        CHECK_EQUAL(raft_wire_decode(bytes, count + 1, &back, &s_back, &why), E_BAD_MESSAGE);
        CHECK_STRING(why, "something follows its end");
    }
    cluster_free(c);
}

static void test_entries_come_back(void)
{
    struct cluster *c = one_with_entries();
    uint8_t bytes[4096];
    struct raft_message m = full_message(RAFT_MSG_APPEND, NULL), back;
    struct raft_snapshot s;
    size_t count = encode(c, &m, bytes, sizeof(bytes));
    CHECK(count <= 64 + 5 * (9 + 4)); /* overhead: a head, and a few bytes an entry */
    CHECK_EQUAL(raft_wire_decode(bytes, count, &back, &s, NULL), E_OK);
    struct raft_wire_cursor cursor = {0, 0};
    struct raft_entry entry;
    for (uint64_t i = 3; i <= 7; i++) {
        CHECK(raft_wire_entry(&back, &cursor, &entry));
        CHECK_EQUAL(entry.index, i);
        CHECK_EQUAL(entry.term, 2);
        CHECK(entry.length == 9 && memcmp(entry.data, "some text", 9) == 0);
    }
    CHECK(!raft_wire_entry(&back, &cursor, &entry));
    cluster_free(c);
}

static void test_what_is_wrong_is_named(void)
{
    struct cluster *c = one_with_entries();
    uint8_t good[256], bytes[256];
    struct raft_message m = full_message(RAFT_MSG_HEARTBEAT, NULL), back;
    struct raft_snapshot s;
    const char *why;
    size_t count = encode(c, &m, good, sizeof(good));
    const struct {
        size_t at;
        uint8_t value;
        const char *why;
    } cases[] = {{0, 9, "its version is not known"},
                 {1, 0, "its type is unknown"},
                 {1, RAFT_MSG_TYPES, "its type is unknown"},
                 {2, 8, "a reserved bit is set"},
                 {3, 1, "a reserved bit is set"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(bytes, good, count);
        bytes[cases[i].at] = cases[i].value;
        CHECK_EQUAL(raft_wire_decode(bytes, count, &back, &s, &why), E_BAD_MESSAGE);
        CHECK_STRING(why, cases[i].why);
    }
    memset(bytes + 44, 0xff, 12); /* a number without end */
    memcpy(bytes, good, 44);
    CHECK_EQUAL(raft_wire_decode(bytes, 56, &back, &s, &why), E_BAD_MESSAGE);
    CHECK_STRING(why, "a number is malformed");
    cluster_free(c);
}

static uint64_t random_state = 1;
static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % limit;
}

/* Damaged messages are refused, or are messages: what decodes is walked to its end, and the core stands it. Terms are
 * kept low so that it goes on answering. */
static void test_damaged_messages(void)
{
    struct cluster *c = cluster_make(3);
    cluster_elect(c, 1);
    for (uint32_t i = 0; i < 5; i++)
        unit_propose_ok(c, 1, "some text");
    struct raft_snapshot s = label(), s_back;
    static uint8_t bytes[4096];
    uint32_t decoded = 0;
    for (uint32_t round = 0; round < 200000; round++) {
        struct raft_message m = full_message(1 + random_below(RAFT_MSG_TYPES - 1), &s), back;
        size_t count = encode(c, &m, bytes, sizeof(bytes));
        for (uint32_t flips = 1 + random_below(4); flips > 0; flips--)
            bytes[random_below((uint32_t)count)] ^= (uint8_t)(1u << random_below(8));
        if (random_below(4) == 0)
            count = random_below((uint32_t)count + 1);
        if (raft_wire_decode(bytes, count, &back, &s_back, NULL) != E_OK)
            continue;
        decoded++;
        struct raft_wire_cursor cursor = {0, 0};
        struct raft_entry entry;
        uint32_t entries = 0;
        while (raft_wire_entry(&back, &cursor, &entry))
            entries++;
        CHECK_EQUAL(entries, back.entry_count);
    }
    CHECK(decoded > 1000);
    cluster_free(c);
}

/* Messages that are well-formed and mean nonsense, from a member: nothing breaks. */
static void test_nonsense_from_a_member(void)
{
    struct cluster *c = cluster_make(3);
    struct raft_snapshot s = label();
    cluster_elect(c, 1);
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t to = 1 + random_below(3), from = 1 + random_below(3);
        struct raft_message m = message_of(1 + random_below(RAFT_MSG_TYPES - 1));
        m.cluster = 77;
        m.from = c->units[from]->id;
        m.to = c->units[to]->id;
        m.term = unit_status(c, to).term + random_below(200) / 199;
        m.index = random_below(12);
        m.log_term = random_below((uint32_t)m.term + 1);
        m.hint = random_below(12);
        m.context = random_below(4);
        m.reject = random_below(2);
        m.commit = random_below(200) == 0 ? 5 : 0;
        m.offset = random_below(12);
        m.chunk = (const uint8_t *)"0123456789ab";
        m.chunk_bytes = random_below(12);
        m.snapshot = &s;
        s.index = 1 + random_below(3);
        s.term = random_below(3);
        if (m.type == RAFT_MSG_TIMEOUT_NOW || m.type == RAFT_MSG_APPEND_REPLY)
            continue; /* a member that lies in these is believed: it is not a foreigner */
        raft_receive(c->units[to]->r, &m);
        unit_work(c, to);
        while (c->packet_count > 0)
            free(c->packets[--c->packet_count].data);
        for (uint32_t i = 1; i <= 3; i++)
            if (unit_status(c, i).fault != RAFT_FAULT_NONE) {
                unit_crash(c, i);
                unit_restart(c, i);
            }
    }
    cluster_free(c);
}

int main(void)
{
    RUN(test_the_first_version);
    RUN(test_round_trip);
    RUN(test_entries_come_back);
    RUN(test_what_is_wrong_is_named);
    RUN(test_damaged_messages);
    RUN(test_nonsense_from_a_member);
    return 0;
}
