/* Calls, signals and handles that cross to other nodes. See docs/006-remote-calls.md.
 *
 * This part turns messages of processes into messages of a link's call channel and back. It knows links only by what
 * stands here. Everything runs under the kernel lock: the caller's half in the calling thread, the peer's half in the
 * cluster thread, one message at a time. Messages to send lie in a bounded queue per peer until the cluster thread
 * fetches them.
 */
#pragma once

#include <abi/ids.h>
#include <kernel/object.h>

/* The largest message either way: header, four handles, inline bytes and a whole lent range. */
#define REMOTE_MESSAGE_MAX (65536u + 4096u + 512u)

struct budget;

/* Once, at INIT_CLUSTER. `wake` makes the cluster thread look at remote_next_outgoing(); kernel lock held, must not
 * block. Everything this part allocates is charged to `budget`. */
void remote_init(struct budget *budget, void (*wake)(void));

/* The number of this node, once it has one: what is asked of it is answered here. */
void remote_own_node(uint32_t node);

/* ---- called by the cluster thread, which owns the links; `node` is 1..NODES_MAX ---- */
/* A link session with `node` stands; `boot` is the peer's boot id. Any earlier one has been ended. */
void remote_session_begin(uint32_t node, const uint64_t boot[2]);
/* It ended: calls on it get E_UNKNOWN (E_NOT_DELIVERED if never fetched), stand-ins of its objects E_GONE, and what the
 * peer held here is closed. */
void remote_session_end(uint32_t node);
/* A whole message of the call channel. False: it is malformed; end the session. */
bool remote_receive(uint32_t node, const uint8_t *message, size_t bytes);
/* The oldest message for `node` that waits to be sent; NULL: none; of 0 bytes: end the session, something could not be
 * queued that the peer would wait for. It stays valid until remote_outgoing_sent(). Once fetched it counts as sent. */
const uint8_t *remote_next_outgoing(uint32_t node, size_t *bytes_out);
void remote_outgoing_sent(uint32_t node);

/* ---- well-known services ---- */
/* Offers an endpoint of this node to all peers under `name`; takes the reference over. Replaces what `owner` (a
 * process's serial) offered before, and what has died. E_EXISTS: another's stands. E_FULL. */
err_t remote_offer(const char *name, uint64_t owner, struct handle_ref *endpoint);
void remote_withdraw(uint64_t owner); /* it has ended, and so have its offers */
/* The endpoint `name` of `node`: done() is called once, maybe before this returns. On E_OK the handle is the callee's.
 * An own `node` is served from the own offers. */
typedef void remote_found_fn(void *context, err_t err, struct handle_ref *found);
void remote_find(uint32_t node, const char *name, remote_found_fn *done, void *context);
/* Gives up all remote_find() with this context; done() will not be called. */
void remote_find_cancel(void *context);

/* ---- for names kept in the tables ---- */
/* A number under which peers can reach the endpoint as long as this node runs; takes the reference over. 0: full. */
uint64_t remote_publish(struct handle_ref *endpoint);
void remote_unpublish(uint64_t number);
/* A handle to number `number` of `node`'s boot; a stand-in whose first call finds out whether it is still there. */
err_t remote_import(uint32_t node, const uint64_t boot[2], uint64_t number, struct handle_ref *out);

/* ---- for status and tests ---- */
struct remote_counts {
    uint32_t exports, imports, calls_out, calls_in, queued_bytes;
    uint64_t calls_sent, calls_served, calls_unknown, calls_not_delivered;
};
void remote_counts(uint32_t node, struct remote_counts *out);
