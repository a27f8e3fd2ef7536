/* For the few paths whose instructions are counted. */
#pragma once

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* clang takes a path that never returns for a rare one, and would not inline there by itself. */
#define always_inline static inline __attribute__((always_inline))

/* A function that fast paths call now and then: it saves every register, so that they need not save any for it. */
#define called_rarely __attribute__((noinline, cold, preserve_most))
