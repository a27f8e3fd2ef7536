/* The kernel log: a ring of text. Its own short lock, since it must work in interrupts and without the kernel lock. */
#include <base/mem.h>
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/debug.h>

#define RING_BYTES 65536u
#define LINE_MAX   512u

static char ring[RING_BYTES];
static volatile uint64_t ring_end; /* position after the newest byte; position 0 is the first byte since power-on */
static uint32_t ring_lock;

static uint64_t lock_ring(void)
{
    uint64_t flags = arch_irq_save();
    while (!panic_in_progress() && __atomic_exchange_n(&ring_lock, 1, __ATOMIC_ACQUIRE))
        arch_relax();
    return flags;
}

static void unlock_ring(uint64_t flags)
{
    __atomic_store_n(&ring_lock, 0, __ATOMIC_RELEASE);
    arch_irq_restore(flags);
}

static void append(const char *text, size_t length)
{
    uint64_t end = ring_end;
    for (size_t i = 0; i < length; i++)
        ring[(end + i) % RING_BYTES] = text[i];
    ring_end = end + length;
}

static size_t stamp(char *line, size_t room)
{
    uint64_t us = time_now_ns() / 1000;
    return kformat(line, room, "[%5lu.%06lu] ", us / 1000000, us % 1000000);
}

static void write_line(char *line, size_t length)
{
    line[length++] = '\n';
    uint64_t flags = lock_ring();
    append(line, length);
    console_write(line, length);
    unlock_ring(flags);
}

void klog(const char *format, ...)
{
    char line[LINE_MAX];
    size_t used = stamp(line, LINE_MAX);
    va_list args;
    va_start(args, format);
    used += kvformat(line + used, LINE_MAX - 1 - used, format, args);
    va_end(args);
    write_line(line, used < LINE_MAX - 2 ? used : LINE_MAX - 2);
}

void klog_write(const char *text, size_t length)
{
    char line[LINE_MAX];
    size_t used = stamp(line, LINE_MAX);
    if (length > LINE_MAX - 1 - used)
        length = LINE_MAX - 1 - used;
    for (size_t i = 0; i < length; i++) /* a process cannot move the cursor or fake a line of its own */
        line[used++] = text[i] >= ' ' || text[i] == '\t' || text[i] < 0 ? text[i] : ' ';
    write_line(line, used);
}

void klog_raw(const char *text, size_t length)
{
    uint64_t flags = lock_ring();
    append(text, length);
    console_write(text, length);
    unlock_ring(flags);
}

uint64_t klog_end(void)
{
    return ring_end;
}

size_t klog_read(uint64_t position, char *buffer, size_t length, uint64_t *next_out)
{
    uint64_t flags = lock_ring();
    uint64_t oldest = ring_end > RING_BYTES ? ring_end - RING_BYTES : 0;
    if (position < oldest || position > ring_end)
        position = position < oldest ? oldest : ring_end;
    size_t n = ring_end - position < length ? ring_end - position : length;
    for (size_t i = 0; i < n; i++)
        buffer[i] = ring[(position + i) % RING_BYTES];
    *next_out = position + n;
    unlock_ring(flags);
    return n;
}
