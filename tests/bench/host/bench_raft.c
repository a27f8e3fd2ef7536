/* What the core costs per committed entry: one leader and its followers in one process, no I/O, messages encoded and
 * decoded as on the wire.
 *
 *   raft                               nanoseconds per entry and node for some sizes of a cluster, a batch and an
 * entry, a JSON line each raft NODES BATCH BYTES ENTRIES     one of them, for counting instructions from outside */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <base/assert.h>
#include <raft/raft_wire.h>

#define NODES_AT_MOST 5u
#define SLOTS         4096u
#define BYTES         (1u << 20)

_Noreturn void base_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

struct packet {
    uint32_t to;
    size_t bytes;
    uint8_t data[70000];
};

static struct raft *nodes[NODES_AT_MOST];
static struct packet *packets;
static uint32_t node_count, packet_count;
static uint64_t now_ns;

static void start(uint32_t count)
{
    struct raft_id ids[NODES_AT_MOST];
    struct raft_snapshot label;
    node_count = count;
    packet_count = 0;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = (struct raft_id){i + 1, i + 1};
    raft_genesis_label(ids, count, &label);
    for (uint32_t i = 0; i < count; i++) {
        struct raft_config config = {.id = ids[i],
                                     .cluster = 1,
                                     .seed = i,
                                     .heartbeat_ns = 10000000,
                                     .election_ns = 100000000,
                                     .message_bytes = 32768,
                                     .inflight_messages = 8,
                                     .inflight_bytes = 1 << 20,
                                     .uncommitted_bytes = 1 << 18,
                                     .persist_bytes = 65536,
                                     .apply_bytes = 65536,
                                     .snapshot_chunk_bytes = 4096};
        struct raft_memory memory = {malloc(SLOTS * sizeof(struct raft_slot)), SLOTS, malloc(BYTES), BYTES};
        struct raft_hard_state hard_state = {.term = 0};
        nodes[i] = malloc(sizeof(struct raft));
        err_t err = raft_init(nodes[i], &config, &memory, &hard_state, &label, now_ns);
        ASSERT(err == E_OK);
        err = raft_start(nodes[i]);
        ASSERT(err == E_OK);
    }
}

static bool work(struct raft *r)
{
    struct raft_update u;
    raft_update(r, &u);
    for (uint32_t i = 0; i < u.message_count; i++) {
        struct packet *p = &packets[packet_count++];
        p->to = (uint32_t)u.messages[i].to.node - 1;
        err_t err = raft_wire_encode(r, &u.messages[i], NULL, p->data, sizeof(p->data), &p->bytes);
        ASSERT(err == E_OK);
    }
    if (u.apply.first != 0)
        raft_applied(r, u.apply.last);
    if (u.persist.id != 0)
        raft_persisted(r, u.persist.id);
    if (u.snapshot_wanted) {
        struct raft_snapshot label;
        raft_snapshot_label(r, &label);
        raft_snapshot_saved(r, &label);
        raft_compact(r, label.index - 64);
    }
    return u.message_count > 0 || u.apply.first != 0 || u.persist.id != 0;
}

static void settle(void)
{
    bool busy = true;
    while (busy) {
        busy = packet_count > 0;
        for (uint32_t i = 0; i < packet_count; i++) {
            struct raft_message m;
            static struct raft_snapshot snapshot;
            err_t err = raft_wire_decode(packets[i].data, packets[i].bytes, &m, &snapshot, NULL);
            ASSERT(err == E_OK);
            raft_receive(nodes[packets[i].to], &m);
        }
        packet_count = 0;
        for (uint32_t i = 0; i < node_count; i++)
            while (work(nodes[i]))
                busy = true;
    }
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void measure(uint32_t count, uint32_t batch, uint32_t bytes, uint32_t entries)
{
    uint8_t data[1024] = {0};
    start(count);
    raft_campaign(nodes[0]);
    settle();
    uint64_t begin = clock_ns(), index, term;
    for (uint32_t done = 0; done < entries; done += batch) {
        for (uint32_t i = 0; i < batch; i++) {
            err_t err = raft_propose(nodes[0], data, bytes, &index, &term);
            ASSERT(err == E_OK);
        }
        settle();
    }
    uint64_t passed = clock_ns() - begin;
    struct raft_status status;
    raft_status(nodes[0], &status);
    ASSERT(status.commit >= entries && status.applied == status.commit);
    printf("{\"nodes\":%u,\"batch\":%u,\"bytes\":%u,\"ns_each\":%.1f,\"messages_each\":%.2f}\n", count, batch, bytes,
           (double)passed / entries / count, (double)raft_counters(nodes[0])->messages_out / entries);
}

static uint32_t number(const char *text, uint32_t most)
{
    unsigned long value = strtoul(text, NULL, 10);
    ASSERT(value > 0 && value <= most);
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    static const uint32_t cases[][3] = {{1, 1, 100},  {3, 1, 100},  {3, 16, 100},
                                        {3, 64, 100}, {3, 64, 256}, {5, 64, 100}};
    packets = malloc(1024 * sizeof(*packets));
    if (argc == 5) {
        measure(number(argv[1], NODES_AT_MOST), number(argv[2], 256), number(argv[3], 1024), number(argv[4], 10000000));
        return 0;
    }
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        measure(cases[i][0], cases[i][1], cases[i][2], 400000);
    return 0;
}
