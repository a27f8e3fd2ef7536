/* The handshake, sealed packets in any order, and telling strangers from damage. */
#include <base/crc32c.h>
#include <seal/frame.h>
#include <seal/transport.h>
#include <test/check.h>
#include <test/random.h>

static struct random random_source = {3};

static struct noise_pair make_pair(void)
{
    uint8_t secret[32];
    random_fill(&random_source, secret, sizeof(secret));
    return noise_pair_of(secret);
}

static void begin_as(struct noise *h, const char *prologue, uint8_t key_byte, const struct noise_pair *own, bool begins)
{
    uint8_t key[32];
    struct noise prepared;
    memset(key, key_byte, sizeof(key));
    seal_handshake_prepare(&prepared, prologue, strlen(prologue), key);
    seal_handshake_begin(h, &prepared, own, begins);
}

static void begin(struct noise *h, const char *prologue, uint8_t key_byte, bool begins)
{
    struct noise_pair own = make_pair();
    begin_as(h, prologue, key_byte, &own, begins);
}

static const uint8_t *fresh(void)
{
    static uint8_t bytes[32];
    random_fill(&random_source, bytes, sizeof(bytes));
    return bytes;
}

#define MESSAGE (SEAL_MESSAGE_BYTES + 5)

static void make_sessions(struct seal_session *a, struct seal_session *b)
{
    struct noise first, second;
    struct seal_keys keys_a, keys_b;
    struct noise_pair of_first = make_pair(), of_second = make_pair();
    uint8_t one[MESSAGE], two[MESSAGE], payload[5], peer[32];
    begin_as(&first, "lab", 1, &of_first, true);
    begin_as(&second, "lab", 1, &of_second, false);
    seal_first_write(&first, fresh(), "first", 5, one);
    CHECK_EQUAL(seal_first_read(&second, one, sizeof(one), payload), E_OK);
    CHECK(!memcmp(payload, "first", 5) && !memcmp(second.peer, of_first.public, 32));
    CHECK_EQUAL(seal_second_write(&second, fresh(), "reply", 5, two, &keys_b), E_OK);
    two[40] ^= 1; /* a forged answer does not end the attempt */
    CHECK_EQUAL(seal_second_read(&first, two, sizeof(two), payload, peer, &keys_a), E_ACCESS);
    two[40] ^= 1;
    CHECK_EQUAL(seal_second_read(&first, two, sizeof(two), payload, peer, &keys_a), E_OK);
    CHECK(!memcmp(payload, "reply", 5) && !memcmp(peer, of_second.public, 32));
    CHECK(!memcmp(keys_a.send, keys_b.receive, 32) && !memcmp(keys_a.receive, keys_b.send, 32));
    CHECK(memcmp(keys_a.send, keys_a.receive, 32));
    seal_session_begin(a, &keys_a);
    seal_session_begin(b, &keys_b);
}

static void test_handshake_binds(void)
{
    static const struct {
        const char *prologue;
        uint8_t key;
        err_t err;
    } cases[] = {{"lab", 1, E_OK}, {"lab", 2, E_ACCESS}, {"home", 1, E_ACCESS}};
    for (size_t i = 0; i < 3; i++) {
        struct noise first, second;
        uint8_t one[MESSAGE], payload[5];
        begin(&first, "lab", 1, true);
        begin(&second, cases[i].prologue, cases[i].key, false);
        seal_first_write(&first, fresh(), "hello", 5, one);
        CHECK_EQUAL(seal_first_read(&second, one, sizeof(one), payload), cases[i].err);
    }
}

/* Who holds the cluster key and names the log key of another comes to no keys: as the answerer the beginner refuses it,
 * as the beginner it gets keys that are not the other side's. */
static void test_named_key_must_be_had(void)
{
    struct noise_pair victim = make_pair(), liar = make_pair();
    struct noise first, second;
    struct seal_keys keys_a, keys_b;
    uint8_t one[MESSAGE], two[MESSAGE], payload[5], peer[32];
    memcpy(liar.public, victim.public, 32);
    begin(&first, "lab", 1, true);
    begin_as(&second, "lab", 1, &liar, false);
    seal_first_write(&first, fresh(), "first", 5, one);
    CHECK_EQUAL(seal_first_read(&second, one, sizeof(one), payload), E_OK);
    CHECK_EQUAL(seal_second_write(&second, fresh(), "reply", 5, two, &keys_b), E_OK);
    CHECK_EQUAL(seal_second_read(&first, two, sizeof(two), payload, peer, &keys_a), E_ACCESS);

    begin_as(&first, "lab", 1, &liar, true);
    begin(&second, "lab", 1, false);
    seal_first_write(&first, fresh(), "first", 5, one);
    CHECK_EQUAL(seal_first_read(&second, one, sizeof(one), payload), E_OK);
    CHECK(!memcmp(second.peer, victim.public, 32)); /* named, not proven */
    CHECK_EQUAL(seal_second_write(&second, fresh(), "reply", 5, two, &keys_b), E_OK);
    CHECK_EQUAL(seal_second_read(&first, two, sizeof(two), payload, peer, &keys_a), E_ACCESS);
}

static void test_handshake_keys_are_fresh(void)
{
    struct seal_session a, b, c, d;
    make_sessions(&a, &b);
    make_sessions(&c, &d);
    CHECK(memcmp(a.send_key, c.send_key, 32));
}

static void test_identity(void)
{
    struct seal_identity identity = {.protocol = SEAL_PROTOCOL,
                                     .node_id = {1, 2},
                                     .boot_id = {3, 4},
                                     .attempt = 5,
                                     .name = "node1"},
                         back;
    uint8_t bytes[SEAL_IDENTITY_BYTES];
    seal_identity_encode(&identity, bytes);
    CHECK_EQUAL(seal_identity_decode(bytes, &back), E_OK);
    CHECK(!memcmp(&identity, &back, sizeof(back)));
    identity.protocol++;
    seal_identity_encode(&identity, bytes);
    CHECK_EQUAL(seal_identity_decode(bytes, &back), E_BAD_MESSAGE);
}

struct packet {
    uint64_t counter, number;
    uint8_t sealed[8 + SEAL_TAG_BYTES];
};

static struct packet make_packet(struct seal_session *s, uint64_t number)
{
    struct packet p = {.number = number};
    memcpy(p.sealed, &number, 8);
    p.counter = seal_send(s, "bound", 5, p.sealed, 8);
    return p;
}

static err_t take_packet(struct seal_session *s, struct packet p)
{
    err_t err = seal_receive(s, p.counter, "bound", 5, p.sealed, 8);
    CHECK(err || !memcmp(p.sealed, &p.number, 8));
    return err;
}

/* Held back, repeated, changed at random: each arrives once, over several changes of key. */
static void test_packets_any_order(void)
{
    enum { HELD = 300 };
    static struct packet held[HELD];
    struct seal_session a, b;
    uint64_t sent = 0, received = 0;
    make_sessions(&a, &b);
    for (int i = 0; i < HELD; i++)
        held[i] = make_packet(&a, sent++);
    while (sent < 3 * SEAL_REKEY_PACKETS + 500) {
        struct packet *p = &held[random_below(&random_source, HELD)];
        if (b.receive_newest > p->counter && b.receive_newest - p->counter > SEAL_WINDOW) {
            CHECK_EQUAL(take_packet(&b, *p), E_EXISTS); /* too late */
        } else {
            struct packet changed = *p;
            changed.sealed[random_below(&random_source, sizeof(changed.sealed))] ^= 4;
            CHECK_EQUAL(take_packet(&b, changed), E_ACCESS);
            CHECK_EQUAL(take_packet(&b, *p), E_OK);
            CHECK_EQUAL(take_packet(&b, *p), E_EXISTS);
            received++;
        }
        *p = make_packet(&a, sent++);
    }
    CHECK(received > sent * 9 / 10);
    CHECK(memcmp(a.send_key, b.send_key, 32));
}

static void test_counters_far_ahead(void)
{
    struct seal_session a, b;
    make_sessions(&a, &b);
    struct packet p = make_packet(&a, 1);
    p.counter = UINT64_MAX;
    CHECK_EQUAL(take_packet(&b, p), E_ACCESS);
    p.counter = 10 * SEAL_REKEY_PACKETS;
    CHECK_EQUAL(take_packet(&b, p), E_ACCESS);
    p.counter = 0;
    CHECK_EQUAL(take_packet(&b, p), E_OK);
}

static void make_cluster(struct seal_cluster *c, const char *name, uint8_t key_byte)
{
    uint8_t key[32];
    memset(key, key_byte, sizeof(key));
    seal_cluster_begin(c, name);
    seal_secret_add(c, key);
}

static void test_strangers_and_damage(void)
{
    struct seal_cluster ours, wrong_key, foreign;
    struct seal_identity identity = {.protocol = SEAL_PROTOCOL, .node_id = {9, 9}, .name = "n"}, back;
    struct seal_counters counters = {0};
    struct seal_header header;
    const struct seal_secret *secret;
    uint8_t frame[SEAL_HELLO_BYTES], fresh[32] = {1};
    make_cluster(&ours, "lab", 1);
    make_cluster(&wrong_key, "lab", 2);
    make_cluster(&foreign, "home", 1);
    seal_hello_write(&ours, &ours.secrets[0], &identity, fresh, frame);
    CHECK(seal_header_read(&ours, frame, sizeof(frame), &header, &counters));
    CHECK_EQUAL(header.kind, SEAL_HELLO);
    CHECK_EQUAL(seal_hello_read(&ours, &header, frame, sizeof(frame), &secret, &back), E_OK);
    CHECK(secret == &ours.secrets[0]);
    CHECK_EQUAL(back.node_id[0], 9);
    CHECK(seal_header_read(&wrong_key, frame, sizeof(frame), &header, &counters));
    CHECK_EQUAL(seal_hello_read(&wrong_key, &header, frame, sizeof(frame), &secret, &back), E_ACCESS);
    CHECK(!seal_header_read(&foreign, frame, sizeof(frame), &header, &counters));
    CHECK(counters.foreign == 1 && counters.damaged == 0);
    for (size_t bit = 0; bit < sizeof(frame) * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!seal_header_read(&ours, frame, sizeof(frame), &header, &counters));
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_EQUAL(counters.damaged, sizeof(frame) * 8);
    for (size_t bytes = 0; bytes < sizeof(frame); bytes++)
        CHECK(!seal_header_read(&ours, frame, bytes, &header, &counters));
}

/* Right by its checksum, and still not ours: too long, of another version, with a reserved field in use. */
static void test_frames_of_another_form(void)
{
    struct seal_cluster ours;
    struct seal_counters counters = {0};
    struct seal_header header = {SEAL_DATA, 5, 0};
    static uint8_t frame[SEAL_FRAME_MAX + 1];
    make_cluster(&ours, "lab", 1);
    seal_header_write(&ours, header, frame, SEAL_FRAME_MAX + 1);
    CHECK(!seal_header_read(&ours, frame, SEAL_FRAME_MAX + 1, &header, &counters));
    CHECK_EQUAL(counters.damaged, 1);
    for (size_t at = 1; at < 4; at++) {
        header = (struct seal_header){SEAL_DATA, 5, 0};
        seal_header_write(&ours, header, frame, 100);
        frame[at]++;
        memset(frame + SEAL_HEADER_BYTES - 4, 0, 4);
        uint32_t crc = crc32c(0, frame, 100);
        memcpy(frame + SEAL_HEADER_BYTES - 4, &crc, 4);
        CHECK(!seal_header_read(&ours, frame, 100, &header, &counters));
    }
    CHECK(counters.foreign == 3 && counters.damaged == 1);
}

static void test_handshakes_cut_short(void)
{
    struct noise first, second;
    struct seal_keys keys;
    uint8_t one[MESSAGE], payload[SEAL_PAYLOAD_MAX] = {0}, peer[32];
    begin(&first, "lab", 1, true);
    begin(&second, "lab", 1, false);
    seal_first_write(&first, fresh(), "first", 5, one);
    CHECK_EQUAL(seal_first_read(&second, one, SEAL_MESSAGE_BYTES - 1, payload), E_BAD_MESSAGE);
    CHECK_EQUAL(seal_second_read(&first, one, SEAL_MESSAGE_BYTES - 1, payload, peer, &keys), E_BAD_MESSAGE);
    static uint8_t much[SEAL_MESSAGE_BYTES + SEAL_PAYLOAD_MAX + 1], more[sizeof(much)];
    CHECK_EQUAL(seal_first_read(&second, much, sizeof(much), more), E_BAD_MESSAGE);
    CHECK_EQUAL(seal_second_read(&first, one, sizeof(one), payload, peer, &keys), E_ACCESS);
}

/* A key that makes the shared secret the same for everybody is no key, be it the ephemeral one or the log's. */
static void test_keys_of_small_order(void)
{
    for (int log = 0; log < 2; log++) {
        struct noise first, answerer;
        struct noise_pair own = make_pair();
        struct seal_keys keys;
        uint8_t one[MESSAGE], two[MESSAGE], payload[5], secret[32];
        if (log)
            memset(own.public, 0, 32);
        begin_as(&first, "lab", 1, &own, true);
        begin(&answerer, "lab", 1, false);
        memcpy(secret, fresh(), 32);
        seal_first_write(&first, secret, "first", 5, one);
        CHECK_EQUAL(seal_first_read(&answerer, one, sizeof(one), payload), E_OK);
        if (!log)
            memset(answerer.peer_ephemeral, 0, 32); /* a sealed zero would take a forger with the cluster key */
        CHECK_EQUAL(seal_second_write(&answerer, fresh(), "reply", 5, two, &keys), E_ACCESS);
    }
}

/* A key that was given up still tells whose hello it is, and nothing more. */
static void test_hellos_of_old_keys(void)
{
    struct seal_cluster ours, theirs;
    struct seal_identity identity = {.protocol = SEAL_PROTOCOL, .node_id = {9, 9}, .name = "n"}, back;
    struct seal_counters counters = {0};
    struct seal_header header;
    const struct seal_secret *secret;
    uint8_t frame[SEAL_HELLO_BYTES], fresh[32] = {1}, key[32];
    memset(key, 7, sizeof(key));
    make_cluster(&ours, "lab", 1);
    make_cluster(&theirs, "lab", 7);
    seal_hello_write(&theirs, &theirs.secrets[0], &identity, fresh, frame);
    CHECK(seal_header_read(&ours, frame, sizeof(frame), &header, &counters));
    CHECK_EQUAL(seal_hello_read(&ours, &header, frame, sizeof(frame), &secret, &back), E_ACCESS);
    seal_secret_drop(&ours, seal_key_id(&ours, key)); /* it never had it */
    CHECK_EQUAL(seal_hello_read(&ours, &header, frame, sizeof(frame), &secret, &back), E_ACCESS);
    seal_secret_old(&ours, key);
    CHECK_EQUAL(seal_hello_read(&ours, &header, frame, sizeof(frame), &secret, &back), E_OK);
    CHECK(secret == &ours.old && seal_secret_find(&ours, secret->id) == NULL);
    frame[SEAL_HEADER_BYTES + 40] ^= 1; /* forged under the right key's number */
    CHECK_EQUAL(seal_hello_read(&ours, &header, frame, sizeof(frame), &secret, &back), E_ACCESS);
}

static void test_jump_beyond_the_window(void)
{
    struct seal_session a, b;
    make_sessions(&a, &b);
    struct packet old = make_packet(&a, 1), newest = old;
    for (uint32_t i = 0; i < 2 * SEAL_WINDOW; i++)
        newest = make_packet(&a, 2 + i);
    CHECK_EQUAL(take_packet(&b, newest), E_OK);
    CHECK_EQUAL(take_packet(&b, newest), E_EXISTS);
    CHECK_EQUAL(take_packet(&b, old), E_EXISTS); /* too old to tell */
    seal_session_end(&b);
    static const struct seal_session wiped;
    CHECK(!memcmp(&b, &wiped, sizeof(b)));
}

static void test_names_that_do_not_end(void)
{
    struct seal_identity identity = {.protocol = SEAL_PROTOCOL}, back;
    uint8_t bytes[SEAL_IDENTITY_BYTES];
    memset(identity.name, 'x', sizeof(identity.name));
    seal_identity_encode(&identity, bytes);
    CHECK_EQUAL(seal_identity_decode(bytes, &back), E_BAD_MESSAGE);
}

int main(void)
{
    RUN(test_handshake_binds);
    RUN(test_named_key_must_be_had);
    RUN(test_handshake_keys_are_fresh);
    RUN(test_identity);
    RUN(test_packets_any_order);
    RUN(test_counters_far_ahead);
    RUN(test_strangers_and_damage);
    RUN(test_frames_of_another_form);
    RUN(test_handshakes_cut_short);
    RUN(test_keys_of_small_order);
    RUN(test_hellos_of_old_keys);
    RUN(test_jump_beyond_the_window);
    RUN(test_names_that_do_not_end);
    return 0;
}
