/* What panics are made of, and what is left of the last one. */
#pragma once

#include <abi/types.h>

enum panic_action { PANIC_RESTART, PANIC_HALT, PANIC_EXIT /* leave the emulator with an exit code */ };
void panic_configure(enum panic_action action);

/* The memory that outlives a restart: begin, any text, end (checksum). Without such memory they do nothing. */
void panic_keep_begin(void);
void panic_keep(const char *text, size_t length);
void panic_keep_end(void);

/* At boot: logs the text of the last panic, if there is one, and forgets it. */
void panic_keep_init(uint64_t phys, uint64_t bytes);
