/* The way in: from number to function. */
#include <kernel/fault_report.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/system.h>

static err_t (*const plain_calls[SYS_COUNT])(struct trap_frame *f) = {
    [SYS_signal] = sys_signal,
    [SYS_wait] = sys_wait,
    [SYS_handle_dup] = sys_handle_dup,
    [SYS_handle_close] = sys_handle_close,
    [SYS_handle_mint] = sys_handle_mint,
    [SYS_handle_revoke] = sys_handle_revoke,
    [SYS_handle_info] = sys_handle_info,
    [SYS_create] = sys_create,
    [SYS_control] = sys_control,
    [SYS_vm_map] = sys_vm_map,
    [SYS_vm_unmap] = sys_vm_unmap,
    [SYS_vm_protect] = sys_vm_protect,
    [SYS_memory_rw] = sys_memory_rw,
    [SYS_exit] = sys_exit,
    [SYS_yield] = sys_yield,
    [SYS_clock] = sys_clock,
    [SYS_futex] = sys_futex,
};

static __attribute__((noinline)) void plain_call(struct trap_frame *f)
{
    uint64_t number = f->rax;
    if (number >= SYS_COUNT || !plain_calls[number]) {
        f->rax = E_BAD_SYSCALL;
        return;
    }
    f->rax = plain_calls[number](f);
    memory_deferred_free();
    system_log_poll();
}

void syscall_dispatch(struct trap_frame *f)
{
    uint64_t number = f->rax;
    if (number == SYS_call) /* these two by themselves, since they are most */
        sys_call(f);
    else if (number == SYS_reply_recv)
        sys_reply_recv(f);
    else if (number == SYS_recv)
        sys_recv(f);
    else if (number == SYS_reply)
        sys_reply(f);
    else
        plain_call(f);
}

/* ---- faults of user code ---- */

static void fault_ends_process(struct trap_frame *f, uint32_t cause, uint32_t code, uint64_t address)
{
    struct process *p = thread_current()->process;
    if (p->ending)
        return;
    p->fault_address = address;
    p->fault_ip = f->rip;
    if (cause == EXIT_FAULT)
        fault_report(f, code, address);
    process_kill(p, cause, code);
}

void trap_user_fault(struct trap_frame *f, enum fault_kind kind, uint64_t address, uint64_t error)
{
    struct thread *t = thread_current();
    const uint64_t words[5] = {t->object.serial, kind, address, f->rip, error};
    bool resume = false;
    if (!(error & FAULT_NO_MEMORY))
        ipc_fault(t, words, &resume);
    if (!resume)
        fault_ends_process(f, error & FAULT_NO_MEMORY ? EXIT_MEMORY : EXIT_FAULT, kind, address);
}
