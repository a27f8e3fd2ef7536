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
#include <kernel/debug.h>
#include <kernel/sched.h>
W void syscall_dispatch(struct trap_frame *f) {}
W void sched_check(void) {}
W void sched_timer_tick(uint64_t n) {}
W bool vm_fault(uint64_t a, bool w, bool x, bool *m) { *m = false; return false; }
W void trap_user_fault(struct trap_frame *f, enum fault_kind k, uint64_t a, uint64_t e) { panic_trap(f, "user fault %d", k); }
void irq_interrupt(uint32_t line);
W void irq_interrupt(uint32_t line) {}
W void sched_idle(void) { arch_emulator_exit(0); }
