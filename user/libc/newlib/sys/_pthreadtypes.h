/* Types of <pthread.h>. Locks are words of the futex locks in user/libos; all zero is ready to use, so that static
 * initialisers are {0}. */
#ifndef _SYS__PTHREADTYPES_H_
#define _SYS__PTHREADTYPES_H_

#include <sys/sched.h>

typedef struct pthread_block *pthread_t;

#define PTHREAD_SCOPE_PROCESS 0
#define PTHREAD_SCOPE_SYSTEM  1

#define PTHREAD_INHERIT_SCHED  1
#define PTHREAD_EXPLICIT_SCHED 2

#define PTHREAD_CREATE_JOINABLE 0
#define PTHREAD_CREATE_DETACHED 1

#define PTHREAD_PROCESS_PRIVATE 0
#define PTHREAD_PROCESS_SHARED  1

#define PTHREAD_STACK_MIN 16384

enum { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK };
#define PTHREAD_MUTEX_DEFAULT PTHREAD_MUTEX_NORMAL

typedef struct {
    int detached;
    __size_t stack_bytes;
    struct sched_param schedparam;
} pthread_attr_t;

typedef struct {
    int type;
} pthread_mutexattr_t;

typedef struct {
    unsigned lock; /* struct os_mutex */
    int type;
    pthread_t owner; /* recursive and error-checking ones */
    unsigned depth;
} pthread_mutex_t;
#define _PTHREAD_MUTEX_INITIALIZER                                                                                     \
    {                                                                                                                  \
        0, PTHREAD_MUTEX_NORMAL, 0, 0                                                                                  \
    }
#define PTHREAD_RECURSIVE_MUTEX_INITIALIZER                                                                            \
    {                                                                                                                  \
        0, PTHREAD_MUTEX_RECURSIVE, 0, 0                                                                               \
    }

typedef struct {
    __clockid_t clock;
} pthread_condattr_t;

typedef struct {
    unsigned sequence; /* struct os_cond */
    __clockid_t clock;
} pthread_cond_t;
#define _PTHREAD_COND_INITIALIZER                                                                                      \
    {                                                                                                                  \
        0, 0                                                                                                           \
    }

typedef unsigned pthread_key_t;

typedef struct {
    unsigned state; /* 0 not yet, 1 running, 2 done */
} pthread_once_t;
#define _PTHREAD_ONCE_INIT                                                                                             \
    {                                                                                                                  \
        0                                                                                                              \
    }

typedef struct {
    int unused;
} pthread_rwlockattr_t;

typedef struct {
    unsigned lock;     /* struct os_mutex over the rest */
    unsigned sequence; /* struct os_cond */
    int readers;       /* -1: a writer has it */
    int writers_waiting;
} pthread_rwlock_t;
#define _PTHREAD_RWLOCK_INITIALIZER                                                                                    \
    {                                                                                                                  \
        0, 0, 0, 0                                                                                                     \
    }

typedef struct {
    int unused;
} pthread_barrierattr_t;

typedef struct {
    unsigned lock, sequence, count, arrived;
} pthread_barrier_t;

typedef unsigned pthread_spinlock_t;

#endif
