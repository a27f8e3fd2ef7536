/* Threads, their keys and one-time calls. */
#include <errno.h>
#include <os/thread.h>
#include <pthread.h>
#include <reent.h>
#include <stdlib.h>

#include "libc.h"

struct pthread_block {
    struct os_thread *thread; /* NULL for the first thread */
    void *(*entry)(void *);
    void *argument, *result;
    uint32_t state; /* of THREAD_ bits */
};

/* The block is freed by whoever comes last: the joiner, or, for a detached thread, its end or its detaching. */
enum { THREAD_DETACHED = 1, THREAD_JOINED = 2, THREAD_ENDED = 4 };

#define KEYS_MAX 64

static struct pthread_block first;
static __thread struct pthread_block *self;
static __thread void *values[KEYS_MAX];

static struct os_mutex keys_lock;
static struct {
    bool used;
    void (*destructor)(void *);
} keys[KEYS_MAX];

pthread_t pthread_self(void)
{
    return self ? self : &first;
}

int pthread_equal(pthread_t a, pthread_t b)
{
    return a == b;
}

static void run_destructors(void)
{
    for (int round = 0; round < 4; round++) {
        bool any = false;
        for (int key = 0; key < KEYS_MAX; key++) {
            void *value = values[key];
            values[key] = NULL;
            if (!value || !keys[key].destructor)
                continue;
            keys[key].destructor(value);
            any = true;
        }
        if (!any)
            return;
    }
}

void pthread_exit(void *result)
{
    struct pthread_block *block = pthread_self();
    run_destructors();
    block->result = result;
    if (__atomic_fetch_or(&block->state, THREAD_ENDED, __ATOMIC_ACQ_REL) & THREAD_DETACHED)
        free(block);
    _reclaim_reent(_REENT);
    os_thread_exit();
}

static void begin(void *argument)
{
    self = argument;
    pthread_exit(self->entry(self->argument));
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*entry)(void *), void *argument)
{
    struct pthread_block *block = calloc(1, sizeof *block);
    if (!block)
        return EAGAIN;
    block->entry = entry;
    block->argument = argument;
    *thread = block;
    err_t err =
        os_thread_create(begin, block, attributes ? attributes->stack_bytes : 0, PRIORITY_NORMAL, &block->thread);
    if (err != E_OK) {
        free(block);
        return err == E_NO_MEMORY || err == E_FULL ? EAGAIN : libc_errno(err);
    }
    if (attributes && attributes->detached)
        pthread_detach(block);
    return 0;
}

/* Claims the right to join or detach, once. */
static bool claim(pthread_t thread, uint32_t how, uint32_t *before)
{
    *before = __atomic_fetch_or(&thread->state, how, __ATOMIC_ACQ_REL);
    return !(*before & (THREAD_DETACHED | THREAD_JOINED));
}

int pthread_join(pthread_t thread, void **result)
{
    uint32_t before;
    if (thread == pthread_self())
        return EDEADLK;
    if (!thread->thread || !claim(thread, THREAD_JOINED, &before))
        return EINVAL;
    err_t err = os_thread_join(thread->thread, DEADLINE_NEVER);
    if (err != E_OK)
        return libc_errno(err);
    if (result)
        *result = thread->result;
    free(thread);
    return 0;
}

int pthread_detach(pthread_t thread)
{
    uint32_t before;
    struct os_thread *os = thread->thread;
    if (!os || !claim(thread, THREAD_DETACHED, &before))
        return EINVAL;
    if (before & THREAD_ENDED)
        free(thread);
    os_thread_detach(os);
    return 0;
}

int pthread_once(pthread_once_t *once, void (*call)(void))
{
    static struct os_mutex lock;
    static struct os_cond done;
    if (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) == 2)
        return 0;
    os_mutex_lock(&lock);
    while (once->state == 1)
        os_cond_wait(&done, &lock, DEADLINE_NEVER);
    if (once->state == 0) {
        once->state = 1;
        os_mutex_unlock(&lock);
        call();
        os_mutex_lock(&lock);
        __atomic_store_n(&once->state, 2, __ATOMIC_RELEASE);
        os_cond_broadcast(&done);
    }
    os_mutex_unlock(&lock);
    return 0;
}

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    int error = EAGAIN;
    os_mutex_lock(&keys_lock);
    for (unsigned i = 0; error && i < KEYS_MAX; i++) {
        if (keys[i].used)
            continue;
        keys[i].used = true;
        keys[i].destructor = destructor;
        *key = i;
        error = 0;
    }
    os_mutex_unlock(&keys_lock);
    return error;
}

int pthread_key_delete(pthread_key_t key)
{
    if (key >= KEYS_MAX || !keys[key].used)
        return EINVAL;
    os_mutex_lock(&keys_lock);
    keys[key].used = false;
    keys[key].destructor = NULL;
    os_mutex_unlock(&keys_lock);
    return 0;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    if (key >= KEYS_MAX || !keys[key].used)
        return EINVAL;
    values[key] = (void *)value;
    return 0;
}

void *pthread_getspecific(pthread_key_t key)
{
    return key < KEYS_MAX ? values[key] : NULL;
}

int pthread_attr_init(pthread_attr_t *attributes)
{
    *attributes = (pthread_attr_t){0};
    return 0;
}

int pthread_attr_destroy(pthread_attr_t *attributes)
{
    return 0;
}

int pthread_attr_setdetachstate(pthread_attr_t *attributes, int state)
{
    attributes->detached = state == PTHREAD_CREATE_DETACHED;
    return 0;
}

int pthread_attr_getdetachstate(const pthread_attr_t *attributes, int *state)
{
    *state = attributes->detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE;
    return 0;
}

int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes)
{
    if (bytes < PTHREAD_STACK_MIN)
        return EINVAL;
    attributes->stack_bytes = bytes;
    return 0;
}

int pthread_attr_getstacksize(const pthread_attr_t *attributes, size_t *bytes)
{
    *bytes = attributes->stack_bytes ? attributes->stack_bytes : OS_STACK_BYTES;
    return 0;
}

/* There is no cancellation: threads are asked to end, not made to. */
int pthread_setcancelstate(int state, int *before)
{
    if (before)
        *before = PTHREAD_CANCEL_DISABLE;
    return 0;
}
