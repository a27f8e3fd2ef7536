#include "lab.h"

struct lab lab;

uint64_t lab_id(uint32_t node)
{
    return 0xabcd00000001ull + node * 0x1000193ull;
}

static uint32_t node_of(uint64_t id)
{
    for (uint32_t i = 0; i < LAB_NODES; i++) {
        if (lab_id(i) == id)
            return i;
    }
    CHECK(!"a packet to nobody");
    return 0;
}

static uint64_t chance(uint64_t below)
{
    lab.random = lab.random * 6364136223846793005ull + 1442695040888963407ull;
    return (lab.random >> 33) % below;
}

void lab_boot(uint32_t node, uint64_t boot)
{
    struct machine *s = &lab.machines[node];
    struct member_config c;
    member_config_default(&c, PROBE_MS * MS);
    c.cluster[0] = 1;
    c.cluster[1] = 2;
    c.node = lab_id(node);
    c.boot = boot;
    c.random = node;
    c.capacity = LAB_NODES;
    c.open = lab.open;
    free(s->memory);
    *s = (struct machine){.memory = malloc(member_bytes(&c))};
    CHECK_EQUAL(member_init(&c, s->memory, lab.now_ns, &s->m), E_OK);
}

void lab_tell(uint32_t node, uint32_t of)
{
    CHECK_EQUAL(member_add(lab.machines[node].m, lab.now_ns, lab_id(of), 0), E_OK);
}

void lab_start(uint32_t nodes, bool open)
{
    lab = (struct lab){.now_ns = 5000 * MS, .random = 7, .open = open};
    lab.transit = calloc(LAB_TRANSIT, sizeof(struct transit));
    for (uint32_t i = 0; i < nodes; i++)
        lab_boot(i, 100 + i);
    for (uint32_t i = 0; i < nodes; i++) {
        for (uint32_t j = 0; j < (open ? 1 : nodes); j++) {
            if (i != j)
                lab_tell(i, j);
        }
    }
}

void lab_stop(void)
{
    for (uint32_t i = 0; i < LAB_NODES; i++)
        free(lab.machines[i].memory);
    free(lab.transit);
}

static void put_in_transit(uint32_t from, uint32_t to, const uint8_t *data, size_t bytes)
{
    if (lab.cut[from][to] || chance(100) < lab.loss_percent)
        return;
    for (uint32_t i = 0; i < LAB_TRANSIT; i++) {
        struct transit *t = &lab.transit[i];
        if (t->bytes)
            continue;
        *t = (struct transit){lab.now_ns + MS + chance(5 * MS), from, to, (uint32_t)bytes, {0}};
        memcpy(t->data, data, bytes);
        return;
    }
    CHECK(!"too much is in transit");
}

static void round_of(uint32_t node)
{
    struct machine *s = &lab.machines[node];
    uint8_t packet[MEMBER_PACKET_MAX];
    struct member_view v;
    uint64_t to;
    size_t bytes;
    member_run(s->m, lab.now_ns);
    while ((bytes = member_output(s->m, lab.now_ns, &to, packet))) {
        s->sent++;
        put_in_transit(node, node_of(to), packet, bytes);
    }
    while (member_next(s->m, &v))
        s->deaths += v.state == MEMBER_DEAD;
}

static void deliver(struct transit *t)
{
    struct machine *s = &lab.machines[t->to];
    const char *why = NULL;
    if (s->m) {
        uint8_t *exact = malloc(t->bytes); /* so that reading beyond it is seen */
        memcpy(exact, t->data, t->bytes);
        CHECK_EQUAL(member_receive(s->m, lab.now_ns, lab_id(t->from), exact, t->bytes, &why), E_OK);
        CHECK(!why);
        free(exact);
        round_of(t->to);
    }
    t->bytes = 0;
}

/* A millisecond at a time; what comes to a stalled node waits. */
void lab_run(uint64_t ms)
{
    for (uint64_t end_ns = lab.now_ns + ms * MS; lab.now_ns < end_ns; lab.now_ns += MS) {
        for (uint32_t i = 0; i < LAB_NODES; i++) {
            struct machine *s = &lab.machines[i];
            if (s->m && !s->stalled && member_deadline(s->m) <= lab.now_ns)
                round_of(i);
        }
        for (uint32_t i = 0; i < LAB_TRANSIT; i++) {
            struct transit *t = &lab.transit[i];
            if (t->bytes && t->due_ns <= lab.now_ns && !lab.machines[t->to].stalled)
                deliver(t);
        }
    }
}

enum member_state lab_state(uint32_t observer, uint32_t subject)
{
    struct member_view v;
    return member_view(lab.machines[observer].m, lab_id(subject), &v) ? v.state : 0;
}

bool lab_all(uint32_t nodes, uint32_t subject, enum member_state state)
{
    for (uint32_t i = 0; i < nodes; i++) {
        if (i != subject && lab.machines[i].m && lab_state(i, subject) != state)
            return false;
    }
    return true;
}
