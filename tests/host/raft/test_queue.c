/* No room for another message, at any moment: what is not said is as good as lost on the way. Nothing that is asked for
 * is forgotten by that, and once there is room all come to the same. */
#include "cluster.h"

static void some_event(struct cluster *c)
{
    uint32_t leader = cluster_leader(c), other = 1 + cluster_draw(c, c->count);
    struct unit *u = c->units[other];
    switch (cluster_draw(c, 12)) {
    case 0:
        if (!u->up)
            unit_restart(c, other);
        break;
    case 1:
        if (u->up && cluster_draw(c, 3) == 0)
            unit_crash(c, other);
        break;
    case 2:
        if (u->up && u->applied > u->snapshot.index + 8)
            unit_snapshot(c, other, 2);
        break;
    case 3:
        if (leader != 0)
            raft_transfer(c->units[leader]->r, u->id); /* refused or not */
        break;
    case 4:
        if (!u->up && other == 3 && u->harmed_to == 0 && u->disk_last > u->disk_base + 4)
            unit_harm(c, other, u->disk_last - 3);
        break;
    case 5:
        raft_forget_leader(u->r);
        break;
    case 6:
    case 7:
        if (u->up)
            raft_read(u->r, 1);
        break;
    default:
        if (leader != 0 && unit_status(c, leader).last < LOG_MAX - 200)
            unit_propose(c, leader, "entry");
        break;
    }
}

static void history(uint64_t seed)
{
    struct cluster *c = cluster_make(3);
    c->drawn = seed;
    uint64_t before = unit_status(c, 1).commit;
    c->full_percent = 30;
    for (uint32_t i = 0; i < 300; i++) {
        some_event(c);
        cluster_pass(c, 1 + cluster_draw(c, 2 * HEARTBEAT_MS));
        for (uint32_t unit = 1; unit <= 3; unit++)
            c->units[unit]->read_count = 0;
    }
    c->full_percent = 0;
    for (uint32_t unit = 1; unit <= 3; unit++)
        if (!c->units[unit]->up)
            unit_restart(c, unit);
    cluster_pass(c, 20 * ELECTION_MS);
    uint32_t leader = cluster_leader(c);
    CHECK(leader != 0 && unit_status(c, leader).commit > before);
    CHECK_EQUAL(unit_propose(c, leader, "the last"), E_OK);
    cluster_pass(c, 2 * ELECTION_MS);
    cluster_make_equal(c);
    cluster_free(c);
}

static void test_any_message_may_find_no_room(void)
{
    for (uint64_t seed = 1; seed <= 40; seed++)
        history(seed);
}

int main(void)
{
    RUN(test_any_message_may_find_no_room);
    return 0;
}
