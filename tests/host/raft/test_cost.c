/* What an entry costs beside its payload, in memory, in a message and on the disk; and that the core allocates nothing.
 */
#include <base/logformat.h>

#include "cluster.h"

#define ENTRIES 4000u
#define PAYLOAD 100u

_Static_assert(sizeof(struct raft_slot) <= RAFT_ENTRY_OVERHEAD_MAX, "in memory");
_Static_assert(sizeof(struct logformat_header) + 2 * sizeof(uint64_t) <= RAFT_ENTRY_OVERHEAD_MAX,
               "on the disk, padded");

/* ---- the trap ---- */

static bool forbidden;
static uint64_t allocations;

/* Of the address sanitizer; not there in a build without it (make coverage). */
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *)) __attribute__((weak));

static void count_allocation(const volatile void *block, size_t bytes)
{
    (void)block;
    (void)bytes;
    allocations += forbidden;
}

static void count_nothing(const volatile void *block)
{
    (void)block;
}

/* ---- two nodes whose disks are always done at once ---- */

static struct node {
    struct raft r;
    struct raft_slot slots[64];
    uint8_t bytes[2 * (RAFT_ENTRY_BYTES_MAX + 1)];
} nodes[2];
static uint64_t entries_sent, payload_sent, bytes_sent, messages_sent;

static void start(uint32_t at)
{
    const struct raft_id voters[2] = {{1, 1}, {2, 2}};
    const struct raft_hard_state nothing = {.term = 0};
    const struct raft_config config = {.id = voters[at],
                                       .cluster = 7,
                                       .seed = at + 1,
                                       .heartbeat_ns = 10,
                                       .election_ns = 1000,
                                       .message_bytes = 4096,
                                       .inflight_messages = 8,
                                       .inflight_bytes = 65536,
                                       .uncommitted_bytes = 65536,
                                       .persist_bytes = 65536,
                                       .apply_bytes = 65536,
                                       .snapshot_chunk_bytes = 4096};
    struct node *n = &nodes[at];
    const struct raft_memory memory = {n->slots, 64, n->bytes, sizeof(n->bytes)};
    struct raft_snapshot label;
    CHECK_EQUAL(raft_genesis_label(voters, 2, &label), E_OK);
    CHECK_EQUAL(raft_init(&n->r, &config, &memory, &nothing, &label, 1), E_OK);
    CHECK_EQUAL(raft_start(&n->r), E_OK);
}

/* The mount keeps a snapshot of all that is applied, so that the window moves on. */
static void compact(struct raft *r)
{
    struct raft_snapshot label;
    raft_snapshot_label(r, &label);
    if (raft_snapshot_saved(r, &label))
        raft_compact(r, label.index);
}

static void carry(uint32_t at, const struct raft_message *m)
{
    static uint8_t wire[8192];
    struct raft_message decoded;
    struct raft_snapshot snapshot;
    struct raft_entry entry;
    struct raft_wire_cursor cursor = {0, 0};
    size_t bytes;
    CHECK_EQUAL(raft_wire_encode(&nodes[at].r, m, NULL, wire, sizeof(wire), &bytes), E_OK);
    CHECK_EQUAL(raft_wire_decode(wire, bytes, &decoded, &snapshot, NULL), E_OK);
    if (m->type == RAFT_MSG_APPEND && m->entry_count > 0) {
        bytes_sent += bytes;
        entries_sent += m->entry_count;
        messages_sent++;
        while (raft_wire_entry(&decoded, &cursor, &entry))
            payload_sent += entry.length;
    }
    raft_receive(&nodes[!at].r, &decoded);
}

static bool round_of(uint32_t at)
{
    struct raft *r = &nodes[at].r;
    struct raft_update u;
    raft_update(r, &u);
    for (uint32_t i = 0; i < u.message_count; i++)
        carry(at, &u.messages[i]);
    if (u.persist.id != 0)
        raft_persisted(r, u.persist.id);
    if (u.snapshot_wanted)
        compact(r);
    if (u.apply.first != 0)
        raft_applied(r, u.apply.last);
    return u.more || u.message_count > 0 || u.persist.id != 0 || u.apply.first != 0;
}

static void run(uint32_t at)
{
    bool busy = true;
    for (uint32_t rounds = 0; busy; rounds++) {
        CHECK(rounds < 1000);
        busy = round_of(at);
        busy = round_of(!at) || busy;
    }
}

static void test_cost_of_an_entry(void)
{
    static const uint8_t payload[PAYLOAD];
    uint64_t index, term, proposed = 0;
    if (__sanitizer_install_malloc_and_free_hooks)
        __sanitizer_install_malloc_and_free_hooks(count_allocation, count_nothing);
    forbidden = true;
    void *volatile block = malloc(1); /* does the trap work? */
    free(block);
    forbidden = false;
    CHECK_EQUAL(allocations, __sanitizer_install_malloc_and_free_hooks ? 1 : 0);
    start(0);
    start(1);
    forbidden = true;
    CHECK_EQUAL(raft_campaign(&nodes[0].r), E_OK);
    run(0);
    for (uint32_t batch = 1; proposed < ENTRIES; batch = batch % 16 + 1) {
        for (uint32_t i = 0; i < batch; i++)
            proposed += raft_propose(&nodes[0].r, payload, PAYLOAD, &index, &term) == E_OK;
        run(0);
    }
    forbidden = false;
    CHECK_EQUAL(nodes[1].r.commit, nodes[0].r.commit);
    CHECK(nodes[0].r.applied >= ENTRIES);
    CHECK_EQUAL(allocations, __sanitizer_install_malloc_and_free_hooks ? 1 : 0);
    CHECK_EQUAL(payload_sent, proposed * PAYLOAD);
    CHECK(bytes_sent - payload_sent <= entries_sent * RAFT_ENTRY_OVERHEAD_MAX); /* with what the messages cost */
    printf("%.1f bytes an entry beside its payload, %.1f entries a message\n",
           (double)(bytes_sent - payload_sent) / (double)entries_sent, (double)entries_sent / (double)messages_sent);
}

int main(void)
{
    RUN(test_cost_of_an_entry);
    return 0;
}
