/* Threads and thread-local storage. The area of a thread, from low to high: guard page, stack, TLS block, struct
 * os_thread (variant II of the TLS ABI: the block ends where the thread pointer points). */
#include <os/log.h>
#include <os/memory.h>
#include <os/startup.h>
#include <os/sync.h>
#include <os/syscall.h>

#include "private.h"

/* Set by the linker script: the initial image of the TLS block and its size in memory. */
extern const uint8_t tls_image_start[], tls_image_end[], tls_block_bytes[];

#define TLS_ALIGN       64ull
#define FIRST_TLS_BYTES 16384u

static uint64_t align_up(uint64_t value, uint64_t to)
{
    return (value + to - 1) & ~(to - 1);
}

/* The linker script aligns the TLS segment to TLS_ALIGN, so the block's size is a multiple of it. */
static uint64_t tls_block(void)
{
    return align_up((uint64_t)tls_block_bytes, TLS_ALIGN);
}

uint64_t tls_bytes(void)
{
    return align_up(tls_block() + sizeof(struct os_thread), TLS_ALIGN);
}

struct os_thread *tls_make(void *area)
{
    struct os_thread *thread = (struct os_thread *)((uint8_t *)area + tls_block());
    __builtin_memcpy(area, tls_image_start, (uint64_t)(tls_image_end - tls_image_start));
    thread->self = thread;
    return thread;
}

void thread_first(const struct startup *startup)
{
    static _Alignas(64) uint8_t area[FIRST_TLS_BYTES];
    if (tls_bytes() > sizeof area)
        os_exit(1, 127); /* found by the first run of a program with that much TLS */
    struct os_thread *thread = tls_make(area);
    thread->ipc = (struct ipc_buffer *)startup->ipc_buffer;
    thread->handle = startup->handles[STARTUP_THREAD];
    thread->stack_low = startup->stack_low;
    thread->stack_high = startup->stack_high;
    if (os_control(thread->handle, OP_THREAD_FS_BASE, (uint64_t)thread, 0, 0, 0).err != E_OK)
        os_exit(1, 127);
}

_Noreturn void os_thread_main(struct os_thread *thread)
{
    thread->entry(thread->argument);
    os_thread_exit();
}

static err_t thread_area(uint64_t stack_bytes, struct os_memory *area_out)
{
    uint64_t bytes = PAGE_BYTES + align_up(stack_bytes, PAGE_BYTES) + align_up(tls_bytes(), PAGE_BYTES);
    err_t err = os_memory_create(bytes, 0, area_out);
    if (err != E_OK)
        return err;
    err = os_vm_protect(os_process(), (uint64_t)area_out->at, PAGE_BYTES, 0);
    if (err != E_OK)
        os_memory_destroy(area_out);
    return err;
}

/* Where IPC buffers are put: a region of its own, slots used in turn, so that a new buffer does not meet what the
 * kernel placed, nor one whose thread is just ending. */
#define IPC_REGION 0x0000060000000000ull
#define IPC_SLOTS  4096u

static err_t thread_object(struct os_thread *thread, uint32_t priority)
{
    static uint32_t next_slot;
    err_t err = E_FULL;
    for (uint32_t tries = 0; tries < IPC_SLOTS; tries++) {
        uint64_t slot = __atomic_fetch_add(&next_slot, 1, __ATOMIC_RELAXED) % IPC_SLOTS;
        uint64_t at = IPC_REGION + slot * 4 * PAGE_BYTES;
        err = os_create(os_budget(), OBJECT_THREAD, os_process(), at, priority, &thread->handle);
        if (err != E_EXISTS) {
            thread->ipc = (struct ipc_buffer *)at;
            return err;
        }
    }
    return err;
}

static err_t thread_run(struct os_thread *thread)
{
    err_t err = os_control(thread->handle, OP_THREAD_FS_BASE, (uint64_t)thread, 0, 0, 0).err;
    if (err == E_OK)
        err = os_control(thread->handle, OP_THREAD_START, (uint64_t)os_thread_begin, thread->stack_high,
                         (uint64_t)thread, 0)
                  .err;
    if (err != E_OK)
        os_handle_close(thread->handle);
    return err;
}

/* Detached threads that may still run on their area; freed by whoever creates a thread after they ended. */
static struct os_mutex detached_lock;
static struct os_thread *detached;

static void thread_free(struct os_thread *thread)
{
    struct os_memory area = {.handle = thread->memory, .at = (void *)thread->base, .bytes = thread->mapped_bytes};
    os_handle_close(thread->handle);
    if (area.handle)
        os_memory_destroy(&area);
}

static bool thread_ended(const struct os_thread *thread)
{
    struct thread_info info;
    return os_control(thread->handle, OP_THREAD_INFO, (uint64_t)&info, 0, 0, 0).err == E_OK && info.state == 3;
}

static void detached_reap(void)
{
    os_mutex_lock(&detached_lock);
    for (struct os_thread **at = &detached; *at;) {
        struct os_thread *thread = *at;
        if (thread_ended(thread)) {
            *at = thread->next;
            thread_free(thread);
        } else {
            at = &thread->next;
        }
    }
    os_mutex_unlock(&detached_lock);
}

void os_thread_detach(struct os_thread *thread)
{
    os_mutex_lock(&detached_lock);
    thread->next = detached;
    detached = thread;
    os_mutex_unlock(&detached_lock);
}

err_t os_thread_join(struct os_thread *thread, uint64_t deadline)
{
    handle_t notification;
    uint64_t bits;
    err_t err = os_create(os_budget(), OBJECT_NOTIFICATION, 0, 0, 0, &notification);
    if (err != E_OK)
        return err;
    err = os_control(thread->handle, OP_THREAD_WATCH, notification, 1, 0, 0).err;
    while (err == E_OK && (err = os_wait(notification, 1, deadline, &bits)) == E_INTERRUPTED)
        err = E_OK;
    os_handle_close(notification);
    if (err == E_OK)
        thread_free(thread);
    return err;
}

_Noreturn void os_thread_exit(void)
{
    os_exit(0, 0);
}

err_t os_thread_create(void (*entry)(void *), void *argument, uint64_t stack_bytes, uint32_t priority,
                       struct os_thread **thread_out)
{
    struct os_memory area;
    detached_reap();
    err_t err = thread_area(stack_bytes ? stack_bytes : OS_STACK_BYTES, &area);
    if (err != E_OK)
        return err;
    uint64_t tls_at = (uint64_t)area.at + area.bytes - align_up(tls_bytes(), PAGE_BYTES);
    struct os_thread *thread = tls_make((void *)tls_at);
    thread->memory = area.handle;
    thread->base = (uint64_t)area.at;
    thread->mapped_bytes = area.bytes;
    thread->stack_low = thread->base + PAGE_BYTES;
    thread->stack_high = tls_at;
    thread->entry = entry;
    thread->argument = argument;
    *thread_out = thread;
    err = thread_object(thread, priority);
    if (err == E_OK)
        err = thread_run(thread);
    if (err != E_OK)
        os_memory_destroy(&area);
    return err;
}
