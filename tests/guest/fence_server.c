/* fence_server NAME LOCK: offers under NAME an endpoint that is bound to LOCK, and prints every call that reaches it:
 * the number that came with it, and the fence it was made under. */
#include <idl/cluster.h>
#include <os/service.h>
#include <os/startup.h>
#include <os/syscall.h>
#include <os/thread.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    handle_t cluster = os_startup_handle(STARTUP_CLUSTER), endpoint, client, reply = HANDLE_NONE;
    struct message m = {0};
    uint64_t badge;
    if (argc != 3) {
        fprintf(stderr, "fence_server: usage: fence_server NAME LOCK\n");
        return 2;
    }
    err_t err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &endpoint);
    if (!err)
        err = cluster_guard(cluster, os_deadline_ms(30000), argv[2], endpoint);
    if (!err)
        err = os_handle_mint(endpoint, 1, RIGHT_CALL | RIGHT_DUP | RIGHT_TRANSFER | RIGHT_INFO, &client);
    if (!err)
        err = cluster_name_register(cluster, os_deadline_ms(30000), argv[1], client);
    if (err) {
        fprintf(stderr, "fence_server: %s cannot be offered: error %u\n", argv[1], err);
        return 1;
    }
    printf("serving %s\n", argv[1]);
    fflush(stdout);
    for (;;) {
        err = os_reply_recv(reply, endpoint, &m, &reply, &badge, DEADLINE_NEVER);
        if (err || !reply)
            continue;
        const struct ipc_fence *fence = &os_ipc_buffer()->fence;
        printf("call %llu fence %llu%s\n", (unsigned long long)m.words[0],
               (unsigned long long)(m.tag & TAG_FENCED ? fence->value : 0), fence->shared ? " shared" : "");
        fflush(stdout);
        m = (struct message){.tag = TAG(E_OK, 0, 0, 0)};
    }
}
