/* Weak fallbacks that let the kernel link while its parts arrive; each vanishes with the part that replaces it. */
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include "arch/x86_64/flush.h"
#define W __attribute__((weak))
W void console_screen_init(const struct boot_info *i) {}
W void console_screen_write(const char *t, size_t n) {}
W void arch_power(bool r, uint32_t c) { arch_emulator_exit(c); }
W void arch_emulator_exit(uint32_t code) { __asm__ volatile("outl %0, %1" ::"a"(code), "Nd"((uint16_t)0xf4)); arch_halt(); }
void irq_interrupt(uint32_t line);
W void irq_interrupt(uint32_t line) {}
W uint32_t cpu_failed_count(void) { return 0; }
