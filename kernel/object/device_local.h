/* Between device.c, irq.c and control_system.c. */
#pragma once

#include <kernel/device.h>
#include <kernel/object.h>

err_t irq_create(struct budget *b, struct device *d, uint32_t n, struct object **out);
/* The object of the n-th device; NULL past the last. */
struct object *device_object(uint64_t n);
