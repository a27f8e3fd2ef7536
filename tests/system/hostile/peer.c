/* What a network server that is hostile to the cluster can do to the kernel: built with net/server and net/port in the
 * place of net/peer/peer.c. It carries frames like the honest one until a datagram to CONTROL_PORT names a mode
 * (tests/guest/hostile.c sends it); the answer says how often it did harm in that mode. */
#include "../../../net/peer/peer.h"

#include "../../../net/server/server.h"

#include <base/crc32c.h>
#include <base/format.h>
#include <base/ring.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/startup.h>
#include <os/syscall.h>

#include <string.h>

enum { SHARED_BYTES = sizeof(struct peer_shared) + 2 * PEER_RING_BYTES, OUTPUT_AT_ONCE = 64, CONTROL_PORT = 7448 };
enum { KEPT = 256, LATE = 64, LATE_MS = 1500, MEND_MS = 200, HEADER_BYTES = 16, SIGNALS = 200 };

enum mode {
    HONEST,
    DROP,
    DELAY,
    DOUBLE,
    FLIP,
    REPLAY,
    FORGE,
    REDIRECT,
    RECORDS,
    LIES,
    SIGNAL,
    INDICES,
    SCRIBBLE,
    ATTACH,
    ALL,
    MODES
};
static const char *const names[MODES] = {"honest", "drop",    "delay",    "double",  "flip",
                                         "replay", "forge",   "redirect", "records", "lies",
                                         "signal", "indices", "scribble", "attach",  "all"};

struct frame {
    struct peer_record record;
    uint8_t data[PEER_DATAGRAM_MAX];
    bool outward, used;
    uint32_t due_ms;
};

static struct {
    struct os_memory memory;
    struct peer_shared *shared;
    struct ring_end out, in;
    handle_t notification, to_kernel;
    struct udp_pcb *udp, *control;
    enum mode mode;
    uint32_t harm; /* done in this mode */
    uint64_t random;
    struct frame kept[KEPT], late[LATE];
    uint32_t kept_count;
    bool broken;
} peer = {.random = 0x9e3779b97f4a7c15ull};

static uint32_t below(uint32_t limit)
{
    peer.random ^= peer.random << 13;
    peer.random ^= peer.random >> 7;
    peer.random ^= peer.random << 17;
    return (uint32_t)(peer.random >> 32) % limit;
}

static void fill(void *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)below(256);
}

/* ---- carrying ---- */

static void carry(const struct frame *f)
{
    if (!f->outward) {
        (void)ring_put(&peer.in, &f->record, sizeof f->record, f->data, f->record.bytes);
        return;
    }
    ip_addr_t to = IPADDR4_INIT(f->record.ipv4);
    struct pbuf *p = address_ready() ? pbuf_alloc(PBUF_TRANSPORT, f->record.bytes, PBUF_RAM) : NULL;
    if (!p)
        return;
    memcpy(p->payload, f->data, f->record.bytes);
    (void)udp_sendto_if(peer.udp, p, &to, f->record.port, &net.netif);
    pbuf_free(p);
}

static void carry_late(void *context)
{
    for (uint32_t i = 0; i < LATE; i++) {
        struct frame *f = &peer.late[i];
        if (!f->used || (int32_t)(sys_now() - f->due_ms) < 0)
            continue;
        f->used = false;
        carry(f);
    }
    sys_timeout(20, carry_late, NULL);
}

/* ---- harm to frames ---- */

static void delay(const struct frame *f)
{
    struct frame *to = &peer.late[below(LATE)];
    *to = *f; /* what was there is lost */
    to->used = true;
    to->due_ms = sys_now() + below(LATE_MS);
}

static void flip(struct frame f)
{
    if (f.record.bytes)
        f.data[below(f.record.bytes)] ^= (uint8_t)(1u << below(8));
    carry(&f);
}

/* An old one, the way it went or the other way: what this node said comes back to it. */
static void replay(const struct frame *f)
{
    struct frame old = peer.kept[below(peer.kept_count < KEPT ? peer.kept_count : KEPT)];
    carry(f);
    carry(&old);
    old.outward = false;
    carry(&old);
}

/* Right by its header and checksum, with a body that no key sealed; or right by nothing. */
static void forge(const struct frame *f)
{
    struct frame forged = *f;
    carry(f);
    forged.outward = below(4) == 0;
    if (f->record.bytes > HEADER_BYTES && below(2)) {
        uint32_t body = below(2) ? f->record.bytes - HEADER_BYTES : below(PEER_DATAGRAM_MAX - HEADER_BYTES);
        forged.record.bytes = (uint16_t)(HEADER_BYTES + body);
        forged.data[0] = (uint8_t)(below(3) ? forged.data[0] : 1 + below(5));
        fill(forged.data + HEADER_BYTES, body);
        memset(forged.data + 12, 0, 4);
        uint32_t sum = crc32c(0, forged.data, forged.record.bytes);
        memcpy(forged.data + 12, &sum, 4);
    } else {
        forged.record.bytes = (uint16_t)below(PEER_DATAGRAM_MAX + 1);
        fill(forged.data, forged.record.bytes);
    }
    carry(&forged);
}

static void redirect(struct frame f)
{
    fill(&f.record.ipv4, sizeof f.record.ipv4);
    f.record.port = (uint16_t)below(65536);
    f.outward = false;
    carry(&f);
}

/* ---- harm to the rings ---- */

/* Records that are no datagrams: too short for a header, too long for a frame, another length than they say. */
static void put_bad_record(void)
{
    static uint8_t bytes[PEER_RING_BYTES / 4];
    static const uint32_t lengths[] = {0, 1, 7, 8, 9, 1440, 1441, 4096, PEER_RING_BYTES / 4 - 8, PEER_RING_BYTES / 4};
    fill(bytes, 64);
    (void)ring_put(&peer.in, bytes, lengths[below(sizeof lengths / sizeof lengths[0])], bytes, 0);
}

static void lie(void)
{
    struct peer_shared *s = peer.shared;
    s->version = below(3);
    s->state = below(2) ? below(6) : (uint32_t)peer.random;
    fill(&s->ipv4, 12);
    fill(s->mac, sizeof s->mac);
    os_signal(peer.to_kernel, PEER_BIT_STATE);
}

static void tell_truth(void)
{
    struct peer_shared *s = peer.shared;
    s->version = 1;
    s->ipv4 = netif_ip4_addr(&net.netif)->addr;
    s->netmask = netif_ip4_netmask(&net.netif)->addr;
    s->gateway = netif_ip4_gw(&net.netif)->addr;
    memcpy(s->mac, net.netif.hwaddr, sizeof s->mac);
    __atomic_store_n(&s->state, !net.card ? 1 : !address_ready() ? 2 : 3, __ATOMIC_RELEASE);
    os_signal(peer.to_kernel, PEER_BIT_STATE);
}

static void storm(void)
{
    for (uint32_t i = 0; i < SIGNALS; i++)
        os_signal(peer.to_kernel, i % 3 ? PEER_BIT_DATA : ~0ull);
}

/* One of the positions or lengths that the kernel reads becomes one that cannot be. */
static void break_index(void)
{
    struct ring_header *out = &peer.shared->out, *in = &peer.shared->in;
    uint8_t *ring = (uint8_t *)(peer.shared + 1) + PEER_RING_BYTES;
    switch (below(5)) {
    case 0:
        in->head += PEER_RING_BYTES + 8;
        break;
    case 1:
        in->head += 3;
        break;
    case 2:
        out->tail -= 8 * (1 + below(1000));
        break;
    case 3:
        out->tail = peer.random;
        break;
    default: /* a record that claims to be longer than the ring */
        memset(ring, 0xff, PEER_RING_BYTES);
        in->head += 64;
    }
    in->consumer_waiting = out->producer_waiting = (uint32_t)peer.random;
    os_signal(peer.to_kernel, PEER_BIT_DATA);
}

static void scribble(void)
{
    uint64_t *at = peer.memory.at;
    for (uint32_t i = 0; i < SHARED_BYTES / 8; i++)
        at[i] = peer.random += 0x9e3779b97f4a7c15ull;
    os_signal(peer.to_kernel, PEER_BIT_DATA);
}

/* ---- attaching ---- */

static err_t offer(handle_t memory, handle_t to_kernel)
{
    return os_control(os_startup_handle(STARTUP_SYSTEM), OP_SYSTEM_ATTACH_PEER, memory, peer.notification, to_kernel, 0)
        .err;
}

static err_t make_rings(void)
{
    struct os_memory memory;
    handle_t to_kernel = HANDLE_NONE;
    err_t err = os_memory_create(SHARED_BYTES, MEMORY_DMA, &memory);
    if (err == E_OK)
        err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &to_kernel);
    if (err != E_OK)
        return err;
    struct peer_shared *shared = memory.at;
    uint8_t *bytes = (uint8_t *)(shared + 1);
    ring_create(&shared->out, PEER_RING_BYTES);
    ring_create(&shared->in, PEER_RING_BYTES);
    (void)ring_attach(&peer.out, &shared->out, bytes, PEER_RING_BYTES, true);
    (void)ring_attach(&peer.in, &shared->in, bytes + PEER_RING_BYTES, PEER_RING_BYTES, false);
    err = offer(memory.handle, to_kernel);
    if (peer.shared) {
        os_memory_destroy(&peer.memory);
        (void)os_handle_close(peer.to_kernel);
    }
    peer.memory = memory;
    peer.shared = shared;
    peer.to_kernel = to_kernel;
    peer.broken = false;
    tell_truth();
    return err;
}

/* Rings that cannot be: too small, of no length, with positions that contradict, not contiguous. All are refused. */
static void offer_bad(void)
{
    struct os_memory memory;
    bool contiguous = below(2), small = below(2);
    if (os_memory_create(small ? PAGE_BYTES : SHARED_BYTES, contiguous ? MEMORY_DMA : 0, &memory) != E_OK)
        return;
    struct peer_shared *s = memory.at;
    ring_create(&s->out, PEER_RING_BYTES);
    ring_create(&s->in, below(2) ? PEER_RING_BYTES : below(1u << 31));
    s->out.head = below(2) ? peer.random : 0;
    s->in.tail = contiguous && !small ? 8 + PEER_RING_BYTES : peer.random;
    if (offer(memory.handle, peer.to_kernel) == E_OK)
        os_log("hostile: bad rings were TAKEN");
    os_memory_destroy(&memory);
}

static void mend(void *context)
{
    if (peer.broken && make_rings() != E_OK)
        os_log("hostile: no rings");
}

static void break_rings(enum mode how)
{
    peer.broken = true;
    if (how == INDICES)
        break_index();
    else if (how == SCRIBBLE)
        scribble();
    else
        offer_bad();
    sys_timeout(MEND_MS, mend, NULL);
}

/* ---- what becomes of a frame ---- */

static void treat(const struct frame *f)
{
    enum mode mode = peer.mode == ALL ? (enum mode)below(ALL) : peer.mode;
    peer.kept[peer.kept_count++ % KEPT] = *f;
    peer.harm += mode != HONEST;
    switch (mode) {
    case DROP:
        return;
    case DELAY:
        delay(f);
        return;
    case DOUBLE:
        carry(f);
        break;
    case FLIP:
        flip(*f);
        return;
    case REPLAY:
        replay(f);
        return;
    case FORGE:
        forge(f);
        return;
    case REDIRECT:
        redirect(*f);
        break;
    case RECORDS:
        put_bad_record();
        break;
    case LIES:
        lie();
        break;
    case SIGNAL:
        storm();
        break;
    case INDICES:
    case SCRIBBLE:
    case ATTACH:
        carry(f);
        if (below(8) == 0)
            break_rings(mode);
        return;
    default:
        break;
    }
    carry(f);
}

static void received(void *context, struct udp_pcb *udp, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    static struct frame f;
    f = (struct frame){.record = {ip_addr_get_ip4_u32(from), port, p->tot_len}};
    if (p->tot_len <= sizeof f.data && !peer.broken) {
        pbuf_copy_partial(p, f.data, p->tot_len, 0);
        treat(&f);
    }
    pbuf_free(p);
}

static bool output_one(void)
{
    static _Alignas(8) uint8_t bytes[sizeof(struct peer_record) + PEER_DATAGRAM_MAX];
    static struct frame f;
    uint32_t length;
    if (peer.broken || ring_take(&peer.out, bytes, sizeof bytes, &length) != E_OK)
        return false;
    f = (struct frame){.outward = true};
    memcpy(&f.record, bytes, sizeof f.record);
    memcpy(f.data, bytes + sizeof f.record, f.record.bytes);
    treat(&f);
    return true;
}

/* ---- orders ---- */

static void obey(const char *word)
{
    for (uint32_t i = 0; i < MODES; i++) {
        if (strcmp(word, names[i]) != 0)
            continue;
        peer.mode = (enum mode)i;
        peer.harm = 0;
        if (!peer.broken)
            tell_truth();
    }
}

static void ordered(void *context, struct udp_pcb *udp, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    char word[16] = "", answer[64];
    pbuf_copy_partial(p, word, p->tot_len < sizeof word ? p->tot_len : sizeof word - 1, 0);
    pbuf_free(p);
    obey(word);
    base_format(answer, sizeof answer, "%s %u\n", names[peer.mode], peer.harm);
    struct pbuf *back = pbuf_alloc(PBUF_TRANSPORT, (u16_t)strlen(answer), PBUF_RAM);
    if (!back)
        return;
    memcpy(back->payload, answer, strlen(answer));
    (void)udp_sendto(udp, back, from, port);
    pbuf_free(back);
}

/* ---- net/peer's interface ---- */

struct pbuf *peer_receive_buffer(const void *frame, uint32_t bytes)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)bytes, PBUF_POOL);
    if (p)
        pbuf_take(p, frame, (u16_t)bytes);
    return p;
}

void peer_output(void)
{
    while (peer.shared && !peer.broken)
        if (!output_one() && (peer.broken || ring_consumer_may_sleep(&peer.out)))
            break;
}

void peer_flush(void)
{
    if (!peer.shared || peer.broken)
        return;
    bool in = ring_must_wake_consumer(&peer.in), out = ring_must_wake_producer(&peer.out);
    if (in || out)
        os_signal(peer.to_kernel, PEER_BIT_DATA);
}

void peer_state_changed(void)
{
    if (peer.shared && peer.mode != LIES && !peer.broken)
        tell_truth();
}

void peer_start(handle_t notification)
{
    peer.notification = notification;
    peer.udp = udp_new();
    peer.control = udp_new();
    if (!peer.udp || !peer.control || make_rings() != E_OK || udp_bind(peer.udp, IP_ANY_TYPE, PEER_PORT) != ERR_OK ||
        udp_bind(peer.control, IP_ANY_TYPE, CONTROL_PORT) != ERR_OK) {
        os_log("hostile: no start");
        return;
    }
    ip_set_option(peer.udp, SOF_BROADCAST);
    udp_recv(peer.udp, received, NULL);
    udp_recv(peer.control, ordered, NULL);
    carry_late(NULL);
    os_log("hostile: this node's network server obeys port %u", (unsigned)CONTROL_PORT);
}
