/* The requests of abi/logstore.h, worked in order on a store. Several appends and truncations that wait
 * together become one write and one flush; their answers follow in their order. No system calls of its own. */
#pragma once

#include "store.h"

#include <base/ring.h>

#define SERVE_BATCH_MAX 64u

struct serve_answer { /* a request that is answered once its group is durable */
    uint32_t op, reserved;
    uint64_t serial, index, term;
};

struct serve {
    struct store *store;
    enum log_state state;
    struct ring_end requests, answers;
    void *context;
    void (*wake_kernel)(void *context);    /* it may sleep on either ring */
    err_t (*wait_for_room)(void *context); /* until the kernel took answers; an error ends the service */
    uint64_t (*new_epoch)(void *context);  /* random */
    bool stopped; /* the disk or the kernel's end failed: nothing more is worked; a new incarnation must begin */
    struct serve_answer batch[SERVE_BATCH_MAX];
    uint32_t batch_count;
    _Alignas(8) uint8_t data[LOG_APPEND_MAX];
    _Alignas(8) uint8_t out[sizeof(struct log_superblock) + LOG_PAYLOAD_MAX + LOG_SNAPSHOT_PART_MAX];
};

/* Works off all requests in the ring. */
void serve_work(struct serve *serve);
