/* Wall-clock time: the CMOS clock, read once at boot, then carried on by the monotonic clock. */
#include "rtc.h"

#include <kernel/arch.h>
#include <kernel/debug.h>

#include "cpu.h"

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, DAY = 7, MONTH = 8, YEAR = 9, STATUS_A = 10, STATUS_B = 11 };
#define UPDATING  0x80
#define BINARY    0x04
#define HOURS_24  0x02
#define PM        0x80
#define POLLS_MAX 100000
#define READS_MAX 10

struct civil {
    uint32_t second, minute, hour, day, month, year;
};

static uint64_t boot_realtime_ns;

static uint8_t cmos(uint8_t reg)
{
    port_out8(0x70, reg | 0x80); /* NMIs off while the index stands */
    uint8_t value = port_in8(0x71);
    port_out8(0x70, 0);
    return value;
}

static struct civil read_raw(void)
{
    for (uint32_t i = 0; (cmos(STATUS_A) & UPDATING) && i < POLLS_MAX; i++)
        cpu_relax();
    return (struct civil){cmos(SECONDS), cmos(MINUTES), cmos(HOURS), cmos(DAY), cmos(MONTH), cmos(YEAR)};
}

static bool same(const struct civil *a, const struct civil *b)
{
    return a->second == b->second && a->minute == b->minute && a->hour == b->hour && a->day == b->day &&
           a->month == b->month && a->year == b->year;
}

static uint32_t from_bcd(uint32_t v, uint8_t status)
{
    return status & BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static void decode(struct civil *c, uint8_t status)
{
    bool pm = !(status & HOURS_24) && (c->hour & PM);
    c->hour = from_bcd(c->hour & ~PM, status);
    if (!(status & HOURS_24))
        c->hour = c->hour % 12 + (pm ? 12 : 0);
    c->second = from_bcd(c->second, status);
    c->minute = from_bcd(c->minute, status);
    c->day = from_bcd(c->day, status);
    c->month = from_bcd(c->month, status);
    c->year = 2000 + from_bcd(c->year, status);
}

static bool plausible(const struct civil *c)
{
    return c->second < 60 && c->minute < 60 && c->hour < 24 && c->day >= 1 && c->day <= 31 && c->month >= 1 &&
           c->month <= 12;
}

/* Days since 1970 of a date in the Gregorian calendar, counting years from March so that leap days come last. */
static uint64_t days(const struct civil *c)
{
    uint32_t year = c->year - (c->month <= 2), month = (c->month + 9) % 12;
    return 365ull * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + c->day - 1 - 719468;
}

void rtc_init(void)
{
    struct civil a = read_raw(), b = read_raw();
    for (uint32_t i = 0; !same(&a, &b) && i < READS_MAX; i++) {
        a = b;
        b = read_raw();
    }
    decode(&b, cmos(STATUS_B));
    if (!plausible(&b)) {
        klog("rtc: no usable date; real time starts at 1970");
        return;
    }
    uint64_t seconds = ((days(&b) * 24 + b.hour) * 60 + b.minute) * 60 + b.second;
    boot_realtime_ns = seconds * 1000000000 - time_now_ns();
}

uint64_t time_realtime_ns(void)
{
    return boot_realtime_ns + time_now_ns();
}
