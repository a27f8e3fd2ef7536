/* A server: one Endpoint, any number of services on it, objects told apart by the badge of the caller's handle.
 *
 *     static const struct names_server handlers = {.open = my_open, .stat = my_stat};
 *     static const struct service services[] = {NAMES_SERVED_BY(&handlers), FILE_SERVED_BY(&files)};
 *     struct server server = {.endpoint = e, .services = services, .service_count = 2, .closed = my_closed};
 *     os_serve(&server);
 *
 * A handler gets the decoded request and fills in the answer:
 *   - returns E_OK or an error: the loop answers. `out` may point anywhere that lives until the handler has returned.
 *   - returns REPLY_LATER after taking the Reply with request_keep: the answer follows with X_OP_reply, from any
 * thread. A server never waits inside a handler for anything that its own clients must do. `in` points into the request
 * and is gone when the handler returns; handlers may make calls of their own. Handles in `in` are closed after the
 * handler unless taken with request_take. Handles in `out` stay the server's, unless NAME_give is set: then they are
 * closed once the answer is away (what one wants for a handle that was just minted).
 */
#pragma once

#include <base/msg.h>

/* Not an error: the handler kept the Reply. */
#define REPLY_LATER ((err_t)0xffff)

struct request;
struct server;

struct service {
    uint32_t number; /* X_SERVICE */
    err_t (*dispatch)(const void *handlers, struct request *r);
    const void *handlers;
};

struct server {
    handle_t endpoint;
    const struct service *services;
    uint32_t service_count;
    void (*notified)(struct server *s, uint64_t bits); /* the bound Notification (os_server_bind); may be NULL */
    void (*closed)(struct server *s, uint64_t badge);  /* no handle with this badge is left; may be NULL */
    /* A thread of a process faulted whose faults come here; words as with IPC_FAULT. E_OK resumes it. May be NULL. */
    err_t (*fault)(struct server *s, uint64_t badge, const uint64_t words[IPC_WORDS_MAX]);
    void (*after)(struct server *s); /* a message was worked, the answer is about to leave; may be NULL */
    void *context;                   /* the server's own */
    bool stop;                       /* set by a handler: os_serve returns after this answer */
};

struct request {
    struct server *server;
    uint64_t badge;
    handle_t reply; /* use request_keep */
    bool remote;    /* the caller is on another node: */
    uint64_t sender_node, sender_boot;
    struct ipc_fence fence; /* of the lock that the call was made under; value 0: of none */
    struct msg in;
    struct msg answer;
    handle_t handles[IPC_HANDLES_MAX];
    handle_t given[IPC_HANDLES_MAX];
    uint32_t given_count;
    _Alignas(16) uint8_t bytes[IPC_BYTES_MAX];
};

/* Serves until the endpoint is gone or s->stop is set. Several threads may serve one endpoint, each with its own
 * server. Returns E_OK after stop, else why it could not go on. */
err_t os_serve(struct server *s);

/* Makes the Notification's bits arrive at s->notified. */
err_t os_server_bind(struct server *s, handle_t notification);

/* The Reply handle, for X_OP_reply later. The handler then returns REPLY_LATER. */
handle_t request_keep(struct request *r);

/* A handle of `in` that the server keeps. Returns it. */
handle_t request_take(struct request *r, handle_t handle);

/* For handlers of ops with `lend`: copies between own memory and the Memory lent with the request. `reply` is r->reply
 * or the kept one. Exactly `bytes` are copied, or an error is returned. */
err_t lent_read(handle_t reply, uint64_t offset, void *to, uint64_t bytes);
err_t lent_write(handle_t reply, uint64_t offset, const void *from, uint64_t bytes);

/* Does the caller of a kept Reply still wait? Asked after NOTIFY_REPLY_CANCELLED arrived; if not, os_handle_close it.
 */
bool reply_wanted(handle_t reply);

/* For the generated dispatchers. */
void request_give(struct request *r, handle_t handle);
void reply_begin(struct msg *m);
err_t reply_send(handle_t reply, err_t err, struct msg *m);
