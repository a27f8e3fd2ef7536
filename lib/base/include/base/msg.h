/* Runtime of the message codecs that tools/msggen.py writes: how fields lie in a message.
 *
 * Scalars fill the six words in order and then spill into the inline bytes, 8 bytes each. Strings and bytes follow in
 * the inline bytes: a u64 length, the bytes, padding to 8. A string keeps at least one zero byte of padding, so that it
 * can be used in place. All padding is zero, and nothing may be left over: a message has one encoding only.
 *
 * Pure: neither allocates nor calls anything; for kernel, programs and host alike. A writer that runs out of room, and
 * a reader that meets anything unexpected, remembers it; msg_written / msg_read tell at the end.
 */
#pragma once

#include <abi/ipc.h>

/* A message outside of registers. `bytes` has room for IPC_BYTES_MAX, `handles` for IPC_HANDLES_MAX. The kernel may put
 * any nonzero token in the place of a handle. `lent_*` count only with TAG_LENT. */
struct msg {
    uint64_t tag;
    uint64_t words[IPC_WORDS_MAX];
    uint8_t *bytes;
    handle_t *handles;
    handle_t lent_memory; /* sender only */
    uint32_t lent_direction;
    uint64_t lent_offset; /* sender only */
    uint64_t lent_length;
};

struct msg_writer {
    struct msg *m;
    uint32_t words, bytes, handles, flags;
    bool failed;
};

struct msg_reader {
    const struct msg *m;
    uint32_t words, bytes, handles, flags;
    bool failed;
};

/* Moves may overlap: what is sent often lies in the very buffer it is sent from. */
static inline void msg_move(uint8_t *to, const uint8_t *from, uint64_t count)
{
    if (count)
        __builtin_memmove(to, from, count);
}

static inline void msg_put_word(struct msg_writer *w, uint64_t value)
{
    if (w->words < IPC_WORDS_MAX) {
        w->m->words[w->words++] = value;
        return;
    }
    if (w->bytes > IPC_BYTES_MAX - 8) {
        w->failed = true;
        return;
    }
    msg_move(w->m->bytes + w->bytes, (const uint8_t *)&value, 8);
    w->bytes += 8;
}

/* `tail`: zero bytes that must follow at least. */
static inline void msg_put_block(struct msg_writer *w, const void *data, uint64_t length, uint64_t max, uint32_t tail)
{
    uint64_t padded = (length + tail + 7) & ~7ull;
    if (length > max || w->bytes + 8 + padded > IPC_BYTES_MAX) {
        w->failed = true;
        return;
    }
    uint8_t *at = w->m->bytes + w->bytes;
    msg_move(at + 8, data, length);
    msg_move(at, (const uint8_t *)&length, 8);
    for (uint64_t i = length; i < padded; i++)
        at[8 + i] = 0;
    w->bytes += 8 + (uint32_t)padded;
}

static inline void msg_put_handle(struct msg_writer *w, handle_t handle)
{
    if (handle == HANDLE_NONE || w->handles == IPC_HANDLES_MAX) {
        w->failed = true;
        return;
    }
    w->m->handles[w->handles++] = handle;
}

static inline void msg_put_lent(struct msg_writer *w, handle_t memory, uint64_t offset, uint64_t length,
                                enum ipc_lend direction)
{
    if (length > IPC_LENT_MAX) {
        w->failed = true;
        return;
    }
    w->m->lent_memory = memory;
    w->m->lent_offset = offset;
    w->m->lent_length = length;
    w->m->lent_direction = direction;
    w->flags |= TAG_LENT;
}

/* Sets the tag. E_TOO_LONG when something did not fit. */
static inline err_t msg_written(struct msg_writer *w, uint32_t op)
{
    w->m->tag = TAG(op, w->words, w->handles, w->bytes) | w->flags;
    return w->failed ? E_TOO_LONG : E_OK;
}

static inline struct msg_reader msg_reader(const struct msg *m)
{
    struct msg_reader r = {.m = m};
    r.failed = TAG_WORDS(m->tag) > IPC_WORDS_MAX || TAG_HANDLES(m->tag) > IPC_HANDLES_MAX ||
               TAG_BYTES(m->tag) > IPC_BYTES_MAX || (TAG_BYTES(m->tag) & 7);
    return r;
}

/* `max`: the largest value that the field's type can have. */
static inline uint64_t msg_get_word(struct msg_reader *r, uint64_t max)
{
    uint64_t value = 0;
    if (r->failed)
        return 0;
    if (r->words < IPC_WORDS_MAX) {
        if (r->words == TAG_WORDS(r->m->tag))
            r->failed = true;
        else
            value = r->m->words[r->words++];
    } else if (TAG_BYTES(r->m->tag) - r->bytes < 8) {
        r->failed = true;
    } else {
        msg_move((uint8_t *)&value, r->m->bytes + r->bytes, 8);
        r->bytes += 8;
    }
    if (value > max)
        r->failed = true;
    return value;
}

/* Where the block's bytes are, and in *length_out how many; NULL after a failure. */
static inline const uint8_t *msg_get_block(struct msg_reader *r, uint32_t max, uint32_t tail, uint32_t *length_out)
{
    uint64_t length = 0, left = TAG_BYTES(r->m->tag) - r->bytes;
    *length_out = 0;
    if (r->failed || left < 8) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->m->bytes + r->bytes;
    msg_move((uint8_t *)&length, at, 8);
    uint64_t padded = (length + tail + 7) & ~7ull;
    if (length > max || padded > left - 8) {
        r->failed = true;
        return NULL;
    }
    for (uint64_t i = length; i < padded; i++)
        r->failed |= at[8 + i] != 0;
    r->bytes += 8 + (uint32_t)padded;
    *length_out = (uint32_t)length;
    return at + 8;
}

static inline const char *msg_get_string(struct msg_reader *r, uint32_t max, uint32_t *length_out)
{
    const char *text = (const char *)msg_get_block(r, max, 1, length_out);
    for (uint32_t i = 0; text && i < *length_out; i++)
        r->failed |= text[i] == 0;
    return text;
}

static inline handle_t msg_get_handle(struct msg_reader *r)
{
    if (r->failed || r->handles == TAG_HANDLES(r->m->tag) || r->m->handles[r->handles] == HANDLE_NONE) {
        r->failed = true;
        return HANDLE_NONE;
    }
    return r->m->handles[r->handles++];
}

static inline uint64_t msg_get_lent(struct msg_reader *r, enum ipc_lend direction)
{
    if (r->failed || !(r->m->tag & TAG_LENT) || r->m->lent_direction != (uint32_t)direction ||
        r->m->lent_length > IPC_LENT_MAX) {
        r->failed = true;
        return 0;
    }
    r->flags |= TAG_LENT;
    return r->m->lent_length;
}

/* E_OK when all was as it must be and nothing is left over. */
static inline err_t msg_read(const struct msg_reader *r)
{
    bool rest = r->words != TAG_WORDS(r->m->tag) || r->handles != TAG_HANDLES(r->m->tag) ||
                r->bytes != TAG_BYTES(r->m->tag) || r->flags != (r->m->tag & TAG_LENT);
    return r->failed || rest ? E_BAD_MESSAGE : E_OK;
}
