/* Semaphores of the cluster: at most so many hold a permit at once, first come first served. */
#pragma once

#include <shoal/hold.h>

#define SHOAL_PERMITS_MAX 4096u

/* Waits in line for one of `permits` permits; all who use the name must say the same number. As shoal_lock(), and:
 *   E_CONFLICT   others who use it now say another number
 *   E_RANGE      permits is 0 or above SHOAL_PERMITS_MAX */
err_t shoal_semaphore(handle_t cluster, uint64_t deadline, const char *name, uint32_t permits,
                      struct shoal_hold *hold_out);
