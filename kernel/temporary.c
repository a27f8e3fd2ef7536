/* Weak fallbacks that let the kernel link while its parts arrive; each vanishes with the part that replaces it. */
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/boot.h>
#include <kernel/bundle.h>
#include "arch/x86_64/flush.h"
#define W __attribute__((weak))
W const char *sched_current_name(void) { return "?"; }
W void sched_cpu_run(void) { arch_emulator_exit(0); }
W void flush_answer(void) {}
W const char *config_get(const char *k) { return 0; }
W void boot_config_init(void) {}
W void boot_bundle_init(void) {}
W void console_screen_init(const struct boot_info *i) {}
W void console_screen_write(const char *t, size_t n) {}
W uint64_t time_now_ns(void) { return 0; }
W void arch_stop_others(void) {}
W void arch_power(bool r, uint32_t c) { arch_emulator_exit(c); }
W void arch_cache_flush(const void *s, size_t n) {}
W bool arch_stack_bounds(uint64_t a, uint64_t *l, uint64_t *h) { extern char boot_stack_bottom[], boot_stack_top[]; *l = (uint64_t)boot_stack_bottom; *h = (uint64_t)boot_stack_top; return a >= *l && a < *h; }
W uint64_t arch_fault_address(void) { return 0; }
W uint64_t arch_table_root(void) { return 0; }
W void arch_emulator_exit(uint32_t code) { __asm__ volatile("outl %0, %1" ::"a"(code), "Nd"((uint16_t)0xf4)); arch_halt(); }
