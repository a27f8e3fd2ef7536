/* Finding each other, losing each other, and strangers. */
#include "network.h"

static void test_all_find_all(void)
{
    network_start(4, 1);
    network_run(1500);
    for (uint32_t a = 0; a < 4; a++) {
        for (uint32_t b = 0; b < 4; b++)
            CHECK(a == b || network_linked(a, b));
        CHECK_EQUAL(net.nodes[a].ups, 3);
    }
    network_run(20000); /* and nothing changes while nothing happens */
    CHECK_EQUAL(net.nodes[0].downs, 0);
    network_stop();
}

static void test_found_through_loss(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        network_start(3, seed);
        net.loss_percent = 40;
        net.double_percent = 20;
        net.delay_ms = 50;
        network_run(20000);
        net.loss_percent = 0;
        network_run(5000);
        CHECK(network_linked(0, 1) && network_linked(1, 2) && network_linked(0, 2));
        network_stop();
    }
}

static void test_silence_ends_and_heals(void)
{
    network_start(2, 5);
    network_run(1500);
    net.cut[0][1] = true; /* one way is enough */
    network_run(8000);
    CHECK(!net.nodes[1].session[0] && !net.nodes[0].session[1]);
    net.cut[0][1] = false;
    network_run(3000);
    CHECK(network_linked(0, 1));
    network_stop();
}

static void test_restart_is_seen(void)
{
    network_start(2, 6);
    network_run(1500);
    for (uint32_t node = 0; node < 2; node++) {
        uint32_t downs = net.nodes[1 - node].downs;
        network_boot(node, "lab", 1, 100 + node);
        network_run(2500); /* less than the silence that would end it */
        CHECK_EQUAL(net.nodes[1 - node].downs, downs + 1);
        CHECK(network_linked(0, 1));
    }
    network_stop();
}

static void test_strangers_stay_outside(void)
{
    struct link_statistics s;
    network_start(4, 7);
    network_boot(2, "lab", 9, 102);  /* wrong key */
    network_boot(3, "home", 1, 103); /* another cluster */
    network_run(10000);
    CHECK(network_linked(0, 1));
    CHECK(!net.nodes[0].session[2] && !net.nodes[0].session[3] && !net.nodes[2].session[0]);
    link_statistics(net.nodes[0].l, &s);
    CHECK(s.rejected.wrong_key > 0 && s.rejected.foreign > 0);
    CHECK(s.rejected.damaged == 0 && s.rejected.replayed == 0);
    network_stop();
}

static void test_same_node_id_is_refused(void)
{
    network_start(2, 8);
    network_boot(1, "lab", 1, 100);
    network_run(5000);
    CHECK(!net.nodes[0].ups && !net.nodes[1].ups && net.nodes[0].refused > 0);
    network_stop();
}

/* ---- an eavesdropper who keeps everything, plays it again and alters it ---- */

static struct packet kept[2000];
static uint32_t kept_count;
static const char secret[] = "the planted secret of node 1: 7261-9940";

static void keep(struct packet *p)
{
    for (uint32_t at = 0; at + 8 <= p->bytes; at++)
        CHECK(memcmp(p->data + at, secret, 8) && memcmp(p->data + at, secret + 20, 8));
    if (kept_count < 2000)
        kept[kept_count++] = *p;
}

static uint32_t received;

static void count_secret(struct node *n, uint32_t from, const struct link_event *event)
{
    CHECK(event->bytes == sizeof(secret) && !memcmp(event->data, secret, sizeof(secret)));
    received++;
}

static void test_eavesdropper(void)
{
    struct link_statistics before, after;
    uint32_t number;
    network_start(2, 9);
    net.tap = keep;
    kept_count = received = 0;
    net.nodes[0].message = net.nodes[1].message = count_secret;
    network_run(1500);
    for (int i = 0; i < 50; i++) {
        CHECK_EQUAL(network_send(0, 1, i % 3, secret, sizeof(secret), &number), E_OK);
        CHECK_EQUAL(
            link_send_datagram(net.nodes[0].l, net.nodes[0].peer[1], net.nodes[0].session[1], secret, sizeof(secret)),
            E_OK);
        network_run(20);
    }
    CHECK_EQUAL(received, 100);
    link_statistics(net.nodes[1].l, &before);
    uint32_t count = kept_count;
    for (uint32_t i = 0; i < count; i++) { /* all of it again, from another address, and altered */
        network_inject(0, kept[i].to, kept[i].data, kept[i].bytes);
        kept[i].data[random_below(&net.random, kept[i].bytes)] ^= 1;
        network_inject(0, kept[i].to, kept[i].data, kept[i].bytes);
        network_run(1);
    }
    network_run(3000);
    link_statistics(net.nodes[1].l, &after);
    CHECK_EQUAL(received, 100);
    CHECK(network_linked(0, 1) && net.nodes[1].downs == 0);
    CHECK(after.rejected.replayed - before.rejected.replayed >= 50);
    CHECK(after.rejected.damaged - before.rejected.damaged >= 50);
    network_stop();
}

/* Frames of any content, also with a right header and checksum. */
static void test_hostile_frames(void)
{
    struct seal_cluster cluster;
    uint8_t key[32], frame[SEAL_FRAME_MAX];
    memset(key, 1, sizeof(key));
    seal_cluster_begin(&cluster, "lab", key);
    network_start(2, 10);
    network_run(1500);
    uint32_t sessions[2] = {net.nodes[0].session[1], net.nodes[1].session[0]};
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bytes = SEAL_HEADER_BYTES + random_below(&net.random, 300);
        random_fill(&net.random, frame, bytes);
        struct seal_header header = {random_below(&net.random, 6), sessions[i % 2]};
        if (i % 4)
            seal_header_write(&cluster, header, frame, bytes);
        link_input(net.nodes[1 - i % 2].l, net.now_ns, (struct link_address){3, 1}, frame, bytes);
    }
    network_run(100);
    CHECK(network_linked(0, 1) && net.nodes[0].downs == 0 && net.nodes[1].downs == 0);
    network_stop();
}

int main(void)
{
    RUN(test_all_find_all);
    RUN(test_found_through_loss);
    RUN(test_silence_ends_and_heals);
    RUN(test_restart_is_seen);
    RUN(test_strangers_stay_outside);
    RUN(test_same_node_id_is_refused);
    RUN(test_eavesdropper);
    RUN(test_hostile_frames);
    return 0;
}
