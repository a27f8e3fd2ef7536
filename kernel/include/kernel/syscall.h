/* The system calls, one function each: arguments and results in the caller's registers (abi/syscalls.def). Kernel lock
 * held, interrupts off. Plain calls return the err_t and put their value into rdx; IPC calls fill in all registers. */
#pragma once

#include <kernel/arch.h>

void sys_call(struct trap_frame *f);
void sys_recv(struct trap_frame *f);
void sys_reply(struct trap_frame *f);
void sys_reply_recv(struct trap_frame *f);

err_t sys_signal(struct trap_frame *f);
err_t sys_wait(struct trap_frame *f);
err_t sys_handle_dup(struct trap_frame *f);
err_t sys_handle_close(struct trap_frame *f);
err_t sys_handle_mint(struct trap_frame *f);
err_t sys_handle_revoke(struct trap_frame *f);
err_t sys_handle_info(struct trap_frame *f);
err_t sys_create(struct trap_frame *f);
err_t sys_control(struct trap_frame *f);
err_t sys_vm_map(struct trap_frame *f);
err_t sys_vm_unmap(struct trap_frame *f);
err_t sys_vm_protect(struct trap_frame *f);
err_t sys_memory_rw(struct trap_frame *f);
err_t sys_exit(struct trap_frame *f);
err_t sys_yield(struct trap_frame *f);
err_t sys_clock(struct trap_frame *f);
err_t sys_futex(struct trap_frame *f);
