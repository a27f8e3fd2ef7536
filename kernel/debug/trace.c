/* Trace rings: the last events of each CPU, for panics. One writer each, so no lock. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/trace.h>

#define TRACE_EVENTS 64u

struct trace_entry {
    uint64_t ticks; /* cheaper to take than a time; made into one when printed */
    uint64_t event, a, b;
};

static struct trace_ring {
    uint64_t next;
    struct trace_entry entries[TRACE_EVENTS];
} rings[CPUS_MAX];

static const char *const names[] = {
#define TRACE(name, number, text) [number] = text,
#include "../../abi/trace.def"
#undef TRACE
};

void trace(uint32_t event, uint64_t a, uint64_t b)
{
    struct trace_ring *r = &rings[cpu_this()->index];
    struct trace_entry *e = &r->entries[r->next++ % TRACE_EVENTS];
    e->ticks = arch_ticks();
    e->event = event;
    e->a = a;
    e->b = b;
}

static void print_entry(const struct trace_entry *e, void (*print)(const char *format, ...))
{
    const char *name = e->event < sizeof names / sizeof names[0] && names[e->event] ? names[e->event] : "?";
    uint64_t us = arch_ticks_to_ns(e->ticks) / 1000;
    print("  %6lu.%06lu %s: %lx %lx\n", us / 1000000, us % 1000000, name, e->a, e->b);
}

void trace_print(uint32_t cpu, uint32_t events, void (*print)(const char *format, ...))
{
    const struct trace_ring *r = &rings[cpu];
    uint64_t have = r->next < TRACE_EVENTS ? r->next : TRACE_EVENTS;
    for (uint64_t i = have < events ? have : events; i > 0; i--)
        print_entry(&r->entries[(r->next - i) % TRACE_EVENTS], print);
}
