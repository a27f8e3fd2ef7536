#include "network.h"

struct network net;

static void *take(void *context, size_t bytes)
{
    ((struct node *)context)->memory += bytes;
    return malloc(bytes);
}

static void give(void *context, void *block, size_t bytes)
{
    ((struct node *)context)->memory -= bytes;
    free(block);
}

static bool entropy(void *context, uint8_t bytes[32])
{
    random_fill(&net.random, bytes, 32);
    return true;
}

void network_start(uint32_t nodes, uint64_t seed)
{
    memset(&net, 0, sizeof(net));
    net.random.state = seed;
    net.now_ns = 1000 * MS;
    net.node_count = nodes;
    net.renew_ms = 120000;
    net.renew_bytes = 1u << 30;
    net.transit = malloc(TRANSIT * sizeof(struct packet));
    for (uint32_t i = 0; i < nodes; i++) {
        uint8_t secret[32];
        memset(secret, (int)(101 + i), sizeof(secret));
        net.log_id[i] = 200 + i;
        net.log_key[i] = noise_pair_of(secret);
        network_boot(i, "lab", 1, 100 + i);
    }
}

void network_stop(void)
{
    for (uint32_t i = 0; i < net.node_count; i++) {
        if (net.nodes[i].l)
            link_close(net.nodes[i].l);
        CHECK_EQUAL(net.nodes[i].memory, 0);
    }
    free(net.transit);
}

static void make_key(uint8_t key_byte, uint8_t key[32])
{
    memset(key, key_byte, 32);
}

void network_key(uint32_t node, uint8_t key_byte)
{
    uint8_t key[32];
    make_key(key_byte, key);
    CHECK_EQUAL(link_key_add(net.nodes[node].l, key), E_OK);
}

void network_key_drop(uint32_t node, uint8_t key_byte)
{
    uint8_t key[32];
    make_key(key_byte, key);
    link_key_drop(net.nodes[node].l, net.now_ns, link_key_id(net.nodes[node].l, key));
}

void network_boot(uint32_t node, const char *cluster, uint8_t key_byte, uint64_t node_id)
{
    struct node *n = &net.nodes[node];
    if (n->l)
        link_close(n->l);
    void *message = n->message;
    uint64_t boot = n->boot + 1;
    memset(n, 0, sizeof(*n));
    n->index = node;
    n->boot = boot;
    n->message = message;
    struct link_config config = {
        .cluster_name = cluster,
        .self = {.node_id = {node_id, 7}, .log_id = {net.log_id[node], 8}, .boot_id = {node, boot}, .name = "node"},
        .log_key = net.log_key[node],
        .vet = net.vet,
        .memory = {take, give, n, 8u << 20},
        .entropy = {net.entropy ? entropy : NULL, n},
        .port = 7447,
        .silence_ns = 3000 * MS,
        .keepalive_ns = 500 * MS,
        .hello_ns = 1000 * MS,
        .renew_ns = net.renew_ms * MS,
        .renew_bytes = net.renew_bytes};
    random_fill(&net.random, config.random, sizeof(config.random));
    CHECK_EQUAL(link_open(&config, net.now_ns, &n->l), E_OK);
    if (key_byte)
        network_key(node, key_byte);
}

static void put_in_transit(const struct packet *p)
{
    if (net.transit_count == TRANSIT)
        return; /* a full queue loses */
    struct packet *copy = &net.transit[net.transit_count++];
    *copy = *p;
    copy->due_ns = net.now_ns + MS / 10 + random_below(&net.random, net.delay_ms * 1000 + 1) * 1000ull;
}

static void carry(struct packet *p)
{
    if (net.tap)
        net.tap(p);
    if (random_below(&net.random, 100) < net.loss_percent)
        return;
    put_in_transit(p);
    if (random_below(&net.random, 100) < net.double_percent)
        put_in_transit(p);
}

static struct link_address address_of(uint32_t node)
{
    return (struct link_address){1 + node, 7447};
}

void network_inject(uint32_t from, uint32_t to, const void *data, uint32_t bytes)
{
    struct packet p = {.from = from, .to = to, .bytes = bytes};
    memcpy(p.data, data, bytes);
    put_in_transit(&p);
}

static uint32_t node_of_peer(struct node *n, uint32_t peer)
{
    struct link_peer_view view;
    CHECK(link_peer(n->l, peer, &view));
    return (uint32_t)(view.identity.node_id[0] - 100);
}

static void take_events(struct node *n)
{
    struct link_event event;
    while (link_next_event(n->l, &event)) {
        if (event.kind == LINK_REFUSED) {
            n->refused++;
            n->reasons |= 1u << event.reason;
            continue;
        }
        uint32_t other = node_of_peer(n, event.peer);
        CHECK(other < NODES);
        if (event.kind == LINK_UP) {
            CHECK(!n->session[other]);
            n->session[other] = event.session;
            n->peer[other] = event.peer;
            n->ups++;
        } else if (event.kind == LINK_DOWN) {
            CHECK_EQUAL(n->session[other], event.session);
            n->session[other] = 0;
            n->last_down = event;
            n->downs++;
        } else if (n->message) {
            CHECK_EQUAL(n->session[other], event.session);
            n->message(n, other, &event);
        }
        link_event_done(n->l, &event);
    }
}

static void deliver(const struct packet *p)
{
    for (uint32_t to = 0; to < net.node_count; to++) {
        if (to == p->from || (p->to != NODES && p->to != to) || net.cut[p->from][to] || !net.nodes[to].l)
            continue;
        uint8_t *exact = malloc(p->bytes); /* so that reading beyond it is seen */
        memcpy(exact, p->data, p->bytes);
        link_input(net.nodes[to].l, net.now_ns, address_of(p->from), exact, p->bytes);
        free(exact);
        take_events(&net.nodes[to]);
    }
}

static void deliver_due(void)
{
    for (uint32_t i = 0; i < net.transit_count;) {
        struct packet p = net.transit[i];
        if (p.due_ns > net.now_ns) {
            i++;
            continue;
        }
        net.transit[i] = net.transit[--net.transit_count];
        deliver(&p);
    }
}

static void send_all(struct node *n)
{
    struct packet p = {.from = n->index};
    struct link_address to;
    uint32_t count = 0;
    while ((p.bytes = (uint32_t)link_output(n->l, net.now_ns, &to, p.data))) {
        CHECK(p.bytes <= SEAL_FRAME_MAX && ++count < 5000); /* it comes to an end */
        p.to = to.ipv4 == LINK_BROADCAST ? NODES : to.ipv4 - 1;
        CHECK(p.to == NODES || p.to < net.node_count);
        carry(&p);
    }
    take_events(n);
    CHECK(link_deadline(n->l) > net.now_ns);
}

void network_run(uint64_t ms)
{
    uint64_t end = net.now_ns + ms * MS;
    while (net.now_ns < end) {
        uint64_t next = end;
        for (uint32_t i = 0; i < net.node_count; i++) {
            if (!net.nodes[i].l)
                continue;
            send_all(&net.nodes[i]);
            uint64_t due = link_deadline(net.nodes[i].l);
            next = due < next ? due : next;
        }
        for (uint32_t i = 0; i < net.transit_count; i++)
            next = net.transit[i].due_ns < next ? net.transit[i].due_ns : next;
        net.now_ns = next > net.now_ns ? next : net.now_ns + 1;
        deliver_due();
    }
}

bool network_linked(uint32_t a, uint32_t b)
{
    return net.nodes[a].session[b] && net.nodes[b].session[a];
}

err_t network_send(uint32_t from, uint32_t to, uint32_t channel, const void *data, size_t bytes, uint32_t *number)
{
    struct node *n = &net.nodes[from];
    size_t half = bytes / 2;
    return link_send(n->l, n->peer[to], n->session[to], channel, data, half, (const uint8_t *)data + half, bytes - half,
                     number);
}
