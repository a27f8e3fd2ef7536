/* The generated codecs: what is written is read back, and nothing that is malformed is taken. */
#include <idl/sample_codec.h>
#include <stdlib.h>
#include <string.h>
#include <test/check.h>

struct buffer {
    uint8_t bytes[IPC_BYTES_MAX];
    handle_t handles[IPC_HANDLES_MAX];
    struct msg m;
};

static struct buffer *buffer_new(void)
{
    struct buffer *b = calloc(1, sizeof *b);
    b->m.bytes = b->bytes;
    b->m.handles = b->handles;
    return b;
}

static struct sample_all_in example(void)
{
    return (struct sample_all_in){.a = 1,
                                  .b = UINT64_MAX,
                                  .c = -5,
                                  .d = true,
                                  .e = 5,
                                  .f = 6,
                                  .g = 7,
                                  .h = UINT32_MAX,
                                  .name = "fifteen letters",
                                  .name_length = 15,
                                  .data = "0123456789",
                                  .data_length = 10,
                                  .first = 77,
                                  .second = 78,
                                  .source_memory = 9,
                                  .source_offset = 4096,
                                  .source_length = 100};
}

static void test_round_trip(void)
{
    struct buffer *b = buffer_new();
    struct sample_all_in in = example(), got;
    CHECK(sample_all_in_encode(&in, &b->m) == E_OK);
    CHECK(TAG_OP(b->m.tag) == SAMPLE_OP_ALL && TAG_WORDS(b->m.tag) == 6 && TAG_HANDLES(b->m.tag) == 2);
    CHECK(TAG_BYTES(b->m.tag) == 2 * 8 + 8 + 16 + 8 + 16 && (b->m.tag & TAG_LENT));
    CHECK(sample_all_in_decode(&b->m, &got) == E_OK);
    CHECK(got.a == 1 && got.b == UINT64_MAX && got.c == -5 && got.d && got.g == 7 && got.h == UINT32_MAX);
    CHECK(got.name_length == 15 && strcmp(got.name, "fifteen letters") == 0);
    CHECK(got.data_length == 10 && memcmp(got.data, "0123456789", 10) == 0);
    CHECK(got.first == 77 && got.second == 78 && got.source_length == 100 && got.source_memory == HANDLE_NONE);
    in.second = HANDLE_NONE;
    in.name = NULL, in.name_length = 0;
    CHECK(sample_all_in_encode(&in, &b->m) == E_OK && sample_all_in_decode(&b->m, &got) == E_OK);
    CHECK(got.second == HANDLE_NONE && got.name_length == 0 && got.name[0] == 0);
    free(b);
}

static void test_limits(void)
{
    struct buffer *b = buffer_new();
    struct sample_all_in in = example();
    in.name_length = 16;
    CHECK(sample_all_in_encode(&in, &b->m) == E_TOO_LONG);
    in = example(), in.data_length = 65;
    CHECK(sample_all_in_encode(&in, &b->m) == E_TOO_LONG);
    in = example(), in.first = HANDLE_NONE;
    CHECK(sample_all_in_encode(&in, &b->m) == E_TOO_LONG);
    in = example(), in.source_length = IPC_LENT_MAX + 1;
    CHECK(sample_all_in_encode(&in, &b->m) == E_TOO_LONG);
    struct sample_all_out out = {.count = 3, .text = "12345678", .text_length = 8, .more = "", .made = 5};
    CHECK(sample_all_out_encode(&out, &b->m) == E_OK && TAG_OP(b->m.tag) == E_OK);
    free(b);
}

/* Changes one thing of a good message and expects a refusal. */
#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        struct buffer *b = buffer_new();                                                                               \
        struct sample_all_in in = example(), got;                                                                      \
        sample_all_in_encode(&in, &b->m);                                                                              \
        struct msg *m = &b->m;                                                                                         \
        change;                                                                                                        \
        CHECK(sample_all_in_decode(m, &got) == E_BAD_MESSAGE);                                                         \
        free(b);                                                                                                       \
    } while (0)

static void put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, 8);
}

static void test_malformed(void)
{
    const uint64_t one_word = 1ull << 24, one_handle = 1ull << 28, eight_bytes = 8ull << 32;
    REFUSED(m->tag -= one_word);
    REFUSED(m->tag += one_word);
    REFUSED(m->tag += one_handle);
    REFUSED(m->tag -= 2 * one_handle);
    REFUSED(m->tag += eight_bytes);
    REFUSED(m->tag -= eight_bytes);
    REFUSED(m->tag += 1ull << 32); /* bytes are whole words */
    REFUSED(m->tag &= ~(uint64_t)TAG_LENT);
    REFUSED(m->lent_direction = IPC_LEND_OUT);
    REFUSED(m->lent_length = IPC_LENT_MAX + 1);
    REFUSED(m->words[0] = 1ull << 32); /* a u32 */
    REFUSED(m->words[3] = 2);          /* a bool */
    REFUSED(m->handles[0] = HANDLE_NONE);
    REFUSED(put_u64(m->bytes + 16, 16));             /* longer than name can be */
    REFUSED(put_u64(m->bytes + 16, UINT64_MAX - 3)); /* would wrap around */
    REFUSED(put_u64(m->bytes + 16, 7));              /* what follows is then no length */
    REFUSED(m->bytes[24 + 3] = 0);                   /* a zero inside of a string */
    REFUSED(m->bytes[24 + 15] = 'x');                /* no zero at its end */
    REFUSED(m->bytes[48 + 10] = 1);                  /* padding is zero */
}

static void test_empty(void)
{
    struct buffer *b = buffer_new();
    struct sample_nothing_in in = {0};
    struct sample_fill_in fill = {.target_memory = 3, .target_length = 10}, got;
    CHECK(sample_nothing_in_encode(&in, &b->m) == E_OK && b->m.tag == SAMPLE_OP_NOTHING);
    CHECK(sample_nothing_in_decode(&b->m, &in) == E_OK);
    b->m.tag |= TAG_LENT;
    CHECK(sample_nothing_in_decode(&b->m, &in) == E_BAD_MESSAGE);
    CHECK(sample_fill_in_encode(&fill, &b->m) == E_OK && b->m.lent_direction == IPC_LEND_OUT);
    CHECK(sample_fill_in_decode(&b->m, &got) == E_OK && got.target_length == 10);
    free(b);
}

/* Any bytes at all: either refused, or what was read is written back as the same message. */
static void test_any(void)
{
    struct buffer *b = buffer_new(), *again = buffer_new();
    uint64_t seed = 1, taken = 0;
    for (int round = 0; round < 200000; round++) {
        struct sample_all_in in = example(), got;
        sample_all_in_encode(&in, &b->m);
        for (int changes = 0; changes <= round % 3; changes++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            uint32_t pick = (uint32_t)(seed >> 33);
            if (pick % 4 == 0)
                b->m.tag ^= 1ull << (pick / 4 % 48);
            else if (pick % 4 == 1)
                b->m.words[pick / 4 % 6] = seed >> (pick % 64);
            else
                b->bytes[pick / 4 % 72] = (uint8_t)(seed >> 56);
        }
        if (sample_all_in_decode(&b->m, &got) != E_OK)
            continue;
        taken++;
        got.source_memory = 1;
        CHECK(sample_all_in_encode(&got, &again->m) == E_OK);
        CHECK(memcmp(b->m.words, again->m.words, sizeof b->m.words) == 0);
        CHECK(memcmp(b->bytes, again->bytes, TAG_BYTES(b->m.tag)) == 0);
    }
    CHECK(taken > 1000); /* the test reaches both ways */
    free(b), free(again);
}

int main(void)
{
    RUN(test_round_trip);
    RUN(test_limits);
    RUN(test_malformed);
    RUN(test_empty);
    RUN(test_any);
    return 0;
}
