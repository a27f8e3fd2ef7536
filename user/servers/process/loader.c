/* Reading a program through a name space that may be slow, far away or gone: in a thread of its own, one at a time. */
#include "process.h"

#include <abi/file.h>
#include <idl/file.h>
#include <idl/names.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/sync.h>
#include <os/syscall.h>
#include <os/thread.h>
#include <string.h>

#define QUEUE_MAX PREPARATIONS_MAX
#define LOAD_MS   60000u /* for all calls to the name space together: others wait for their turn */
#define IMAGE_MAX (16ull << 20)

enum order_state { ORDER_FREE = 0, ORDER_QUEUED, ORDER_DONE };

struct order {
    uint8_t state;
    uint32_t child, serial;
    handle_t reply, names; /* names: the thread's own */
    err_t err;
    struct os_memory image;
    uint64_t length;
    char path[PROCESS_PREPARE_PATH_MAX + 1];
};

static struct order orders[QUEUE_MAX];
static struct os_mutex lock;
static struct os_cond queued;

static err_t read_all(handle_t file, uint64_t deadline, uint64_t bytes, struct os_memory *image)
{
    uint64_t done = 0;
    while (done < bytes) {
        uint32_t count = 0;
        uint64_t part = bytes - done < IPC_LENT_MAX ? bytes - done : IPC_LENT_MAX;
        err_t err = file_read_bulk(file, deadline, done, image->handle, done, part, &count);
        if (err)
            return err;
        if (count == 0)
            return E_BAD_IMAGE; /* it has become shorter */
        done += count;
    }
    return E_OK;
}

static err_t read_image(struct order *order)
{
    handle_t file;
    uint32_t kind;
    uint64_t deadline = os_deadline_ms(LOAD_MS);
    err_t err = names_open(order->names, deadline, OPEN_READ, 0, order->path, &file, &kind, &order->length);
    if (err)
        return err;
    if (kind != FILE_REGULAR || order->length == 0 || order->length > IMAGE_MAX)
        err = kind == FILE_DIRECTORY ? E_IS_DIRECTORY : E_BAD_IMAGE;
    if (!err)
        err = os_memory_create(order->length, 0, &order->image);
    if (!err)
        err = read_all(file, deadline, order->length, &order->image);
    os_handle_close(file);
    return err;
}

static struct order *next_order(void)
{
    for (;;) {
        for (uint32_t i = 0; i < QUEUE_MAX; i++)
            if (orders[i].state == ORDER_QUEUED)
                return &orders[i];
        os_cond_wait(&queued, &lock, DEADLINE_NEVER);
    }
}

static void loader_thread(void *argument)
{
    os_mutex_lock(&lock);
    for (;;) {
        struct order *order = next_order();
        os_mutex_unlock(&lock);
        order->err = read_image(order);
        os_handle_close(order->names);
        os_mutex_lock(&lock);
        order->state = ORDER_DONE;
        os_signal(server_state.notification, BIT_LOADED);
    }
}

err_t loader_start(void)
{
    struct os_thread *thread;
    return os_thread_create(loader_thread, NULL, 65536, PRIORITY_NORMAL, &thread);
}

/* `reply` HANDLE_NONE: nobody is answered. */
err_t loader_request(struct child *c, handle_t reply)
{
    struct preparation *p = c->preparation;
    struct handle_info info;
    struct order *order = NULL;
    os_mutex_lock(&lock);
    for (uint32_t i = 0; i < QUEUE_MAX && !order; i++)
        if (orders[i].state == ORDER_FREE)
            order = &orders[i];
    err_t err = order ? os_handle_info(p->handles[STARTUP_NAMES], &info) : E_FULL;
    if (!err) {
        *order = (struct order){.child = child_index(c), .serial = c->serial, .reply = reply};
        err = os_handle_dup(p->handles[STARTUP_NAMES], info.rights, &order->names);
    }
    if (!err) {
        strcpy(order->path, p->path);
        c->state = CHILD_LOADING;
        order->state = ORDER_QUEUED;
        os_cond_signal(&queued);
    }
    os_mutex_unlock(&lock);
    return err;
}

static void finish(struct order *order)
{
    struct child *c = &server_state.children[order->child];
    struct image image = {order->image.handle, 0, order->image.at, order->length};
    err_t err = order->err;
    OS_ASSERT(c->serial == order->serial && c->state == CHILD_LOADING);
    if (!err && (c->killed || (c->attached && !c->owned)))
        err = E_INTERRUPTED;
    if (!err)
        err = child_start(c, &image);
    os_memory_destroy(&order->image);
    if (err && c->owned && !c->killed)
        c->state = CHILD_PREPARING; /* the owner hears why, and may try again or let go */
    else if (err)
        child_ended(c, EXIT_KILLED, 9, 0);
    control_start_reply(order->reply, err, NULL);
    order->state = ORDER_FREE;
}

void loader_finished(void)
{
    for (uint32_t i = 0; i < QUEUE_MAX; i++) {
        os_mutex_lock(&lock);
        bool done = orders[i].state == ORDER_DONE;
        os_mutex_unlock(&lock);
        if (done)
            finish(&orders[i]);
    }
}
