/* The call channel's messages: every kind survives the trip, every prefix is refused, and no bytes bring the decoder
 * outside its input (the sanitizers watch). */
#include "remote_wire.h"

#include <test/check.h>
#include <test/random.h>

static uint8_t inline_bytes[IPC_BYTES_MAX], lent_bytes[IPC_LENT_MAX];
static uint8_t wire[IPC_LENT_MAX + IPC_BYTES_MAX + 512];

static struct remote_message example(uint8_t kind)
{
    struct remote_message m = {.kind = kind, .call = 7, .target = 0x1234567890ull, .time_left_ns = 99};
    m.bits = 0x8000000000000001ull;
    m.count = 3;
    if (kind == REMOTE_FIND)
        strcpy(m.name, "process");
    if (kind == REMOTE_CALL || kind == REMOTE_ANSWER || kind == REMOTE_REPLY) {
        m.tag = TAG(0x0301, 6, 3, 100);
        for (uint32_t i = 0; i < IPC_WORDS_MAX; i++)
            m.words[i] = 1000 + i;
        m.handles[0] =
            (struct remote_handle){.whose = REMOTE_YOURS, .type = OBJECT_ENDPOINT, .rights = RIGHT_CALL, .index = 17};
        m.handles[1] = (struct remote_handle){.whose = REMOTE_MINE, .type = OBJECT_REPLY, .rights = 0, .index = 18};
        m.handles[2] =
            (struct remote_handle){REMOTE_SERVICE, OBJECT_ENDPOINT, RIGHT_CALL, 0, {CLUSTER_MAY_READ, 4, "app/"}};
        m.bytes = inline_bytes;
    }
    if (kind == REMOTE_CALL) {
        m.tag |= TAG_LENT;
        m.lent_direction = IPC_LEND_IN | IPC_LEND_OUT;
        m.lent_length = 5000;
        m.tag |= TAG_FENCED;
        m.fence = (struct ipc_fence){{11, 12}, 13, 1};
    }
    if (kind == REMOTE_CALL || kind == REMOTE_ANSWER) {
        m.data_offset = 10;
        m.data_bytes = 4000;
        m.data = lent_bytes;
    }
    if (kind == REMOTE_FOUND)
        m.handles[0] = (struct remote_handle){
            .whose = REMOTE_MINE, .type = OBJECT_ENDPOINT, .rights = RIGHT_CALL | RIGHT_DUP, .index = 9};
    return m;
}

static void check_same(const struct remote_message *a, const struct remote_message *b)
{
    CHECK_EQUAL(b->kind, a->kind);
    if (a->kind != REMOTE_SIGNAL && a->kind != REMOTE_RELEASE && a->kind != REMOTE_REPLY)
        CHECK_EQUAL(b->call, a->call);
    if (a->kind == REMOTE_CALL || a->kind == REMOTE_SIGNAL || a->kind == REMOTE_RELEASE || a->kind == REMOTE_REPLY)
        CHECK_EQUAL(b->target, a->target);
    if (a->kind == REMOTE_SIGNAL)
        CHECK_EQUAL(b->bits, a->bits);
    if (a->kind == REMOTE_RELEASE)
        CHECK_EQUAL(b->count, a->count);
    if (a->kind == REMOTE_FIND)
        CHECK_STRING(b->name, a->name);
    CHECK_EQUAL(b->tag, a->tag);
    CHECK(memcmp(&b->fence, &a->fence, sizeof a->fence) == 0);
    for (uint32_t i = 0; i < TAG_WORDS(a->tag); i++)
        CHECK_EQUAL(b->words[i], a->words[i]);
    for (uint32_t i = 0; i < TAG_HANDLES(a->tag); i++) {
        CHECK_EQUAL(b->handles[i].whose, a->handles[i].whose);
        CHECK(permissions_equal(&b->handles[i].permitted, &a->handles[i].permitted));
        CHECK_EQUAL(b->handles[i].type, a->handles[i].type);
        CHECK_EQUAL(b->handles[i].rights, a->handles[i].rights);
        CHECK_EQUAL(b->handles[i].index, a->handles[i].index);
    }
    if (TAG_BYTES(a->tag))
        CHECK(memcmp(a->bytes, b->bytes, TAG_BYTES(a->tag)) == 0);
    CHECK_EQUAL(b->data_bytes, a->data_bytes);
    if (a->data_bytes) {
        CHECK_EQUAL(b->data_offset, a->data_offset);
        CHECK(memcmp(a->data, b->data, a->data_bytes) == 0);
    }
}

static void test_round_trip(void)
{
    for (uint8_t kind = REMOTE_CALL; kind <= REMOTE_REPLY; kind++) {
        struct remote_message m = example(kind), back;
        size_t bytes = remote_encode(&m, wire, sizeof wire);
        CHECK(bytes > 0);
        const char *wrong = remote_decode(wire, bytes, &back);
        if (wrong)
            fprintf(stderr, "kind %u: %s\n", kind, wrong);
        CHECK(wrong == NULL);
        check_same(&m, &back);
    }
}

static void test_prefixes_and_tails_are_refused(void)
{
    for (uint8_t kind = REMOTE_CALL; kind <= REMOTE_REPLY; kind++) {
        struct remote_message m = example(kind), back;
        size_t bytes = remote_encode(&m, wire, sizeof wire);
        for (size_t n = 0; n < bytes; n++) {
            uint8_t *cut = malloc(n ? n : 1); /* of its exact size, so that one byte too far is noticed */
            memcpy(cut, wire, n);
            CHECK(remote_decode(cut, n, &back) != NULL);
            free(cut);
        }
        wire[bytes] = 0;
        CHECK_STRING(remote_decode(wire, bytes + 1, &back), "it has bytes left over");
        for (size_t room = 0; room < bytes; room += 1 + room / 8)
            CHECK_EQUAL(remote_encode(&m, wire, room), 0);
    }
}

static void refused(struct remote_message m, const char *why)
{
    struct remote_message back;
    size_t bytes = remote_encode(&m, wire, sizeof wire);
    CHECK(bytes > 0);
    const char *wrong = remote_decode(wire, bytes, &back);
    CHECK(wrong != NULL);
    CHECK_STRING(wrong, why);
}

static void test_impossible_permissions_are_refused(void)
{
    struct remote_message m = example(REMOTE_CALL);
    m.handles[2].permitted.classes = CLUSTER_MAY_ALL + 1;
    refused(m, "its permissions are impossible");
    m = example(REMOTE_CALL);
    m.handles[2].permitted.prefix[1] = 0;
    refused(m, "its permissions are impossible");
    m = example(REMOTE_CALL);
    m.handles[2].type = OBJECT_NOTIFICATION;
    refused(m, "the service is no endpoint");
    m = example(REMOTE_CALL);
    m.handles[1].whose = REMOTE_SERVICE + 1;
    refused(m, "a handle is neither mine nor yours nor of the service");
}

static void test_refusals(void)
{
    struct remote_message m = example(REMOTE_CALL);
    m.tag |= TAG_REMOTE;
    refused(m, "the tag has unknown bits");
    m = example(REMOTE_CALL);
    m.handles[1].type = OBJECT_MEMORY;
    refused(m, "a handle is of a type that stays on its node");
    m = example(REMOTE_CALL);
    m.lent_length = IPC_LENT_MAX + 1;
    refused(m, "the lent range is impossible");
    m = example(REMOTE_CALL);
    m.lent_direction = 4;
    refused(m, "the lent range is impossible");
    m = example(REMOTE_CALL);
    m.tag &= ~(uint64_t)TAG_LENT;
    refused(m, "the tag and the lent range disagree");
    m = example(REMOTE_CALL);
    m.data_offset = 2000;
    refused(m, "the data lies outside the lent range");
    m = example(REMOTE_ANSWER);
    m.outcome = E_GONE;
    refused(m, "a failed call has no answer");
    m = example(REMOTE_RELEASE);
    m.count = 0;
    refused(m, "nothing is released");
    m = example(REMOTE_FIND);
    m.name[0] = 0;
    refused(m, "a name is empty or too long");
}

static void test_noise(void)
{
    struct random r = {42};
    struct remote_message m, back;
    uint32_t accepted = 0;
    for (uint32_t round = 0; round < 200000; round++) {
        m = example((uint8_t)(REMOTE_CALL + random_next(&r) % 8));
        m.data_bytes = 0;
        size_t bytes = remote_encode(&m, wire, sizeof wire);
        for (uint32_t flips = (uint32_t)(random_next(&r) % 4); flips > 0; flips--)
            wire[random_next(&r) % bytes] ^= (uint8_t)(1u << random_next(&r) % 8);
        if (remote_decode(wire, bytes, &back) != NULL)
            continue;
        accepted++;
        CHECK(TAG_WORDS(back.tag) <= IPC_WORDS_MAX && TAG_HANDLES(back.tag) <= IPC_HANDLES_MAX);
        CHECK(back.lent_length <= IPC_LENT_MAX && back.data_offset + back.data_bytes <= IPC_LENT_MAX);
        uint8_t again[8192];
        CHECK_EQUAL(remote_encode(&back, again, sizeof again), bytes); /* a message has one encoding */
    }
    CHECK(accepted > 1000);
}

int main(void)
{
    for (size_t i = 0; i < sizeof lent_bytes; i++)
        lent_bytes[i] = inline_bytes[i % IPC_BYTES_MAX] = (uint8_t)(i * 31);
    RUN(test_round_trip);
    RUN(test_prefixes_and_tails_are_refused);
    RUN(test_impossible_permissions_are_refused);
    RUN(test_refusals);
    RUN(test_noise);
    return 0;
}
