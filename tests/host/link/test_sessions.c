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
    uint8_t frame[SEAL_FRAME_MAX];
    seal_cluster_begin(&cluster, "lab");
    network_start(2, 10);
    network_run(1500);
    uint32_t sessions[2] = {net.nodes[0].session[1], net.nodes[1].session[0]};
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t bytes = SEAL_HEADER_BYTES + random_below(&net.random, 300);
        random_fill(&net.random, frame, bytes);
        struct seal_header header = {random_below(&net.random, 6), sessions[i % 2], 0};
        if (i % 4)
            seal_header_write(&cluster, header, frame, bytes);
        link_input(net.nodes[1 - i % 2].l, net.now_ns, (struct link_address){3 + i, 1}, frame, bytes);
    }
    network_run(100);
    CHECK(network_linked(0, 1) && net.nodes[0].downs == 0 && net.nodes[1].downs == 0);
    network_stop();
}

/* ---- fresh keys for a session that stands ---- */

static uint32_t in_order; /* the next number that is awaited */

static void count_in_order(struct node *n, uint32_t from, const struct link_event *event)
{
    uint32_t number;
    CHECK_EQUAL(event->bytes, sizeof(number));
    memcpy(&number, event->data, sizeof(number));
    CHECK_EQUAL(number, in_order++);
}

static void send_for(uint64_t ms, uint32_t *next)
{
    uint32_t number;
    for (uint64_t at = 0; at < ms; at += 100) {
        if (network_send(0, 1, LINK_RAFT, next, sizeof(*next), &number) == E_OK)
            ++*next;
        network_run(100);
    }
}

static uint64_t renewals(uint32_t node)
{
    struct link_statistics s;
    link_statistics(net.nodes[node].l, &s);
    return s.renewals;
}

static void begin_renewing(uint64_t seed, uint64_t renew_ms)
{
    in_order = 0;
    network_start(2, seed);
    net.renew_ms = renew_ms;
    net.nodes[0].message = net.nodes[1].message = count_in_order;
    network_boot(0, "lab", 1, 100);
    network_boot(1, "lab", 1, 101);
    network_run(1500);
}

/* By time: every message arrives once and in its order, and nobody sees an end. */
static void test_keys_renewed_by_time(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        uint32_t next = 0;
        begin_renewing(seed, 5000);
        net.loss_percent = seed % 4 * 8;
        net.double_percent = 10;
        net.delay_ms = seed % 3 * 40;
        send_for(60000, &next);
        net.loss_percent = 0;
        network_run(5000);
        CHECK_EQUAL(in_order, next);
        CHECK_EQUAL(net.nodes[0].downs + net.nodes[1].downs, 0);
        CHECK(renewals(0) >= 5 && renewals(1) >= 5);
        network_stop();
    }
}

static void test_keys_renewed_by_bytes(void)
{
    uint32_t next = 0;
    network_start(2, 11);
    in_order = 0;
    net.renew_bytes = 2000;
    net.nodes[0].message = net.nodes[1].message = count_in_order;
    network_boot(0, "lab", 1, 100);
    network_boot(1, "lab", 1, 101);
    network_run(1500);
    send_for(60000, &next);
    CHECK(renewals(0) >= 2 && in_order == next && net.nodes[0].downs == 0);
    network_stop();
}

/* Who lets all pass but handshakes keeps no session on its old keys for ever. */
static void lose_handshakes(struct packet *p)
{
    if (p->data[0] == SEAL_FIRST || p->data[0] == SEAL_SECOND)
        p->data[0] = 77;
}

static void test_keys_do_not_grow_old(void)
{
    uint32_t next = 0;
    begin_renewing(12, 2000);
    net.tap = lose_handshakes;
    send_for(6000, &next);
    CHECK(network_linked(0, 1));
    send_for(3000, &next);
    CHECK(!net.nodes[0].session[1] && !net.nodes[1].session[0]);
    net.tap = NULL;
    network_run(3000);
    CHECK(network_linked(0, 1));
    network_stop();
}

/* A recording of one key's time opens nothing in another's: what is played again counts as replayed or is of no
 * session. */
static void test_old_frames_after_a_renewal(void)
{
    uint32_t next = 0;
    kept_count = 0;
    begin_renewing(13, 3000);
    net.tap = keep;
    send_for(2000, &next);
    uint32_t count = kept_count;
    send_for(10000, &next);
    CHECK(renewals(1) >= 2);
    for (uint32_t i = 0; i < count; i++)
        network_inject(kept[i].from, kept[i].to, kept[i].data, kept[i].bytes);
    send_for(1000, &next);
    CHECK(in_order == next && net.nodes[0].downs + net.nodes[1].downs == 0);
    network_stop();
}

/* All that who carries the frames can do, at once: change, cut short, lengthen, lose, double, hold back, swap for
 * others and play again at any later time, also across fresh keys. Messages come in their order, once, or not at all.
 */
static void mangle(struct packet *p)
{
    uint32_t what = random_below(&net.random, 20);
    if (kept_count < 2000)
        kept[kept_count++] = *p;
    const struct packet *old = &kept[random_below(&net.random, kept_count)];
    if (what < 3)
        p->data[random_below(&net.random, p->bytes)] ^= (uint8_t)(1u << random_below(&net.random, 8));
    else if (what == 3)
        p->bytes = random_below(&net.random, p->bytes);
    else if (what == 4)
        p->bytes = p->bytes < SEAL_FRAME_MAX ? p->bytes + 1 : p->bytes;
    else if (what == 5)
        memcpy(p->data, old->data, p->bytes = old->bytes);
    if (what >= 16)
        network_inject(old->from, old->to, old->data, old->bytes);
}

static void test_a_hostile_carrier(void)
{
    for (uint64_t seed = 50; seed < 58; seed++) {
        uint32_t next = 0;
        kept_count = 0;
        begin_renewing(seed, 4000);
        net.tap = mangle;
        net.loss_percent = 10;
        net.double_percent = 20;
        net.delay_ms = 60;
        send_for(30000, &next);
        net.tap = NULL;
        net.loss_percent = net.double_percent = net.delay_ms = 0;
        network_run(10000);
        CHECK(network_linked(0, 1) && next > 100);
        CHECK(in_order == next && net.nodes[0].downs + net.nodes[1].downs == 0);
        CHECK(net.nodes[0].refused == 0 && net.nodes[1].refused == 0);
        network_stop();
    }
}

/* ---- one cluster key takes another's place ---- */

static uint64_t key_of_session(uint32_t node, uint32_t other)
{
    struct link_peer_view view;
    CHECK(link_peer(net.nodes[node].l, net.nodes[node].peer[other], &view));
    return view.key_id;
}

/* All have both, then only the new one: sessions go on throughout, whoever is first. */
static void test_key_changes_without_an_end(void)
{
    for (uint32_t first = 0; first < 3; first++) {
        uint8_t key[32];
        network_start(3, 20 + first);
        network_run(1500);
        for (uint32_t i = 0; i < 3; i++) {
            network_key((first + i) % 3, 2);
            network_run(700);
        }
        uint64_t before = key_of_session(0, 1);
        for (uint32_t i = 0; i < 3; i++) {
            network_key_drop((first + i) % 3, 1);
            network_run(700);
        }
        network_run(2000);
        memset(key, 2, sizeof(key));
        for (uint32_t a = 0; a < 3; a++) {
            CHECK_EQUAL(net.nodes[a].ups, 2);
            CHECK_EQUAL(net.nodes[a].downs, 0);
            for (uint32_t b = 0; b < 3; b++)
                CHECK(a == b || key_of_session(a, b) == link_key_id(net.nodes[a].l, key));
        }
        CHECK(before != key_of_session(0, 1));
        network_stop();
    }
}

/* One of three lacks the new key when the old one goes: its sessions end, both sides can tell why, and it is back as
 * soon as it has the key. */
static void test_who_lacks_the_new_key(void)
{
    for (uint32_t lacks = 0; lacks < 3; lacks++) {
        uint32_t other = (lacks + 1) % 3, third = (lacks + 2) % 3;
        struct link_statistics s;
        network_start(3, 30 + lacks);
        network_run(1500);
        network_key(other, 2);
        network_key(third, 2);
        network_run(1500);
        CHECK(network_linked(lacks, other) && network_linked(lacks, third));
        network_key_drop(other, 1);
        network_key_drop(third, 1);
        network_run(15000);
        CHECK(network_linked(other, third) && !net.nodes[lacks].session[other] && !net.nodes[other].session[lacks]);
        CHECK_EQUAL(net.nodes[other].downs, 1);
        CHECK(net.nodes[other].reasons >> LINK_OLD_KEY & 1 && net.nodes[lacks].reasons >> LINK_KEY_DROPPED & 1);
        link_statistics(net.nodes[other].l, &s);
        CHECK(s.rejected.old_key > 0 && s.rejected.wrong_key == 0);
        network_key_drop(lacks, 1);
        network_key(lacks, 2);
        network_run(3000);
        CHECK(network_linked(lacks, other) && network_linked(lacks, third) && net.nodes[other].downs == 1);
        network_stop();
    }
}

/* A new node that has only the key that is to come finds those that have both. */
static void test_only_the_new_key(void)
{
    network_start(3, 40);
    network_boot(2, "lab", 2, 102);
    network_run(3000);
    CHECK(!net.nodes[2].ups);
    network_key(0, 2);
    network_run(20000);
    CHECK(network_linked(2, 0) && !net.nodes[2].session[1] && network_linked(0, 1));
    network_stop();
}

static void test_without_a_key(void)
{
    network_start(2, 41);
    network_boot(1, "lab", 0, 101);
    network_run(3000);
    CHECK(!net.nodes[0].ups);
    struct link_statistics s;
    link_statistics(net.nodes[1].l, &s);
    CHECK(s.frames_out == 0 && s.rejected.wrong_key == 0);
    network_key(1, 1);
    network_run(3000);
    CHECK(network_linked(0, 1));
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
    RUN(test_keys_renewed_by_time);
    RUN(test_keys_renewed_by_bytes);
    RUN(test_keys_do_not_grow_old);
    RUN(test_old_frames_after_a_renewal);
    RUN(test_a_hostile_carrier);
    RUN(test_key_changes_without_an_end);
    RUN(test_who_lacks_the_new_key);
    RUN(test_only_the_new_key);
    RUN(test_without_a_key);
    return 0;
}
