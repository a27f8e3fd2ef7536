#include "state.h"

/* Some room is kept for LINK_UP and LINK_DOWN, which must never be lost. */
#define EVENTS_KEPT (3 * LINK_PEERS_MAX)
_Static_assert(EVENTS_MAX > EVENTS_KEPT, "room for messages");

bool event_room(const struct link *l)
{
    return l->event_count < EVENTS_MAX - EVENTS_KEPT;
}

void event_put(struct link *l, const struct link_event *event)
{
    ASSERT(l->event_count < EVENTS_MAX);
    l->events[(l->event_first + l->event_count++) % EVENTS_MAX] = *event;
}

bool link_next_event(struct link *l, struct link_event *event)
{
    if (!l->event_count)
        return false;
    *event = l->events[l->event_first];
    l->event_first = (l->event_first + 1) % EVENTS_MAX;
    l->event_count--;
    return true;
}

void link_event_done(struct link *l, const struct link_event *event)
{
    if (event->data)
        give(l, (void *)(uintptr_t)event->data, event->bytes);
}
