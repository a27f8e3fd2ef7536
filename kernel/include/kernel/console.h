/* The early console: text to the UART the firmware names (or COM1, if one answers) and to the framebuffer, until a
 * driver has opened them; a panic takes them back. */
#pragma once

#include <abi/boot_info.h>

/* One line or part of one; \n starts a new line. Caller: klog's lock, or a panic. */
void console_write(const char *text, size_t length);

/* After boot_info is there, and again when memory is mapped for good. */
void console_screen_init(const struct boot_info *info);
void console_screen_write(const char *text, size_t length);

/* Which outputs `console =` asks for; both until the configuration is known. */
void console_configure(bool serial, bool screen);

/* A process drives the device now (or no more). */
void console_serial_taken(uint32_t com, bool taken); /* com: 1 or 2 */
void console_screen_taken(bool taken);

/* arch's part: the UART. */
void arch_uart_init(void);
bool arch_uart_write(const char *text, size_t length); /* false: there is none */
