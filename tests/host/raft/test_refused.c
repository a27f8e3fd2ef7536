/* What the core does not take: configurations and memory that make no node, logs that cannot be, messages that fit
 * nothing. And what it does when there is no room for another message. */
#include "cluster.h"

static struct raft r;
static struct raft_slot slots[64];
static uint8_t bytes[2 * (RAFT_ENTRY_BYTES_MAX + 1)];
static const struct raft_hard_state nothing = {.term = 0};

static struct raft_config sound_config(void)
{
    return (struct raft_config){.id = {1, 1},
                                .cluster = 7,
                                .seed = 1,
                                .heartbeat_ns = 10,
                                .election_ns = 100,
                                .stall_ns = 1000,
                                .message_bytes = 100,
                                .inflight_messages = 4,
                                .inflight_bytes = 400,
                                .uncommitted_bytes = 1000,
                                .persist_bytes = 100,
                                .apply_bytes = 100,
                                .snapshot_chunk_bytes = 50};
}

static struct raft_memory sound_memory(void)
{
    return (struct raft_memory){slots, 64, bytes, sizeof(bytes)};
}

static struct raft_snapshot label_of_three(void)
{
    const struct raft_id voters[3] = {{1, 1}, {2, 2}, {3, 3}};
    struct raft_snapshot label;
    CHECK_EQUAL(raft_genesis_label(voters, 3, &label), E_OK);
    return label;
}

static void begin(uint64_t term, uint64_t commit)
{
    const struct raft_config config = sound_config();
    const struct raft_memory memory = sound_memory();
    const struct raft_hard_state state = {.term = term, .commit = commit};
    const struct raft_snapshot label = label_of_three();
    CHECK_EQUAL(raft_init(&r, &config, &memory, &state, &label, 1), E_OK);
}

static err_t init_with(const struct raft_config *config)
{
    const struct raft_memory memory = sound_memory();
    return raft_init(&r, config, &memory, &nothing, NULL, 1);
}

#define BAD_CONFIG(field, value)                                                                                       \
    do {                                                                                                               \
        struct raft_config config = sound_config();                                                                    \
        config.field = value;                                                                                          \
        CHECK_EQUAL(init_with(&config), E_INVALID);                                                                    \
    } while (0)

static void test_configurations(void)
{
    const struct raft_config sound = sound_config();
    CHECK_EQUAL(init_with(&sound), E_OK);
    BAD_CONFIG(id.node, 0);
    BAD_CONFIG(id.log, 0);
    BAD_CONFIG(cluster, 0);
    BAD_CONFIG(heartbeat_ns, 0);
    BAD_CONFIG(election_ns, 20);
    BAD_CONFIG(election_ns, 1ull << 60);
    BAD_CONFIG(message_bytes, 0);
    BAD_CONFIG(inflight_messages, 0);
    BAD_CONFIG(inflight_messages, RAFT_INFLIGHT_MAX + 1);
    BAD_CONFIG(inflight_bytes, 0);
    BAD_CONFIG(uncommitted_bytes, 0);
    BAD_CONFIG(persist_bytes, 0);
    BAD_CONFIG(apply_bytes, 0);
    BAD_CONFIG(snapshot_chunk_bytes, 0);
}

#define BAD_MEMORY(field, value)                                                                                       \
    do {                                                                                                               \
        const struct raft_config config = sound_config();                                                              \
        struct raft_memory memory = sound_memory();                                                                    \
        memory.field = value;                                                                                          \
        CHECK_EQUAL(raft_init(&r, &config, &memory, &nothing, NULL, 1), E_INVALID);                                    \
    } while (0)

static void test_memory(void)
{
    BAD_MEMORY(slots, NULL);
    BAD_MEMORY(bytes, NULL);
    BAD_MEMORY(slot_count, 8);
    BAD_MEMORY(slot_count, 48);
    BAD_MEMORY(byte_count, RAFT_ENTRY_BYTES_MAX);
}

static err_t init_from(const struct raft_snapshot *label)
{
    const struct raft_config config = sound_config();
    const struct raft_memory memory = sound_memory();
    return raft_init(&r, &config, &memory, &nothing, label, 1);
}

static void test_beginnings(void)
{
    const struct raft_id twice[2] = {{1, 1}, {1, 1}}, logs[3] = {{2, 9}, {1, 5}, {1, 4}};
    struct raft_id many[RAFT_VOTERS_MAX + 1];
    struct raft_snapshot label;
    for (uint32_t i = 0; i <= RAFT_VOTERS_MAX; i++)
        many[i] = (struct raft_id){i + 1, 1};
    CHECK_EQUAL(raft_genesis_label(many, 0, &label), E_INVALID);
    CHECK_EQUAL(raft_genesis_label(many, RAFT_VOTERS_MAX + 1, &label), E_INVALID);
    CHECK_EQUAL(raft_genesis_label(twice, 2, &label), E_INVALID);
    CHECK_EQUAL(raft_genesis_label(logs, 3, &label), E_OK);
    CHECK(label.conf.members[0].id.log == 4 && label.conf.members[1].id.log == 5);
    label.index = 0;
    CHECK_EQUAL(init_from(&label), E_INVALID);
    label = label_of_three();
    label.term = 0;
    CHECK_EQUAL(init_from(&label), E_INVALID);
    label = label_of_three();
    label.conf.members[1].flags = 0;
    CHECK_EQUAL(init_from(&label), E_INVALID);
}

static err_t restore(uint64_t index, uint64_t term, uint32_t type, uint32_t length)
{
    static const uint8_t data[RAFT_ENTRY_BYTES_MAX + 1];
    const struct raft_entry entry = {.index = index, .term = term, .type = type, .length = length, .data = data};
    return raft_restore(&r, &entry);
}

static void test_logs(void)
{
    begin(3, 1);
    CHECK_EQUAL(restore(3, 2, RAFT_ENTRY_DATA, 1), E_CORRUPT); /* a gap */
    CHECK_EQUAL(restore(2, 2, RAFT_ENTRY_DATA, 1), E_OK);
    CHECK_EQUAL(restore(3, 1, RAFT_ENTRY_DATA, 1), E_CORRUPT); /* terms fall */
    CHECK_EQUAL(restore(3, RAFT_INDEX_MAX + 1, RAFT_ENTRY_DATA, 1), E_CORRUPT);
    CHECK_EQUAL(restore(3, 2, RAFT_ENTRY_DATA, RAFT_ENTRY_BYTES_MAX + 1), E_CORRUPT);
    CHECK_EQUAL(restore(3, 2, RAFT_ENTRY_CONF + 1, 1), E_CORRUPT);
    CHECK_EQUAL(restore(3, 5, RAFT_ENTRY_DATA, 1), E_OK); /* its term was not written down yet */
    CHECK_EQUAL(r.term, 5);
    err_t err = E_OK;
    for (uint64_t i = 4; err == E_OK; i++)
        err = restore(i, 5, RAFT_ENTRY_DATA, RAFT_ENTRY_BYTES_MAX);
    CHECK_EQUAL(err, E_FULL);
    begin(3, 1); /* an old log, of which nothing counts any more: it disagrees with the snapshot where that ends */
    CHECK_EQUAL(restore(1, 2, RAFT_ENTRY_DATA, 1), E_OK);
    CHECK_EQUAL(restore(2, 2, RAFT_ENTRY_DATA, 1), E_OK);
    CHECK_EQUAL(r.last, 1);
    begin(3, 9);
    CHECK_EQUAL(raft_start(&r), E_CORRUPT); /* more was committed than there is */
}

static void receive(struct raft_message m)
{
    m.to = (struct raft_id){1, 1};
    if (m.from.log == 0)
        m.from = (struct raft_id){2, 2};
    if (m.cluster == 0)
        m.cluster = 7;
    raft_receive(&r, &m);
}

#define REFUSED(...)                                                                                                   \
    do {                                                                                                               \
        uint64_t before = r.counters.messages_refused;                                                                 \
        receive((struct raft_message){__VA_ARGS__});                                                                   \
        CHECK_EQUAL(r.counters.messages_refused, before + 1);                                                          \
    } while (0)

static void test_messages(void)
{
    struct raft_snapshot label = label_of_three();
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    REFUSED(.type = 0, .term = 3);
    REFUSED(.type = RAFT_MSG_TYPES, .term = 3);
    REFUSED(.type = RAFT_MSG_HEARTBEAT, .term = 3, .cluster = 8);
    REFUSED(.type = RAFT_MSG_HEARTBEAT, .term = 3, .from = {1, 1});
    REFUSED(.type = RAFT_MSG_HEARTBEAT, .term = 0);
    REFUSED(.type = RAFT_MSG_HEARTBEAT, .term = RAFT_INDEX_MAX + 1);
    REFUSED(.type = RAFT_MSG_APPEND, .term = 3, .index = RAFT_INDEX_MAX + 1);
    REFUSED(.type = RAFT_MSG_APPEND, .term = 3, .commit = RAFT_INDEX_MAX + 1);
    REFUSED(.type = RAFT_MSG_APPEND, .term = 3, .log_term = 4);
    REFUSED(.type = RAFT_MSG_VOTE_REPLY, .term = 3, .from = {9, 9}); /* no member */
    label.index = 0;
    REFUSED(.type = RAFT_MSG_SNAPSHOT, .term = 3, .snapshot = &label);
    label.index = 9;
    label.term = 8;
    REFUSED(.type = RAFT_MSG_SNAPSHOT, .term = 3, .snapshot = &label);
    label.term = 3;
    REFUSED(.type = RAFT_MSG_SNAPSHOT, .term = 3, .snapshot = &label, .offset = 1);
    REFUSED(.type = RAFT_MSG_SNAPSHOT, .term = 3, .snapshot = &label, .chunk_bytes = 1);
    REFUSED(.type = RAFT_MSG_HEARTBEAT, .term = 3, .from = {3, 3}); /* two leaders of a term: one lies */
}

/* Nobody fetches what is to be sent: the rest is lost as on any wire, and counted. */
/* A member says the last number there is: nothing wraps, nothing is answered, and the term stays what it was. */
static void test_the_last_term(void)
{
    struct raft_snapshot label = label_of_three();
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    for (uint32_t type = RAFT_MSG_PREVOTE; type < RAFT_MSG_TYPES; type++) {
        REFUSED(.type = type, .term = UINT64_MAX, .snapshot = &label);
        REFUSED(.type = type, .term = UINT64_MAX, .reject = true, .transfer = true, .snapshot = &label);
        CHECK_EQUAL(r.term, 3);
        CHECK_EQUAL(r.message_count, 0);
    }
}

static void test_no_room_for_messages(void)
{
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    for (uint32_t i = 0; i < RAFT_MESSAGES_MAX; i++)
        receive((struct raft_message){.type = RAFT_MSG_HEARTBEAT, .term = 3, .commit = 1, .context = i + 1});
    CHECK_EQUAL(r.message_count, RAFT_MESSAGES_MAX);
    receive((struct raft_message){.type = RAFT_MSG_HEARTBEAT, .term = 3, .commit = 1, .context = 9000});
    receive((struct raft_message){.type = RAFT_MSG_APPEND, .term = 3, .index = 5, .log_term = 3});
    receive((struct raft_message){.type = RAFT_MSG_VOTE, .term = 3, .index = 5, .log_term = 3, .from = {3, 3}});
    CHECK_EQUAL(raft_read(&r, 4), E_FULL);
    CHECK_EQUAL(r.counters.messages_lost, 4);
    raft_forget_leader(&r);
    CHECK_EQUAL(raft_read(&r, 4), E_NOT_DELIVERED);
    raft_tick(&r, 200);
    receive((struct raft_message){.type = RAFT_MSG_PREVOTE, .term = 4, .index = 5, .log_term = 3});
    CHECK_EQUAL(raft_campaign(&r), E_OK);
    struct raft_update u;
    raft_update(&r, &u);
    CHECK_EQUAL(u.message_count, RAFT_MESSAGES_MAX);
}

static void test_equal_configurations(void)
{
    struct raft_snapshot a = label_of_three(), b = a;
    CHECK(raft_conf_equal(&a.conf, &b.conf));
    b.conf.members[1].flags = RAFT_LEARNER;
    CHECK(!raft_conf_equal(&a.conf, &b.conf));
    b = a;
    b.conf.members[1].id.log = 7;
    CHECK(!raft_conf_equal(&a.conf, &b.conf));
    b = a;
    b.conf.auto_leave = true;
    CHECK(!raft_conf_equal(&a.conf, &b.conf) && !raft_conf_valid(&b.conf));
    b = a;
    b.conf.count = 2;
    CHECK(!raft_conf_equal(&a.conf, &b.conf));
    b.conf.count = RAFT_MEMBERS_MAX + 1;
    CHECK(!raft_conf_valid(&b.conf));
    const struct raft_conf_change none = {.mode = 0}, beyond = {.mode = RAFT_CHANGE_LEAVE + 1};
    const char *why;
    CHECK_EQUAL(raft_conf_apply(&a.conf, &none, &b.conf, &why), E_INVALID);
    CHECK_EQUAL(raft_conf_apply(&a.conf, &beyond, &b.conf, &why), E_INVALID);
}

/* A follower whose window is full of entries that it does not know to be committed takes none, and yet learns that
 * these are: else it could never make room. */
static void test_full_window_learns_of_commits(void)
{
    static const uint8_t one_entry[] = {2, RAFT_ENTRY_DATA}; /* of term 2, empty */
    begin(1, 1);
    for (uint64_t i = 2; i <= 65; i++) {
        const struct raft_entry entry = {.index = i, .term = 1, .type = RAFT_ENTRY_DATA, .data = one_entry};
        CHECK_EQUAL(raft_restore(&r, &entry), E_OK);
    }
    CHECK_EQUAL(raft_start(&r), E_OK);
    const struct raft_message m = {.type = RAFT_MSG_APPEND,
                                   .cluster = 7,
                                   .from = {2, 2},
                                   .to = {1, 1},
                                   .term = 2,
                                   .index = 65,
                                   .log_term = 1,
                                   .commit = 60,
                                   .entry_count = 1,
                                   .entry_bytes = sizeof(one_entry),
                                   .entries = one_entry};
    struct raft_status status;
    raft_receive(&r, &m);
    raft_status(&r, &status);
    CHECK_EQUAL(status.last, 65);
    CHECK_EQUAL(status.commit, 60);
}

static const uint8_t eight_entries[] = {3, RAFT_ENTRY_DATA, 3, RAFT_ENTRY_DATA, 3, RAFT_ENTRY_DATA, 3, RAFT_ENTRY_DATA,
                                        3, RAFT_ENTRY_DATA, 3, RAFT_ENTRY_DATA, 3, RAFT_ENTRY_DATA, 3, RAFT_ENTRY_DATA};

static struct raft_message append_of(uint64_t index, uint64_t log_term, uint32_t count)
{
    return (struct raft_message){.type = RAFT_MSG_APPEND,
                                 .term = 3,
                                 .index = index,
                                 .log_term = log_term,
                                 .entry_count = count,
                                 .entry_bytes = 2 * count,
                                 .entries = eight_entries};
}

static struct raft_snapshot label_at_nine(uint64_t bytes_of_it)
{
    struct raft_snapshot label = label_of_three();
    label.index = 9;
    label.term = 3;
    label.bytes = bytes_of_it;
    return label;
}

static void receive_snapshot(const struct raft_snapshot *label, uint64_t offset, uint32_t count)
{
    receive((struct raft_message){.type = RAFT_MSG_SNAPSHOT,
                                  .term = 3,
                                  .snapshot = label,
                                  .offset = offset,
                                  .chunk_bytes = count,
                                  .chunk = (const uint8_t *)"12345678"});
}

/* What a decoder lets through only of its own messages, said by a caller. */
static void test_entries_of_an_earlier_term(void)
{
    begin(4, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    struct raft_message m = append_of(1, 4, 1);
    m.term = 4;
    uint64_t before = r.counters.messages_refused;
    receive(m);
    CHECK_EQUAL(r.counters.messages_refused, before + 1);
}

static void test_who_does_not_lead_has_no_peers(void)
{
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    raft_unreachable(&r, (struct raft_id){2, 2});
    raft_commit_wanted(&r, (struct raft_id){2, 2}, 1);
    CHECK(raft_peer(&r, (struct raft_id){2, 2}) == NULL);
    r.fault = RAFT_FAULT_LOG_LOST;
    CHECK_EQUAL(raft_read(&r, 1), E_NOT_DELIVERED);
    CHECK_EQUAL(raft_deadline(&r), UINT64_MAX);
}

/* An empty snapshot is complete at once. While it waits to be installed a heartbeat that tells of more than the log has
 * is no loss. */
static void test_empty_snapshot(void)
{
    const struct raft_snapshot label = label_at_nine(0);
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    receive_snapshot(&label, 0, 0);
    CHECK(r.incoming_complete);
    receive((struct raft_message){.type = RAFT_MSG_HEARTBEAT, .term = 3, .commit = 9});
    CHECK_EQUAL(r.fault, RAFT_FAULT_NONE);
}

/* Nor does who repairs its log ask for what it lost while a snapshot waits that has it. */
static void test_a_repair_waits_for_a_snapshot(void)
{
    const struct raft_snapshot label = label_at_nine(0);
    const struct raft_message heartbeat = {.type = RAFT_MSG_HEARTBEAT, .term = 3, .commit = 9};
    struct raft_update u;
    begin(3, 1);
    raft_repair(&r, 9);
    CHECK_EQUAL(raft_start(&r), E_OK);
    receive(heartbeat);
    raft_update(&r, &u);
    CHECK(u.message_count == 1 && u.messages[0].type == RAFT_MSG_APPEND_REPLY && u.messages[0].lost);
    receive_snapshot(&label, 0, 0);
    CHECK(r.incoming_complete);
    raft_update(&r, &u);
    receive(heartbeat);
    raft_update(&r, &u);
    CHECK_EQUAL(u.message_count, 0);
}

/* A chunk that could not be stored is asked for again; one of another snapshot of the same place begins anew. */
static void test_chunks(void)
{
    struct raft_snapshot label = label_at_nine(8);
    struct raft_update u;
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        receive_snapshot(&label, 0, 4);
        raft_update(&r, &u);
        CHECK_EQUAL(u.chunk.bytes, 4);
        raft_chunk_stored(&r, 0, attempt == 1);
        CHECK_EQUAL(r.incoming_offset, attempt == 1 ? 4 : 0);
    }
    receive_snapshot(&label, 4, 2);
    raft_update(&r, &u);
    CHECK_EQUAL(u.chunk.bytes, 2);
    raft_chunk_stored(&r, 4, false); /* who could not keep it may have lost what came before */
    CHECK(r.incoming_offset == 0 && !r.incoming_complete);
    receive_snapshot(&label, 0, 4);
    raft_update(&r, &u);
    CHECK_EQUAL(u.chunk.bytes, 4);
    raft_chunk_stored(&r, 0, true);
    label.digest[0] ^= 1;
    receive_snapshot(&label, 4, 4);
    CHECK(r.incoming_offset == 0 && !r.incoming_chunk);
}

/* A snapshot, or an entry, of a term that the hard state does not have yet: the vote there was given in an older one.
 */
static void test_a_vote_is_of_its_term(void)
{
    const struct raft_config config = sound_config();
    const struct raft_memory memory = sound_memory();
    const struct raft_snapshot label = label_at_nine(8); /* of term 3 */
    const struct raft_id nobody = {0, 0};
    for (uint64_t term = 2; term <= 4; term++) {
        const struct raft_hard_state state = {.term = term, .vote = {3, 3}, .commit = 9};
        CHECK_EQUAL(raft_init(&r, &config, &memory, &state, &label, 1), E_OK);
        CHECK_EQUAL(r.term, term < 3 ? 3 : term);
        CHECK(raft_id_equal(r.vote, term < 3 ? nobody : state.vote));
        CHECK_EQUAL(restore(10, 4, RAFT_ENTRY_DATA, 1), E_OK);
        CHECK(r.term == 4 && raft_id_equal(r.vote, term < 4 ? nobody : state.vote));
    }
}

/* The entries come while the last chunk is being stored, and then the leader falls silent. */
static void test_a_candidate_learns_what_a_snapshot_covers(void)
{
    const struct raft_snapshot label = label_at_nine(8);
    struct raft_update u;
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    receive_snapshot(&label, 0, 8);
    raft_update(&r, &u);
    receive(append_of(1, 1, 8));
    CHECK_EQUAL(r.last, 9);
    raft_tick(&r, 1 + 2 * sound_config().election_ns);
    CHECK(r.role != RAFT_FOLLOWER && r.commit < 9);
    raft_chunk_stored(&r, 0, true);
    CHECK(r.commit == 9 && !r.incoming_complete);
}

/* A change of the configuration that stays when another behind it is cut off is still looked for. */
static void test_an_earlier_change_is_found(void)
{
    begin(2, 1);
    CHECK_EQUAL(restore(2, 2, RAFT_ENTRY_CONF, 1), E_OK);
    CHECK_EQUAL(restore(3, 2, RAFT_ENTRY_DATA, 1), E_OK);
    CHECK_EQUAL(restore(4, 2, RAFT_ENTRY_CONF, 1), E_OK);
    CHECK_EQUAL(raft_start(&r), E_OK);
    CHECK_EQUAL(r.conf_last, 4);
    receive(append_of(3, 2, 1));
    CHECK_EQUAL(r.last, 4);
    CHECK_EQUAL(r.conf_last, 2);
}

/* What was cut off makes less room than the entry in its place needs: the log only becomes shorter, also on the disk.
 */
static void test_a_log_is_cut_without_an_entry(void)
{
    static uint8_t entry[RAFT_ENTRY_BYTES_MAX + 8];
    uint32_t length = RAFT_ENTRY_BYTES_MAX, head = 0;
    struct raft_update u;
    struct raft_entry gone;
    begin(2, 1);
    CHECK_EQUAL(restore(2, 2, RAFT_ENTRY_DATA, RAFT_ENTRY_BYTES_MAX), E_OK);
    CHECK_EQUAL(restore(3, 2, RAFT_ENTRY_DATA, RAFT_ENTRY_BYTES_MAX / 2), E_OK);
    CHECK_EQUAL(restore(4, 2, RAFT_ENTRY_DATA, 1), E_OK);
    CHECK_EQUAL(raft_start(&r), E_OK);
    entry[head++] = 3;
    for (uint32_t value = length << 2 | RAFT_ENTRY_DATA; value > 0; value >>= 7)
        entry[head++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    struct raft_message m = append_of(3, 2, 1);
    m.entries = entry;
    m.entry_bytes = head + length;
    receive(m);
    CHECK_EQUAL(r.last, 3);
    CHECK(!raft_entry_at(&r, 4, &gone));
    raft_update(&r, &u);
    raft_persisted(&r, u.persist.id);
    CHECK(u.persist.truncate_from == 4 && u.persist.first == 0);
}

/* Reads that ended and were not fetched take room, too. */
static void test_no_room_for_reads(void)
{
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    for (uint32_t round = 0; round < 2; round++) {
        receive((struct raft_message){.type = RAFT_MSG_HEARTBEAT, .term = 3, .commit = 1});
        for (uint32_t i = 0; i < RAFT_READS_MAX; i++)
            CHECK_EQUAL(raft_read(&r, i), E_OK);
        CHECK_EQUAL(raft_read(&r, 1), E_FULL);
        r.message_count = 0; /* what it asks of the leader is sent; what has ended is not fetched */
        raft_forget_leader(&r);
    }
    receive((struct raft_message){.type = RAFT_MSG_HEARTBEAT, .term = 3, .commit = 1});
    CHECK_EQUAL(raft_read(&r, 1), E_FULL);
}

static void lead(void)
{
    struct raft_update u;
    begin(3, 1);
    CHECK_EQUAL(raft_start(&r), E_OK);
    CHECK_EQUAL(raft_campaign(&r), E_OK);
    receive((struct raft_message){.type = RAFT_MSG_PREVOTE_REPLY, .term = 4});
    raft_update(&r, &u);
    raft_persisted(&r, u.persist.id);
    receive((struct raft_message){.type = RAFT_MSG_VOTE_REPLY, .term = 4});
    CHECK_EQUAL(r.role, RAFT_LEADER);
    raft_update(&r, &u);
}

static void test_a_leader_refuses(void)
{
    struct raft_update u;
    struct raft_snapshot label = label_of_three();
    lead();
    for (uint32_t i = 0; i <= RAFT_READS_MAX; i++)
        receive((struct raft_message){.type = RAFT_MSG_READ, .term = 4, .context = i + 1});
    CHECK_EQUAL(r.read_count, RAFT_READS_MAX);
    raft_update(&r, &u);
    CHECK(u.message_count > 0 && u.messages[0].type == RAFT_MSG_READ_REPLY && u.messages[0].reject);
    CHECK(!raft_snapshot_saved(&r, &label)); /* it has that one */
    raft_commit_wanted(&r, (struct raft_id){9, 9}, 5);
    raft_commit_wanted(&r, (struct raft_id){2, 2}, 5);
    raft_commit_wanted(&r, (struct raft_id){2, 2}, 4);
    CHECK_EQUAL(raft_peer(&r, (struct raft_id){2, 2})->wanted_last, 5);
}

int main(void)
{
    RUN(test_no_room_for_reads);
    RUN(test_a_leader_refuses);
    RUN(test_an_earlier_change_is_found);
    RUN(test_a_log_is_cut_without_an_entry);
    RUN(test_entries_of_an_earlier_term);
    RUN(test_who_does_not_lead_has_no_peers);
    RUN(test_empty_snapshot);
    RUN(test_a_repair_waits_for_a_snapshot);
    RUN(test_chunks);
    RUN(test_a_vote_is_of_its_term);
    RUN(test_a_candidate_learns_what_a_snapshot_covers);
    RUN(test_configurations);
    RUN(test_full_window_learns_of_commits);
    RUN(test_memory);
    RUN(test_beginnings);
    RUN(test_logs);
    RUN(test_messages);
    RUN(test_the_last_term);
    RUN(test_no_room_for_messages);
    RUN(test_equal_configurations);
    return 0;
}
