/* In the place of libos's: this machine has other system calls. */
#pragma once

#include <abi/ipc.h>
#include <abi/types.h>

uint64_t os_clock(enum clock_id clock);
err_t os_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline);
