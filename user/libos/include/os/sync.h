/* Locks for the threads of one process, on futexes: no system call where nobody waits. Zero-initialised is ready to
 * use. */
#pragma once

#include <abi/types.h>

/* 0 free, 1 held, 2 held and somebody may wait. Not recursive. */
struct os_mutex {
    uint32_t state;
};

void os_mutex_lock(struct os_mutex *m);
bool os_mutex_try(struct os_mutex *m);
err_t os_mutex_lock_until(struct os_mutex *m, uint64_t deadline); /* E_OK or E_TIMED_OUT */
void os_mutex_unlock(struct os_mutex *m);

struct os_cond {
    uint32_t sequence;
};

/* Gives the mutex up while waiting and has it again on return, also on E_TIMED_OUT. May wake without cause. */
err_t os_cond_wait(struct os_cond *c, struct os_mutex *m, uint64_t deadline);
void os_cond_signal(struct os_cond *c);
void os_cond_broadcast(struct os_cond *c);

struct os_semaphore {
    uint32_t count, waiters;
};

void os_semaphore_post(struct os_semaphore *s);
err_t os_semaphore_wait(struct os_semaphore *s, uint64_t deadline); /* E_OK or E_TIMED_OUT */
