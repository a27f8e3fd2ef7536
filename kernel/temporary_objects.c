/* Weak fallbacks for the parts of arch that are on their way; the file goes when they have come. */
#include <kernel/arch.h>
#include <kernel/bundle.h>
#include <kernel/device.h>
#define W __attribute__((weak))
W void arch_aspace_unmap(struct arch_aspace *as, uint64_t a, uint64_t b) {}
W void arch_aspace_flush(struct arch_aspace *as, uint64_t a, uint64_t b) {}
W void arch_aspace_protect(struct arch_aspace *as, uint64_t a, uint64_t b, uint32_t f) {}
W uint32_t arch_aspace_tables_needed(const struct arch_aspace *as, uint64_t a) { return 0; }
W err_t arch_aspace_map(struct arch_aspace *as, uint64_t a, uint64_t p, uint32_t f) { return E_NO_MEMORY; }
W err_t arch_aspace_init(struct arch_aspace *as) { return E_NO_MEMORY; }
W void arch_aspace_free(struct arch_aspace *as) {}
W bool arch_random(void *to, size_t n) { return false; }
W void arch_timer_arm(uint64_t at) {}
W void cpu_interrupt(uint32_t i) {}
W void arch_switch(struct arch_thread *f, struct arch_thread *t, struct arch_aspace *as) {}
W err_t arch_thread_init(struct arch_thread *t, void (*e)(void *), void *a) { return E_OK; }
W void arch_thread_free(struct arch_thread *t) {}
W void arch_thread_set_user(struct arch_thread *t, uint64_t i, uint64_t s, uint64_t a) {}
W void arch_thread_set_fs_base(struct arch_thread *t, uint64_t a) {}
W err_t copy_to_user(uint64_t to, const void *f, size_t n) { return E_BAD_POINTER; }
W err_t copy_from_user(void *to, uint64_t f, size_t n) { return E_BAD_POINTER; }
W uint64_t time_realtime_ns(void) { return 0; }
W const struct bundle_part *bundle_find(const char *n, const void **b) { return 0; }
W uint64_t bundle_phys(uint64_t *b) { *b = 0; return 0; }
W bool config_next(uint32_t n, const char **k, const char **v) { return false; }
W uint32_t device_count(void) { return 0; }
W struct device *device_get(uint32_t n) { return 0; }
W uint32_t device_config_read(const struct device *d, uint32_t o, uint32_t w) { return 0; }
W void device_config_write(const struct device *d, uint32_t o, uint32_t w, uint32_t v) {}
W void device_enable(struct device *d, bool on) {}
W void device_quiet(struct device *d) {}
W err_t device_irq_route(struct device *d, uint32_t n, uint32_t *l) { return E_FULL; }
W void irq_line_mask(uint32_t l) {}
W void irq_line_unmask(uint32_t l) {}
W void irq_line_release(uint32_t l) {}
W uint32_t device_port_read(const struct device *d, uint32_t o, uint32_t w) { return 0; }
W void device_port_write(const struct device *d, uint32_t o, uint32_t w, uint32_t v) {}
