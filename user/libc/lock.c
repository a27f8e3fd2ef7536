/* What newlib asks of threads: its locks, and the struct _reent of the calling thread. */
#include <os/thread.h>
#include <reent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>

#include "libc.h"

struct __lock {
    struct os_mutex mutex;
    uint32_t depth;
    struct os_thread *owner; /* of recursive ones */
};

struct __lock __lock___sinit_recursive_mutex, __lock___sfp_recursive_mutex, __lock___atexit_recursive_mutex,
    __lock___at_quick_exit_mutex, __lock___malloc_recursive_mutex, __lock___env_recursive_mutex, __lock___tz_mutex,
    __lock___dd_hash_mutex, __lock___arc4random_mutex;

/* Locks of streams. Without memory for one its stream cannot be opened; newlib has no way to be told, so the process
 * ends. */
void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof **lock);
    if (!*lock)
        abort();
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    os_mutex_lock(&lock->mutex);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return os_mutex_try(&lock->mutex);
}

void __retarget_lock_release(_LOCK_T lock)
{
    os_mutex_unlock(&lock->mutex);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    /* Only this thread can have written itself there, so reading without the lock is enough. */
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != os_self()) {
        if (!os_mutex_try(&lock->mutex))
            return 0;
        __atomic_store_n(&lock->owner, os_self(), __ATOMIC_RELAXED);
    }
    lock->depth++;
    return 1;
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != os_self()) {
        os_mutex_lock(&lock->mutex);
        __atomic_store_n(&lock->owner, os_self(), __ATOMIC_RELAXED);
    }
    lock->depth++;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth)
        return;
    __atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
    os_mutex_unlock(&lock->mutex);
}

/* The first thread uses newlib's own; every other thread its own copy, made when it is first asked for. */
static __thread struct _reent *current;
static __thread struct _reent own;

void libc_thread_start(void)
{
    current = _GLOBAL_REENT;
}

struct _reent *__getreent(void)
{
    if (!current) {
        _REENT_INIT_PTR((&own));
        current = &own;
    }
    return current;
}
