/* What this system offers of POSIX, on top of newlib's own feature logic. Every header of newlib comes through here. */
#ifndef SHOAL_SYS_FEATURES_H
#define SHOAL_SYS_FEATURES_H

#include_next <sys/features.h>

#define __DYNAMIC_REENT__ 1 /* struct _reent of the calling thread: __getreent() */

#define _READ_WRITE_RETURN_TYPE _ssize_t

#define _POSIX_THREADS                  200809L
#define _POSIX_TIMERS                   1
#define _POSIX_TIMEOUTS                 1
#define _POSIX_MONOTONIC_CLOCK          200112L
#define _POSIX_CLOCK_SELECTION          1
#define _POSIX_CPUTIME                  1
#define _POSIX_THREAD_CPUTIME           1
#define _POSIX_SPIN_LOCKS               200112L
#define _POSIX_READER_WRITER_LOCKS      200112L
#define _POSIX_BARRIERS                 200112L
#define _POSIX_SEMAPHORES               200112L
#define _POSIX_REALTIME_SIGNALS         1
#define _POSIX_SPAWN                    200112L
#define _UNIX98_THREAD_MUTEX_ATTRIBUTES 1

#ifndef FD_SETSIZE
#define FD_SETSIZE 256
#endif

#endif
