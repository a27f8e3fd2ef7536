/* The local interrupt controller, in either of its two shapes, and its timer. */
#pragma once

#include <abi/types.h>

/* Boot CPU: finds out which shape is in use (address from the MADT) and turns it on. Other CPUs: turns theirs on. */
void apic_init(uint64_t madt_address);
void apic_init_cpu(void);
uint32_t apic_id(void);
void apic_end(void); /* end of interrupt */
void apic_send(uint32_t apic_id, uint32_t vector);
void apic_send_nmi_others(void);
void apic_send_init(uint32_t apic_id);
void apic_send_start(uint32_t apic_id, uint32_t page);

/* Raw timer, for calibration: counts down from `count` at bus speed / 16; 0 stops. */
void apic_timer_set(uint32_t count);
uint32_t apic_timer_left(void);
void apic_timer_use(bool tsc_deadline); /* mode of this CPU's timer */

void timer_init(void);     /* once calibrated; see clock.h */
void timer_init_cpu(void); /* on every other CPU */
void timer_interrupt(void);
void irq_interrupt(uint32_t line);
struct device;
void irq_quiet_device(const struct device *d); /* none of its interrupts comes through any more */
