/* Deadlines. All are absolute: nanoseconds of this node's monotonic clock, which begins at power-on and never steps. So
 * a deadline can be handed on, and a chain of calls under one deadline takes no longer than one call. */
#pragma once

#include <abi/types.h>

#define SHOAL_NEVER DEADLINE_NEVER /* waits for ever */

/* Now. */
uint64_t shoal_now_ns(void);

/* Now and so many milliseconds; SHOAL_NEVER if that is beyond the clock's end. */
uint64_t shoal_in_ms(uint64_t ms);
