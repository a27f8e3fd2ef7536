/* Messages of a link's call channel, as bytes. Pure: used by the kernel and by host tests. See
 * docs/006-remote-calls.md. */
#pragma once

#include "permissions.h"

#define REMOTE_NAME_MAX 31u

enum remote_kind {
    REMOTE_CALL = 1,
    REMOTE_ANSWER = 2,
    REMOTE_CANCEL = 3,
    REMOTE_SIGNAL = 4,
    REMOTE_RELEASE = 5,
    REMOTE_FIND = 6,
    REMOTE_FOUND = 7,
    REMOTE_REPLY = 8
};

/* Whose object a handle on its way is of. */
enum remote_whose {
    REMOTE_MINE = 0,   /* the sender's: index is its export */
    REMOTE_YOURS = 1,  /* index is the receiver's own export */
    REMOTE_SERVICE = 2 /* the cluster service, which is everybody's: the receiver makes a handle to its own */
};

/* A handle on its way. */
struct remote_handle {
    uint8_t whose; /* enum remote_whose */
    uint8_t type;  /* Endpoint, Reply or Notification */
    uint16_t rights;
    uint32_t index;
    struct permissions permitted; /* REMOTE_SERVICE */
};

/* One message; which fields count is said by its kind. Pointers lie in the message's own bytes after decoding. */
struct remote_message {
    uint8_t kind;
    uint32_t call;   /* CALL, ANSWER, CANCEL, FIND, FOUND: the caller's number of the call */
    uint64_t target; /* CALL, SIGNAL, RELEASE, REPLY: export of the receiver */
    uint64_t tag; /* CALL, ANSWER, REPLY: op, words, handles and bytes; TAG_LENT set if lent_length counts, TAG_FENCED
                     if the fence does */
    uint64_t words[IPC_WORDS_MAX];
    struct remote_handle handles[IPC_HANDLES_MAX]; /* FOUND: handles[0] if outcome is E_OK */
    const uint8_t *bytes;
    err_t outcome;                        /* ANSWER, FOUND */
    uint64_t time_left_ns;                /* CALL; UINT64_MAX: no deadline */
    struct ipc_fence fence;               /* CALL, with TAG_FENCED in the tag */
    uint32_t lent_direction, lent_length; /* CALL */
    uint32_t data_offset, data_bytes;     /* CALL: the lent range to read; ANSWER: what was written of it */
    const uint8_t *data;
    uint64_t bits;                  /* SIGNAL */
    uint32_t count;                 /* RELEASE */
    char name[REMOTE_NAME_MAX + 1]; /* FIND */
};

/* The bytes of *m, or 0 if `room` is too small. The data comes last; with `data` NULL its place is left for the caller
 * to fill. */
size_t remote_encode(const struct remote_message *m, uint8_t *to, size_t room);

/* NULL, or what is wrong with the message in words. Everything in *m is within its bounds afterwards. */
const char *remote_decode(const uint8_t *from, size_t bytes, struct remote_message *m);
