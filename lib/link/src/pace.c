/* A window that grows while things arrive and shrinks when they do not, and the time after which a fragment counts as
 * lost. Modest: these are machines on one wire, and the wire is shared with the programs. */
#include "state.h"

#define WINDOW_FIRST     16u
#define TIMEOUT_FIRST_NS 200000000ull
#define TIMEOUT_LEAST_NS 30000000ull
#define TIMEOUT_MOST_NS  1000000000ull

void pace_start(struct session *s)
{
    s->window = WINDOW_FIRST;
    s->threshold = WINDOW;
    s->timeout_ns = TIMEOUT_FIRST_NS;
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static uint64_t measured_timeout(const struct session *s)
{
    return clamp(s->rtt_ns + 4 * s->rtt_spread_ns, TIMEOUT_LEAST_NS, TIMEOUT_MOST_NS);
}

void pace_measured(struct session *s, uint64_t rtt_ns)
{
    if (!s->rtt_ns) {
        s->rtt_ns = rtt_ns;
        s->rtt_spread_ns = rtt_ns / 2;
    } else {
        uint64_t off = rtt_ns > s->rtt_ns ? rtt_ns - s->rtt_ns : s->rtt_ns - rtt_ns;
        s->rtt_spread_ns = (3 * s->rtt_spread_ns + off) / 4;
        s->rtt_ns = (7 * s->rtt_ns + rtt_ns) / 8;
    }
    s->timeout_ns = measured_timeout(s);
}

/* That anything arrives ends the doubling: else a wire that loses much would be waited for a second at a time, since of
 * fragments that were sent again no round trip can be measured. */
void pace_arrived(struct session *s)
{
    if (s->rtt_ns)
        s->timeout_ns = measured_timeout(s);
    if (s->window >= WINDOW)
        return;
    if (s->window < s->threshold) {
        s->window++;
    } else if (++s->credit >= s->window) {
        s->credit = 0;
        s->window++;
    }
}

/* At most once a round trip: many losses in a row are one event. */
void pace_lost(struct session *s, uint64_t now_ns, bool timed_out)
{
    if (timed_out)
        s->timeout_ns = clamp(2 * s->timeout_ns, TIMEOUT_LEAST_NS, TIMEOUT_MOST_NS);
    if (s->shrunk_ns && now_ns - s->shrunk_ns < s->rtt_ns)
        return;
    s->shrunk_ns = now_ns;
    s->threshold = s->window / 2 > WINDOW_LEAST ? s->window / 2 : WINDOW_LEAST;
    s->window = timed_out ? WINDOW_LEAST : s->threshold;
    s->credit = 0;
}
