/* Asserts, panic, the kernel log. Usable from anywhere, interrupts included. */
#pragma once

#include <abi/types.h>
#include <stdarg.h>

/* States an invariant of ours; stays on in release builds. Never for input from outside. */
#define assert(cond) ((cond) ? (void)0 : panic("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__))

/* Ends this node: stops the other CPUs, prints the cause, registers, a backtrace with names and the last trace events,
 * keeps the text for the next boot, then restarts (or halts, or leaves the emulator, as configured). */
/* (Attributes in front: analysers do not see _Noreturn beside others.) */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

/* True from the first panic on: locks of the log and the console are no longer taken. */
bool panic_in_progress(void);

struct trap_frame;
/* panic with the registers of a trap. */
_Noreturn void panic_trap(const struct trap_frame *frame, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One line into the kernel log ring (and the early console while no console process has taken over).
 * Formats: %d %u %x %lu %lx %llu %llx %s %c %p %zu with width, zero padding, '-', and %.*s. */
void klog(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Adds a finished line of `length` bytes on behalf of a process. */
void klog_write(const char *text, size_t length);

/* Text as it is, without time and line end. */
void klog_raw(const char *text, size_t length);

/* Position after the newest byte; it changes whenever the log grows. */
uint64_t klog_end(void);

/* Copies log text from `position` on into a kernel buffer; *next_out is where to go on. Positions never repeat; text
 * already overwritten is skipped. Returns the bytes copied. */
size_t klog_read(uint64_t position, char *buffer, size_t length, uint64_t *next_out);

/* snprintf of the kernel, the same formats as klog. Always ends the text with 0; returns what it would have written. */
size_t kformat(char *buffer, size_t length, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t kvformat(char *buffer, size_t length, const char *format, va_list args);

/* Name of the kernel function that contains `address` and the offset in it; "?" if unknown. */
const char *symbol_name(uint64_t address, uint64_t *offset_out);

/* Leaves a trace event in this CPU's ring (numbers in abi/trace.def). Cheap enough to stay on. */
void trace(uint32_t event, uint64_t a, uint64_t b);
