/* Mutex, condition and semaphore on futexes. */
#include <os/sync.h>
#include <os/syscall.h>

bool os_mutex_try(struct os_mutex *m)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&m->state, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

err_t os_mutex_lock_until(struct os_mutex *m, uint64_t deadline)
{
    if (os_mutex_try(m))
        return E_OK;
    /* From here on it is taken as "held, somebody may wait": one wake too many at most. */
    while (__atomic_exchange_n(&m->state, 2, __ATOMIC_ACQUIRE) != 0) {
        if (os_futex_wait(&m->state, 2, deadline) == E_TIMED_OUT)
            return E_TIMED_OUT;
    }
    return E_OK;
}

void os_mutex_lock(struct os_mutex *m)
{
    os_mutex_lock_until(m, DEADLINE_NEVER);
}

void os_mutex_unlock(struct os_mutex *m)
{
    if (__atomic_exchange_n(&m->state, 0, __ATOMIC_RELEASE) == 2)
        os_futex_wake(&m->state, 1);
}

err_t os_cond_wait(struct os_cond *c, struct os_mutex *m, uint64_t deadline)
{
    uint32_t seen = __atomic_load_n(&c->sequence, __ATOMIC_RELAXED);
    os_mutex_unlock(m);
    err_t err = os_futex_wait(&c->sequence, seen, deadline);
    os_mutex_lock(m);
    return err == E_TIMED_OUT ? E_TIMED_OUT : E_OK;
}

void os_cond_signal(struct os_cond *c)
{
    __atomic_add_fetch(&c->sequence, 1, __ATOMIC_RELEASE);
    os_futex_wake(&c->sequence, 1);
}

void os_cond_broadcast(struct os_cond *c)
{
    __atomic_add_fetch(&c->sequence, 1, __ATOMIC_RELEASE);
    os_futex_wake(&c->sequence, UINT32_MAX);
}

void os_semaphore_post(struct os_semaphore *s)
{
    __atomic_add_fetch(&s->count, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&s->waiters, __ATOMIC_SEQ_CST))
        os_futex_wake(&s->count, 1);
}

static bool semaphore_take(struct os_semaphore *s)
{
    uint32_t count = __atomic_load_n(&s->count, __ATOMIC_SEQ_CST);
    while (count)
        if (__atomic_compare_exchange_n(&s->count, &count, count - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
    return false;
}

err_t os_semaphore_wait(struct os_semaphore *s, uint64_t deadline)
{
    if (semaphore_take(s))
        return E_OK;
    err_t err = E_OK;
    __atomic_add_fetch(&s->waiters, 1, __ATOMIC_SEQ_CST);
    while (!semaphore_take(s) && err != E_TIMED_OUT)
        err = os_futex_wait(&s->count, 0, deadline);
    __atomic_sub_fetch(&s->waiters, 1, __ATOMIC_SEQ_CST);
    return err == E_TIMED_OUT ? E_TIMED_OUT : E_OK;
}
