/* A replica with memory from malloc, and short ways to apply operations to it. */
#pragma once

#include <tables/tables.h>
#include <test/check.h>
#include <test/random.h>

#define EVENTS_MAX 8192

struct replica {
    struct tables *t;
    void *chunks[1024];
    uint32_t chunk_count, chunk_limit;
    struct tables_watcher watcher;
    struct tables_event events[EVENTS_MAX];
    uint32_t event_count;
    uint64_t sequence[NODES_MAX + 1];
    struct tables_result result;
};

void replica_open(struct replica *r);
void replica_close(struct replica *r);
/* Applies at the next index, in the newest term; the result is in r->result. */
err_t replica_apply_bytes(struct replica *r, const void *entry, size_t bytes);
err_t replica_apply(struct replica *r, struct tables_op op);
/* Fills in the origin (node, its boot, the next sequence) and applies. */
err_t replica_from(struct replica *r, uint32_t node, struct tables_op op);

struct tables_text text(const char *string);
uint32_t join(struct replica *r, uint64_t node_id, uint64_t boot);
err_t put(struct replica *r, uint32_t node, const char *key, const char *value);
err_t lock(struct replica *r, uint32_t node, uint64_t process, const char *name, uint32_t mode);

/* A transaction being written. */
struct steps {
    uint8_t bytes[TXN_BYTES_MAX];
    uint32_t used;
};
void steps_add(struct steps *s, struct txn_step head, const char *name, const char *value);
err_t transact(struct replica *r, uint32_t node, const struct steps *s);
