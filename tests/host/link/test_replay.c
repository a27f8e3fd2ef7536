/* What an eavesdropper kept from before a restart, and what anybody may send, does nothing to sessions that stand and
 * does not keep others from beginning. */
#include "network.h"

static struct packet kept[200];
static uint32_t kept_count;

static void keep_greetings(struct packet *p)
{
    bool greets = p->data[0] == SEAL_HELLO || p->data[0] == SEAL_FIRST || p->data[0] == SEAL_SECOND;
    if (greets && kept_count < 200)
        kept[kept_count++] = *p;
}

/* Two nodes, of which this one has restarted; what it sent before is kept. */
static void begin_with_restarted(uint32_t node, uint64_t seed)
{
    kept_count = 0;
    network_start(2, seed);
    net.tap = keep_greetings;
    network_run(5000);
    net.tap = NULL;
    network_boot(node, "lab", 1, 100 + node);
    network_run(3000);
    CHECK(network_linked(0, 1));
}

static void play(uint32_t from, uint32_t kind)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].from == from && kept[i].data[0] == kind) {
            network_inject(from, 1 - from, kept[i].data, kept[i].bytes);
            network_run(100);
        }
    }
}

/* Of whichever of the two: the session goes on. */
static void test_hellos_of_an_earlier_boot(void)
{
    for (uint32_t node = 0; node < 2; node++) {
        begin_with_restarted(node, 60 + node);
        uint32_t downs = net.nodes[0].downs + net.nodes[1].downs;
        for (uint32_t times = 0; times < 5; times++)
            play(node, SEAL_HELLO);
        network_run(5000);
        CHECK(network_linked(0, 1));
        CHECK_EQUAL(net.nodes[0].downs + net.nodes[1].downs, downs);
        network_stop();
    }
}

/* The handshake of an earlier boot, played again while one is under way, does not take its place. */
static void play_first_behind_second(struct packet *p)
{
    if (p->data[0] != SEAL_SECOND)
        return;
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].data[0] == SEAL_FIRST)
            network_inject(0, 1, kept[i].data, kept[i].bytes);
    }
}

static void test_handshakes_of_an_earlier_boot(void)
{
    kept_count = 0;
    network_start(2, 62);
    net.renew_ms = 2000;
    network_boot(1, "lab", 1, 101);
    net.tap = keep_greetings;
    network_run(1500);
    net.tap = NULL;
    network_boot(0, "lab", 1, 100);
    network_run(1500);
    CHECK(network_linked(0, 1));
    uint32_t downs = net.nodes[0].downs + net.nodes[1].downs;
    net.tap = play_first_behind_second;
    network_run(20000);
    CHECK(network_linked(0, 1));
    CHECK_EQUAL(net.nodes[0].downs + net.nodes[1].downs, downs);
    network_stop();
}

/* Somebody plays the hellos of both nodes again from an address of its own, where all that is sent there is lost. */
static void play_hellos_from(uint32_t address)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        if (kept[i].data[0] == SEAL_HELLO && kept[i].from < 2)
            link_input(net.nodes[1 - kept[i].from].l, net.now_ns, (struct link_address){address, 7447}, kept[i].data,
                       kept[i].bytes);
    }
}

static void test_hellos_from_elsewhere(void)
{
    kept_count = 0;
    network_start(3, 63);
    network_boot(2, "lab", 9, 102); /* a machine without the key: there the frames go */
    net.cut[0][1] = net.cut[1][0] = true;
    net.tap = keep_greetings;
    network_run(1500);
    net.tap = NULL;
    net.cut[0][1] = net.cut[1][0] = false;
    for (uint32_t i = 0; i < 200 && !network_linked(0, 1); i++) {
        play_hellos_from(3);
        network_run(50);
    }
    CHECK(network_linked(0, 1));
    for (uint32_t i = 0; i < 100; i++) {
        play_hellos_from(3);
        network_run(50);
    }
    CHECK(network_linked(0, 1) && net.nodes[0].ups == 1 && net.nodes[1].ups == 1);
    network_stop();
}

/* A handshake reaches only whom it is for. */
static uint32_t seconds;

static void redirect_firsts(struct packet *p)
{
    if (p->data[0] == SEAL_FIRST && p->from == 0)
        p->to = 2;
    seconds += p->data[0] == SEAL_SECOND && p->from == 2;
}

static void test_handshakes_for_another(void)
{
    network_start(3, 64);
    net.cut[0][2] = net.cut[2][0] = true;
    network_run(2000);
    CHECK(network_linked(0, 1) && !net.nodes[2].session[0]);
    network_boot(0, "lab", 1, 100);
    net.cut[0][2] = net.cut[2][0] = false;
    net.cut[2][0] = true; /* so that no hello of it begins a handshake with it */
    net.tap = redirect_firsts;
    seconds = 0;
    network_run(8000);
    CHECK_EQUAL(seconds, 0);
    network_stop();
}

/* ---- a machine that was saved and goes on twice ---- */

static uint8_t greetings[2][16][32]; /* the clear random bytes of hellos and handshakes, by which copy sent them */
static uint32_t greeting_count[2], copy;

static void note_greetings(struct packet *p)
{
    bool drawn = p->data[0] == SEAL_HELLO || p->data[0] == SEAL_FIRST || p->data[0] == SEAL_SECOND;
    if (drawn && greeting_count[copy] < 16)
        memcpy(greetings[copy][greeting_count[copy]++], p->data + SEAL_HEADER_BYTES, 32);
}

/* How many were drawn by both. The harness draws the same for both but what it gives as entropy. */
static uint32_t drawn_twice(bool entropy)
{
    uint32_t same = 0;
    for (copy = 0; copy < 2; copy++) {
        network_start(2, 66);
        net.entropy = entropy;
        network_boot(0, "lab", 1, 100);
        network_boot(1, "lab", 1, 101);
        net.random.state += copy;
        net.tap = note_greetings;
        greeting_count[copy] = 0;
        network_run(2000);
        CHECK(network_linked(0, 1) && greeting_count[copy] >= 4);
        network_stop();
    }
    for (uint32_t i = 0; i < greeting_count[0] && i < greeting_count[1]; i++)
        same += !memcmp(greetings[0][i], greetings[1][i], 32);
    return same;
}

static void test_saved_machines_draw_anew(void)
{
    CHECK(drawn_twice(false) > 0);
    CHECK_EQUAL(drawn_twice(true), 0);
}

/* ---- floods ---- */

/* So many hellos a second that open with no key, to both nodes; `of` says from which address. */
static void flood_for(uint64_t ms, uint32_t a_second, const uint32_t of[2])
{
    struct seal_cluster cluster;
    uint8_t frame[SEAL_HELLO_BYTES];
    seal_cluster_begin(&cluster, "lab");
    memset(frame, 3, sizeof(frame));
    for (uint64_t i = 0; i < ms * a_second / 1000 && !network_linked(0, 1); i++) {
        for (uint32_t to = 0; to < 2; to++) {
            struct seal_header header = {SEAL_HELLO, 0, (uint16_t)link_key_id(net.nodes[0].l, frame)};
            seal_header_write(&cluster, header, frame, sizeof(frame));
            link_input(net.nodes[to].l, net.now_ns, (struct link_address){of[to], 7447}, frame, sizeof(frame));
        }
        network_run(1000 / a_second);
    }
}

/* Neither who picks an address that is counted with another's, nor who gives a peer's as its own, keeps peers apart. */
static void test_floods(void)
{
    const uint32_t beside[2] = {2 + 64, 1 + 64}, forged[2] = {2, 1};
    for (uint32_t i = 0; i < 2; i++) {
        network_start(2, 65 + i);
        network_run(1500);
        net.cut[0][1] = net.cut[1][0] = true;
        network_run(8000);
        CHECK(!net.nodes[0].session[1]);
        flood_for(1000, 1000, i ? forged : beside);
        net.cut[0][1] = net.cut[1][0] = false;
        flood_for(i ? 60000 : 5000, 1000, i ? forged : beside);
        CHECK(network_linked(0, 1));
        struct link_statistics s;
        link_statistics(net.nodes[0].l, &s);
        CHECK(s.rejected.excess > 500 && s.rejected.wrong_key > 50);
        network_stop();
    }
}

int main(void)
{
    RUN(test_hellos_of_an_earlier_boot);
    RUN(test_handshakes_of_an_earlier_boot);
    RUN(test_hellos_from_elsewhere);
    RUN(test_handshakes_for_another);
    RUN(test_saved_machines_draw_anew);
    RUN(test_floods);
    return 0;
}
