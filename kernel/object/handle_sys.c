/* handle_dup, handle_close, handle_mint, handle_revoke, handle_info. */
#include <kernel/ipc.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

static struct process *self(void)
{
    return thread_current()->process;
}

static err_t insert(struct trap_frame *f, struct handle_ref *r)
{
    handle_t h;
    err_t err = handle_insert(self(), r, &h);
    f->rdx = err == E_OK ? h : HANDLE_NONE;
    return err;
}

err_t sys_handle_dup(struct trap_frame *f)
{
    struct handle_entry *e;
    uint64_t rights = f->rsi;
    f->rdx = HANDLE_NONE;
    if (rights & ~(uint64_t)RIGHTS_ALL)
        return E_INVALID;
    err_t err = handle_decode(self(), f->rdi, OBJECT_NONE, RIGHT_DUP, &e);
    if (err != E_OK)
        return err;
    struct handle_ref r = handle_ref_make(e->object, e->gate, e->rights & (uint32_t)rights);
    return insert(f, &r);
}

err_t sys_handle_close(struct trap_frame *f)
{
    struct handle_entry *e;
    err_t err = handle_decode_any(self(), f->rdi, OBJECT_NONE, 0, &e);
    if (err == E_OK)
        handle_close(self(), (handle_t)f->rdi);
    return err;
}

err_t sys_handle_mint(struct trap_frame *f)
{
    struct handle_entry *e;
    uint64_t badge = f->rsi, rights = f->rdx;
    f->rdx = HANDLE_NONE;
    if (rights & ~(uint64_t)RIGHTS_ALL)
        return E_INVALID;
    err_t err = handle_decode(self(), f->rdi, OBJECT_ENDPOINT, RIGHT_RECV, &e);
    if (err == E_OK)
        err = handle_reserve(self(), 1);
    if (err != E_OK)
        return err;
    struct handle_ref r;
    uint32_t kept = e->rights & (uint32_t)rights & ~(uint32_t)(RIGHT_RECV | RIGHT_MANAGE);
    err = endpoint_mint(container_of(e->object, struct endpoint, object), badge, kept, &r);
    if (err == E_OK)
        f->rdx = handle_install(self(), &r);
    return err;
}

err_t sys_handle_revoke(struct trap_frame *f)
{
    struct endpoint *e;
    err_t err = handle_object(self(), f->rdi, OBJECT_ENDPOINT, RIGHT_RECV, &e);
    if (err == E_OK)
        endpoint_revoke(e, f->rsi);
    return err;
}

err_t sys_handle_info(struct trap_frame *f)
{
    struct handle_entry *e;
    err_t err = handle_decode_any(self(), f->rdi, OBJECT_NONE, RIGHT_INFO, &e);
    if (err != E_OK)
        return err;
    struct handle_info info = {
        .type = e->object->type,
        .rights = e->rights,
        .serial = e->object->serial,
        .badge = e->gate ? e->gate->badge : 0,
        .remote = e->object->remote,
        .refs = e->object->type == OBJECT_REPLY ? 1 : e->object->handles,
    };
    return copy_to_user(f->rsi, &info, sizeof(info));
}
