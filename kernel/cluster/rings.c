/* The two servers at the cluster's side: net/peer, which carries datagrams, and logstore. Both are outside the kernel,
 * so whatever they put into the rings is checked; either may go at any moment, and its Memory with it, so the rings are
 * touched under the kernel lock only. */
#include <abi/peer.h>
#include <base/logformat.h>

#include "cluster.h"

#define RECEIVE_AT_ONCE 64u
#define CARRIER_SAID_NS 60000000000ull

static void signalled(struct notification *n, uint64_t bits)
{
    cluster_wake();
}
static void left(struct notification *n)
{
    cluster_wake();
} /* its server ended: see gone() */

static const struct notification_handler wake_handler = {.signal = signalled, .unused = left};

/* ---- attaching ---- */

static void let_go(struct channel *c)
{
    if (!c->memory)
        return;
    object_put(&c->memory->object);
    object_put(&c->to_server->object);
    object_put(&c->from_server->object);
    memset(c, 0, sizeof(*c));
}

static void *shared_address(struct memory *m)
{
    return memory_page_address(m, 0);
}

/* Contiguous memory, since the kernel walks it by its physical address. */
static err_t check_memory(const struct memory *m, uint64_t bytes)
{
    if (!(m->flags & MEMORY_DMA) || m->pages * PAGE_BYTES < bytes)
        return E_INVALID;
    return E_OK;
}

static err_t attach(struct channel *waiting, struct memory *m, struct notification *to, struct notification *from,
                    struct ring_header *out, struct ring_header *in, uint8_t *bytes, uint32_t ring_bytes)
{
    struct channel c = {.memory = m, .to_server = to, .from_server = from};
    err_t err = from->handler || from->bound ? E_BUSY : ring_attach(&c.out, out, bytes, ring_bytes, false);
    if (err == E_OK)
        err = ring_attach(&c.in, in, bytes + ring_bytes, ring_bytes, true);
    if (err != E_OK)
        return err;
    object_get(&m->object);
    object_get(&to->object);
    object_get(&from->object);
    from->handler = &wake_handler;
    let_go(waiting);
    *waiting = c;
    cluster_wake();
    return E_OK;
}

err_t cluster_attach_peer(struct memory *m, struct notification *to, struct notification *from)
{
    err_t err = check_memory(m, sizeof(struct peer_shared) + 2 * PEER_RING_BYTES);
    struct peer_shared *s = err == E_OK ? shared_address(m) : NULL;
    if (!s)
        return err == E_OK ? E_NO_MEMORY : err;
    return attach(&cluster.inbox.peer_new, m, to, from, &s->out, &s->in, (uint8_t *)(s + 1), PEER_RING_BYTES);
}

err_t cluster_attach_log(struct memory *m, struct notification *to, struct notification *from, uint64_t state)
{
    err_t err = check_memory(m, sizeof(struct log_shared) + 2 * LOG_RING_BYTES);
    if (err == E_OK && (state < LOG_VALID || state > LOG_NONE))
        err = E_RANGE;
    struct log_shared *s = err == E_OK ? shared_address(m) : NULL;
    if (!s)
        return err == E_OK ? E_NO_MEMORY : err;
    err = attach(&cluster.inbox.log_new, m, to, from, &s->requests, &s->answers, (uint8_t *)(s + 1), LOG_RING_BYTES);
    if (err == E_OK)
        cluster.inbox.log_state = state;
    return err;
}

/* ---- taking over, and losing ---- */

static bool gone(const struct channel *c)
{
    return c->memory && (c->memory->object.dead || c->from_server->object.dead || c->from_server->object.handles == 0);
}

static bool take_over(struct channel *present, struct channel *waiting)
{
    if (!waiting->memory)
        return false;
    let_go(present);
    *present = *waiting;
    memset(waiting, 0, sizeof(*waiting));
    return true;
}

static void tell_log(bool attached)
{
    if (!cluster.node)
        return;
    node_log_detach(cluster.node);
    if (attached)
        node_log_attach(cluster.node, (enum log_state)cluster.inbox.log_state);
}

void cluster_rings_take(void)
{
    uint64_t flags = cluster_enter();
    bool peer_gone = gone(&cluster.peer), log_gone = gone(&cluster.log);
    if (peer_gone)
        let_go(&cluster.peer);
    if (log_gone)
        let_go(&cluster.log);
    take_over(&cluster.peer, &cluster.inbox.peer_new);
    bool log_new = take_over(&cluster.log, &cluster.inbox.log_new);
    cluster_leave(flags);
    if (log_new || log_gone)
        tell_log(log_new);
}

void cluster_rings_introduce(void)
{
    if (cluster.log.memory)
        tell_log(true);
}

/* ---- net/peer ---- */

static void note_network(void)
{
    uint32_t state = 0, ipv4 = 0;
    uint64_t flags = cluster_enter();
    bool attached = cluster.peer.memory && !gone(&cluster.peer);
    if (attached) {
        const volatile struct peer_shared *s = shared_address(cluster.peer.memory);
        state = s->state;
        ipv4 = s->ipv4;
    }
    cluster_leave(flags);
    if (cluster.node)
        node_network(cluster.node, attached, state, ipv4);
}

struct datagram {
    struct peer_record record;
    uint8_t bytes[PEER_DATAGRAM_MAX];
};

/* Of each kind of fault at most a line a minute, however many there are. */
static void count_fault(struct carrier_faults *f, const char *what)
{
    uint64_t now = time_now_ns();
    f->count++;
    if (f->said_ns && now - f->said_ns < CARRIER_SAID_NS)
        return;
    f->said_ns = now;
    klog("cluster: the network server %s (%u times in all)", what, (uint32_t)f->count);
}

/* Positions or lengths that cannot be: nothing more comes of these rings. It is as if the server had ended. */
static void drop_peer(void)
{
    uint64_t flags = cluster_enter();
    let_go(&cluster.peer);
    cluster_leave(flags);
    count_fault(&cluster.broken, "broke its rings: they are not used any more");
}

/* E_OK: *d is a whole datagram. E_AGAIN: none. E_TOO_LONG: what was there is no record, and is gone. E_BAD_MESSAGE: the
 * ring is broken. */
static err_t take_datagram(struct datagram *d)
{
    uint32_t length;
    uint64_t flags = cluster_enter();
    bool there = cluster.peer.memory && !gone(&cluster.peer);
    err_t err = there ? ring_take(&cluster.peer.in, d, sizeof(*d), &length) : E_AGAIN;
    if (err == E_TOO_LONG && ring_peek(&cluster.peer.in, &length) == E_OK)
        ring_drop(&cluster.peer.in, length);
    if (err == E_OK && ring_must_wake_producer(&cluster.peer.in))
        notification_signal(cluster.peer.to_server, PEER_BIT_DATA);
    cluster_leave(flags);
    if (err != E_OK)
        return err;
    bool whole = length >= sizeof(d->record) && d->record.bytes == length - sizeof(d->record);
    return whole ? E_OK : E_TOO_LONG;
}

static void receive_datagrams(void)
{
    static struct datagram d;
    for (uint32_t i = 0; i < RECEIVE_AT_ONCE; i++) {
        err_t err = take_datagram(&d);
        if (err == E_AGAIN)
            return;
        if (err == E_BAD_MESSAGE) {
            drop_peer();
            return;
        }
        if (err == E_TOO_LONG)
            count_fault(&cluster.malformed, "gave what is no datagram: refused");
        else
            node_datagram(cluster.node, time_now_ns(), (struct link_address){d.record.ipv4, d.record.port}, d.bytes,
                          d.record.bytes);
    }
}

static err_t put_datagram(struct link_address to, const uint8_t *frame, size_t bytes)
{
    struct peer_record record = {to.ipv4, to.port, (uint16_t)bytes};
    uint64_t flags = cluster_enter();
    bool there = cluster.peer.memory && !gone(&cluster.peer);
    err_t err = there ? ring_put(&cluster.peer.out, &record, sizeof(record), frame, (uint32_t)bytes) : E_GONE;
    if (err == E_OK && ring_must_wake_consumer(&cluster.peer.out))
        notification_signal(cluster.peer.to_server, PEER_BIT_DATA);
    cluster_leave(flags);
    return err;
}

/* What finds no room is lost, as on any wire; the links send it again. */
void cluster_rings_send(void)
{
    static uint8_t frame[SEAL_FRAME_MAX];
    struct link_address to;
    size_t bytes;
    err_t err = E_OK;
    while (err == E_OK && (bytes = node_output(cluster.node, time_now_ns(), &to, frame)))
        err = put_datagram(to, frame, bytes);
    if (err == E_BAD_MESSAGE)
        drop_peer();
}

/* ---- logstore ---- */

bool cluster_log_put(void *context, const struct log_message *request, const void *data)
{
    uint64_t flags = cluster_enter();
    bool there = cluster.log.memory && !gone(&cluster.log);
    err_t err = there ? ring_put(&cluster.log.out, request, sizeof(*request), data, request->bytes) : E_GONE;
    if (err == E_OK && ring_must_wake_consumer(&cluster.log.out))
        notification_signal(cluster.log.to_server, LOG_BIT_DATA);
    cluster_leave(flags);
    return err == E_OK;
}

#define LOG_ANSWER_MAX (sizeof(struct log_message) + LOGFORMAT_PAYLOAD_MAX + 64u)

/* E_AGAIN: none. Others than E_OK: logstore is not to be trusted any more. */
static err_t take_answer(struct log_message *m)
{
    uint32_t length;
    uint64_t flags = cluster_enter();
    bool there = cluster.log.memory && !gone(&cluster.log);
    err_t err = there ? ring_take(&cluster.log.in, cluster.log_bytes, LOG_ANSWER_MAX, &length) : E_AGAIN;
    if (err == E_OK && ring_must_wake_producer(&cluster.log.in))
        notification_signal(cluster.log.to_server, LOG_BIT_DATA);
    cluster_leave(flags);
    if (err != E_OK)
        return err;
    if (length < sizeof(*m))
        return E_BAD_MESSAGE;
    memcpy(m, cluster.log_bytes, sizeof(*m));
    return m->bytes == length - sizeof(*m) ? E_OK : E_BAD_MESSAGE;
}

static void drop_log(void)
{
    uint64_t flags = cluster_enter();
    let_go(&cluster.log);
    cluster_leave(flags);
    klog("cluster: logstore's rings are broken: waiting for it to come back");
    node_log_detach(cluster.node);
}

static void receive_answers(void)
{
    struct log_message m;
    for (uint32_t i = 0; i < RECEIVE_AT_ONCE; i++) {
        err_t err = take_answer(&m);
        if (err == E_AGAIN)
            return;
        if (err != E_OK || !node_log_answer(cluster.node, &m, cluster.log_bytes + sizeof(m))) {
            drop_log();
            return;
        }
    }
}

void cluster_rings_receive(void)
{
    note_network();
    if (!cluster.node)
        return;
    receive_datagrams();
    receive_answers();
}

bool cluster_rings_quiet(void)
{
    bool peer =
        !cluster.peer.memory || !cluster.node || gone(&cluster.peer) || ring_consumer_may_sleep(&cluster.peer.in);
    bool log = !cluster.log.memory || !cluster.node || gone(&cluster.log) || ring_consumer_may_sleep(&cluster.log.in);
    return peer && log && !cluster.inbox.peer_new.memory && !cluster.inbox.log_new.memory;
}
