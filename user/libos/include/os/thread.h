/* Threads. Each has a stack with a guard page below it, its own thread-local storage and its own IPC buffer. */
#pragma once

#include <abi/ipc.h>
#include <abi/types.h>

struct os_thread {
    struct os_thread *self; /* at %fs:0, as the processor's TLS model wants it */
    struct ipc_buffer *ipc;
    handle_t handle; /* Thread */
    handle_t memory; /* of stack and TLS; HANDLE_NONE for the first thread */
    uint64_t base;   /* of the mapping of `memory`, the guard page included */
    uint64_t mapped_bytes;
    uint64_t stack_low, stack_high;
    void (*entry)(void *);
    void *argument;
    struct os_thread *next; /* among the detached */
    void *libc;             /* the C library's own */
    handle_t lock;          /* that its calls are made under; os_fence() */
};

static inline struct os_thread *os_self(void)
{
    struct os_thread *self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    return self;
}

static inline struct ipc_buffer *os_ipc_buffer(void)
{
    return os_self()->ipc;
}

#define OS_STACK_BYTES (128u * 1024u)

/* stack_bytes 0: OS_STACK_BYTES. The whole stack is paid for. */
err_t os_thread_create(void (*entry)(void *), void *argument, uint64_t stack_bytes, uint32_t priority,
                       struct os_thread **thread_out);

/* Waits for its end and frees it. Once per thread, and not for detached ones. */
err_t os_thread_join(struct os_thread *thread, uint64_t deadline);

/* Nobody will join it: its memory is given back some time after its end. */
void os_thread_detach(struct os_thread *thread);

/* Ends the calling thread; the process goes on even when it was the first. */
_Noreturn void os_thread_exit(void);
