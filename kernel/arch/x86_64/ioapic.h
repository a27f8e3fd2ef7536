/* I/O interrupt controllers: only for the ISA lines of serial ports. */
#pragma once

#include <abi/types.h>

/* Maps them and masks every pin. */
void ioapic_init(void);
/* Routes an ISA line to a vector of one CPU, masked. False: no controller has it. *level_out: it must be masked while
 * served. */
bool ioapic_route_isa(uint32_t isa, uint32_t vector, uint32_t apic_id, bool *level_out);
void ioapic_mask_isa(uint32_t isa, bool masked);
