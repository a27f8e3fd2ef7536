/* Events that the kernel leaves in its trace rings; see trace() in debug.h. */
#pragma once

#include <kernel/debug.h>

enum trace_event {
#define TRACE(name, number, text) TRACE_##name = number,
#include "../../../abi/trace.def"
#undef TRACE
};

/* Prints the last `events` of a CPU, oldest first. */
void trace_print(uint32_t cpu, uint32_t events, void (*print)(const char *format, ...));
