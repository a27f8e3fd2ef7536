/* Messages arrive in order, once and whole on each channel, whatever the wire does; and what did not arrive is known.
 */
#include "network.h"

/* A message says who sent it, on which channel, as which one, and is filled from that. */
struct head {
    uint32_t from, channel, number, bytes;
};

static uint8_t buffer[LINK_MESSAGE_MAX];

static uint32_t expected[NODES][NODES][LINK_CHANNELS]; /* to, from, channel: next number */
static uint32_t sent[NODES][NODES][LINK_CHANNELS];
static uint32_t datagrams;

static void fill(struct head h, uint8_t *to)
{
    struct random r = {h.from * 1000003ull + h.channel * 10007 + h.number};
    memcpy(to, &h, sizeof(h));
    random_fill(&r, to + sizeof(h), h.bytes - sizeof(h));
}

static void check_message(struct node *n, uint32_t from, const struct link_event *event)
{
    struct head h;
    if (event->kind == LINK_DATAGRAM) {
        datagrams++;
        return;
    }
    CHECK(event->bytes >= sizeof(h));
    memcpy(&h, event->data, sizeof(h));
    CHECK(h.from == from && h.channel == event->channel && h.bytes == event->bytes);
    CHECK_EQUAL(h.number, expected[n->index][from][h.channel]++);
    fill(h, buffer);
    CHECK(!memcmp(buffer, event->data, h.bytes));
}

static bool send_one(uint32_t from, uint32_t to, uint32_t channel, uint32_t bytes)
{
    uint32_t number;
    struct head h = {from, channel, sent[from][to][channel], bytes};
    fill(h, buffer);
    err_t err = network_send(from, to, channel, buffer, bytes, &number);
    if (err) {
        CHECK_EQUAL(err, E_FULL);
        return false;
    }
    CHECK_EQUAL(number, sent[from][to][channel]++);
    return true;
}

static void begin(uint32_t nodes, uint64_t seed)
{
    memset(expected, 0, sizeof(expected));
    memset(sent, 0, sizeof(sent));
    datagrams = 0;
    network_start(nodes, seed);
    for (uint32_t i = 0; i < nodes; i++)
        net.nodes[i].message = check_message;
    network_run(1500);
}

static void check_all_arrived(uint32_t nodes)
{
    for (uint32_t a = 0; a < nodes; a++) {
        for (uint32_t b = 0; b < nodes; b++) {
            for (uint32_t c = 0; c < LINK_CHANNELS; c++)
                CHECK_EQUAL(expected[b][a][c], sent[a][b][c]);
        }
    }
}

static uint32_t random_size(void)
{
    uint32_t kind = random_below(&net.random, 10);
    uint32_t most = kind < 6 ? 200 : kind < 9 ? 5000 : LINK_MESSAGE_MAX;
    return sizeof(struct head) + random_below(&net.random, most - sizeof(struct head) + 1);
}

static void random_traffic(uint64_t seed)
{
    begin(3, seed);
    net.loss_percent = random_below(&net.random, 25);
    net.double_percent = random_below(&net.random, 25);
    net.delay_ms = random_below(&net.random, 30);
    for (int i = 0; i < 250; i++) {
        uint32_t from = random_below(&net.random, 3), to = (from + 1 + random_below(&net.random, 2)) % 3;
        send_one(from, to, random_below(&net.random, LINK_CHANNELS), random_size());
        link_send_datagram(net.nodes[from].l, net.nodes[from].peer[to], net.nodes[from].session[to], "beat", 4);
        network_run(random_below(&net.random, 30));
    }
    network_run(60000);
    check_all_arrived(3);
    CHECK_EQUAL(net.nodes[0].downs + net.nodes[1].downs + net.nodes[2].downs, 0);
    CHECK(datagrams > 100);
    network_stop();
}

static void test_random_traffic(void)
{
    for (uint64_t seed = 1; seed <= 25; seed++)
        random_traffic(seed);
}

/* A full bulk channel does not hold the others up. */
static void test_channels_do_not_wait(void)
{
    begin(2, 3);
    while (send_one(0, 1, LINK_BULK, LINK_MESSAGE_MAX))
        ;
    CHECK(send_one(0, 1, LINK_RAFT, 100));
    uint64_t start = net.now_ns;
    while (!expected[1][0][LINK_RAFT])
        network_run(1);
    CHECK(net.now_ns - start < 5 * MS);
    CHECK(expected[1][0][LINK_BULK] < sent[0][1][LINK_BULK]);
    network_run(5000);
    check_all_arrived(2);
    network_stop();
}

static void test_limits(void)
{
    uint32_t number;
    begin(2, 4);
    CHECK_EQUAL(network_send(0, 1, 0, buffer, LINK_MESSAGE_MAX, &number), E_OK);
    CHECK_EQUAL(link_send(net.nodes[0].l, net.nodes[0].peer[1], net.nodes[0].session[1], 0, buffer, LINK_MESSAGE_MAX,
                          buffer, 1, &number),
                E_TOO_LONG);
    CHECK_EQUAL(
        link_send(net.nodes[0].l, net.nodes[0].peer[1], net.nodes[0].session[1] + 64, 0, buffer, 1, buffer, 1, &number),
        E_NOT_CONNECTED);
    network_stop();
}

/* Messages sent while the wire is cut: those whose last piece never left are told; none arrives later. */
static void test_unsent_is_known(void)
{
    begin(2, 5);
    net.cut[0][1] = net.cut[1][0] = true;
    for (int i = 0; i < 8; i++)
        CHECK(send_one(0, 1, LINK_CALLS, 50000));
    network_run(5000);
    CHECK_EQUAL(net.nodes[0].downs, 1);
    uint32_t unsent = net.nodes[0].last_down.unsent_from[LINK_CALLS];
    CHECK(unsent < 8);
    CHECK_EQUAL(net.nodes[0].last_down.unsent_from[LINK_RAFT], 0);
    CHECK_EQUAL(expected[1][0][LINK_CALLS], 0);
    net.cut[0][1] = net.cut[1][0] = false;
    memset(sent, 0, sizeof(sent));
    network_run(3000);
    CHECK(network_linked(0, 1));
    CHECK(send_one(0, 1, LINK_CALLS, 500)); /* a new session counts anew */
    network_run(1000);
    check_all_arrived(2);
    network_stop();
}

/* A whole megabyte over a clean wire takes about the round trips that the window allows. */
static void test_throughput(void)
{
    begin(2, 6);
    uint64_t start = net.now_ns;
    for (int i = 0; i < 20;) {
        if (send_one(0, 1, LINK_BULK, 50000))
            i++;
        else
            network_run(1);
    }
    while (expected[1][0][LINK_BULK] < 20)
        network_run(1);
    struct link_statistics s;
    link_statistics(net.nodes[0].l, &s);
    CHECK_EQUAL(s.resent, 0);
    CHECK(net.now_ns - start < 100 * MS);
    network_stop();
}

/* A wire that loses three of ten frames each way still carries: a lost acknowledgement is no long way, and who waits
 * for a second after each loss carries nothing. */
static void test_a_wire_that_loses_much(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        begin(2, 300 + seed);
        net.loss_percent = 30;
        for (uint32_t i = 0; i < 300; i++) {
            send_one(0, 1, LINK_RAFT, 300);
            if (i % 10 == 0)
                send_one(0, 1, LINK_CALLS, 60000);
            network_run(100);
        }
        CHECK(expected[1][0][LINK_RAFT] >= 240 && expected[1][0][LINK_CALLS] >= 10);
        network_stop();
    }
}

int main(void)
{
    RUN(test_random_traffic);
    RUN(test_channels_do_not_wait);
    RUN(test_limits);
    RUN(test_unsent_is_known);
    RUN(test_throughput);
    RUN(test_a_wire_that_loses_much);
    return 0;
}
