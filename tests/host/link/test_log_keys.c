/* The key of a log is proven, and who has not the one that its log is known by is turned away: although it holds the
 * cluster key, and whichever side begins. */
#include "network.h"

#define VICTIMS 2u

/* What the tables would say: the keys of the logs of nodes 0 and 1. */
static struct noise_pair pinned[VICTIMS];

static uint32_t vet(void *context, const struct seal_identity *identity, const uint8_t log_key[32])
{
    uint64_t which = identity->log_id[0] - 200;
    return which < VICTIMS && memcmp(pinned[which].public, log_key, 32) ? LINK_FALSE_LOG : 0;
}

/* Nodes 0 and 1, and what else there is, all of which vet; then everything is booted anew. */
static void start(uint32_t nodes, uint64_t seed)
{
    network_start(nodes, seed);
    net.vet = (struct link_vet){vet, NULL};
    memcpy(pinned, net.log_key, sizeof(pinned));
    for (uint32_t i = 0; i < nodes; i++)
        network_boot(i, "lab", 1, 100 + i);
    network_run(1500);
}

static uint64_t false_logs(uint32_t node)
{
    struct link_statistics s;
    link_statistics(net.nodes[node].l, &s);
    return s.rejected.false_log;
}

static void test_keys_are_shown(void)
{
    struct link_peer_view view;
    start(2, 1);
    CHECK(network_linked(0, 1));
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(link_peer(net.nodes[i].l, net.nodes[i].peer[1 - i], &view));
        CHECK(!memcmp(view.log_key, net.log_key[1 - i].public, 32));
        CHECK_EQUAL(false_logs(i), 0);
    }
    network_stop();
}

/* Node 2 says that it is the victim, with the victim's log. */
static void disguise(uint32_t victim)
{
    net.log_id[2] = net.log_id[victim];
    network_boot(2, "lab", 1, 100 + victim);
    net.cut[victim][2] = net.cut[2][victim] = true; /* else each would see that its node id is used twice */
}

/* With a key of its own: while the victim is there, and when it is away. The lower node id begins: once the liar, once
 * the other. */
static void test_another_key_is_refused(void)
{
    for (uint32_t victim = 0; victim < 2; victim++) {
        uint32_t other = 1 - victim;
        start(3, 2 + victim);
        disguise(victim);
        network_run(6000);
        CHECK(network_linked(0, 1) && net.nodes[other].downs <= 1); /* that with the honest node 2 */
        CHECK(victim || false_logs(other) > 0);                     /* else its hellos lead to the victim */
        net.cut[victim][other] = net.cut[other][victim] = true;
        uint64_t before = false_logs(other);
        uint32_t ups = net.nodes[other].ups;
        network_run(10000);
        CHECK(!net.nodes[other].session[victim] && net.nodes[other].ups == ups && !net.nodes[2].session[other]);
        CHECK(false_logs(other) > before && net.nodes[other].reasons >> LINK_FALSE_LOG & 1);
        net.cut[victim][other] = net.cut[other][victim] = false;
        network_run(5000);
        CHECK(network_linked(0, 1));
        network_stop();
    }
}

/* With the victim's public key, whose secret it has not: nothing comes of it. */
static void test_named_key_is_of_no_use(void)
{
    for (uint32_t victim = 0; victim < 2; victim++) {
        uint32_t other = 1 - victim;
        start(3, 4 + victim);
        memcpy(net.log_key[2].public, net.log_key[victim].public, 32);
        disguise(victim);
        net.cut[victim][other] = net.cut[other][victim] = true;
        network_run(4500);
        uint32_t ups = net.nodes[other].ups;
        network_run(15000);
        CHECK(!net.nodes[2].session[other] && net.nodes[other].ups == ups);
        net.cut[victim][other] = net.cut[other][victim] = false;
        network_run(8000);
        CHECK(network_linked(0, 1));
        network_stop();
    }
}

/* A first message to node 1 in the name of node 0, as anybody can make it who holds the cluster key. */
static uint32_t forge_first(uint64_t attempt, uint8_t frame[SEAL_FRAME_MAX])
{
    struct seal_cluster cluster;
    struct seal_identity identity = {.protocol = SEAL_PROTOCOL,
                                     .node_id = {100, 7},
                                     .log_id = {200, 8},
                                     .boot_id = {0, net.nodes[0].boot},
                                     .attempt = attempt,
                                     .name = "node"};
    struct noise_pair liar = net.log_key[2];
    struct noise h;
    uint8_t key[32], random[32], payload[SEAL_IDENTITY_BYTES + 28] = {0};
    uint32_t bytes = SEAL_HEADER_BYTES + SEAL_MESSAGE_BYTES + sizeof(payload);
    memset(key, 1, sizeof(key));
    seal_cluster_begin(&cluster, "lab");
    seal_secret_add(&cluster, key);
    memcpy(liar.public, pinned[0].public, 32);
    seal_handshake_begin(&h, &cluster.secrets[0].prepared, &liar, true);
    seal_identity_encode(&identity, payload);
    payload[SEAL_IDENTITY_BYTES] = 64; /* its number of the session; none is named that stands */
    payload[SEAL_IDENTITY_BYTES + 12] = 101;
    payload[SEAL_IDENTITY_BYTES + 20] = 7;
    random_fill(&net.random, random, sizeof(random));
    seal_first_write(&h, random, payload, sizeof(payload), frame + SEAL_HEADER_BYTES);
    seal_header_write(&cluster, (struct seal_header){SEAL_FIRST, 64, (uint16_t)cluster.secrets[0].id}, frame, bytes);
    return bytes;
}

/* Attempts are numbered so that old ones are known; a number that nobody has proven to be the node's own must not make
 * its next ones old for longer than a moment. */
static void test_forged_attempts_stop_nothing(void)
{
    struct link_statistics s, before;
    uint8_t frame[SEAL_FRAME_MAX];
    start(3, 6);
    net.renew_ms = 4000;
    for (uint32_t i = 0; i < 2; i++)
        network_boot(i, "lab", 1, 100 + i);
    network_run(5000);
    CHECK(network_linked(0, 1));
    uint32_t downs = net.nodes[1].downs;
    link_statistics(net.nodes[1].l, &before);
    network_inject(2, 1, frame, forge_first(UINT64_MAX, frame));
    network_run(100);
    link_statistics(net.nodes[1].l, &s);
    CHECK(!memcmp(&s.rejected, &before.rejected, sizeof(s.rejected))); /* it was taken for what it seems */
    network_run(40000);                                                /* keys live for 16 s at most */
    link_statistics(net.nodes[1].l, &s);
    CHECK(network_linked(0, 1) && net.nodes[1].downs == downs && s.renewals >= 5);
    network_stop();
}

/* Another log, another key: sessions begin anew, and the others see it. */
static void test_another_log(void)
{
    struct link_peer_view view;
    uint8_t secret[32];
    start(2, 7);
    random_fill(&net.random, secret, sizeof(secret));
    net.log_key[0] = noise_pair_of(secret);
    struct seal_identity self = {
        .node_id = {100, 7}, .log_id = {900, 8}, .boot_id = {0, net.nodes[0].boot}, .name = "node"};
    link_identify(net.nodes[0].l, &self, &net.log_key[0]);
    network_run(100);
    CHECK_EQUAL(net.nodes[0].downs, 1);
    network_run(6000);
    CHECK(network_linked(0, 1) && net.nodes[0].downs == 1 && net.nodes[1].downs == 1);
    CHECK(link_peer(net.nodes[1].l, net.nodes[1].peer[0], &view));
    CHECK(view.identity.log_id[0] == 900 && !memcmp(view.log_key, net.log_key[0].public, 32));
    self.name[0] = 'N'; /* the same log: nothing ends */
    link_identify(net.nodes[0].l, &self, &net.log_key[0]);
    network_run(6000);
    CHECK(net.nodes[0].downs == 1 && net.nodes[1].downs == 1);
    network_stop();
}

int main(void)
{
    RUN(test_keys_are_shown);
    RUN(test_another_key_is_refused);
    RUN(test_named_key_is_of_no_use);
    RUN(test_forged_attempts_stop_nothing);
    RUN(test_another_log);
    return 0;
}
