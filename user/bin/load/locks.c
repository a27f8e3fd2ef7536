/* Locks that are taken, used and let go, or not; keys that only a holder may write. */
#include "load.h"

#include <abi/cluster.h>
#include <os/service.h>
#include <os/syscall.h>
#include <stdio.h>
#include <string.h>

#define THINK_MS 60u
#define HOLD_MS  60u
#define LONG_MS  1500u /* a few hold it for longer */

struct hold {
    char lock[KEY_ROOM], key[KEY_ROOM];
    handle_t handle;
    uint64_t fence;
    bool shared, lost;
};

/* True: it is held. A wait that ended without an answer is given up by the kernel, some time. */
static bool acquire(struct client *c, struct hold *h, bool try_only)
{
    client_begin(c, ",\"f\":\"acquire\",\"k\":\"%s\",\"mode\":\"%s\"", h->lock, h->shared ? "S" : "X");
    err_t err = cluster_lock(load.cluster, os_deadline_ms(CALL_MS), h->shared ? CLUSTER_SHARED : CLUSTER_EXCLUSIVE,
                             try_only, 0, 0, h->lock, NULL, 0, &h->fence, &h->handle);
    if (err == E_OK) {
        client_end(c, "ok", ",\"tok\":%llu", (unsigned long long)h->fence);
        return true;
    }
    if (err == E_BUSY)
        client_end(c, "fail", "%s", "");
    else
        client_failed(c, err);
    if (err != E_BUSY && !never_ran(err)) {
        uint32_t given_up = c->operation;
        client_begin(c, ",\"f\":\"cancel\",\"k\":\"%s\",\"of\":%u", h->lock, given_up);
    }
    return false;
}

/* If the lock is held: the key that goes with it is register 0 of the group that the lock begins. */
static void write_guarded(struct client *c, struct hold *h)
{
    struct steps s = {.used = 0};
    char value[VALUE_ROOM], then[VALUE_ROOM + 40] = "";
    uint32_t held;
    steps_add(&s, (struct txn_step){.section = TXN_IF, .kind = TXN_FENCE, .number = h->fence}, h->lock, "");
    if (!h->shared) {
        snprintf(value, sizeof value, "%s.%u", c->name, c->operation + 1);
        steps_put(&s, h->key, value);
        snprintf(then, sizeof then, ",\"then\":[{\"r\":0,\"v\":\"%s\"}]", value);
    }
    client_begin(c, ",\"f\":\"txn\",\"k\":\"%s\",\"if\":[{\"c\":\"fence\",\"v\":%llu}]%s", h->lock,
                 (unsigned long long)h->fence, then);
    h->lost = steps_told(c, &s, &held) == E_OK && !held;
}

/* By its fence, or by closing the handle alone, which is not answered. */
static void release(struct client *c, struct hold *h)
{
    err_t err = E_UNKNOWN;
    client_begin(c, ",\"f\":\"release\",\"k\":\"%s\",\"tok\":%llu", h->lock, (unsigned long long)h->fence);
    if (h->lost || client_draw(c, 100) < 85)
        err = cluster_unlock(load.cluster, os_deadline_ms(CALL_MS), h->fence, h->lock);
    if (err == E_OK)
        client_end(c, "ok", "%s", "");
    else if (err == E_NOT_FOUND || err == E_STALE_FENCE)
        client_end(c, "fail", "%s", "");
    os_handle_close(h->handle);
}

void locks_run(void *argument)
{
    struct client *c = argument;
    while (client_goes_on(c, THINK_MS)) {
        uint32_t hold_ms = client_draw(c, 100) < 5 ? LONG_MS : HOLD_MS;
        struct hold h = {.shared = client_draw(c, 100) < 30};
        uint32_t number = client_draw(c, LOCKS), writes = client_draw(c, 4);
        snprintf(h.lock, sizeof h.lock, "l/%u/%u", c->generation, number);
        snprintf(h.key, sizeof h.key, "g/%u/%u", c->generation, number);
        if (!acquire(c, &h, client_draw(c, 100) < 40)) {
            (void)look_at(c, h.lock, 0, h.key, &(struct seen){0});
            continue;
        }
        for (uint32_t i = 0; i < writes && !h.lost; i++) {
            write_guarded(c, &h);
            client_pause(client_draw(c, hold_ms));
        }
        release(c, &h);
    }
}
