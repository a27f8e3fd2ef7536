/* fence: a server that takes calls only from who holds its lock, and a client that loses it. Both in one program, the
 * server in a thread; in life they are on two nodes, and nothing here changes. */
#include <os/startup.h>
#include <os/stub.h>
#include <os/syscall.h>
#include <os/thread.h>
#include <shoal/fence.h>
#include <shoal/lock.h>
#include <stdio.h>

#define LOCK "example/fence"

static handle_t endpoint;

static void serve(void *argument)
{
    struct message m = {.tag = 0};
    handle_t reply;
    uint64_t badge;
    while (os_recv(endpoint, &m, &reply, &badge, SHOAL_NEVER) == E_OK) {
        m = (struct message){.tag = TAG(E_OK, 0, 0, 0)};
        os_reply(reply, &m);
    }
}

/* A call with nothing in it, as the stubs of abi/idl make theirs. */
static err_t call(const struct shoal_hold *hold)
{
    struct msg m = {.tag = 0};
    handle_t before = shoal_act_under(hold);
    err_t err = stub_begin(&m, 0);
    m.tag = TAG(1, 0, 0, 0);
    if (!err)
        err = stub_call(endpoint, &m, shoal_in_ms(5000));
    shoal_act_again(before);
    return err;
}

int main(void)
{
    handle_t cluster = shoal_cluster();
    struct shoal_hold old, newer;
    struct os_thread *thread;
    err_t err = os_create(os_budget(), OBJECT_ENDPOINT, 0, 0, 0, &endpoint);
    if (!err)
        err = shoal_guard(cluster, shoal_in_ms(5000), LOCK, endpoint);
    if (!err)
        err = os_thread_create(serve, NULL, 0, PRIORITY_NORMAL, &thread);
    if (!err)
        err = shoal_lock(cluster, shoal_in_ms(30000), LOCK, NULL, &old);
    if (err) {
        fprintf(stderr, "fence: %s\n", shoal_error_text(err));
        return 1;
    }
    printf("with the lock: %s\n", shoal_error_text(call(&old)));
    printf("without: %s\n", shoal_error_text(call(NULL)));
    handle_t kept = old.handle; /* as if this process did not know that it gave the lock back */
    os_handle_dup(kept, RIGHTS_ALL, &kept);
    shoal_release(&old, shoal_in_ms(5000));
    old.handle = kept;
    err = shoal_lock(cluster, shoal_in_ms(30000), LOCK, NULL, &newer);
    printf("with an old hold: %s\n", shoal_error_text(call(&old)));
    printf("with the newer: %s\n", shoal_error_text(err ? err : call(&newer)));
    return err != E_OK || shoal_release(&newer, shoal_in_ms(5000)) != E_OK;
}
