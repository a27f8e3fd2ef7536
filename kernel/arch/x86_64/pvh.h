#pragma once

#include <abi/types.h>

extern uint64_t door_tsc; /* at the PVH door's first instruction */

/* Fills boot_info from the structure at this physical address (below 4 GiB). */
void pvh_take(uint64_t start_phys);
