/* The rule by which voters change, alone: over random knowledge, and in a world that follows it. */
#include "members.h"

#include <test/check.h>
#include <test/random.h>

#define NODES  7u
#define ROUNDS 200000u
#define SECOND MEMBERS_SECOND_NS
#define START  (1000 * SECOND)
#define VOTES  (RAFT_VOTER | RAFT_VOTER_OLD)

static struct random dice = {1};
static struct raft_conf conf;
static struct members_view view;
static struct members_decision decision;

static bool chance(uint32_t percent)
{
    return random_below(&dice, 100) < percent;
}

/* ---- one look: anything may be known ---- */

static struct members_log *put(uint32_t node, uint64_t log, uint32_t flags)
{
    struct members_log *l = &view.logs[view.count++];
    *l = (struct members_log){.id = {node, log}, .number = node};
    if (flags)
        conf.members[conf.count++] = (struct raft_member){l->id, flags};
    return l;
}

static void draw_log(struct members_log *l, bool memory)
{
    uint64_t ago = random_below(&dice, 40) * SECOND;
    l->heard = chance(80);
    l->durable = !memory && chance(90);
    l->caught_up = l->heard && chance(85);
    l->settled = chance(95);
    l->good_since_ns = l->caught_up ? START - ago : MEMBERS_NEVER;
    l->silent_since_ns = START - random_below(&dice, 40) * SECOND;
}

/* A node with its log, and perhaps with one that it lost. */
static void draw_node(uint32_t node, bool wishes, bool memory)
{
    bool lost_one = chance(20);
    uint32_t wish = wishes && chance(30) ? random_below(&dice, TABLES_WISHES) : TABLES_WISH_NONE;
    if (lost_one) {
        struct members_log *old = put(node, 100 + node, chance(70) ? RAFT_VOTER : RAFT_LEARNER);
        old->lost = true;
        old->wish = wish;
        old->silent_since_ns = START - random_below(&dice, 40) * SECOND;
    }
    uint32_t flags = chance(10) ? 0 : chance(50) && !lost_one ? RAFT_VOTER : RAFT_LEARNER;
    struct members_log *now = put(node, 200 + node, flags);
    draw_log(now, memory);
    now->wish = wish;
}

static bool draw(bool wishes)
{
    bool memory = chance(15);
    memset(&view, 0, sizeof(view));
    memset(&conf, 0, sizeof(conf));
    view.conf = &conf;
    view.hold_ns = MEMBERS_HOLD_NS;
    view.rest_ns = MEMBERS_REST_NS;
    view.now_ns = START;
    view.changed_ns = START - random_below(&dice, 30) * SECOND;
    view.busy = chance(5);
    for (uint32_t node = 1; node <= NODES; node++)
        if (chance(75))
            draw_node(node, wishes, memory);
    for (uint32_t i = 0; i < view.count; i++) {
        view.disks += view.logs[i].durable;
        if (view.logs[i].heard && raft_conf_is_voter(&conf, view.logs[i].id) && (!view.self.log || chance(30)))
            view.self = view.logs[i].id;
    }
    if (chance(5) && raft_conf_valid(&conf)) {
        struct raft_conf joint;
        const struct raft_conf_change enter = {.mode = RAFT_CHANGE_JOINT};
        CHECK_EQUAL(raft_conf_apply(&conf, &enter, &joint, NULL), E_OK);
        conf = joint;
    }
    return raft_conf_valid(&conf);
}

static const struct members_log *log_of(struct raft_id id)
{
    return members_find(&view, id);
}

/* More than half of that half is heard (and durable, if asked for). */
static bool live(const struct raft_conf *c, uint32_t half, bool durable)
{
    uint32_t all = 0, good = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct members_log *l = log_of(c->members[i].id);
        if (!(c->members[i].flags & half))
            continue;
        all++;
        good += l && l->heard && (l->durable || !durable);
    }
    return good > all / 2;
}

static bool votes(const struct raft_conf *c, uint32_t node)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->members[i].id.node == node && c->members[i].flags & RAFT_VOTER)
            return true;
    return false;
}

static void make(struct raft_conf *next)
{
    const char *why = "";
    err_t err = raft_conf_apply(&conf, &decision.what, next, &why);
    if (err)
        printf("%s: %s\n", decision.why, why);
    CHECK_EQUAL(err, E_OK);
}

static uint32_t changed_voters(const struct raft_conf *next)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < view.count; i++) {
        const struct raft_member *a = raft_conf_member(&conf, view.logs[i].id);
        const struct raft_member *b = raft_conf_member(next, view.logs[i].id);
        count += ((a ? a->flags : 0) & RAFT_VOTER) != ((b ? b->flags : 0) & RAFT_VOTER);
    }
    return count;
}

static void check_always(const struct raft_conf *next)
{
    CHECK(!view.busy && !raft_conf_is_joint(&conf));
    CHECK(live(next, RAFT_VOTER, false));
    if (!changed_voters(next))
        return;
    for (uint32_t i = 0; i < view.count; i++) {
        const struct members_log *l = &view.logs[i];
        if (l->heard && raft_conf_is_voter(&conf, l->id))
            CHECK(l->settled); /* nobody that counts is left behind the last change */
    }
}

/* What is added is good and has been for long; what goes is a lost log whose node's new one takes its place. */
static void check_by_itself(const struct raft_conf *next)
{
    uint32_t before = members_voters(&view, &conf, RAFT_VOTER, NULL);
    uint32_t after = members_voters(&view, next, RAFT_VOTER, NULL);
    CHECK(after >= before);
    if (after > before)
        CHECK(after <= MEMBERS_AIM && after % 2 == 1);
    for (uint32_t node = 1; node <= NODES; node++)
        CHECK(votes(next, node) || !votes(&conf, node));
    CHECK(changed_voters(next) <= 2);
    if (live(&conf, RAFT_VOTER, true))
        CHECK(live(next, RAFT_VOTER, true));
    for (uint32_t i = 0; i < view.count; i++) {
        const struct members_log *l = &view.logs[i];
        const struct raft_member *a = raft_conf_member(&conf, l->id), *b = raft_conf_member(next, l->id);
        bool voted = a && a->flags & RAFT_VOTER, will = b && b->flags & RAFT_VOTER;
        if (!voted && will) {
            CHECK(a && l->heard && l->caught_up && !l->lost);
            CHECK(l->durable || view.disks < MEMBERS_DISKS);
            CHECK(l->good_since_ns + MEMBERS_HOLD_NS <= START && view.changed_ns + MEMBERS_REST_NS <= START);
        }
        if (voted && !will)
            CHECK(l->lost && !l->heard && l->silent_since_ns + MEMBERS_HOLD_NS <= START);
    }
}

/* Draws what is known, and has it decided on. False: there is nothing to check. */
static bool decides(bool wishes, struct raft_conf *next)
{
    if (!draw(wishes))
        return false;
    members_decide(&view, &decision);
    CHECK(decision.why[0]);
    if (!decision.change)
        return false;
    make(next);
    check_always(next);
    return true;
}

static void test_what_it_decides_by_itself(void)
{
    uint32_t decided = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct raft_conf next;
        if (!decides(false, &next))
            continue;
        check_by_itself(&next);
        decided += changed_voters(&next) != 0;
    }
    CHECK(decided > ROUNDS / 200);
}

static void test_what_it_decides_by_wish(void)
{
    uint32_t decided = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct raft_conf next;
        if (!decides(true, &next))
            continue;
        for (uint32_t i = 0; i < view.count; i++) {
            const struct members_log *l = &view.logs[i];
            const struct raft_member *a = raft_conf_member(&conf, l->id), *b = raft_conf_member(&next, l->id);
            uint32_t had = a ? a->flags & RAFT_VOTER : 0, has = b ? b->flags & RAFT_VOTER : 0;
            if (had && !has && !l->lost)
                CHECK(l->wish == TABLES_WISH_REMOVED || l->wish == TABLES_WISH_LEARNER ||
                      l->wish == TABLES_WISH_DRAINED);
            if (has && !had)
                CHECK(l->wish == TABLES_WISH_NONE || l->wish == TABLES_WISH_VOTER);
            if (!a && b)
                CHECK(l->wish != TABLES_WISH_REMOVED && l->heard);
            decided += had != has;
        }
    }
    CHECK(decided > ROUNDS / 200);
}

/* What the check lets pass leaves a quorum without that node; each refusal has its words. */
static void test_what_an_operator_may(void)
{
    uint32_t allowed = 0, refused = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        char why[MEMBERS_WHY_BYTES];
        uint32_t number = 1 + random_below(&dice, NODES + 1);
        enum tables_wish wish = random_below(&dice, TABLES_WISHES);
        if (!draw(chance(30)))
            continue;
        err_t err = members_check(&view, number, wish, why);
        CHECK((err == E_OK) == !why[0]);
        refused += err != E_OK;
        const struct members_log *l = members_of_node(&view, number);
        if (!l)
            CHECK_EQUAL(err, E_NOT_FOUND);
        if (err || wish == TABLES_WISH_NONE || wish == TABLES_WISH_VOTER || !raft_conf_is_voter(&conf, l->id))
            continue;
        allowed++;
        uint32_t heard, all = members_voters(&view, &conf, RAFT_VOTER, &heard);
        const struct members_log *substitute = members_substitute(&view, l);
        heard = heard - l->heard + (substitute != NULL);
        if (!substitute && wish != TABLES_WISH_DRAINED)
            all--;
        bool other_log = false;
        for (uint32_t i = 0; i < view.count; i++)
            other_log = other_log || (view.logs[i].number == number && &view.logs[i] != l);
        CHECK(other_log || heard > all / 2);
    }
    CHECK(allowed > 1000 && refused > 1000);
}

/* ---- a world that follows it ---- */

struct world_node {
    uint64_t log, lost_log, good_since_ns, silent_since_ns; /* lost_log 0: none that is known */
    bool up, disk;
    uint32_t wish;
};
static struct world_node nodes[NODES + 1];
static uint64_t now_ns, changed_ns;

static void look(void)
{
    memset(&view, 0, sizeof(view));
    view.conf = &conf;
    view.hold_ns = MEMBERS_HOLD_NS;
    view.rest_ns = MEMBERS_REST_NS;
    view.now_ns = now_ns;
    view.changed_ns = changed_ns;
    for (uint32_t node = 1; node <= NODES; node++) {
        struct world_node *n = &nodes[node];
        view.disks += n->disk && n->wish != TABLES_WISH_REMOVED;
        for (uint32_t i = 0; i < conf.count; i++) {
            if (conf.members[i].id.node != node || conf.members[i].id.log == n->log)
                continue;
            struct members_log *old = &view.logs[view.count++];
            *old = (struct members_log){.id = conf.members[i].id, .number = node, .wish = n->wish, .lost = true};
            old->silent_since_ns = n->silent_since_ns;
        }
        struct members_log *l = &view.logs[view.count++];
        *l = (struct members_log){.id = {node, n->log}, .number = node, .wish = n->wish, .durable = n->disk};
        l->heard = l->caught_up = l->settled = n->up;
        l->good_since_ns = n->up ? n->good_since_ns : MEMBERS_NEVER;
        l->silent_since_ns = n->silent_since_ns;
        if (n->up && raft_conf_is_voter(&conf, l->id))
            view.self = l->id;
    }
}

/* One second of it. True: voters changed. */
static bool live_on(void)
{
    struct raft_conf next, left;
    const struct raft_conf_change leave = {.mode = RAFT_CHANGE_LEAVE};
    now_ns += SECOND;
    look();
    if (!live(&conf, RAFT_VOTER, false))
        return false; /* nobody leads, nothing is decided */
    members_decide(&view, &decision);
    if (!decision.change)
        return false;
    make(&next);
    uint32_t changed = changed_voters(&next);
    if (raft_conf_is_joint(&next)) {
        CHECK_EQUAL(raft_conf_apply(&next, &leave, &left, NULL), E_OK);
        next = left;
    }
    conf = next;
    if (changed) {
        CHECK(now_ns - changed_ns >= MEMBERS_REST_NS);
        changed_ns = now_ns;
    }
    return changed;
}

static void begin_world(void)
{
    memset(&conf, 0, sizeof(conf));
    memset(nodes, 0, sizeof(nodes));
    now_ns = changed_ns = START;
    for (uint32_t node = 1; node <= NODES; node++) {
        nodes[node] = (struct world_node){
            .log = 1000 + node, .up = true, .disk = node <= 3 || chance(80), .good_since_ns = START};
        if (node <= 3)
            conf.members[conf.count++] = (struct raft_member){{node, 1000 + node}, RAFT_VOTER};
    }
}

/* One node fails at a time, and is back before the next does: sometimes with a blank disk. */
static void trouble(void)
{
    uint32_t node = 1 + random_below(&dice, NODES);
    uint64_t away = 1 + random_below(&dice, 60);
    nodes[node].up = false;
    nodes[node].silent_since_ns = now_ns;
    if (chance(30))
        nodes[node].log += 1000;
    for (uint64_t i = 0; i < away; i++)
        live_on();
    nodes[node].up = true;
    nodes[node].good_since_ns = now_ns;
    for (uint64_t i = 0; i < 60; i++)
        live_on();
}

static uint32_t disks(void)
{
    uint32_t count = 0;
    for (uint32_t node = 1; node <= NODES; node++)
        count += nodes[node].disk;
    return count;
}

static void test_it_grows_and_comes_to_rest(void)
{
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t changes = 0, faults = random_below(&dice, 12);
        begin_world();
        for (uint32_t i = 0; i < faults; i++) {
            uint32_t before = members_voters(&view, &conf, RAFT_VOTER, NULL);
            trouble();
            CHECK(members_voters(&view, &conf, RAFT_VOTER, NULL) >= before);
        }
        for (uint32_t i = 0; i < 300; i++)
            changes += live_on();
        CHECK(changes <= 3); /* growing once, and what the last fault left to be done */
        uint32_t voters = members_voters(&view, &conf, RAFT_VOTER, NULL);
        CHECK_EQUAL(voters, disks() >= 5 ? 5 : 3);
        for (uint32_t i = 0; i < conf.count; i++)
            CHECK(!(conf.members[i].flags & RAFT_VOTER) ||
                  nodes[conf.members[i].id.node].log == conf.members[i].id.log);
        for (uint32_t i = 0; i < 600; i++)
            CHECK(!live_on());
    }
}

/* A node that comes and goes faster than the hold-down never votes, and moves nobody else's vote. */
static void test_flapping_changes_nothing(void)
{
    begin_world();
    for (uint32_t node = 4; node <= NODES; node++)
        nodes[node].disk = node <= 5;
    for (uint32_t i = 0; i < 5000; i++) {
        struct world_node *n = &nodes[5];
        if (i % 15 == 0) {
            n->up = !n->up;
            n->good_since_ns = n->silent_since_ns = now_ns;
        }
        CHECK(!live_on());
    }
}

int main(void)
{
    RUN(test_what_it_decides_by_itself);
    RUN(test_what_it_decides_by_wish);
    RUN(test_what_an_operator_may);
    RUN(test_it_grows_and_comes_to_rest);
    RUN(test_flapping_changes_nothing);
    return 0;
}
