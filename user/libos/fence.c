#include <abi/cluster.h>
#include <os/fence.h>
#include <os/syscall.h>
#include <os/thread.h>

handle_t os_fence(handle_t lock)
{
    struct os_thread *self = os_self();
    handle_t before = self->lock;
    self->lock = lock;
    return before;
}

err_t os_fence_lost(handle_t lock, uint64_t deadline)
{
    struct message m = {.tag = TAG(CLUSTER_HELD_WAIT, 0, 0, 0)};
    err_t err = os_call(lock, &m, deadline);
    return err ? err : TAG_OP(m.tag);
}
