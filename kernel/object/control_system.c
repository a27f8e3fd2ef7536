/* The System object and its operations. */
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/mm.h>
#include <kernel/system.h>

#include "control_local.h"
#include "device_local.h"

#define TEXT_MAX 256u

struct object system_object;
static uint64_t boot_id[2];
static uint64_t boot_ns;
static const struct system_cluster *cluster;
struct list system_log_watches = LIST_INIT(system_log_watches);
static uint64_t log_told; /* klog_end() when the watchers were last told */

static void system_init(void)
{
    object_init(&system_object, OBJECT_SYSTEM);
    object_counts[OBJECT_SYSTEM]++;
    if (!arch_random(boot_id, sizeof(boot_id)))
        boot_id[0] = boot_id[1] = 0;
}
INIT_HOOK(INIT_OBJECTS, system_init);

const uint64_t *system_boot_id(void)
{
    return boot_id;
}
void system_booted(void)
{
    boot_ns = time_now_ns();
}
void system_cluster_register(const struct system_cluster *c)
{
    cluster = c;
}

err_t control_SYSTEM_INFO(struct control *c)
{
    uint8_t byte;
    struct system_info info = {
        .usable_bytes = pages_total() * PAGE_BYTES,
        .free_bytes = pages_free() * PAGE_BYTES,
        .boot_ns = boot_ns,
        .cpus = cpu_count(),
        .cpus_failed = cpu_failed_count(),
        .has_entropy = arch_random(&byte, 1),
        .idle_ns = sched_idle_ns(),
        .boot_id = {boot_id[0], boot_id[1]},
        .version = "0.1",
    };
    return copy_to_user(c->a, &info, sizeof(info));
}

err_t control_SYSTEM_DEVICE(struct control *c)
{
    struct object *o = device_object(c->a);
    return o ? control_return_handle(c, o) : E_NOT_FOUND;
}

/* ---- the log ---- */

static err_t text_decode(struct control *c, char text[TEXT_MAX + 1])
{
    if (c->b > TEXT_MAX)
        return E_TOO_LONG;
    err_t err = copy_from_user(text, c->a, c->b);
    if (err != E_OK)
        return err;
    text[c->b] = 0;
    for (uint64_t i = 0; i < c->b; i++)
        if ((uint8_t)text[i] < ' ' && text[i] != '\t')
            text[i] = '?';
    return E_OK;
}

err_t control_SYSTEM_LOG_WRITE(struct control *c)
{
    char text[TEXT_MAX + 1];
    err_t err = text_decode(c, text);
    if (err == E_OK)
        klog_write(text, c->b);
    return err;
}

err_t control_SYSTEM_LOG_READ(struct control *c)
{
    char piece[TEXT_MAX];
    uint64_t position = c->a, next = position;
    if (c->c > UINT32_MAX)
        return E_RANGE;
    while (c->value < c->c) {
        uint64_t room = c->c - c->value;
        size_t n = klog_read(position, piece, room < sizeof(piece) ? room : sizeof(piece), &next);
        err_t err = n ? copy_to_user(c->b + c->value, piece, n) : E_OK;
        if (err != E_OK)
            return err;
        position = next;
        c->value += n;
        if (n == 0)
            break;
    }
    return copy_to_user(c->d, &next, sizeof(next));
}

err_t control_SYSTEM_LOG_WATCH(struct control *c)
{
    return control_watch(c, &system_log_watches, false);
}

void system_log_tell(void)
{
    if (klog_end() == log_told)
        return;
    log_told = klog_end();
    list_for_each(node, &system_log_watches)
    {
        struct watch *w = container_of(node, struct watch, subject_node);
        notification_signal(w->notification, w->bits);
    }
}

/* ---- power and panic ---- */

err_t control_SYSTEM_POWER(struct control *c)
{
    if (c->a > 1 || c->b >> 32)
        return E_RANGE;
    arch_power(c->a == 1, (uint32_t)c->b);
}

err_t control_SYSTEM_PANIC(struct control *c)
{
    char text[TEXT_MAX + 1];
    err_t err = text_decode(c, text);
    if (err != E_OK)
        return err;
    panic("%s", text);
}

err_t control_SYSTEM_RANDOM(struct control *c)
{
    uint8_t bytes[TEXT_MAX];
    if (c->b > sizeof(bytes))
        return E_TOO_LONG;
    if (!arch_random(bytes, c->b))
        return E_NOT_SUPPORTED;
    return copy_to_user(c->a, bytes, c->b);
}

/* ---- the cluster ---- */

err_t control_SYSTEM_CLUSTER(struct control *c)
{
    struct handle_ref r = {0};
    handle_t h;
    err_t err = cluster ? cluster->open(&r) : E_NOT_SUPPORTED;
    if (err == E_OK)
        err = handle_insert(c->self, &r, &h);
    if (err == E_OK)
        c->value = h;
    return err;
}

static err_t rings_decode(struct control *c, struct memory **m, struct notification **from_kernel,
                          struct notification **to_kernel)
{
    err_t err = handle_object(c->self, c->a, OBJECT_MEMORY, RIGHT_READ | RIGHT_WRITE, m);
    if (err == E_OK)
        err = handle_object(c->self, c->b, OBJECT_NOTIFICATION, RIGHT_SIGNAL, from_kernel);
    if (err == E_OK)
        err = handle_object(c->self, c->c, OBJECT_NOTIFICATION, RIGHT_WAIT, to_kernel);
    if (err == E_OK && !cluster)
        err = E_NOT_SUPPORTED;
    return err;
}

err_t control_SYSTEM_ATTACH_PEER(struct control *c)
{
    struct memory *m;
    struct notification *from_kernel, *to_kernel;
    err_t err = rings_decode(c, &m, &from_kernel, &to_kernel);
    return err == E_OK ? cluster->attach_peer(m, from_kernel, to_kernel) : err;
}

err_t control_SYSTEM_ATTACH_LOG(struct control *c)
{
    struct memory *m;
    struct notification *from_kernel, *to_kernel;
    err_t err = rings_decode(c, &m, &from_kernel, &to_kernel);
    return err == E_OK ? cluster->attach_log(m, from_kernel, to_kernel, c->d) : err;
}

/* ---- figures ---- */

err_t control_SYSTEM_OBJECTS(struct control *c)
{
    if (c->a == OBJECT_NONE || c->a >= OBJECT_TYPES)
        return E_RANGE;
    c->value = object_count((enum object_type)c->a);
    return E_OK;
}

err_t control_SYSTEM_COUNTER(struct control *c)
{
    if (c->a >= COUNTER_COUNT)
        return E_RANGE;
    for (uint32_t i = 0; i < cpu_count(); i++)
        c->value += cpu_get(i)->counters[c->a];
    return E_OK;
}
