/* What the kernel would give: see here.h. Endpoints and Notifications are compiled in here to reach their boot hooks.
 */
#include "../../../kernel/ipc/endpoint.c"
#include "../../../kernel/ipc/notification.c"

#include <kernel/mm.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "here.h"

static struct budget paying;
static uint64_t charged;

static void woken(void) {}

static err_t service_called(struct endpoint *e, struct call *c)
{
    return E_BAD_SYSCALL;
}

static const struct endpoint_handler service = {.request = service_called, .unused = authority_unused};
static struct endpoint *service_endpoint;

void here_init(void)
{
    list_init(&paying.objects);
    endpoint_init();
    notification_init();
    remote_init(&paying, woken);
    if (authority_init(&paying, &service, &service_endpoint) != E_OK)
        abort();
    remote_own_node(1);
}

uint64_t here_charged(void)
{
    return charged;
}

struct handle_ref here_endpoint(void)
{
    struct endpoint *e;
    if (endpoint_create(&paying, &e) != E_OK)
        abort();
    struct handle_ref ref = handle_ref_make(&e->object, NULL, RIGHTS_ALL);
    object_put(&e->object);
    return ref;
}

struct handle_ref here_service(uint32_t classes, const char *prefix)
{
    struct handle_ref ref;
    if (authority_narrow(&permissions_all, classes, prefix, (uint32_t)__builtin_strlen(prefix), &paying, &ref) != E_OK)
        abort();
    return ref;
}

struct handle_ref here_served(const struct endpoint_handler *handler)
{
    struct endpoint *e;
    if (endpoint_create_kernel(&paying, handler, NULL, false, &e) != E_OK)
        abort();
    return handle_ref_make(&e->object, NULL, RIGHTS_ALL & ~(uint32_t)RIGHT_RECV);
}

err_t budget_charge(struct budget *b, uint64_t bytes)
{
    charged += bytes;
    return E_OK;
}

void budget_uncharge(struct budget *b, uint64_t bytes)
{
    if (charged < bytes)
        abort();
    charged -= bytes;
}

void *kalloc(size_t bytes)
{
    return calloc(1, bytes);
}
void kfree(void *object, size_t bytes)
{
    free(object);
}
uint64_t page_alloc_contiguous(uint64_t pages, uint64_t below)
{
    return (uint64_t)calloc(pages, 4096) - PHYSMAP_BASE;
}
void page_free_contiguous(uint64_t phys, uint64_t pages)
{
    free((void *)(phys + PHYSMAP_BASE));
}

void klog(const char *format, ...) {}

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void timer_arm(struct timer *t, uint64_t at_ns, void (*fire)(struct timer *t))
{
    abort();
}
void timer_disarm(struct timer *t) {}

/* Nothing below is reached without a process. */
void sched_wake(struct thread *t, err_t err)
{
    abort();
}
void sched_rest(uint64_t deadline_ns)
{
    abort();
}
err_t handle_reserve(struct process *p, uint32_t count)
{
    abort();
}
err_t handle_decode(struct process *p, uint64_t h, enum object_type type, uint32_t rights, struct handle_entry **out)
{
    abort();
}
handle_t handle_install(struct process *p, struct handle_ref *r)
{
    abort();
}
struct handle_ref handle_take(struct process *p, handle_t h)
{
    abort();
}
err_t memory_read(struct memory *m, uint64_t offset, void *to, uint64_t bytes)
{
    abort();
}
err_t memory_write(struct memory *m, uint64_t offset, const void *from, uint64_t bytes)
{
    abort();
}
void watch_free(struct watch *w)
{
    abort();
}
