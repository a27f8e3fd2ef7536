/* The system calls as C functions, nothing more. The only place in user space with the syscall instruction. */
#pragma once

#include <abi/info.h>
#include <abi/ipc.h>
#include <abi/types.h>

/* A message as registers carry it. */
struct message {
    uint64_t tag;
    uint64_t words[IPC_WORDS_MAX];
};

struct sys_result {
    err_t err;
    uint64_t value;
};

static inline struct sys_result os_syscall(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                                           uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return (struct sys_result){(err_t)number, c};
}

/* Sends *m and waits for the answer, which replaces it. */
static inline err_t os_call(handle_t endpoint, struct message *m, uint64_t deadline)
{
    register uint64_t r10 __asm__("r10") = m->words[0];
    register uint64_t r8 __asm__("r8") = m->words[1];
    register uint64_t r9 __asm__("r9") = m->words[2];
    register uint64_t r12 __asm__("r12") = m->words[3];
    register uint64_t r13 __asm__("r13") = m->words[4];
    register uint64_t r14 __asm__("r14") = m->words[5];
    uint64_t rax = SYS_call, rdi = endpoint, rsi = m->tag, rdx = deadline;
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13),
                       "+r"(r14)
                     :
                     : "rcx", "r11", "memory");
    m->tag = rsi;
    m->words[0] = r10, m->words[1] = r8, m->words[2] = r9;
    m->words[3] = r12, m->words[4] = r13, m->words[5] = r14;
    return (err_t)rax;
}

/* recv (reply == HANDLE_NONE) or reply_recv. *m holds the answer going in and the request coming out. */
static inline err_t os_reply_recv(handle_t reply, handle_t endpoint, struct message *m, handle_t *reply_out,
                                  uint64_t *badge_out, uint64_t deadline)
{
    register uint64_t r10 __asm__("r10") = m->words[0];
    register uint64_t r8 __asm__("r8") = m->words[1];
    register uint64_t r9 __asm__("r9") = m->words[2];
    register uint64_t r12 __asm__("r12") = m->words[3];
    register uint64_t r13 __asm__("r13") = m->words[4];
    register uint64_t r14 __asm__("r14") = m->words[5];
    register uint64_t r15 __asm__("r15") = endpoint;
    uint64_t rax = reply ? SYS_reply_recv : SYS_recv, rdi = reply ? reply : endpoint, rsi = m->tag, rdx = deadline;
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13),
                       "+r"(r14), "+r"(r15)
                     :
                     : "rcx", "r11", "memory");
    m->tag = rsi;
    m->words[0] = r10, m->words[1] = r8, m->words[2] = r9;
    m->words[3] = r12, m->words[4] = r13, m->words[5] = r14;
    *reply_out = (handle_t)rdi;
    *badge_out = rdx;
    return (err_t)rax;
}

static inline err_t os_recv(handle_t endpoint, struct message *m, handle_t *reply_out, uint64_t *badge_out,
                            uint64_t deadline)
{
    return os_reply_recv(HANDLE_NONE, endpoint, m, reply_out, badge_out, deadline);
}

static inline err_t os_reply(handle_t reply, const struct message *m)
{
    register uint64_t r10 __asm__("r10") = m->words[0];
    register uint64_t r8 __asm__("r8") = m->words[1];
    register uint64_t r9 __asm__("r9") = m->words[2];
    register uint64_t r12 __asm__("r12") = m->words[3];
    register uint64_t r13 __asm__("r13") = m->words[4];
    register uint64_t r14 __asm__("r14") = m->words[5];
    uint64_t rax = SYS_reply, rdi = reply, rsi = m->tag;
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "r"(r12), "r"(r13), "r"(r14)
                     : "rcx", "r11", "rdx", "memory");
    return (err_t)rax;
}

static inline err_t os_signal(handle_t notification, uint64_t bits)
{
    return os_syscall(SYS_signal, notification, bits, 0, 0, 0, 0).err;
}

/* Waits for any of `mask`; *bits_out are those that were set, now cleared. */
static inline err_t os_wait(handle_t notification, uint64_t mask, uint64_t deadline, uint64_t *bits_out)
{
    struct sys_result r = os_syscall(SYS_wait, notification, mask, deadline, 0, 0, 0);
    *bits_out = r.value;
    return r.err;
}

static inline err_t os_handle_dup(handle_t h, uint32_t rights, handle_t *out)
{
    struct sys_result r = os_syscall(SYS_handle_dup, h, rights, 0, 0, 0, 0);
    *out = (handle_t)r.value;
    return r.err;
}

static inline err_t os_handle_close(handle_t h)
{
    return os_syscall(SYS_handle_close, h, 0, 0, 0, 0, 0).err;
}

/* A handle that can call `endpoint` and shows `badge` there. When the last one is gone the endpoint gets IPC_CLOSED. */
static inline err_t os_handle_mint(handle_t endpoint, uint64_t badge, uint32_t rights, handle_t *out)
{
    struct sys_result r = os_syscall(SYS_handle_mint, endpoint, badge, rights, 0, 0, 0);
    *out = (handle_t)r.value;
    return r.err;
}

static inline err_t os_handle_revoke(handle_t endpoint, uint64_t badge)
{
    return os_syscall(SYS_handle_revoke, endpoint, badge, 0, 0, 0, 0).err;
}

static inline err_t os_handle_info(handle_t h, struct handle_info *out)
{
    return os_syscall(SYS_handle_info, h, (uint64_t)out, 0, 0, 0, 0).err;
}

static inline err_t os_create(handle_t budget, enum object_type type, uint64_t a, uint64_t b, uint64_t c, handle_t *out)
{
    struct sys_result r = os_syscall(SYS_create, budget, type, a, b, c, 0);
    *out = (handle_t)r.value;
    return r.err;
}

static inline struct sys_result os_control(handle_t h, enum control_op op, uint64_t a, uint64_t b, uint64_t c,
                                           uint64_t d)
{
    return os_syscall(SYS_control, h, op, a, b, c, d);
}

static inline err_t os_vm_map(handle_t process, handle_t memory, uint64_t offset, uint64_t bytes, uint64_t address,
                              uint32_t flags, uint64_t *address_out)
{
    struct sys_result r = os_syscall(SYS_vm_map, process, memory, offset, bytes, address, flags);
    *address_out = r.value;
    return r.err;
}

static inline err_t os_vm_unmap(handle_t process, uint64_t address, uint64_t bytes)
{
    return os_syscall(SYS_vm_unmap, process, address, bytes, 0, 0, 0).err;
}

static inline err_t os_vm_protect(handle_t process, uint64_t address, uint64_t bytes, uint32_t flags)
{
    return os_syscall(SYS_vm_protect, process, address, bytes, flags, 0, 0).err;
}

/* *done_out: how many bytes were copied. */
static inline err_t os_memory_rw(handle_t memory_or_reply, uint64_t offset, void *buffer, uint64_t bytes,
                                 enum ipc_lend direction, uint64_t *done_out)
{
    struct sys_result r = os_syscall(SYS_memory_rw, memory_or_reply, offset, (uint64_t)buffer, bytes, direction, 0);
    *done_out = r.value;
    return r.err;
}

/* what: 0 this thread only, 1 the whole process with `status`. */
static inline _Noreturn void os_exit(uint32_t what, uint32_t status)
{
    for (;;)
        os_syscall(SYS_exit, what, status, 0, 0, 0, 0);
}

static inline void os_yield(void)
{
    os_syscall(SYS_yield, 0, 0, 0, 0, 0, 0);
}

static inline uint64_t os_clock(enum clock_id clock)
{
    return os_syscall(SYS_clock, clock, 0, 0, 0, 0, 0).value;
}

/* Waits while *word == expected. */
static inline err_t os_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline)
{
    return os_syscall(SYS_futex, FUTEX_OP_WAIT, (uint64_t)word, expected, deadline, 0, 0).err;
}

static inline uint32_t os_futex_wake(const uint32_t *word, uint32_t count)
{
    return (uint32_t)os_syscall(SYS_futex, FUTEX_OP_WAKE, (uint64_t)word, count, 0, 0, 0).value;
}
