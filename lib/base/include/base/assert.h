/* Invariants of lib/. They stay on in every build: a broken one means that the state can no longer be trusted, and
 * stopping is the one failure that consensus is built to survive. Never for input from outside. */
#pragma once

/* Given by whoever links lib/: the kernel panics, a test aborts. */
_Noreturn void base_assert_failed(const char *condition, const char *file, int line);

#define ASSERT(condition) ((condition) ? (void)0 : base_assert_failed(#condition, __FILE__, __LINE__))
