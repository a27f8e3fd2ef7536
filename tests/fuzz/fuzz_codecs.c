/* The generated message codecs, all of them: what decodes is encoded to the same words and bytes. The list of codecs is
 * made from the generated headers. */
#include "codecs.h"
#include "fuzz.h"

struct buffer {
    uint8_t bytes[IPC_BYTES_MAX];
    handle_t handles[IPC_HANDLES_MAX];
    struct msg m;
};

static void fill(struct buffer *b, struct input *in)
{
    memset(b, 0, sizeof(*b));
    b->m.bytes = b->bytes;
    b->m.handles = b->handles;
    uint32_t words = input_byte(in) % 8, handles = input_byte(in) % 6, flags = input_byte(in), bytes = input_u16(in);
    for (uint32_t i = 0; i < IPC_WORDS_MAX; i++)
        for (uint32_t k = 0, count = input_byte(in) % 9; k < count; k++)
            b->m.words[i] = b->m.words[i] << 8 | input_byte(in);
    for (uint32_t i = 0; i < IPC_HANDLES_MAX; i++)
        b->handles[i] = input_byte(in);
    if (bytes > IPC_BYTES_MAX)
        bytes = IPC_BYTES_MAX;
    for (uint32_t i = 0; i < bytes && in->left > 0; i++)
        b->bytes[i] = input_byte(in);
    b->m.tag = TAG(1, words, handles, bytes) | (flags & 1 ? TAG_LENT : 0);
    b->m.lent_direction = flags >> 1 & 3;
    b->m.lent_length = b->m.words[0];
}

static void must_be_same(const struct msg *a, const struct msg *b)
{
    MUST(TAG_WORDS(a->tag) == TAG_WORDS(b->tag) && TAG_BYTES(a->tag) == TAG_BYTES(b->tag) &&
         TAG_HANDLES(a->tag) == TAG_HANDLES(b->tag));
    MUST(memcmp(a->words, b->words, TAG_WORDS(a->tag) * sizeof(a->words[0])) == 0);
    MUST(memcmp(a->bytes, b->bytes, TAG_BYTES(a->tag)) == 0);
    MUST(memcmp(a->handles, b->handles, TAG_HANDLES(a->tag) * sizeof(a->handles[0])) == 0);
}

#define CODEC(name)                                                                                                    \
    static void try_##name(const struct buffer *in, struct buffer *out)                                                \
    {                                                                                                                  \
        struct name value;                                                                                             \
        if (name##_decode(&in->m, &value) != E_OK)                                                                     \
            return;                                                                                                    \
        memset(out, 0, sizeof(*out));                                                                                  \
        out->m.bytes = out->bytes;                                                                                     \
        out->m.handles = out->handles;                                                                                 \
        MUST(name##_encode(&value, &out->m) == E_OK);                                                                  \
        must_be_same(&in->m, &out->m);                                                                                 \
    }
CODECS
#undef CODEC

static void (*const codecs[])(const struct buffer *in, struct buffer *out) = {
#define CODEC(name) try_##name,
    CODECS
#undef CODEC
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct buffer in, out;
    struct input input = {data, bytes};
    fill(&in, &input);
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
        codecs[i](&in, &out);
    return 0;
}
