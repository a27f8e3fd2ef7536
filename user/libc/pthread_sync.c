/* Mutexes, conditions, read-write locks, barriers, spin locks and semaphores, all on the futex locks of libos. */
#include <errno.h>
#include <os/sync.h>
#include <pthread.h>
#include <semaphore.h>

#include "libc.h"

static struct os_mutex *lock_of(unsigned *word)
{
    _Static_assert(sizeof(struct os_mutex) == sizeof(unsigned), "a mutex is one word");
    return (struct os_mutex *)word;
}

static struct os_cond *cond_of(unsigned *word)
{
    _Static_assert(sizeof(struct os_cond) == sizeof(unsigned), "a condition is one word");
    return (struct os_cond *)word;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    *mutex = (pthread_mutex_t){.type = attributes ? attributes->type : PTHREAD_MUTEX_DEFAULT};
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    return __atomic_load_n(&mutex->lock, __ATOMIC_RELAXED) ? EBUSY : 0;
}

/* What locking one's own lock again means. -1: go and lock it. */
static int own_already(pthread_mutex_t *mutex)
{
    if (mutex->type == PTHREAD_MUTEX_NORMAL || __atomic_load_n(&mutex->owner, __ATOMIC_RELAXED) != pthread_self())
        return -1;
    if (mutex->type == PTHREAD_MUTEX_ERRORCHECK)
        return EDEADLK;
    mutex->depth++;
    return 0;
}

static int locked(pthread_mutex_t *mutex)
{
    if (mutex->type != PTHREAD_MUTEX_NORMAL)
        __atomic_store_n(&mutex->owner, pthread_self(), __ATOMIC_RELAXED);
    mutex->depth = 1;
    return 0;
}

static int lock_until(pthread_mutex_t *mutex, uint64_t deadline)
{
    int own = own_already(mutex);
    if (own >= 0)
        return own;
    if (os_mutex_lock_until(lock_of(&mutex->lock), deadline) != E_OK)
        return ETIMEDOUT;
    return locked(mutex);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return lock_until(mutex, DEADLINE_NEVER);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *until)
{
    return lock_until(mutex, deadline_of(CLOCK_REALTIME, until));
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    int own = own_already(mutex);
    if (own >= 0)
        return own == EDEADLK ? EBUSY : own;
    return os_mutex_try(lock_of(&mutex->lock)) ? locked(mutex) : EBUSY;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (mutex->type != PTHREAD_MUTEX_NORMAL && mutex->owner != pthread_self())
        return EPERM;
    if (mutex->type == PTHREAD_MUTEX_RECURSIVE && --mutex->depth)
        return 0;
    __atomic_store_n(&mutex->owner, NULL, __ATOMIC_RELAXED);
    os_mutex_unlock(lock_of(&mutex->lock));
    return 0;
}

int pthread_mutexattr_init(pthread_mutexattr_t *attributes)
{
    *attributes = (pthread_mutexattr_t){0};
    return 0;
}

int pthread_mutexattr_destroy(pthread_mutexattr_t *attributes)
{
    return 0;
}

int pthread_mutexattr_settype(pthread_mutexattr_t *attributes, int type)
{
    if (type < PTHREAD_MUTEX_NORMAL || type > PTHREAD_MUTEX_ERRORCHECK)
        return EINVAL;
    attributes->type = type;
    return 0;
}

int pthread_mutexattr_gettype(const pthread_mutexattr_t *attributes, int *type)
{
    *type = attributes->type;
    return 0;
}

int pthread_condattr_init(pthread_condattr_t *attributes)
{
    *attributes = (pthread_condattr_t){.clock = CLOCK_REALTIME};
    return 0;
}

int pthread_condattr_destroy(pthread_condattr_t *attributes)
{
    return 0;
}

int pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return EINVAL;
    attributes->clock = clock;
    return 0;
}

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    *cond = (pthread_cond_t){.clock = attributes ? attributes->clock : CLOCK_REALTIME};
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *cond)
{
    return 0;
}

static int cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t deadline)
{
    unsigned depth = mutex->depth;
    __atomic_store_n(&mutex->owner, NULL, __ATOMIC_RELAXED);
    err_t err = os_cond_wait(cond_of(&cond->sequence), lock_of(&mutex->lock), deadline);
    locked(mutex);
    mutex->depth = depth;
    return err == E_TIMED_OUT ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return cond_wait_until(cond, mutex, DEADLINE_NEVER);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    /* A static initialiser leaves the clock at 0, which stands for the real-time clock. */
    return cond_wait_until(cond, mutex, deadline_of(cond->clock ? cond->clock : CLOCK_REALTIME, until));
}

int pthread_cond_signal(pthread_cond_t *cond)
{
    os_cond_signal(cond_of(&cond->sequence));
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *cond)
{
    os_cond_broadcast(cond_of(&cond->sequence));
    return 0;
}

int pthread_rwlock_init(pthread_rwlock_t *lock, const pthread_rwlockattr_t *attributes)
{
    *lock = (pthread_rwlock_t){0};
    return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    return 0;
}

/* Writers that wait go before new readers, so that they come in at all. */
static int rwlock_take(pthread_rwlock_t *lock, bool write, bool wait)
{
    struct os_mutex *mutex = lock_of(&lock->lock);
    int error = 0;
    os_mutex_lock(mutex);
    lock->writers_waiting += write;
    while (!error && (write ? lock->readers != 0 : lock->readers < 0 || lock->writers_waiting)) {
        if (wait)
            os_cond_wait(cond_of(&lock->sequence), mutex, DEADLINE_NEVER);
        else
            error = EBUSY;
    }
    lock->writers_waiting -= write;
    if (!error)
        lock->readers = write ? -1 : lock->readers + 1;
    os_mutex_unlock(mutex);
    return error;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    return rwlock_take(lock, false, true);
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    return rwlock_take(lock, false, false);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    return rwlock_take(lock, true, true);
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    return rwlock_take(lock, true, false);
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    struct os_mutex *mutex = lock_of(&lock->lock);
    os_mutex_lock(mutex);
    lock->readers = lock->readers < 0 ? 0 : lock->readers - 1;
    if (lock->readers == 0)
        os_cond_broadcast(cond_of(&lock->sequence));
    os_mutex_unlock(mutex);
    return 0;
}

int pthread_barrier_init(pthread_barrier_t *barrier, const pthread_barrierattr_t *attributes, unsigned count)
{
    *barrier = (pthread_barrier_t){.count = count};
    return count ? 0 : EINVAL;
}

int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    return 0;
}

int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    struct os_mutex *mutex = lock_of(&barrier->lock);
    os_mutex_lock(mutex);
    unsigned round = barrier->sequence;
    bool last = ++barrier->arrived == barrier->count;
    if (last) {
        barrier->arrived = 0;
        os_cond_broadcast(cond_of(&barrier->sequence)); /* also counts the round */
    }
    while (!last && barrier->sequence == round)
        os_cond_wait(cond_of(&barrier->sequence), mutex, DEADLINE_NEVER);
    os_mutex_unlock(mutex);
    return last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

/* Spinning would waste the time slice of whoever has it: these are mutexes. */
int pthread_spin_init(pthread_spinlock_t *lock, int shared)
{
    *lock = 0;
    return 0;
}

int pthread_spin_destroy(pthread_spinlock_t *lock)
{
    return 0;
}

int pthread_spin_lock(pthread_spinlock_t *lock)
{
    os_mutex_lock(lock_of(lock));
    return 0;
}

int pthread_spin_trylock(pthread_spinlock_t *lock)
{
    return os_mutex_try(lock_of(lock)) ? 0 : EBUSY;
}

int pthread_spin_unlock(pthread_spinlock_t *lock)
{
    os_mutex_unlock(lock_of(lock));
    return 0;
}

static struct os_semaphore *semaphore_of(sem_t *semaphore)
{
    _Static_assert(sizeof(struct os_semaphore) == sizeof(sem_t), "a semaphore is two words");
    return (struct os_semaphore *)semaphore;
}

static int semaphore_result(err_t err, int error)
{
    if (err == E_OK)
        return 0;
    errno = error;
    return -1;
}

int sem_init(sem_t *semaphore, int shared, unsigned value)
{
    if (shared || value > SEM_VALUE_MAX)
        return semaphore_result(E_INVALID, shared ? ENOTSUP : EINVAL);
    *semaphore = (sem_t){.count = value};
    return 0;
}

int sem_destroy(sem_t *semaphore)
{
    return 0;
}

int sem_wait(sem_t *semaphore)
{
    return semaphore_result(os_semaphore_wait(semaphore_of(semaphore), DEADLINE_NEVER), EINTR);
}

int sem_trywait(sem_t *semaphore)
{
    return semaphore_result(os_semaphore_wait(semaphore_of(semaphore), DEADLINE_POLL), EAGAIN);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    return semaphore_result(os_semaphore_wait(semaphore_of(semaphore), deadline_of(CLOCK_REALTIME, until)), ETIMEDOUT);
}

int sem_post(sem_t *semaphore)
{
    os_semaphore_post(semaphore_of(semaphore));
    return 0;
}

int sem_getvalue(sem_t *restrict semaphore, int *restrict value)
{
    *value = (int)__atomic_load_n(&semaphore->count, __ATOMIC_RELAXED);
    return 0;
}
