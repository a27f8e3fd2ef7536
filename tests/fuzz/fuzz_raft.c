/* Messages to a node of the core, from members that may say anything: none breaks an invariant of ours. Between them
 * time passes, and log writes, applying and snapshots end when the input says so. */
#include <raft/raft_wire.h>

#include "fuzz.h"

#define SLOTS 64u
static struct raft raft;
static struct raft_slot slots[SLOTS];
static uint8_t log_bytes[2 * (RAFT_ENTRY_BYTES_MAX + 1)];
static uint64_t now_ns, writes[64], write_count, apply_to;
static uint8_t *kept[64]; /* messages that the core may point into, until the next update */
static uint32_t kept_count;

static void begin(uint8_t how)
{
    const struct raft_id voters[3] = {{1, 1}, {2, 2}, {3, 3}};
    const struct raft_config config = {.id = {1, 1},
                                       .cluster = 7,
                                       .seed = 1,
                                       .heartbeat_ns = 1,
                                       .election_ns = 10,
                                       .message_bytes = 100,
                                       .inflight_messages = 2,
                                       .inflight_bytes = 200,
                                       .uncommitted_bytes = 1000,
                                       .persist_bytes = 100,
                                       .apply_bytes = 100,
                                       .snapshot_chunk_bytes = 50};
    const struct raft_memory memory = {slots, SLOTS, log_bytes, sizeof(log_bytes)};
    const struct raft_hard_state state = {.term = 2, .commit = 2};
    struct raft_snapshot label;
    now_ns = 1;
    write_count = apply_to = 0;
    MUST(raft_genesis_label(voters, 3, &label) == E_OK);
    MUST(raft_init(&raft, &config, &memory, &state, &label, now_ns) == E_OK);
    for (uint64_t i = 2; i < 5; i++) {
        const struct raft_entry entry = {
            .index = i, .term = 2, .type = RAFT_ENTRY_DATA, .length = 3, .data = (const uint8_t *)"abc"};
        MUST(raft_restore(&raft, &entry) == E_OK);
    }
    if (how & 1)
        raft_repair(&raft, 6);
    MUST(raft_start(&raft) == E_OK);
}

static void update(bool slow)
{
    struct raft_update u;
    for (uint32_t round = 0; round < 64; round++) {
        raft_update(&raft, &u);
        if (u.persist.id != 0)
            writes[write_count++] = u.persist.id;
        if (u.apply.first != 0)
            apply_to = u.apply.last;
        if (u.chunk.bytes > 0)
            raft_chunk_stored(&raft, u.chunk.offset, true);
        if (u.install != NULL)
            raft_snapshot_installed(&raft, !slow);
        if (slow && !u.more)
            break;
        if (write_count > 0)
            raft_persisted(&raft, writes[write_count - 1]);
        bool busy = write_count > 0 || apply_to != 0 || u.message_count > 0 || u.more || u.chunk.bytes > 0;
        write_count = 0;
        if (apply_to != 0)
            raft_applied(&raft, apply_to);
        apply_to = 0;
        if (!busy)
            break;
    }
    while (kept_count > 0)
        free(kept[--kept_count]);
}

static void receive(struct input *in)
{
    static struct raft_snapshot snapshot;
    struct raft_message m;
    struct raft_entry entry;
    struct raft_wire_cursor cursor = {0, 0};
    const char *why = NULL;
    size_t bytes;
    uint8_t *piece = input_piece(in, &bytes);
    kept[kept_count++] = piece;
    if (raft_wire_decode(piece, bytes, &m, &snapshot, &why) != E_OK) {
        MUST(why != NULL);
        return;
    }
    uint32_t entries = 0;
    while (raft_wire_entry(&m, &cursor, &entry))
        entries++;
    MUST(entries == m.entry_count);
    raft_receive(&raft, &m);
}

static void event(struct input *in)
{
    uint8_t what = input_byte(in);
    uint64_t index, term;
    switch (what % 8) {
    case 0:
        now_ns += input_byte(in);
        raft_tick(&raft, now_ns);
        break;
    case 1:
        update(what & 64);
        break;
    case 2:
        raft_propose(&raft, "payload", what & 7, &index, &term);
        break;
    case 3:
        if (what & 64)
            raft_campaign(&raft);
        else
            raft_forget_leader(&raft);
        break;
    default:
        receive(in);
        if (what & 128)
            update(what & 64);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    begin(input_byte(&in));
    for (uint32_t events = 0; in.left > 0 && events < 50; events++)
        event(&in);
    update(false);
    return 0;
}
