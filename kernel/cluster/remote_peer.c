/* Peers, their sessions, and the way of each message to its file. */
#include "remote_private.h"

#include <kernel/mm.h>

static struct remote_peer *peers[NODES_MAX + 1];
static struct budget *budget;
static void (*wake)(void);
static uint32_t own_node;

void remote_init(struct budget *b, void (*wake_thread)(void))
{
    assert(!budget && b && wake_thread);
    budget = b;
    wake = wake_thread;
}

void remote_own_node(uint32_t node)
{
    assert(node <= NODES_MAX);
    own_node = node;
}

bool remote_is_self(uint32_t node)
{
    return node == own_node && node != 0;
}

struct budget *remote_budget(void)
{
    return budget;
}

void remote_wake_thread(void)
{
    wake();
}

struct remote_peer *remote_peer_get(uint32_t node)
{
    return node >= 1 && node <= NODES_MAX ? peers[node] : NULL;
}

#define HEAP_MAX 32768u /* beyond it whole pages waste less than the heap's size classes */

static uint64_t pages_for(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

void *remote_alloc(size_t bytes)
{
    size_t cost = bytes <= HEAP_MAX ? bytes : pages_for(bytes) * PAGE_BYTES;
    if (budget_charge(budget, cost) != E_OK)
        return NULL;
    void *p = NULL;
    if (bytes <= HEAP_MAX) {
        p = kalloc(bytes);
    } else {
        uint64_t phys = page_alloc_contiguous(pages_for(bytes), 0);
        p = phys == PAGE_NONE ? NULL : phys_to_virt(phys);
    }
    if (!p)
        budget_uncharge(budget, cost);
    return p;
}

void remote_free(void *p, size_t bytes)
{
    size_t cost = bytes <= HEAP_MAX ? bytes : pages_for(bytes) * PAGE_BYTES;
    if (bytes <= HEAP_MAX)
        kfree(p, bytes);
    else
        page_free_contiguous((uint64_t)p - PHYSMAP_BASE, pages_for(bytes));
    budget_uncharge(budget, cost);
}

static struct remote_peer *make(uint32_t node)
{
    struct remote_peer *p = remote_alloc(sizeof *p);
    if (!p)
        return NULL;
    p->node = node;
    list_init(&p->queue);
    peers[node] = p;
    return p;
}

void remote_session_begin(uint32_t node, const uint64_t boot[2])
{
    assert(node >= 1 && node <= NODES_MAX);
    struct remote_peer *p = peers[node] ? peers[node] : make(node);
    if (!p) {
        klog("cluster: out of memory, no calls to or from node %u", node);
        return;
    }
    assert(!p->up);
    p->boot[0] = boot[0];
    p->boot[1] = boot[1];
    p->up = true;
    p->broken = false;
}

void remote_session_end(uint32_t node)
{
    struct remote_peer *p = remote_peer_get(node);
    if (!p || !p->up)
        return;
    p->up = false; /* nothing that follows is queued any more */
    remote_calls_out_end(p);
    remote_calls_in_end(p);
    remote_finds_end(p);
    remote_queue_clear(p);
    remote_imports_clear(p);
    remote_exports_clear(p);
    assert(p->queued_bytes == 0 && p->counts.imports == 0 && p->counts.exports == 0);
}

static bool receive_signal(struct remote_peer *p, const struct remote_message *m)
{
    struct handle_ref *ref = remote_export_find(p, m->target);
    if (!ref)
        return true; /* it ended meanwhile */
    if (ref->object->type != OBJECT_NOTIFICATION || !(ref->rights & RIGHT_SIGNAL))
        return false;
    if (!ref->object->dead)
        notification_signal(container_of(ref->object, struct notification, object), m->bits);
    return true;
}

bool remote_receive(uint32_t node, const uint8_t *message, size_t bytes)
{
    struct remote_peer *p = remote_peer_get(node);
    if (!p || !p->up)
        return true;
    if (p->broken)
        return false;
    struct remote_message m;
    const char *wrong = remote_decode(message, bytes, &m);
    if (wrong) {
        klog("cluster: node %u sent a call message that is wrong: %s", node, wrong);
        return false;
    }
    switch (m.kind) {
    case REMOTE_CALL:
        return remote_receive_call(p, &m);
    case REMOTE_ANSWER:
        return remote_receive_answer(p, &m);
    case REMOTE_CANCEL:
        return remote_receive_cancel(p, &m);
    case REMOTE_SIGNAL:
        return receive_signal(p, &m);
    case REMOTE_RELEASE:
        return remote_export_release(p, m.target, m.count);
    case REMOTE_FIND:
        return remote_receive_find(p, &m);
    case REMOTE_FOUND:
        return remote_receive_found(p, &m);
    default:
        assert(m.kind == REMOTE_REPLY); /* the decoder knows no other */
        return remote_receive_reply(p, &m);
    }
}

err_t remote_import(uint32_t node, const uint64_t boot[2], uint64_t number, struct handle_ref *out)
{
    struct handle_ref *own = remote_is_self(node) ? remote_published_find(number) : NULL;
    if (own) {
        *out = handle_ref_dup(own, own->rights);
        return E_OK;
    }
    struct remote_peer *p = remote_peer_get(node);
    if (remote_is_self(node) || !(number & REMOTE_PUBLISHED_BIT))
        return E_GONE;
    if (!p || !p->up)
        return E_NOT_DELIVERED;
    if (p->boot[0] != boot[0] || p->boot[1] != boot[1])
        return E_GONE;
    return remote_import_target(p, number, OBJECT_ENDPOINT, RIGHTS_ALL, false, out);
}

void remote_counts(uint32_t node, struct remote_counts *out)
{
    struct remote_peer *p = remote_peer_get(node);
    *out = p ? p->counts : (struct remote_counts){0};
    if (p)
        out->queued_bytes = (uint32_t)p->queued_bytes;
}
