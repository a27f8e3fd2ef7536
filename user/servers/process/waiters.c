/* Who waits for a child's end: kept Replies of `wait`, and Notifications of `watch`. */
#include "process.h"

#include <os/syscall.h>

struct waiter {
    handle_t reply; /* HANDLE_NONE: free */
    uint32_t child;
};

struct watch {
    handle_t notification; /* HANDLE_NONE: free */
    uint32_t child, serial;
    uint64_t bits;
};

static struct waiter waiters[WAITERS_MAX];
static struct watch watches[WATCHES_MAX];

err_t waiter_add(struct child *c, struct request *r)
{
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        if (waiters[i].reply)
            continue;
        waiters[i] = (struct waiter){request_keep(r), child_index(c)};
        return REPLY_LATER;
    }
    return E_FULL;
}

err_t watch_add(struct child *c, handle_t notification, uint64_t bits)
{
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        if (watches[i].notification)
            continue;
        watches[i] = (struct watch){notification, child_index(c), c->serial, bits};
        return E_OK;
    }
    return E_FULL;
}

void waiters_tell(struct child *c)
{
    struct control_wait_out out = {c->cause, c->code, c->detail};
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        if (!waiters[i].reply || waiters[i].child != child_index(c))
            continue;
        control_wait_reply(waiters[i].reply, E_OK, &out);
        waiters[i].reply = HANDLE_NONE;
        c->keep = false;
    }
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        if (!watches[i].notification || watches[i].child != child_index(c))
            continue;
        os_signal(watches[i].notification, watches[i].bits);
        os_handle_close(watches[i].notification);
        watches[i].notification = HANDLE_NONE;
    }
}

void waiters_drop_cancelled(void)
{
    for (uint32_t i = 0; i < WAITERS_MAX; i++) {
        if (!waiters[i].reply || reply_wanted(waiters[i].reply))
            continue;
        os_handle_close(waiters[i].reply);
        waiters[i].reply = HANDLE_NONE;
    }
}
