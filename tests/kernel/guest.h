/* What the guest tests share. A test program is the first process of the machine: it holds everything, speaks to the
 * kernel through <os/syscall.h> alone, writes its results into the kernel log and powers the machine off. */
#pragma once

#include <abi/startup.h>
#include <os/syscall.h>

#define GUEST_THREADS     8u
#define GUEST_STACK_BYTES 16384u
#define GUEST_HANDLES     8u
#define MS                1000000ull
#define SECOND            1000000000ull

/* Handles of this process, and the Budget that the running test creates its objects on. */
struct guest {
    struct startup *startup;
    handle_t process, thread, root, system, bundle;
    handle_t budget;
    struct ipc_buffer *ipc; /* of the first thread */
};
extern struct guest guest;

struct guest_test {
    const char *name;
    void (*run)(void);
};
/* Each program defines these. */
extern const struct guest_test guest_tests[];
extern const uint32_t guest_test_count;

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_failed(const char *file, int line, const char *what, uint64_t got, uint64_t expected);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, 0, 1))
#define CHECK_EQ(got, expected)                                                                                        \
    do {                                                                                                               \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                                             \
        if (got_ != expected_)                                                                                         \
            check_failed(__FILE__, __LINE__, #got, got_, expected_);                                                   \
    } while (0)
#define OK(call) CHECK_EQ(call, E_OK)

static inline uint64_t now(void)
{
    return os_clock(CLOCK_ID_MONOTONIC_NS);
}
uint64_t guest_objects(enum object_type type);
uint64_t guest_used(handle_t budget); /* bytes charged to it */
uint32_t guest_cpus(void);

/* ---- more threads of this process ---- */
struct guest_thread {
    handle_t handle;
    handle_t ended; /* Notification: bit 0 when it has ended */
    struct ipc_buffer *ipc;
    void (*run)(void *argument, struct ipc_buffer *ipc);
    void *argument;
    uint32_t slot;
};
/* slot: 0..GUEST_THREADS-1, which stack it runs on. What must hold from its first instruction on (its CPU, its
 * priority) is set between create and run. */
void guest_thread_create(struct guest_thread *t, uint32_t slot, void (*run)(void *, struct ipc_buffer *),
                         void *argument);
void guest_thread_run(struct guest_thread *t);
void guest_thread_start(struct guest_thread *t, uint32_t slot, void (*run)(void *, struct ipc_buffer *),
                        void *argument);
void guest_thread_join(struct guest_thread *t);
void guest_thread_pin(struct guest_thread *t, uint32_t cpu);

/* ---- processes of the same program ---- */
struct guest_child {
    handle_t process, thread;
    handle_t ended;
    handle_t handles[GUEST_HANDLES]; /* their numbers in the child */
    uint32_t handle_count;
    void *page; /* a page shared with it, seen there as guest_child_page() */
    handle_t page_memory;
};
/* What a child runs: it finds the handles it was given, and its own process's, in the page. */
struct guest_child_page {
    void (*run)(struct guest_child_page *page);
    struct ipc_buffer *ipc;
    handle_t handles[GUEST_HANDLES];
    handle_t process, budget; /* 0 unless given */
    uint64_t values[32];
};
void guest_child_create(struct guest_child *c, handle_t budget, void (*run)(struct guest_child_page *));
handle_t guest_child_give(struct guest_child *c, handle_t h, uint32_t rights);
void guest_child_start(struct guest_child *c);
struct process_info guest_child_wait(struct guest_child *c); /* until it has ended, then everything of it is closed */

/* ---- small helpers ---- */
handle_t guest_create(enum object_type type, uint64_t a, uint64_t b,
                      uint64_t c); /* on the test's Budget; must succeed */
void guest_close(handle_t h);
void *guest_map(handle_t memory, uint64_t bytes, uint32_t flags);
void guest_unmap(void *at, uint64_t bytes);
