/* vm_map, vm_unmap, vm_protect, memory_rw. */
#include <kernel/ipc.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>

static struct process *self(void)
{
    return thread_current()->process;
}

static err_t decode_process(uint64_t h, struct process **out)
{
    err_t err = handle_object(self(), h, OBJECT_PROCESS, RIGHT_MANAGE, out);
    return err == E_OK && (*out)->ending ? E_GONE : err;
}

err_t sys_vm_map(struct trap_frame *f)
{
    struct process *p;
    struct memory *m;
    uint64_t offset = f->rdx, flags = f->r9;
    f->rdx = 0;
    if (flags >> 32)
        return E_INVALID;
    uint32_t rights =
        (flags & VM_READ ? RIGHT_READ : 0) | (flags & VM_WRITE ? RIGHT_WRITE : 0) | (flags & VM_EXEC ? RIGHT_EXEC : 0);
    err_t err = decode_process(f->rdi, &p);
    if (err == E_OK)
        err = handle_object(self(), f->rsi, OBJECT_MEMORY, rights, &m);
    if (err == E_OK)
        err = vm_map(p, m, offset, f->r10, f->r8, (uint32_t)flags, &f->rdx);
    return err;
}

err_t sys_vm_unmap(struct trap_frame *f)
{
    struct process *p;
    err_t err = decode_process(f->rdi, &p);
    if (err != E_OK)
        return err;
    object_get(&p->object); /* the lock is let go now and then */
    err = vm_unmap(p, f->rsi, f->rdx);
    object_put(&p->object);
    return err;
}

err_t sys_vm_protect(struct trap_frame *f)
{
    struct process *p;
    if (f->r10 >> 32)
        return E_INVALID;
    err_t err = decode_process(f->rdi, &p);
    return err == E_OK ? vm_protect(p, f->rsi, f->rdx, (uint32_t)f->r10) : err;
}

/* ---- memory_rw ---- */

struct rw {
    uint64_t offset, user, bytes;
    uint32_t direction;
};

static err_t rw_memory(struct memory *m, const struct rw *rw, uint64_t *done_out)
{
    uint64_t size = m->pages * PAGE_BYTES;
    if (rw->offset > size || rw->bytes > size - rw->offset)
        return E_RANGE;
    if (m->sealed && rw->direction == IPC_LEND_OUT)
        return E_NO_RIGHT;
    object_get(&m->object);
    err_t err = memory_copy_user(m, rw->offset, rw->user, rw->bytes, rw->direction == IPC_LEND_IN, done_out);
    object_put(&m->object);
    return err;
}

static err_t rw_reply(struct call *c, const struct rw *rw, uint64_t *done_out)
{
    if (!c)
        return E_GONE;
    err_t err = call_lent_decode(c, rw->offset, rw->bytes, rw->direction);
    if (err != E_OK)
        return err;
    struct rw inner = *rw;
    inner.offset += c->lent_offset;
    if (c->lent)
        return rw_memory(c->lent, &inner, done_out);
    uint8_t *at = c->lent_kernel + rw->offset;
    err =
        rw->direction == IPC_LEND_IN ? copy_to_user(rw->user, at, rw->bytes) : copy_from_user(at, rw->user, rw->bytes);
    if (err == E_OK && rw->direction == IPC_LEND_OUT)
        call_lent_wrote(c, rw->offset, rw->bytes);
    *done_out = err == E_OK ? rw->bytes : 0;
    return err;
}

err_t sys_memory_rw(struct trap_frame *f)
{
    struct rw rw = {.offset = f->rsi, .user = f->rdx, .bytes = f->r10, .direction = (uint32_t)f->r8};
    struct handle_entry *e;
    f->rdx = 0;
    if (f->r8 != IPC_LEND_IN && f->r8 != IPC_LEND_OUT)
        return E_INVALID;
    if (rw.user >= USER_END || rw.bytes > USER_END - rw.user)
        return E_BAD_POINTER;
    err_t err = handle_decode(self(), f->rdi, OBJECT_NONE, 0, &e);
    if (err != E_OK)
        return err;
    if (e->object->type == OBJECT_REPLY)
        return rw_reply(reply_call(e->object), &rw, &f->rdx);
    err = handle_decode(self(), f->rdi, OBJECT_MEMORY, rw.direction == IPC_LEND_IN ? RIGHT_READ : RIGHT_WRITE, &e);
    return err == E_OK ? rw_memory(container_of(e->object, struct memory, object), &rw, &f->rdx) : err;
}
