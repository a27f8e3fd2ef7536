/* The cluster thread: the node's hooks into the kernel, and its round. */
#include <abi/peer.h>
#include <kernel/bundle.h>
#include <kernel/init.h>
#include <kernel/system.h>

#include "cluster.h"

#define PRIORITY 24u
#define HEAP_MAX 65536u

struct cluster cluster;

/* ---- memory ---- */

static uint64_t pages_of(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

static void *hook_take(void *context, size_t bytes)
{
    uint64_t flags = cluster_enter();
    void *block = NULL;
    if (bytes <= HEAP_MAX) {
        block = kalloc(bytes);
    } else {
        uint64_t phys = page_alloc_contiguous(pages_of(bytes), 0);
        block = phys == PAGE_NONE ? NULL : phys_to_virt(phys);
    }
    cluster_leave(flags);
    return block;
}

static void hook_give(void *context, void *block, size_t bytes)
{
    uint64_t flags = cluster_enter();
    if (bytes <= HEAP_MAX)
        kfree(block, bytes);
    else
        page_free_contiguous((uint64_t)block - PHYSMAP_BASE, pages_of(bytes));
    cluster_leave(flags);
}

/* ---- remote calls ---- */

static void hook_session_begin(void *context, uint32_t node, const uint64_t boot[2])
{
    uint64_t flags = cluster_enter();
    remote_session_begin(node, boot);
    cluster_leave(flags);
}

static void hook_session_end(void *context, uint32_t node)
{
    uint64_t flags = cluster_enter();
    remote_session_end(node);
    cluster_leave(flags);
}

static bool hook_call_message(void *context, uint32_t node, const uint8_t *message, size_t bytes)
{
    uint64_t flags = cluster_enter();
    bool good = remote_receive(node, message, bytes);
    cluster_leave(flags);
    return good;
}

static const uint8_t *hook_call_next(void *context, uint32_t node, size_t *bytes_out)
{
    uint64_t flags = cluster_enter();
    const uint8_t *message = remote_next_outgoing(node, bytes_out);
    cluster_leave(flags);
    return message;
}

static void hook_call_sent(void *context, uint32_t node)
{
    uint64_t flags = cluster_enter();
    remote_outgoing_sent(node);
    cluster_leave(flags);
}

/* The generator is the kernel's, and so is its lock. */
bool cluster_random(void *to, size_t bytes)
{
    uint64_t flags = cluster_enter();
    bool there = arch_random(to, bytes);
    cluster_leave(flags);
    return there;
}

static bool hook_entropy(void *context, uint8_t bytes[32])
{
    return cluster_random(bytes, 32);
}

static void hook_say(void *context, const char *line)
{
    klog("%s", line);
}

static void open_node(void)
{
    static const struct node_hooks hooks = {.take = hook_take,
                                            .give = hook_give,
                                            .log_put = cluster_log_put,
                                            .proposed = cluster_proposed,
                                            .readable = cluster_readable,
                                            .members_answered = cluster_members_answered,
                                            .event = cluster_event,
                                            .replaced = cluster_replaced,
                                            .session_begin = hook_session_begin,
                                            .session_end = hook_session_end,
                                            .call_message = hook_call_message,
                                            .call_next = hook_call_next,
                                            .call_sent = hook_call_sent,
                                            .entropy = hook_entropy,
                                            .say = hook_say};
    if (node_open(&cluster.config, &hooks, time_now_ns(), &cluster.node) != E_OK)
        panic("cluster: no memory for the node");
    memset(cluster.config.cluster_key, 0, sizeof(cluster.config.cluster_key));
    memset(cluster.config.random, 0, sizeof(cluster.config.random));
    klog("cluster: this node is %s of cluster %s", cluster.config.name, cluster.config.cluster_name);
}

/* ---- what the others should know of this machine ---- */

static void note_load(uint64_t now)
{
    if (now < cluster.load_due_ns)
        return;
    uint64_t flags = cluster_enter();
    uint64_t idle = sched_idle_ns(), span = (now - cluster.idle_since_ns) * cpu_count();
    struct node_load load = {.free_bytes = pages_free() * PAGE_BYTES,
                             .running = (uint32_t)object_count(OBJECT_PROCESS)};
    cluster_leave(flags);
    uint64_t rested = idle - cluster.idle_ns;
    load.busy_percent = span && rested < span ? (uint32_t)((span - rested) * 100 / span) : 0;
    cluster.idle_ns = idle;
    cluster.idle_since_ns = now;
    cluster.load_due_ns = now + 2000000000ull;
    node_load(cluster.node, &load);
}

static void note_number(void)
{
    uint32_t number = node_number(cluster.node);
    if (number == cluster.own_number)
        return;
    cluster.own_number = number;
    uint64_t flags = cluster_enter();
    remote_own_node(number);
    cluster_leave(flags);
}

/* ---- the thread ---- */

void cluster_wake(void)
{
    cluster.inbox.woken = true;
    wait_queue_wake_all(&cluster.inbox.sleep);
}

static void round(void)
{
    cluster_rings_take();
    if (cluster.configured && !cluster.node && cluster.peer.memory)
        cluster_try_open();
    cluster_rings_receive();
    cluster_service_run();
    if (!cluster.node)
        return;
    uint64_t now = time_now_ns();
    note_load(now);
    cluster_owners_run();
    node_run(cluster.node, now);
    cluster_held_run();
    note_number();
    cluster_rings_send();
}

static void sleep(void)
{
    uint64_t due = cluster.node ? node_deadline(cluster.node) : DEADLINE_NEVER, held_due = cluster_held_deadline();
    due = held_due < due ? held_due : due;
    uint64_t flags = cluster_enter();
    if (!cluster.inbox.woken && cluster_rings_quiet())
        wait_queue_block(&cluster.inbox.sleep, due ? due : 1);
    cluster.inbox.woken = false;
    cluster_leave(flags);
}

static void thread_main(void *arg)
{
    for (;;) {
        round();
        sleep();
    }
}

void cluster_try_open(void)
{
    struct peer_shared shared;
    uint64_t flags = cluster_enter();
    bool there = cluster.peer.memory && memory_read(cluster.peer.memory, 0, &shared, sizeof(shared)) == E_OK;
    cluster_leave(flags);
    static const uint8_t none[6];
    if (!there || memcmp(shared.mac, none, sizeof(none)) == 0)
        return;
    cluster_identify(shared.mac);
    open_node();
    cluster_rings_introduce();
}

static err_t open_service(struct handle_ref *out)
{
    uint32_t rights = object_rights(OBJECT_ENDPOINT) & ~(uint32_t)(RIGHT_RECV | RIGHT_MANAGE);
    *out = handle_ref_make(&cluster.service->object, NULL, rights);
    return E_OK;
}

/* The boot holds the kernel lock. */
static void mount(void)
{
    static const struct system_cluster system = {open_service, cluster_attach_peer, cluster_attach_log};
    list_init(&cluster.inbox.requests);
    list_init(&cluster.inbox.dropped);
    list_init(&cluster.inbox.ended);
    list_init(&cluster.inbox.cancelled);
    wait_queue_init(&cluster.inbox.sleep);
    list_init(&cluster.requests);
    list_init(&cluster.owners);
    list_init(&cluster.ending);
    list_init(&cluster.releasing);
    list_init(&cluster.held);
    cluster_configure();
    cluster_service_init();
    remote_init(&root_budget, cluster_wake);
    system_cluster_register(&system);
    kthread_start("cluster", thread_main, NULL, PRIORITY);
}
INIT_HOOK(INIT_CLUSTER, mount);
