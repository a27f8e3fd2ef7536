/* Threads and what they share. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { THREADS = 4, ROUNDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int counter, turn, once_calls;
static __thread int own = 7;
static pthread_key_t key;
static int destroyed;

static void *count(void *argument)
{
    own = (int)(long)argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
        free(malloc((size_t)(i & 255) + 1)); /* malloc's lock is met too */
    }
    errno = own; /* each thread's own */
    return (void *)(long)(own * 10 + (errno == own));
}

static void test_mutex(void)
{
    pthread_t threads[THREADS];
    void *result;
    counter = 0;
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, count, (void *)i) == 0);
    for (long i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], &result) == 0);
        CHECK((long)result == i * 10 + 1);
    }
    CHECK(counter == THREADS * ROUNDS && own == 7);
}

static void *take_turns(void *argument)
{
    int me = (int)(long)argument;
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&lock);
        while (turn % 2 != me)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void test_cond(void)
{
    pthread_t threads[2];
    turn = 0;
    for (long i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, take_turns, (void *)i) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK(turn == 200);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    pthread_mutex_lock(&lock);
    CHECK(pthread_cond_timedwait(&changed, &lock, &soon) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
}

static void call_once(void)
{
    once_calls++;
}

static void destroy(void *value)
{
    destroyed += *(int *)value;
}

static void *use_key(void *argument)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, call_once);
    pthread_setspecific(key, argument);
    return pthread_getspecific(key);
}

static void test_keys(void)
{
    pthread_t threads[2];
    int values[2] = {1, 2};
    void *result;
    CHECK(pthread_key_create(&key, destroy) == 0);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, use_key, &values[i]) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_join(threads[i], &result) == 0);
        CHECK(result == &values[i]);
    }
    CHECK(destroyed == 3 && once_calls == 1);
}

static sem_t items;

static void *post(void *argument)
{
    for (int i = 0; i < 50; i++)
        sem_post(&items);
    return NULL;
}

static void test_semaphore(void)
{
    pthread_t thread;
    CHECK(sem_init(&items, 0, 0) == 0);
    CHECK(sem_trywait(&items) == -1 && errno == EAGAIN);
    CHECK(pthread_create(&thread, NULL, post, NULL) == 0);
    for (int i = 0; i < 50; i++)
        CHECK(sem_wait(&items) == 0);
    pthread_join(thread, NULL);
}

static void test_kinds(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attributes);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == EPERM);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&mutex, &attributes);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_lock(&mutex) == EDEADLK &&
          pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_rwlock_rdlock(&rwlock) == 0 && pthread_rwlock_tryrdlock(&rwlock) == 0);
    CHECK(pthread_rwlock_trywrlock(&rwlock) == EBUSY);
    CHECK(pthread_rwlock_unlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
    CHECK(pthread_rwlock_trywrlock(&rwlock) == 0 && pthread_rwlock_unlock(&rwlock) == 0);
}

static void *nothing(void *argument)
{
    return argument;
}

void test_threads(void)
{
    test_mutex();
    test_cond();
    test_keys();
    test_semaphore();
    test_kinds();
    /* Stacks and IPC buffers of ended threads are used again: more threads than could ever be at once. */
    for (int i = 0; i < 40; i++) {
        pthread_t thread;
        if (!CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0))
            return;
        CHECK(pthread_join(thread, NULL) == 0);
    }
    CHECK(pthread_join(pthread_self(), NULL) == EDEADLK);
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        if (!CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0))
            return;
        CHECK(pthread_detach(thread) == 0);
    }
}
